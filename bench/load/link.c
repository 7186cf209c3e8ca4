/* Connections, WebSocket frames, and what the messages in them mean. */
#define _GNU_SOURCE
#include "wsload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10 };
enum { ASK_ID = 5, JOIN_ID = 7, FIRST_ID = 10000, IDS = 80000 };

static const uint8_t MASK[4] = {0x37, 0xfa, 0x21, 0x3d};

/* An event that wants an acknowledgement, as a masked frame: only the digits of its id change. */
typedef struct pattern {
    uint8_t frame[MAX_SIZE + 200];
    uint32_t len, digits, phase;
} pattern;

static pattern patterns[2]; /* of the main namespace and of the other */
static uint8_t *one_way;    /* all of a batch but its last */
static uint32_t one_way_len;
static int answered;
static uint64_t answer;

int is_mode(const char *mode) { return !strcmp(opt.mode, mode); }

/* Whether the rate lets another piece of work begin; without a rate, it always may. */
int may_start(void) {
    static uint64_t begin;
    if (opt.rate <= 0) return 1;
    uint64_t t = now();
    if (!begin) begin = t;
    return count.started <= (t - begin) / 1e9 * opt.rate;
}

/* Output */

void want_out(conn *c, int out) {
    if (c->wants_out == out) return;
    c->wants_out = out;
    struct epoll_event e = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
}

void flush_out(conn *c) {
    uint32_t done = 0;
    c->dirty = 0;
    while (done < c->out_len) {
        ssize_t k = send(c->fd, c->out + done, c->out_len - done, MSG_NOSIGNAL);
        if (k < 0 && errno == EAGAIN) break;
        if (k < 0) {
            count.errors++;
            c->out_len = 0;
            return;
        }
        done += k;
    }
    if (done && done < c->out_len) memmove(c->out, c->out + done, c->out_len - done);
    c->out_len -= done;
    want_out(c, c->out_len > 0);
}

void put(conn *c, const void *data, uint32_t n) {
    if (c->out_len + n > c->out_cap) {
        c->out_cap = (c->out_len + n) * 2;
        c->out = realloc(c->out, c->out_cap);
        if (!c->out) die("out of memory");
    }
    memcpy(c->out + c->out_len, data, n);
    c->out_len += n;
    c->dirty = 1;
}

static uint32_t make_frame(uint8_t *to, int opcode, const char *data, uint32_t n) {
    uint32_t k = 0;
    to[k++] = 0x80 | opcode;
    if (n < 126) {
        to[k++] = 0x80 | n;
    } else {
        to[k++] = 0x80 | 126;
        to[k++] = n >> 8;
        to[k++] = n & 255;
    }
    memcpy(to + k, MASK, 4);
    k += 4;
    for (uint32_t i = 0; i < n; i++) to[k + i] = data[i] ^ MASK[i & 3];
    return k + n;
}

static void send_frame(conn *c, int opcode, const char *data, uint32_t n) {
    static uint8_t frame[MAX_SIZE + 200];
    put(c, frame, make_frame(frame, opcode, data, n));
}

void send_text(conn *c, const char *text) { send_frame(c, TEXT, text, strlen(text)); }

void send_close(conn *c) {
    send_frame(c, CLOSE, "\x03\xe8", 2);
    c->state = CLOSING;
}

static void prepare_pattern(pattern *p, const char *prefix) {
    static char text[MAX_SIZE + 100];
    int n = snprintf(text, sizeof text, "42%s%05d[\"echo\",%s]", prefix, FIRST_ID, payload);
    p->phase = 2 + strlen(prefix);
    p->len = make_frame(p->frame, TEXT, text, n);
    p->digits = p->len - n + p->phase;
}

void prepare_frames(void) {
    static char text[MAX_SIZE + 100];
    prepare_pattern(&patterns[0], "");
    prepare_pattern(&patterns[1], OTHER ",");
    int n = snprintf(text, sizeof text, "42[\"ev\",%s]", payload);
    one_way = malloc((size_t)opt.batch * (n + 16));
    if (!one_way) die("out of memory");
    for (int i = 0; i < opt.batch - 1; i++)
        one_way_len += make_frame(one_way + one_way_len, TEXT, text, n);
}

