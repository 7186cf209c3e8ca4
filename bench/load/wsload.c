/* wsload: a small neutral load generator for servers of Engine.IO 4 and Socket.IO 5.
 * One thread, epoll, no dependency. Frames are made before the run.
 *
 *   wsload mode=MODE port=P [key=value ...]        prints one line of JSON
 *
 * modes
 *   echo     closed loop: each connection keeps `window` acknowledged events in flight
 *   rate     open loop: `rate` events a second in all, latency from the INTENDED time of sending
 *   events   one-way: batches of `batch` events, the last of a batch asks for an acknowledgement
 *   bcast    connection 0 asks for broadcasts, all connections count what arrives
 *   connect  connect, handshake, CONNECT, close; `window` at a time
 *   poll     long-polling round trips
 *   hold     opens `conns` connections, prints READY, holds until stdin closes
 *
 * events, bcast, connect and poll begin at most `rate` pieces of work a second if it is given.
 * namespaces=2: connections join a second one, and their events go to both in turn.
 *
 * Only 127.0.0.1; every loop is bounded by secs= (at most 60) and conns= (at most 5,000).
 */
#define _GNU_SOURCE
#include "wsload.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

options opt = {.mode = "echo",
               .conns = 1,
               .window = 1,
               .batch = 64,
               .size = 100,
               .namespaces = 1,
               .warm = 0.3,
               .secs = 1.0};
counters count;
conn *conns;
int running, measuring, poller;
char payload[MAX_SIZE + 100];
int payload_len;

/* What was measured between the end of the warm-up and the end of the run. */
static struct {
    uint64_t t, ops, server, own;
} from, to;
static uint64_t counted_before, counted_after;

static void mark(typeof(from) *m) {
    m->t = now();
    m->ops = count.ops;
    m->server = server_cpu();
    m->own = own_cpu();
}

static void read_option(char *argument) {
    static const struct {
        const char *name;
        int *number;
    } NUMBERS[] = {
        {"port", &opt.port},
        {"conns", &opt.conns},
        {"window", &opt.window},
        {"batch", &opt.batch},
        {"size", &opt.size},
        {"room", &opt.room},
        {"namespaces", &opt.namespaces},
        {"pid", &opt.pid},
    };
    static const struct {
        const char *name;
        double *number;
    } DECIMALS[] = {
        {"warm", &opt.warm},
        {"secs", &opt.secs},
        {"rate", &opt.rate},
    };
    char *value = strchr(argument, '=');
    if (!value) die("key=value wanted: %s", argument);
    *value++ = 0;
    if (!strcmp(argument, "mode")) {
        opt.mode = value;
        return;
    }
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++)
        if (!strcmp(argument, NUMBERS[i].name)) {
            *NUMBERS[i].number = atoi(value);
            return;
        }
    for (size_t i = 0; i < sizeof DECIMALS / sizeof *DECIMALS; i++)
        if (!strcmp(argument, DECIMALS[i].name)) {
            *DECIMALS[i].number = atof(value);
            return;
        }
    die("unknown key %s", argument);
}

static void check_options(void) {
    if (opt.conns < 1 || opt.conns > MAX_CONNS || opt.secs > 60 || opt.warm > 20 || !opt.port ||
        opt.size > MAX_SIZE - 100 || opt.window < 1 || opt.window > RING / 2 || opt.batch < 1 ||
        opt.batch > 1000 || opt.room > opt.conns || (is_mode("rate") && opt.rate <= 0))
        die("out of bounds");
}

/* The JSON argument of events, such that the text of an acknowledged one has `size` bytes. */
static void make_payload(void) {
    const char *head = "{\"user\":\"alice\",\"text\":\"";
    int padding = opt.size - 7 - 9 - (int)strlen(head) - 2;
    payload_len = sprintf(payload, "%s", head);
    for (int i = 0; i < padding || i < 1; i++)
        payload[payload_len++] = "lorem ipsum dolor sit amet "[i % 27];
    payload_len += sprintf(payload + payload_len, "\"}");
}

static void join_room(void) {
    for (int i = 0; i < opt.room; i++) {
        send_text(&conns[i], "427[\"join\"]");
        flush_out(&conns[i]);
        if (i % 64 == 63) pump_until_ready(opt.conns + i - 63, 10);
    }
    pump_until_ready(opt.conns + opt.room, 10);
}

static void open_websockets(void) {
    int remembers = !is_mode("hold") && !is_mode("bcast");
    conns = calloc(opt.conns, sizeof *conns);
    for (int i = 0; conns && remembers && i < opt.conns; i++)
        if (!(conns[i].began = calloc(RING, sizeof *conns[i].began))) die("out of memory");
    if (!conns) die("out of memory");
    if (is_mode("connect")) return;
    for (int i = 0; i < opt.conns; i++) {
        dial(&conns[i]);
        if (i >= 64) pump_until_ready(i - 63, 30);
    }
    pump_until_ready(opt.conns, 30);
    if (opt.room) join_room();
}

static void start_all(void) {
    running = 1;
    if (is_mode("poll")) start_idle_sessions();
    if (is_mode("connect") && opt.rate <= 0)
        for (int i = 0; i < opt.window && i < opt.conns; i++) {
            conns[i].began[0] = now();
            dial(&conns[i]);
        }
    if (is_mode("events")) counted_before = ask_number("count");
    for (int i = 0; i < opt.conns && (is_mode("echo") || is_mode("events")); i++) {
        for (int w = 0; w < opt.window && may_start(); w++) {
            if (is_mode("echo"))
                send_acked(&conns[i], now());
            else
                send_batch(&conns[i], now());
        }
        flush_out(&conns[i]);
    }
}

