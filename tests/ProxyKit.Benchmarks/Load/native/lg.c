// lg: a single-threaded epoll load generator for HTTP/1.1 and WebSocket. Prints one line of JSON.
//   lg [options] http://127.0.0.1:PORT/path
//     -c N   connections (64)               -d S   seconds (5)
//     -n N   stop after N responses         -r N   open loop at N requests/s; latency counts from the intended start
//     -b N   POST with a body of N bytes    -B     the headers of a browser
//     -z     accept gzip
//     -W N   WebSocket echo of N-byte messages, one in flight per connection
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "histogram.h"
#include "requests.h"

#define LINE_CAPACITY 65536
#define RECEIVE_CAPACITY 262144
#define FIRST_SEND 65536
#define SECOND 1000000000ull

enum phase { HEAD, FIXED, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, UNTIL_CLOSE, WEBSOCKET };

typedef struct {
    int fd, busy, closing, waits_for_room, status;
    enum phase phase;
    char line[LINE_CAPACITY];   // a head or a chunk line that arrived in pieces
    size_t line_length;
    uint64_t sent, remaining, received, started;
} connection;

static int connection_count = 64, browser, websocket, gzip;
static int64_t body_length = -1, stop_after = -1;
static double seconds = 5, rate;
static size_t message_length;

static int epoll_fd;
static struct sockaddr_in server;
static connection *connections;
static char request[16384 + FIRST_SEND], filler[RECEIVE_CAPACITY], received[RECEIVE_CAPACITY];
static uint64_t request_length, request_total;   // head and first part of the body; head and whole body
static uint64_t succeeded, refused, errors, bytes;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static uint64_t finished(void) { return succeeded + refused + errors; }

static void dial(connection *c) {
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(c->fd, (struct sockaddr *)&server, sizeof server)) { perror("connect"); exit(1); }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
    c->waits_for_room = 0;
    c->line_length = 0;
}

static void hang_up(connection *c) {
    close(c->fd);
    c->fd = -1;
    c->busy = 0;
}

static void fail(connection *c) {
    errors++;
    hang_up(c);
}

