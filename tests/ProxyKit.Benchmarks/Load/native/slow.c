// slow: clients on a slow line, and beside them a fast one that comes again and again. Single-threaded, epoll, HTTP/1.1. Prints one line of JSON.
//   slow [options] http://127.0.0.1:PORT/path
//     -n N      slow clients (200)                    -t S   they begin over S seconds (2)
//     -r N      bytes/s of each, 0 = no limit (16384) -D S   cut after S seconds (100)
//     -b FILE   POST with this body                   -e FILE   the answer's body must be this, byte by byte
//     -p PATH   the fast client's request             -f FILE   its answer
//     -i S      one begins every S seconds (0.5)      -T S   and gives up after S seconds (10)
// The fast client comes while slow ones are active; with -n 0 until the cut.
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

#define SECOND 1000000000ull
#define TICK (SECOND / 200)
#define SEGMENT 1400        // as on a real line: loopback's 64 KB segments let the kernel swallow whole bodies
#define SLOW_RECEIVE 8192
#define LINE_CAPACITY 16384

enum phase { HEAD, FIXED, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, UNTIL_CLOSE };
enum outcome { NOT_BEGUN, ACTIVE, SERVED, REFUSED, BROKEN, TIMED_OUT };

typedef struct { char *data; size_t length; } blob;

typedef struct {
    int fd, readable, writable, status, equal;
    enum outcome outcome;
    enum phase phase;
    const blob *request, *expected;
    double rate;
    uint64_t began, answered, ended;
    size_t at_once;             // of the request: its head waits for no allowance
    size_t sent, received, matched;
    uint64_t remaining;         // of the body or its chunk
    char line[LINE_CAPACITY];   // a head or a chunk line that arrived in pieces
    size_t line_length;
} client;

static int slow_count = 200, fast_capacity;
static double begin_over = 2, rate = 16384, cut = 100, interval = .5, patience = 10;
static int epoll_fd;
static struct sockaddr_in server;
static client *slow, *fast;
static blob slow_request, slow_answer, fast_request, fast_answer;
static size_t slow_head;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static blob read_file(const char *path) {
    blob b = { 0 };
    FILE *f = fopen(path, "rb");
    if (!f) { perror(path); exit(1); }
    fseek(f, 0, SEEK_END);
    b.length = ftell(f);
    rewind(f);
    b.data = malloc(b.length + 1);
    if (fread(b.data, 1, b.length, f) != b.length) { perror(path); exit(1); }
    fclose(f);
    return b;
}

static blob build_request(const char *path, int port, const blob *body, size_t *head) {
    blob b = { malloc(2048 + (body ? body->length : 0)), 0 };
    b.length = sprintf(b.data, "%s %s HTTP/1.1\r\nHost: localhost:%d\r\nUser-Agent: slow/1.0\r\nConnection: close\r\n", body ? "POST" : "GET", path, port);
    if (body) b.length += sprintf(b.data + b.length, "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n", body->length);
    b.length += sprintf(b.data + b.length, "\r\n");
    *head = b.length;
    if (body) { memcpy(b.data + b.length, body->data, body->length); b.length += body->length; }
    return b;
}

static void end(client *c, enum outcome outcome) {
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    c->outcome = outcome;
    c->ended = now();
}

static void complete(client *c) {
    int whole = c->equal && c->matched == c->expected->length;
    end(c, c->status != 200 ? REFUSED : whole ? SERVED : BROKEN);
}

static void begin(client *c, uint64_t intended, int is_slow) {
    int on = 1, segment = SEGMENT, receive = SLOW_RECEIVE;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    c->outcome = ACTIVE;
    c->equal = 1;
    c->began = intended;
    c->request = is_slow ? &slow_request : &fast_request;
    c->expected = is_slow ? &slow_answer : &fast_answer;
    c->at_once = is_slow ? slow_head : fast_request.length;
    c->rate = is_slow ? rate : 0;
    setsockopt(c->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (c->rate) setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof receive);
    if (connect(c->fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS) { end(c, BROKEN); return; }
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c };
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e);
}