/* Begin what the rate lets begin now. */
static void start_due(void) {
    static int next;
    if (is_mode("poll")) start_idle_sessions();
    for (int i = 0; i < opt.conns && may_start(); i++) {
        conn *c = &conns[next++ % opt.conns];
        if (is_mode("connect") && c->state == DEAD) {
            count.started++;
            c->began[0] = now();
            dial(c);
        } else if (is_mode("events") && !c->inflight) {
            send_batch(c, now());
            flush_out(c);
        }
    }
}

static void send_intended(uint64_t begin) {
    double step = 1e9 / opt.rate;
    for (uint64_t t = now(); begin + (uint64_t)(count.started * step) <= t; count.started++) {
        conn *c = &conns[count.started % opt.conns];
        send_acked(c, begin + (uint64_t)(count.started * step));
        flush_out(c);
        if (c->inflight > RING - 8) die("the server is too slow for this rate");
    }
}

static uint64_t receivers(void) { return opt.room ? opt.room : opt.conns; }

static void send_broadcasts(void) {
    uint64_t in_flight = opt.window * receivers();
    while (count.broadcasts * receivers() < count.received + in_flight && may_start())
        send_broadcast(&conns[0]);
    if (conns[0].dirty) flush_out(&conns[0]);
}

static void run(void) {
    uint64_t begin = now();
    for (;;) {
        uint64_t t = now();
        if (!measuring && t >= begin + (uint64_t)(opt.warm * 1e9)) {
            mark(&from);
            measuring = 1;
        }
        if (measuring && t >= from.t + (uint64_t)(opt.secs * 1e9)) break;
        if (is_mode("rate"))
            send_intended(begin);
        else if (is_mode("bcast"))
            send_broadcasts();
        else if (opt.rate > 0)
            start_due();
        pump(is_mode("rate") ? 0 : opt.rate > 0 ? 1 : 5);
    }
    mark(&to);
    running = measuring = 0;
}

static void hold(double ramp) {
    ask_number("gc");
    printf("READY %.3f\n", ramp);
    fflush(stdout);
    fcntl(0, F_SETFL, O_NONBLOCK);
    char ignored[8];
    for (uint64_t end = now() + (uint64_t)(opt.secs * 1e9); now() < end;) {
        pump(20);
        if (read(0, ignored, sizeof ignored) == 0) break;
    }
    mark(&from);
    mark(&to);
    to.t = from.t + 1;
}

/* Wait for what is still on its way, and see that nothing is missing. */
static void settle(void) {
    uint64_t end = now() + 5000000000ull;
    if (is_mode("poll") || is_mode("connect") || is_mode("hold")) return;
    for (int i = 0; i < opt.conns; i++)
        while (conns[i].inflight && now() < end) pump(20);
    if (is_mode("events")) counted_after = ask_number("count");
    if (!is_mode("bcast")) return;
    while (count.received < count.broadcasts * receivers() && now() < end) pump(20);
    if (count.received != count.broadcasts * receivers()) count.errors++;
}

static void report(double ramp) {
    double seconds = (to.t - from.t) / 1e9;
    uint64_t n = to.ops - from.ops, server = to.server - from.server;
    sort_latencies();
    printf("{\"mode\":\"%s\",\"conns\":%d,\"window\":%d,\"secs\":%.3f,\"n\":%llu,\"rate\":%.1f,",
           opt.mode, opt.conns, opt.window, seconds, (unsigned long long)n, n / seconds);
    printf("\"cpu_us\":%.5f,\"srv_util\":%.3f,\"lg_util\":%.3f,", n ? server / 1e3 / n : 0.0,
           server / 1e9 / seconds, (to.own - from.own) / 1e9 / seconds);
    printf("\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,\"ramp_s\":%.3f,", latency_us(0.5),
           latency_us(0.99), latency_us(1), ramp);
    if (is_mode("events"))
        printf("\"sent\":%llu,\"counted\":%llu,",
               (unsigned long long)count.batches * (opt.batch - 1),
               (unsigned long long)(counted_after - counted_before));
    printf("\"mismatch\":%llu,\"errors\":%llu}\n", (unsigned long long)count.mismatches,
           (unsigned long long)count.errors);
    fflush(stdout);
}

/* Leave politely: close frames, then wait for the server to hang up. */
static void leave(void) {
    if (is_mode("poll")) {
        close_sessions();
        return;
    }
    for (int i = 0; i < opt.conns; i++)
        if (conns[i].state == READY) {
            send_close(&conns[i]);
            flush_out(&conns[i]);
        }
    int left = 1;
    for (uint64_t end = now() + 5000000000ull; left && now() < end; pump(20)) {
        left = 0;
        for (int i = 0; i < opt.conns; i++) left += conns[i].state != DEAD;
    }
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) read_option(argv[i]);
    check_options();
    alarm(150);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    poller = epoll_create1(0);
    make_payload();
    prepare_frames();
    uint64_t begin = now();
    if (is_mode("poll"))
        open_sessions();
    else
        open_websockets();
    double ramp = (now() - begin) / 1e9;
    if (is_mode("hold")) {
        hold(ramp);
    } else {
        start_all();
        run();
        settle();
    }
    report(ramp);
    leave();
    return count.mismatches || count.errors ? 2 : 0;
}
