// backend: the upstream of every proxy in the comparison. Single-threaded, epoll, HTTP/1.1 and WebSocket.
//   GET  /s/<n>       a body of n bytes
//   GET  /h/<n>/<k>   a body of n bytes, and k headers more
//   GET  /c/<n>, /z/<n>  a text of n bytes that caches may store for a day
//   POST /echo        the request's body
//   POST /sink        nothing, once the request's body has been read
//   GET  /ws          WebSocket echo
// usage: backend PORT   (ends when its standard input does, so it never outlives who started it)
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

#define FILLER (1 << 20)
#define COPIED_BODY 32768
#define RECEIVE 262144

enum phase { HEAD, FIXED, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, WEBSOCKET };

typedef struct { char *data; size_t length, capacity; } buffer;

typedef struct {
    int fd, closing, waits_for_room, echoes;
    enum phase phase;
    buffer in, out, body;
    size_t sent;            // of out
    uint64_t filler_left;   // of a response body that is not copied to out
    uint64_t remaining;     // of the request body, or of its chunk
} connection;

static char filler[FILLER], text[FILLER];
static int epoll_fd;

static void reserve(buffer *b, size_t more) {
    if (b->capacity - b->length >= more) return;
    while (b->capacity - b->length < more) b->capacity = b->capacity ? b->capacity * 2 : 1024;
    b->data = realloc(b->data, b->capacity);
}

static void append(buffer *b, const void *data, size_t length) {
    reserve(b, length);
    memcpy(b->data + b->length, data, length);
    b->length += length;
}

static void append_text(buffer *b, const char *text) { append(b, text, strlen(text)); }

static int destroy(connection *c) {
    close(c->fd);
    free(c->in.data);
    free(c->out.data);
    free(c->body.data);
    free(c);
    return -1;
}

static void wait_for_room(connection *c, int wait) {
    if (c->waits_for_room == wait) return;
    c->waits_for_room = wait;
    struct epoll_event e = { .events = EPOLLIN | (wait ? EPOLLOUT : 0), .data.ptr = c };
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

// Sends what is pending; -1 when the connection is gone.
static int flush(connection *c) {
    while (c->sent < c->out.length || c->filler_left) {
        int head = c->sent < c->out.length;
        const char *from = head ? c->out.data + c->sent : filler;
        size_t n = head ? c->out.length - c->sent : c->filler_left < FILLER ? c->filler_left : FILLER;
        ssize_t k = send(c->fd, from, n, MSG_NOSIGNAL | (head && c->filler_left ? MSG_MORE : 0));
        if (k < 0 && errno == EAGAIN) { wait_for_room(c, 1); return 0; }
        if (k < 0) return destroy(c);
        if (head) c->sent += k; else c->filler_left -= k;
    }
    c->sent = c->out.length = 0;
    wait_for_room(c, 0);
    return c->closing ? destroy(c) : 0;
}

static const char *date(void) {
    static char text[64];
    static time_t of;
    time_t t = time(NULL);
    if (t != of) {
        struct tm utc;
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&t, &utc));
        of = t;
    }
    return text;
}

static void respond_with(connection *c, const char *status, uint64_t length, int more_headers, int storable) {
    char line[512];
    sprintf(line, "HTTP/1.1 %s\r\nServer: backend\r\nDate: %s\r\nContent-Type: %s\r\nETag: \"5f-1234567890\"\r\nCache-Control: %s\r\n",
        status, date(), storable ? "text/html" : "application/octet-stream", storable ? "max-age=86400" : "no-store");
    append_text(&c->out, line);
    for (int i = 0; i < more_headers; i++) {
        sprintf(line, "X-Backend-Header-%d: some-typical-value-%d\r\n", i, i * 7919);
        append_text(&c->out, line);
    }
    if (c->closing) append_text(&c->out, "Connection: close\r\n");
    sprintf(line, "Content-Length: %llu\r\n\r\n", (unsigned long long)length);
    append_text(&c->out, line);
}