static void take_head(client *c, const char *head, const char *last) {
    int chunked = 0;
    int64_t length = -1;
    c->status = atoi(head + 9);
    for (const char *line = memmem(head, last - head, "\r\n", 2); line && line < last; line = memmem(line, last - line, "\r\n", 2)) {
        line += 2;
        if (!strncasecmp(line, "content-length:", 15)) length = strtoll(line + 15, NULL, 10);
        else if (!strncasecmp(line, "transfer-encoding:", 18)) chunked = 1;
    }
    if (c->status < 200) return;
    if (chunked) c->phase = CHUNK_SIZE;
    else if (c->status == 204 || c->status == 304 || length == 0) complete(c);
    else if (length > 0) { c->remaining = length; c->phase = FIXED; }
    else c->phase = UNTIL_CLOSE;
}

// A head (until an empty line) or a chunk line (until its end), which may arrive in pieces; returns how much of p it took.
static size_t take_line(client *c, const char *p, size_t n) {
    const char *mark = c->phase == HEAD ? "\r\n\r\n" : "\r\n";
    size_t before = c->line_length, k = n < LINE_CAPACITY - before - 1 ? n : LINE_CAPACITY - before - 1;
    memcpy(c->line + before, p, k);
    char *found = memmem(c->line, before + k, mark, strlen(mark));
    if (!found) {
        c->line_length = before + k;
        if (c->line_length == LINE_CAPACITY - 1) end(c, BROKEN);
        return k;
    }
    char *last = found + strlen(mark);
    size_t taken = last - c->line - before;
    *found = 0;
    c->line_length = 0;
    if (c->phase == HEAD) take_head(c, c->line, found);
    else if (c->phase == CHUNK_END) c->phase = CHUNK_SIZE;
    else if (c->phase == TRAILER) { if (found == c->line) complete(c); }
    else {
        c->remaining = strtoull(c->line, NULL, 16);
        c->phase = c->remaining ? CHUNK_DATA : TRAILER;
    }
    return taken;
}

static size_t take_body(client *c, const char *p, size_t n) {
    size_t k = c->phase == UNTIL_CLOSE || n < c->remaining ? n : c->remaining;
    if (c->matched + k > c->expected->length || memcmp(c->expected->data + c->matched, p, k)) c->equal = 0;
    else c->matched += k;
    if (c->phase == UNTIL_CLOSE) return k;
    c->remaining -= k;
    if (c->remaining) return k;
    if (c->phase == FIXED) complete(c); else c->phase = CHUNK_END;
    return k;
}

// What the line may have carried of a client's bytes since then; its pieces are whole segments.
static size_t allowance(const client *c, uint64_t since, size_t used, uint64_t t) {
    if (!c->rate) return SIZE_MAX;
    double room = c->rate * (t - since) / SECOND - used;
    return room < SEGMENT ? 0 : (size_t)room;
}

static void send_more(client *c, uint64_t t) {
    while (c->writable && c->sent < c->request->length) {
        size_t left = c->request->length - c->sent, room = c->sent < c->at_once ? c->at_once - c->sent : allowance(c, c->began, c->sent - c->at_once, t);
        if (!room) return;
        ssize_t n = send(c->fd, c->request->data + c->sent, left < room ? left : room, MSG_NOSIGNAL);
        if (n < 0) { c->writable = 0; return; }   // no room; or an early answer, which is then there to be read
        c->sent += n;
    }
}

static void receive_more(client *c, uint64_t t) {
    static char buffer[65536];
    while (c->outcome == ACTIVE && c->readable) {
        if (!c->answered) c->answered = t;
        size_t room = allowance(c, c->answered, c->received, t);
        if (!room) return;
        ssize_t n = recv(c->fd, buffer, room < sizeof buffer ? room : sizeof buffer, 0);
        if (n < 0 && errno == EAGAIN) { c->readable = 0; return; }
        if (n == 0 && c->phase == UNTIL_CLOSE) { complete(c); return; }
        if (n <= 0) { end(c, BROKEN); return; }
        c->received += n;
        for (const char *p = buffer, *last = buffer + n; p < last && c->outcome == ACTIVE;)
            p += c->phase == FIXED || c->phase == CHUNK_DATA || c->phase == UNTIL_CLOSE ? take_body(c, p, last - p) : take_line(c, p, last - p);
    }
}

static void step(client *c, uint64_t t) {
    if (c->outcome != ACTIVE) return;
    send_more(c, t);
    receive_more(c, t);
}

static void poll_events(uint64_t nanoseconds) {
    struct epoll_event events[256];
    struct timespec timeout = { nanoseconds / SECOND, nanoseconds % SECOND };
    int n = epoll_pwait2(epoll_fd, events, 256, &timeout, NULL);
    for (int i = 0; i < n; i++) {
        client *c = events[i].data.ptr;
        if (events[i].events & EPOLLOUT) c->writable = 1;
        if (events[i].events & ~EPOLLOUT) c->readable = 1;
        if (!c->rate) step(c, now());   // the fast client, whose time is taken
    }
}