void send_acked(conn *c, uint64_t began) {
    uint32_t id = FIRST_ID + c->next++ % IDS, rest = id;
    pattern *p = &patterns[opt.namespaces > 1 && c->next % 2];
    for (int i = 4; i >= 0; i--) {
        p->frame[p->digits + i] = ('0' + rest % 10) ^ MASK[(p->phase + i) & 3];
        rest /= 10;
    }
    put(c, p->frame, p->len);
    c->began[id % RING] = began;
    c->inflight++;
}

void send_batch(conn *c, uint64_t began) {
    put(c, one_way, one_way_len);
    send_acked(c, began);
    count.batches++;
    count.started += opt.batch;
}

void send_broadcast(conn *c) {
    static char text[MAX_SIZE + 100];
    int n = snprintf(text, sizeof text, "42[\"%s\",%s]", opt.room ? "broom" : "bcast", payload);
    send_frame(c, TEXT, text, n);
    count.broadcasts++;
    count.started++;
}

/* Connecting */

void dial(conn *c) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(opt.port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("socket: %s", strerror(errno));
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->state = CONNECTING;
    c->in_len = c->out_len = c->inflight = 0;
    c->wants_out = 1;
    if (connect(c->fd, (void *)&a, sizeof a) < 0 && errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e);
}

static void connected(conn *c) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) die("connect: %s", strerror(error));
    if (c->session) {
        polling_connected(c);
        return;
    }
    char request[700];
    int n = snprintf(request, sizeof request,
                     "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
                     "Host: 127.0.0.1:%d\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                     "User-Agent: wsload\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                     opt.port);
    put(c, request, n);
    c->state = UPGRADING;
    flush_out(c);
}

static void became_ready(conn *c) {
    c->state = READY;
    count.ready++;
    if (is_mode("connect")) send_close(c);
}

/* Input */

static void handshake_message(conn *c, const char *p, uint32_t n) {
    if (c->state == OPENING) {
        if (p[0] != '0') die("no open packet");
        send_text(c, "40");
        c->state = JOINING;
        return;
    }
    if (n < 2 || p[0] != '4' || p[1] != '0') die("no CONNECT answer: %.*s", (int)n, p);
    if (opt.namespaces > 1 && c->state == JOINING) {
        send_text(c, "40" OTHER ",");
        c->state = JOINING_OTHER;
    } else {
        became_ready(c);
    }
}

static void acknowledged(conn *c, uint32_t id, const char *p, uint32_t n, uint64_t t) {
    if (!memmem(p, n, payload, payload_len)) {
        count.mismatches++;
        if (count.mismatches < 3) fprintf(stderr, "mismatch: %.*s\n", (int)n, p);
    }
    c->inflight--;
    if (measuring) add_latency(t - c->began[id % RING]);
    count.ops += is_mode("events") ? opt.batch : 1;
    if (!running || opt.rate > 0) return;
    if (is_mode("echo")) send_acked(c, t);
    if (is_mode("events")) send_batch(c, t);
}

static void on_text(conn *c, const char *p, uint32_t n, uint64_t t) {
    if (n == 1 && p[0] == '2') {
        send_text(c, "3");
        return;
    }
    if (c->state < READY) {
        handshake_message(c, p, n);
        return;
    }
    if (n < 3 || p[0] != '4') die("odd message: %.*s", (int)n, p);
    uint32_t i = 2, id = 0;
    if (p[i] == '/')
        while (i < n && p[i++] != ',') {}
    if (i == n || p[i] < '0' || p[i] > '9') {
        count.received++;
        count.ops += is_mode("bcast");
        return;
    }
    while (i < n && p[i] >= '0' && p[i] <= '9') id = id * 10 + p[i++] - '0';
    if (id >= FIRST_ID) {
        acknowledged(c, id, p, n, t);
    } else if (id == JOIN_ID) {
        count.ready++;
    } else {
        answered = 1;
        answer = i + 1 < n ? strtoull(p + i + 1, 0, 10) : 0;
    }
}