static void respond(connection *c, const char *status, uint64_t length, int more_headers) { respond_with(c, status, length, more_headers, 0); }

static void respond_with_text(connection *c, uint64_t length) {
    if (length > FILLER) length = FILLER;
    respond_with(c, "200 OK", length, 0, 1);
    append(&c->out, text, length);
}

// Words, which compress about as a page does; the same in Caching/CachedText.cs.
static void write_text(void) {
    static const char *words[] = {
        "the", "cache", "of", "response", "and", "a", "request", "to", "field", "in", "that", "server", "is", "which", "header", "for",
        "<p>", "origin", "with", "stored", "as", "it", "</p>", "client", "not", "be", "message", "are", "by", "representation", "can", "validator",
    };
    uint32_t random = 1;
    for (size_t length = 0; length < FILLER;) {
        random = random * 1103515245 + 12345;
        char word[32];
        size_t n = sprintf(word, "%s ", words[random >> 16 & 31]);
        if (n > FILLER - length) n = FILLER - length;
        memcpy(text + length, word, n);
        length += n;
    }
}

static void respond_with_body(connection *c, uint64_t length, int more_headers) {
    respond(c, "200 OK", length, more_headers);
    if (length <= COPIED_BODY) append(&c->out, filler, length);
    else c->filler_left = length;
}

static void finish_upload(connection *c) {
    c->phase = HEAD;
    if (!c->echoes) { respond(c, "200 OK", 0, 0); return; }
    respond(c, "200 OK", c->body.length, 0);
    append(&c->out, c->body.data, c->body.length);
    c->body.length = 0;
}

static const char *header(const char *head, const char *end, const char *name) {
    size_t length = strlen(name);
    for (const char *line = memmem(head, end - head, "\r\n", 2); line && line + 2 < end; line = memmem(line, end - line, "\r\n", 2)) {
        line += 2;
        if (strncasecmp(line, name, length) || line[length] != ':') continue;
        for (line += length + 1; *line == ' '; line++) { }
        return line;
    }
    return NULL;
}