static int count(const client *clients, int n, enum outcome outcome) {
    int k = 0;
    for (int i = 0; i < n; i++) k += clients[i].outcome == outcome;
    return k;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

// Of all that came, those that gave up included.
static double percentile(double p, int n) {
    if (!n) return 0;
    double *milliseconds = malloc(n * sizeof(double));
    for (int i = 0; i < n; i++) milliseconds[i] = (fast[i].ended - fast[i].began) / 1e6;
    qsort(milliseconds, n, sizeof(double), ascending);
    int rank = (int)(p * n + .999999);
    double found = milliseconds[(rank < 1 ? 1 : rank) - 1];
    free(milliseconds);
    return found;
}

int main(int argc, char **argv) {
    const char *body = NULL, *answer = NULL, *fast_path = NULL, *fast_file = NULL;
    for (int o; (o = getopt(argc, argv, "n:t:r:D:b:e:p:f:i:T:")) > 0;) switch (o) {
        case 'n': slow_count = atoi(optarg); break;
        case 't': begin_over = atof(optarg); break;
        case 'r': rate = atof(optarg); break;
        case 'D': cut = atof(optarg); break;
        case 'b': body = optarg; break;
        case 'e': answer = optarg; break;
        case 'p': fast_path = optarg; break;
        case 'f': fast_file = optarg; break;
        case 'i': interval = atof(optarg); break;
        case 'T': patience = atof(optarg); break;
        default: return 2;
    }
    char ip[64], path[1024] = "/";
    int port;
    if (!fast_path || !fast_file || (slow_count && !answer) || optind >= argc || sscanf(argv[optind], "http://%63[^:]:%d%1023s", ip, &port, path) < 2) {
        fprintf(stderr, "slow -e FILE -p PATH -f FILE [options] http://IP:PORT/path\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
    inet_pton(AF_INET, ip, &server.sin_addr);
    size_t fast_head;
    blob slow_body = { 0 };
    if (body) slow_body = read_file(body);
    if (slow_count) slow_answer = read_file(answer);
    slow_request = build_request(path, port, body ? &slow_body : NULL, &slow_head);
    fast_request = build_request(fast_path, port, NULL, &fast_head);
    fast_answer = read_file(fast_file);
    fast_capacity = (int)(cut / interval) + 2;
    slow = calloc(slow_count + 1, sizeof *slow);
    fast = calloc(fast_capacity, sizeof *fast);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    uint64_t from = now(), until = from + (uint64_t)(cut * SECOND), tick = from, over = 0;
    int begun = 0, came = 0, served = 0, refused = 0, broken = 0;
    while (1) {
        uint64_t t = now();
        if (t >= tick) {
            for (; begun < slow_count && t >= from + (uint64_t)(begin_over * SECOND / slow_count * begun); begun++) begin(&slow[begun], t, 1);
            for (int i = 0; i < begun; i++) step(&slow[i], t);
            for (int i = 0; i < came; i++) if (fast[i].outcome == ACTIVE && t - fast[i].began > patience * SECOND) end(&fast[i], TIMED_OUT);
            tick = t + TICK;
        }
        uint64_t due = from + (uint64_t)(came * interval * SECOND);
        if (!over && t >= due && came < fast_capacity) { begin(&fast[came++], due, 0); continue; }
        if (!over && (t >= until || (slow_count && begun == slow_count && !count(slow, begun, ACTIVE)))) {
            // What is counted ends here; the slow clients stay for as long as a fast one still waits behind them.
            over = t;
            served = count(slow, begun, SERVED), refused = count(slow, begun, REFUSED), broken = count(slow, begun, BROKEN);
        }
        if (over && !count(fast, came, ACTIVE)) break;
        uint64_t wake = !over && due < tick ? due : tick;
        t = now();
        poll_events(wake > t ? wake - t : 0);
    }
    printf("{\"slow\":%d,\"served\":%d,\"refused\":%d,\"broken\":%d,\"fast\":%d,\"answered\":%d,\"p50\":%.2f,\"p99\":%.2f,\"elapsed\":%.2f}\n",
        slow_count, served, refused, broken, came, count(fast, came, SERVED), percentile(.5, came), percentile(.99, came), (over - from) / (double)SECOND);
    return 0;
}
