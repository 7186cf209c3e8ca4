/* ceiling: the trivial server that shows what the load generator itself can do.
 *
 *   ceiling PORT
 *
 * It speaks just enough, and checks just enough, for every mode of wsload; it is nobody's server
 * of anything. One thread, epoll, 127.0.0.1.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_SESSIONS 4096
#define MAX_TEXT 70000

typedef struct conn {
    int fd, is_websocket, in_room, place;
    uint8_t *in, *out;
    uint32_t in_len, in_cap, out_len, out_cap;
} conn;

typedef struct session {
    char waiting[MAX_TEXT];
    int waiting_len;
    conn *parked;
} session;

static int poller;
static conn **live;
static int live_count, live_cap;
static session *sessions;
static int session_count;
static unsigned long long events_seen;
static const char *OPEN = "0{\"sid\":\"abcdefghijklmnopqrst\",\"upgrades\":[],\"pingInterval\":"
                          "25000,\"pingTimeout\":20000,\"maxPayload\":1000000}";

static void put(conn *c, const void *p, uint32_t n) {
    if (c->out_len + n > c->out_cap) {
        c->out_cap = (c->out_len + n) * 2;
        c->out = realloc(c->out, c->out_cap);
    }
    memcpy(c->out + c->out_len, p, n);
    c->out_len += n;
}

static void flush_out(conn *c) {
    uint32_t o = 0;
    while (o < c->out_len) {
        ssize_t k = send(c->fd, c->out + o, c->out_len - o, MSG_NOSIGNAL);
        if (k < 0) break;
        o += k;
    }
    if (o && o < c->out_len) memmove(c->out, c->out + o, c->out_len - o);
    c->out_len -= o;
    struct epoll_event e = {.events = EPOLLIN | (c->out_len ? EPOLLOUT : 0), .data.ptr = c};
    if (c->out_len || o == 0) epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
}

static void put_frame(conn *c, int op, const char *p, uint32_t n) {
    uint8_t h[4];
    int k = 2;
    h[0] = 0x80 | op;
    if (n < 126)
        h[1] = n;
    else {
        h[1] = 126;
        h[2] = n >> 8;
        h[3] = n;
        k = 4;
    }
    put(c, h, k);
    put(c, p, n);
}

static void drop(conn *c) {
    conn *l = live[--live_count];
    live[c->place] = l;
    l->place = c->place;
    close(c->fd);
    c->fd = -1;
    free(c->in);
    free(c->out);
    free(c);
}

static int reply(char *p, uint32_t n, char *o) { /* 42<id>["echo",ARG] -> 43<id>[ARG] */
    uint32_t i = 2;
    if (p[i] == '/')
        while (i < n && p[i++] != ',') {}
    while (i < n && p[i] >= '0' && p[i] <= '9') i++;
    memcpy(o, p, i);
    o[1] = '3';
    if (p[i + 2] == 'e') {
        o[i] = '[';
        memcpy(o + i + 1, p + i + 8, n - i - 8);
        return i + 1 + n - i - 8;
    }
    return i + sprintf(o + i, "[%llu]", events_seen);
}

static void broadcast(conn *from, const char *p, uint32_t n) { /* 42["bcast",ARG] */
    static char o[MAX_TEXT];
    int room = p[5] == 'r';
    memcpy(o, "42[\"msg\"", 8);
    memcpy(o + 8, p + 10, n - 10);
    for (int i = 0; i < live_count; i++)
        if (live[i]->is_websocket && (!room || live[i]->in_room)) {
            put_frame(live[i], 1, o, n - 2);
            if (live[i] != from) flush_out(live[i]);
        }
}

static void on_text(conn *c, char *p, uint32_t n) {
    static char o[MAX_TEXT];
    if (n < 2) return;
    if (p[1] == '0') { /* CONNECT, to any namespace */
        const char *sid = "{\"sid\":\"abcdefghijklmnopqrst\"}";
        put_frame(c, 1, o, sprintf(o, "%.*s%s", (int)n, p, sid));
    } else if (p[2] != '[') {
        if (memmem(p, n, "\"join\"", 6)) c->in_room = 1;
        put_frame(c, 1, o, reply(p, n, o));
    } else if (p[4] == 'e') {
        events_seen++;
    } else {
        broadcast(c, p, n);
    }
}