static void begin_upload(connection *c, const char *head, const char *end, int echoes) {
    const char *value;
    c->echoes = echoes;
    if (header(head, end, "Expect")) append_text(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
    if (header(head, end, "Transfer-Encoding")) c->phase = CHUNK_SIZE;
    else if ((value = header(head, end, "Content-Length")) && (c->remaining = strtoull(value, NULL, 10))) c->phase = FIXED;
    else finish_upload(c);
}

static void begin_websocket(connection *c) {
    // The load generator always sends the key of RFC 6455 section 1.3, so the answer is always that section's.
    append_text(&c->out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
    c->phase = WEBSOCKET;
}

// Each take_… returns how many bytes it used, 0 when it needs more of them.
static size_t take_head(connection *c, const char *p, size_t n) {
    const char *end = memmem(p, n, "\r\n\r\n", 4), *path = end ? memchr(p, ' ', end - p) : NULL, *value;
    if (!end || c->filler_left) return 0;
    end += 2;
    path = path ? path + 1 : "";
    if ((value = header(p, end, "Connection")) && !strncasecmp(value, "close", 5)) c->closing = 1;
    if (!strncmp(path, "/s/", 3)) respond_with_body(c, strtoull(path + 3, NULL, 10), 0);
    else if (!strncmp(path, "/c/", 3) || !strncmp(path, "/z/", 3)) respond_with_text(c, strtoull(path + 3, NULL, 10));
    else if (!strncmp(path, "/h/", 3)) {
        char *rest;
        uint64_t length = strtoull(path + 3, &rest, 10);
        respond_with_body(c, length, *rest == '/' ? atoi(rest + 1) : 0);
    }
    else if (!strncmp(path, "/echo", 5)) begin_upload(c, p, end, 1);
    else if (!strncmp(path, "/sink", 5)) begin_upload(c, p, end, 0);
    else if (!strncmp(path, "/ws", 3) && header(p, end, "Sec-WebSocket-Key")) begin_websocket(c);
    else respond(c, "404 Not Found", 0, 0);
    return end + 2 - p;
}

static size_t take_body(connection *c, const char *p, size_t n) {
    size_t k = n < c->remaining ? n : c->remaining;
    if (c->echoes) append(&c->body, p, k);
    c->remaining -= k;
    if (c->remaining) return k;
    if (c->phase == CHUNK_DATA) c->phase = CHUNK_END; else finish_upload(c);
    return k;
}

static size_t take_chunk_line(connection *c, const char *p, size_t n) {
    const char *newline = memchr(p, '\n', n);
    if (!newline) return 0;
    if (c->phase == CHUNK_END) c->phase = CHUNK_SIZE;
    else if (c->phase == TRAILER) { if (newline - p <= 1) finish_upload(c); }
    else {
        c->remaining = strtoull(p, NULL, 16);
        c->phase = c->remaining ? CHUNK_DATA : TRAILER;
    }
    return newline + 1 - p;
}

// RFC 6455 section 5.2; frames below 64 KB, as the load generator sends them.
static size_t take_frame(connection *c, const char *p, size_t n) {
    const uint8_t *frame = (const uint8_t *)p;
    if (n < 4) return 0;
    size_t length = frame[1] & 127, head = 2;
    if (length == 126) { length = frame[2] << 8 | frame[3]; head = 4; }
    size_t total = head + 4 + length;
    if (n < total) return 0;
    append(&c->out, p, head);
    c->out.data[c->out.length - head + 1] &= 127;   // a server's frame has no mask
    reserve(&c->out, length);
    const uint8_t *mask = frame + head, *data = mask + 4;
    for (size_t i = 0; i < length; i++) c->out.data[c->out.length++] = data[i] ^ mask[i & 3];
    if ((frame[0] & 15) == 8) c->closing = 1;
    return total;
}

// Reads all requests that have arrived; -1 when the connection is gone.
static int process(connection *c) {
    size_t used = 0, k = 1;
    while (k && used < c->in.length) {
        const char *p = c->in.data + used;
        size_t n = c->in.length - used;
        switch (c->phase) {
        case HEAD: k = take_head(c, p, n); break;
        case FIXED: case CHUNK_DATA: k = take_body(c, p, n); break;
        case WEBSOCKET: k = take_frame(c, p, n); break;
        default: k = take_chunk_line(c, p, n); break;
        }
        used += k;
    }
    c->in.length -= used;
    memmove(c->in.data, c->in.data + used, c->in.length);
    return flush(c);
}

static void serve(connection *c, uint32_t events) {
    if (events & EPOLLOUT && flush(c) < 0) return;
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) { if (!c->waits_for_room && c->in.length) process(c); return; }
    reserve(&c->in, c->phase == FIXED && c->remaining > RECEIVE ? RECEIVE : 16384);
    ssize_t n = recv(c->fd, c->in.data + c->in.length, c->in.capacity - c->in.length, 0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) { destroy(c); return; }
    c->in.length += n;
    process(c);
}

static void accept_all(int listener) {
    int on = 1;
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connection *c = calloc(1, sizeof *c);
        c->fd = fd;
        struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
        epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e);
    }
}

int main(int argc, char **argv) {
    static char is_listener, is_input;
    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(argc > 1 ? atoi(argv[1]) : 18000), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    signal(SIGPIPE, SIG_IGN);
    memset(filler, 'x', sizeof filler);
    write_text();
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) { perror("bind"); return 1; }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = &is_listener };
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
    e.data.ptr = &is_input;
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &e);   // refused for a file or /dev/null, which never end
    for (;;) {
        struct epoll_event events[256];
        int n = epoll_wait(epoll_fd, events, 256, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == &is_input) return 0;
            if (events[i].data.ptr == &is_listener) accept_all(listener);
            else serve(events[i].data.ptr, events[i].events);
        }
    }
}
