/* What the parts of wsload share: see wsload.c. */
#ifndef WSLOAD_H
#define WSLOAD_H

#include <stdint.h>

#define RING 1024 /* most acknowledged events in flight on a connection */
#define MAX_CONNS 5000
#define MAX_SIZE 60000
#define OTHER "/other" /* the second namespace */

enum state { DEAD, CONNECTING, UPGRADING, OPENING, JOINING, JOINING_OTHER, READY, CLOSING };

struct session;

typedef struct conn {
    int fd, dirty, wants_out;
    enum state state;
    uint8_t *in, *out;
    uint32_t in_len, in_cap, out_len, out_cap;
    uint32_t next, inflight;
    uint64_t *began;         /* when each event in flight was sent, by its id */
    struct session *session; /* of long polling */
} conn;

typedef struct session {
    conn get, post;
    char sid[128];
    enum { ASKS, JOINS, LISTENS, RUNS, ENDS } step;
    int got_ack, got_ok, owes_pong, idle, ended;
    uint64_t began;
} session;

typedef struct options {
    const char *mode;
    int port, conns, window, batch, size, room, namespaces, pid;
    double warm, secs, rate;
} options;

typedef struct counters {
    uint64_t ops, ready, received, mismatches, errors, batches, broadcasts, started;
} counters;

extern options opt;
extern counters count;
extern conn *conns;
extern int running, measuring, poller;
extern char payload[];
extern int payload_len;

/* measure.c */
uint64_t now(void);
uint64_t own_cpu(void);
uint64_t server_cpu(void);
void add_latency(uint64_t ns);
void sort_latencies(void);
double latency_us(double share);
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* link.c: sockets, frames, and the messages of a WebSocket */
int is_mode(const char *mode);
int may_start(void);
void want_out(conn *c, int out);
void put(conn *c, const void *data, uint32_t n);
void flush_out(conn *c);
void send_text(conn *c, const char *text);
void send_close(conn *c);
void prepare_frames(void);
void send_acked(conn *c, uint64_t began);
void send_batch(conn *c, uint64_t began);
void send_broadcast(conn *c);
void dial(conn *c);
uint64_t ask_number(const char *event);
void pump(int timeout_ms);
void pump_until_ready(uint64_t wanted, double limit);

/* polling.c */
void open_sessions(void);
void start_idle_sessions(void);
void close_sessions(void);
void polling_connected(conn *c);
void polling_readable(conn *c);

#endif