static uint32_t upgrade_answer(conn *c) {
    char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
    if (!end) return 0;
    if (memcmp(c->in, "HTTP/1.1 101", 12))
        die("no upgrade: %.*s", (int)(c->in_len > 200 ? 200 : c->in_len), c->in);
    c->state = OPENING;
    return end + 4 - (char *)c->in;
}

static void on_frame(conn *c, int opcode, const char *p, uint32_t n, uint64_t t) {
    if (opcode == TEXT) on_text(c, p, n, t);
    if (opcode == PING) send_frame(c, PONG, p, n);
    if (opcode == CLOSE && c->state != CLOSING) {
        count.errors++;
        send_close(c);
    }
}

static void on_bytes(conn *c, uint64_t t) {
    uint32_t done = 0;
    if (c->state == UPGRADING && !(done = upgrade_answer(c))) return;
    while (c->in_len - done >= 2) {
        uint8_t *b = c->in + done;
        uint32_t left = c->in_len - done, head = 2, n = b[1] & 127;
        if (!(b[0] & 128) || b[1] & 128 || n == 127) die("a frame that nobody should send");
        if (n == 126) {
            if (left < 4) break;
            n = b[2] << 8 | b[3];
            head = 4;
        }
        if (left < head + n) break;
        on_frame(c, b[0] & 15, (char *)b + head, n, t);
        done += head + n;
    }
    if (done) memmove(c->in, c->in + done, c->in_len - done);
    c->in_len -= done;
}

static void ended(conn *c, uint64_t t) {
    enum state was = c->state;
    close(c->fd);
    c->state = DEAD;
    if (!is_mode("connect")) {
        count.errors += running;
        return;
    }
    if (was == CLOSING) {
        count.ops++;
        if (measuring) add_latency(t - c->began[0]);
    } else {
        count.errors++;
    }
    if (running && opt.rate <= 0) {
        c->began[0] = now();
        dial(c);
    }
}

static void readable(conn *c, uint64_t t) {
    for (;;) {
        if (c->in_cap - c->in_len < 4096) {
            c->in_cap = c->in_cap ? c->in_cap * 2 : 8192;
            c->in = realloc(c->in, c->in_cap);
            if (!c->in) die("out of memory");
        }
        ssize_t k = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, 0);
        if (k < 0 && errno == EAGAIN) return;
        if (k <= 0) {
            ended(c, t);
            return;
        }
        c->in_len += k;
        int full = c->in_len == c->in_cap;
        if (c->session)
            polling_readable(c);
        else
            on_bytes(c, t);
        if (!full) return;
    }
}

/* The loop */

void pump(int timeout_ms) {
    struct epoll_event events[512];
    int n = epoll_wait(poller, events, 512, timeout_ms);
    uint64_t t = now();
    for (int i = 0; i < n; i++) {
        conn *c = events[i].data.ptr;
        if (c->state == DEAD) continue;
        if (c->state == CONNECTING) {
            if (events[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) connected(c);
            continue;
        }
        if (events[i].events & EPOLLOUT) flush_out(c);
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) readable(c, t);
        if (c->state > CONNECTING && c->dirty) flush_out(c);
    }
}

void pump_until_ready(uint64_t wanted, double limit) {
    uint64_t end = now() + (uint64_t)(limit * 1e9);
    while (count.ready < wanted) {
        if (now() > end) die("only %d of %d ready", (int)count.ready, (int)wanted);
        pump(100);
    }
}

/* Have the server answer an event with a number. */
uint64_t ask_number(const char *event) {
    char text[64];
    snprintf(text, sizeof text, "42%d[\"%s\"]", ASK_ID, event);
    answered = 0;
    send_text(&conns[0], text);
    flush_out(&conns[0]);
    for (uint64_t end = now() + 10000000000ull; !answered;) {
        if (now() > end) die("%s: no answer", event);
        pump(50);
    }
    return answer;
}
