/* Long polling: a GET is parked, a POST brings the event, the answer comes by the GET. */
#define _GNU_SOURCE
#include "wsload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *FIELDS = "User-Agent: wsload/1 (bench)\r\nAccept: */*\r\nAccept-Language: en\r\n"
                            "Connection: keep-alive\r\n";
static session *sessions;

static void get(session *s) {
    char request[700];
    int n = snprintf(request, sizeof request,
                     "GET /socket.io/?EIO=4&transport=polling%s%s HTTP/1.1\r\n"
                     "Host: 127.0.0.1:%d\r\n%s\r\n",
                     s->sid[0] ? "&sid=" : "", s->sid, opt.port, FIELDS);
    put(&s->get, request, n);
    flush_out(&s->get);
}

static void post(session *s, const char *body, int body_len) {
    char head[1000];
    int n = snprintf(head, sizeof head,
                     "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\n"
                     "Host: 127.0.0.1:%d\r\n%sContent-Type: text/plain;charset=UTF-8\r\n"
                     "Content-Length: %d\r\n\r\n",
                     s->sid, opt.port, FIELDS, body_len);
    put(&s->post, head, n);
    put(&s->post, body, body_len);
    flush_out(&s->post);
}

static void start_round(session *s) {
    static char body[MAX_SIZE + 200];
    int n =
        snprintf(body, sizeof body, "%s4210000[\"echo\",%s]", s->owes_pong ? "3\x1e" : "", payload);
    s->owes_pong = s->got_ack = s->got_ok = s->idle = 0;
    s->began = now();
    count.started++;
    get(s);
    post(s, body, n);
}

static void handshake_answer(session *s, const char *body, uint32_t n) {
    const char *sid = memmem(body, n, "\"sid\":\"", 7);
    if (!sid) die("no sid: %.*s", (int)n, body);
    sid += 7;
    uint32_t length = strcspn(sid, "\"");
    if (length >= sizeof s->sid) die("the sid is too long");
    memcpy(s->sid, sid, length);
    s->sid[length] = 0;
    s->step = JOINS;
    post(s, "40", 2);
}

static void round_answer(conn *c, session *s, const char *body, uint32_t n) {
    if (c == &s->post) {
        s->got_ok = 1;
    } else if (memmem(body, n, "4310000", 7)) {
        s->got_ack = 1;
        if (!memmem(body, n, payload, payload_len)) count.mismatches++;
    } else {
        if (n && body[0] == '2') s->owes_pong = 1;
        get(s);
    }
    if (!s->got_ok || !s->got_ack) return;
    s->got_ok = s->got_ack = 0;
    count.ops++;
    if (measuring) add_latency(now() - s->began);
    s->idle = 1;
    if (running && opt.rate <= 0) start_round(s);
}

static void answer_came(conn *c, const char *body, uint32_t n) {
    session *s = c->session;
    switch (s->step) {
    case ASKS: handshake_answer(s, body, n); break;
    case JOINS:
        s->step = LISTENS;
        get(s);
        break;
    case LISTENS:
        if (!memmem(body, n, "40", 2)) die("no CONNECT answer");
        s->step = RUNS;
        s->idle = 1;
        count.ready++;
        break;
    case RUNS: round_answer(c, s, body, n); break;
    case ENDS: s->ended |= c == &s->post; break;
    }
}

/* The body of a chunked answer; returns where it ends, 0 if it is not all there. */
static uint32_t unchunk(const char *in, uint32_t len, uint32_t at, char *body, uint32_t *body_len) {
    for (uint32_t size = 1; size;) {
        char *line_end = at < len ? memmem(in + at, len - at, "\r\n", 2) : 0;
        if (!line_end) return 0;
        size = strtoul(in + at, 0, 16);
        at = line_end + 2 - in;
        if (at + size + 2 > len) return 0;
        if (*body_len + size > MAX_SIZE) die("the answer is too long");
        memcpy(body + *body_len, in + at, size);
        *body_len += size;
        at += size + 2;
    }
    return at;
}

static int next_answer(conn *c) {
    static char body[MAX_SIZE];
    char *in = (char *)c->in, *head_end = c->in_len ? memmem(in, c->in_len, "\r\n\r\n", 4) : 0;
    if (!head_end) return 0;
    if (memcmp(in, "HTTP/1.1 200", 12) && c->session->step != ENDS)
        die("poll: %.*s", (int)(c->in_len > 300 ? 300 : c->in_len), in);
    uint32_t head = head_end + 4 - in, end, body_len = 0;
    long length = 0;
    int chunked = 0;
    for (char *line = in; line < head_end;) {
        if (!strncasecmp(line, "content-length:", 15)) length = atol(line + 15);
        if (!strncasecmp(line, "transfer-encoding: chunked", 26)) chunked = 1;
        char *next = memmem(line, head_end + 2 - line, "\r\n", 2);
        line = next ? next + 2 : head_end;
    }
    if (chunked) {
        if (!(end = unchunk(in, c->in_len, head, body, &body_len))) return 0;
    } else {
        end = head + length;
        if (length > MAX_SIZE) die("the answer is too long");
        if (c->in_len < end) return 0;
        memcpy(body, in + head, body_len = length);
    }
    memmove(in, in + end, c->in_len - end);
    c->in_len -= end;
    answer_came(c, body, body_len);
    return 1;
}

void polling_readable(conn *c) {
    while (next_answer(c)) {}
}

void polling_connected(conn *c) {
    c->state = READY;
    want_out(c, 0);
    if (c == &c->session->get) get(c->session);
}

void open_sessions(void) {
    sessions = calloc(opt.conns, sizeof *sessions);
    if (!sessions) die("out of memory");
    for (int i = 0; i < opt.conns; i++) {
        session *s = &sessions[i];
        s->get.session = s->post.session = s;
        dial(&s->post);
        dial(&s->get);
        if (i % 32 == 31) pump_until_ready(i - 31, 20);
    }
    pump_until_ready(opt.conns, 30);
}

void start_idle_sessions(void) {
    static int next;
    for (int i = 0; i < opt.conns && may_start(); i++) {
        session *s = &sessions[next++ % opt.conns];
        if (s->idle) start_round(s);
    }
}

/* Finish the rounds that have begun, then say goodbye, so that no session is left to expire. */
void close_sessions(void) {
    int left = opt.conns;
    for (uint64_t end = now() + 3000000000ull; left && now() < end; pump(10)) {
        left = 0;
        for (int i = 0; i < opt.conns; i++) left += !sessions[i].idle;
    }
    for (int i = 0; i < opt.conns; i++) {
        sessions[i].step = ENDS;
        post(&sessions[i], "1", 1);
    }
    left = opt.conns;
    for (uint64_t end = now() + 3000000000ull; left && now() < end; pump(10)) {
        left = 0;
        for (int i = 0; i < opt.conns; i++) left += !sessions[i].ended;
    }
}