static void put_answer(conn *c, const char *b, int n) {
    char h[300];
    put(c, h,
        sprintf(h, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", n));
    put(c, b, n);
    flush_out(c);
}

static void answer_poll(session *s) {
    if (s->parked && s->waiting_len) {
        conn *c = s->parked;
        s->parked = 0;
        put_answer(c, s->waiting, s->waiting_len);
        s->waiting_len = 0;
    }
}

static void upgrade(conn *c) {
    const char *answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\n"
                         "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    c->is_websocket = 1;
    put(c, answer, strlen(answer));
    put_frame(c, 1, OPEN, strlen(OPEN));
    flush_out(c);
}

static void open_session(conn *c) {
    char text[300];
    if (session_count == MAX_SESSIONS) exit(1);
    int n = sprintf(text, "0{\"sid\":\"%d\",%s", session_count++, strstr(OPEN, "\"upgrades"));
    put_answer(c, text, n);
}

static void on_post(conn *c, session *s, char *body, uint32_t n) {
    put_answer(c, "ok", 2);
    if (n == 1) /* goodbye: the parked GET has to be answered */
        s->waiting_len = sprintf(s->waiting, "6");
    else if (n == 2)
        s->waiting_len = sprintf(s->waiting, "40{\"sid\":\"x\"}");
    else
        s->waiting_len = reply(body, n, s->waiting);
    answer_poll(s);
}

static int on_http(conn *c) {
    char *in = (char *)c->in, *head_end = c->in_len ? memmem(in, c->in_len, "\r\n\r\n", 4) : 0;
    if (!head_end) return 0;
    uint32_t head = head_end + 4 - in;
    char *length = memmem(in, head, "Content-Length: ", 16), *sid = memmem(in, head, "&sid=", 5);
    uint32_t end = head + (length ? atol(length + 16) : 0);
    if (c->in_len < end) return 0;
    session *s = sid ? &sessions[atoi(sid + 5) % MAX_SESSIONS] : 0;
    if (memmem(in, head, "transport=websocket", 19)) {
        upgrade(c);
    } else if (!s) {
        open_session(c);
    } else if (in[0] == 'G') {
        s->parked = c;
        answer_poll(s);
    } else {
        on_post(c, s, in + head, end - head);
    }
    memmove(in, in + end, c->in_len - end);
    c->in_len -= end;
    return 1;
}

static int on_websocket(conn *c) {
    uint8_t *b = c->in;
    uint32_t off = 0;
    int bye = 0;
    while (c->in_len - off >= 6) {
        uint32_t h = 6, n = b[off + 1] & 127;
        if (n == 126) {
            if (c->in_len - off < 8) break;
            n = b[off + 2] << 8 | b[off + 3];
            h = 8;
        }
        if (c->in_len - off < h + n) break;
        uint8_t *m = b + off + h - 4, *p = b + off + h;
        for (uint32_t i = 0; i < n; i++) p[i] ^= m[i & 3];
        int op = b[off] & 15;
        if (op == 1)
            on_text(c, (char *)p, n);
        else if (op == 8) {
            put_frame(c, 8, (char *)p, n);
            bye = 1;
        }
        off += h + n;
    }
    memmove(b, b + off, c->in_len - off);
    c->in_len -= off;
    if (c->out_len) flush_out(c);
    return bye;
}

static void watch(int operation, int fd, conn *c) {
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, operation, fd, &e);
}

static int open_listener(int port) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (void *)&a, sizeof a) || listen(fd, 1024)) {
        perror("bind");
        exit(1);
    }
    return fd;
}

static void accept_one(int listener) {
    int fd = accept4(listener, 0, 0, SOCK_NONBLOCK), one = 1;
    if (fd < 0) return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    conn *c = calloc(1, sizeof *c);
    if (live_count == live_cap)
        live = realloc(live, (live_cap = live_cap ? live_cap * 2 : 64) * sizeof *live);
    if (!c || !live) exit(1);
    c->fd = fd;
    c->place = live_count;
    live[live_count++] = c;
    watch(EPOLL_CTL_ADD, fd, c);
}

static void readable(conn *c) {
    if (c->in_cap - c->in_len < 16384)
        c->in = realloc(c->in, c->in_cap = c->in_cap ? c->in_cap * 2 : 32768);
    if (!c->in) exit(1);
    ssize_t k = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, 0);
    if (k < 0 && errno == EAGAIN) return;
    if (k <= 0) {
        for (int i = 0; i < session_count; i++)
            if (sessions[i].parked == c) sessions[i].parked = 0;
        drop(c);
        return;
    }
    c->in_len += k;
    while (!c->is_websocket && on_http(c)) {}
    if (c->is_websocket && on_websocket(c)) drop(c);
}

int main(int argc, char **argv) {
    if (argc < 2) return 1;
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    sessions = calloc(MAX_SESSIONS, sizeof *sessions);
    poller = epoll_create1(0);
    int listener = open_listener(atoi(argv[1]));
    watch(EPOLL_CTL_ADD, listener, 0);
    for (;;) {
        struct epoll_event events[512];
        int n = epoll_wait(poller, events, 512, -1);
        for (int i = 0; i < n; i++) {
            conn *c = events[i].data.ptr;
            if (!c) {
                accept_one(listener);
                continue;
            }
            if (events[i].events & EPOLLOUT) flush_out(c);
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c);
        }
    }
}