static void wait_for_room(connection *c, int wait) {
    if (c->waits_for_room == wait) return;
    c->waits_for_room = wait;
    struct epoll_event e = { .events = EPOLLIN | (wait ? EPOLLOUT : 0), .data.ptr = c };
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

static void send_more(connection *c) {
    while (c->sent < request_total) {
        const char *from = c->sent < request_length ? request + c->sent : filler;
        uint64_t left = c->sent < request_length ? request_length - c->sent : request_total - c->sent;
        ssize_t n = send(c->fd, from, left < sizeof filler ? left : sizeof filler, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) { wait_for_room(c, 1); return; }
        if (n < 0) { fail(c); return; }
        c->sent += n;
    }
    wait_for_room(c, 0);
}

static void begin(connection *c, uint64_t intended_start) {
    if (c->fd < 0) dial(c);
    if (c->phase != WEBSOCKET) c->phase = HEAD;
    c->busy = 1;
    c->sent = c->received = 0;
    c->started = intended_start;
    send_more(c);
}

static void complete(connection *c) {
    record(now() - c->started);
    if (c->status >= 200 && c->status < 300) succeeded++; else refused++;
    c->busy = 0;
    c->phase = HEAD;
    if (c->closing) hang_up(c);
}

static void read_head(connection *c, const char *head, const char *end) {
    int chunked = 0;
    int64_t length = -1;
    c->status = atoi(head + 9);
    c->closing = 0;
    for (const char *line = memmem(head, end - head, "\r\n", 2); line && line < end; line = memmem(line, end - line, "\r\n", 2)) {
        line += 2;
        if (!strncasecmp(line, "content-length:", 15)) length = strtoll(line + 15, NULL, 10);
        else if (!strncasecmp(line, "transfer-encoding:", 18)) chunked = 1;
        else if (!strncasecmp(line, "connection: close", 17)) c->closing = 1;
    }
    if (c->status == 100) return;
    if (c->status == 101) { c->phase = WEBSOCKET; c->busy = 0; succeeded++; }
    else if (chunked) c->phase = CHUNK_SIZE;
    else if (c->status == 204 || c->status == 304 || length == 0) complete(c);
    else if (length > 0) { c->remaining = length; c->phase = FIXED; }
    else { c->phase = UNTIL_CLOSE; c->closing = 1; }
}

// Collects a head in c->line when it arrives in pieces; returns how much of p it took.
static size_t take_head(connection *c, const char *p, size_t n) {
    size_t before = c->line_length, k = n < LINE_CAPACITY - before ? n : LINE_CAPACITY - before;
    const char *head = p;
    size_t length = k;
    if (before) {
        memcpy(c->line + before, p, k);
        head = c->line;
        length = before + k;
    }
    const char *end = memmem(head, length, "\r\n\r\n", 4);
    if (end) {
        c->line_length = 0;
        read_head(c, head, end + 2);
        return end + 4 - head - before;
    }
    if (length == LINE_CAPACITY) { fail(c); return n; }
    if (!before) memcpy(c->line, p, k);
    c->line_length = length;
    return k;
}

static size_t take_chunk_line(connection *c, const char *p, size_t n) {
    const char *newline = memchr(p, '\n', n);
    size_t k = newline ? (size_t)(newline + 1 - p) : n;
    if (c->line_length + k >= 4096) { fail(c); return n; }
    memcpy(c->line + c->line_length, p, k);
    c->line_length += k;
    if (!newline) return k;
    c->line[c->line_length] = 0;
    int empty = c->line_length <= 2;
    c->line_length = 0;
    if (c->phase == CHUNK_END) c->phase = CHUNK_SIZE;
    else if (c->phase == TRAILER) { if (empty) complete(c); }
    else {
        c->remaining = strtoull(c->line, NULL, 16);
        c->phase = c->remaining ? CHUNK_DATA : TRAILER;
    }
    return k;
}

static size_t take_body(connection *c, size_t n) {
    size_t k = n < c->remaining ? n : c->remaining;
    bytes += k;
    c->remaining -= k;
    if (!c->remaining) { if (c->phase == FIXED) complete(c); else c->phase = CHUNK_END; }
    return k;
}

static void take_message(connection *c, size_t n) {
    bytes += n;
    c->received += n;
    if (c->received < request_total - 4) return;   // the echo is our own frame without its mask
    record(now() - c->started);
    succeeded++;
    c->busy = 0;
}

static void receive(connection *c) {
    ssize_t n = recv(c->fd, received, sizeof received, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        if (n == 0 && c->phase == UNTIL_CLOSE) complete(c);
        else if (c->busy) fail(c);
        else hang_up(c);
        return;
    }
    for (const char *p = received, *end = received + n; p < end && c->fd >= 0;) {
        switch (c->phase) {
        case HEAD: p += take_head(c, p, end - p); break;
        case FIXED: case CHUNK_DATA: p += take_body(c, end - p); break;
        case CHUNK_SIZE: case CHUNK_END: case TRAILER: p += take_chunk_line(c, p, end - p); break;
        case UNTIL_CLOSE: bytes += end - p; p = end; break;
        case WEBSOCKET: take_message(c, end - p); p = end; break;
        }
    }
}

static void poll_events(uint64_t nanoseconds, int closed_loop) {
    struct epoll_event events[256];
    struct timespec timeout = { nanoseconds / SECOND, nanoseconds % SECOND };
    int n = epoll_pwait2(epoll_fd, events, 256, &timeout, NULL);
    for (int i = 0; i < n; i++) {
        connection *c = events[i].data.ptr;
        if (c->fd >= 0 && events[i].events & EPOLLOUT) send_more(c);
        if (c->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(c);
        if (closed_loop && !c->busy && (stop_after < 0 || (int64_t)finished() < stop_after)) begin(c, now());
    }
}

static void build_request(const char *path, int port) {
    size_t head = write_head(request, path, port, websocket, browser, gzip, body_length);
    uint64_t body = body_length > 0 ? body_length : 0, first = body < FIRST_SEND ? body : FIRST_SEND;
    memset(request + head, 'x', first);   // the head and a small body leave in one packet
    request_length = head + first;
    request_total = head + body;
}

static void upgrade_all(void) {
    uint64_t deadline = now() + 20 * SECOND;
    for (int i = 0; i < connection_count; i++) begin(&connections[i], now());
    while (finished() < (uint64_t)connection_count && now() < deadline) poll_events(SECOND / 1000, 0);
    for (int i = 0; i < connection_count; i++)
        if (connections[i].phase != WEBSOCKET) { fprintf(stderr, "a WebSocket upgrade was refused (status %d)\n", connections[i].status); exit(1); }
    succeeded = refused = errors = bytes = 0;
    request_length = request_total = write_message(request, message_length);
}

static void run_closed_loop(uint64_t until) {
    for (int i = 0; i < connection_count && (stop_after < 0 || i < stop_after); i++) begin(&connections[i], now());
    while (now() < until && (stop_after < 0 || (int64_t)finished() < stop_after)) poll_events(SECOND / 10, 1);
}

static connection *idle_connection(void) {
    static int next;
    for (int k = 0; k < connection_count; k++) {
        connection *c = &connections[(next + k) % connection_count];
        if (!c->busy) { next = (next + k + 1) % connection_count; return c; }
    }
    return NULL;
}

static void run_open_loop(uint64_t from, uint64_t until) {
    for (uint64_t issued = 0; now() < until;) {
        uint64_t due = from + (uint64_t)(issued * (SECOND / rate)), t = now();
        connection *c = due <= t ? idle_connection() : NULL;
        if (c) { begin(c, due); issued++; continue; }
        poll_events(due > t ? due - t : SECOND / 1000, 0);
    }
}

int main(int argc, char **argv) {
    for (int o; (o = getopt(argc, argv, "c:d:n:r:b:BzW:")) > 0;) switch (o) {
        case 'c': connection_count = atoi(optarg); break;
        case 'd': seconds = atof(optarg); break;
        case 'n': stop_after = atoll(optarg); break;
        case 'r': rate = atof(optarg); break;
        case 'b': body_length = atoll(optarg); break;
        case 'B': browser = 1; break;
        case 'z': gzip = 1; break;
        case 'W': websocket = 1; message_length = atoi(optarg); break;
        default: return 2;
    }
    char ip[64], path[1024] = "/";
    int port;
    if (optind >= argc || sscanf(argv[optind], "http://%63[^:]:%d%1023s", ip, &port, path) < 2) { fprintf(stderr, "lg [options] http://IP:PORT/path\n"); return 2; }
    if (message_length >= 16384) { fprintf(stderr, "messages are below 16 KB\n"); return 2; }
    signal(SIGPIPE, SIG_IGN);
    server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
    inet_pton(AF_INET, ip, &server.sin_addr);
    memset(filler, 'x', sizeof filler);
    build_request(path, port);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    connections = calloc(connection_count, sizeof *connections);
    for (int i = 0; i < connection_count; i++) connections[i].fd = -1;
    if (websocket) upgrade_all();

    uint64_t from = now(), until = from + (uint64_t)(seconds * SECOND);
    if (rate) run_open_loop(from, until); else run_closed_loop(until);
    double elapsed = (now() - from) / (double)SECOND;
    printf("{\"requests\":%llu,\"refused\":%llu,\"errors\":%llu,\"bytes\":%llu,\"elapsed\":%.4f,\"p50\":%.1f,\"p99\":%.1f}\n",
        (unsigned long long)(succeeded + refused), (unsigned long long)refused, (unsigned long long)errors,
        (unsigned long long)bytes, elapsed, percentile(.5), percentile(.99));
    return 0;
}
