// What the load generator sends.
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static size_t write_head(char *to, const char *path, int port, int websocket, int browser, int gzip, int64_t body_length) {
    char *q = to;
    q += sprintf(q, "%s %s HTTP/1.1\r\nHost: bench.localhost:%d\r\n", body_length >= 0 ? "POST" : "GET", path, port);
    if (websocket)
        q += sprintf(q, "Connection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
    else
        q += sprintf(q, "User-Agent: lg/1.0\r\nAccept: */*\r\n");
    if (gzip)
        q += sprintf(q, "Accept-Encoding: gzip\r\n");
    if (browser)
        q += sprintf(q, "Accept-Language: en-GB,en;q=0.9,de;q=0.5\r\nReferer: https://bench.localhost/some/page?x=1\r\n"
            "Cookie: session=5f2c1a7b9d8e4f60a1b2c3d4e5f60718; theme=dark; consent=1\r\n"
            "Sec-Fetch-Dest: empty\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Site: same-origin\r\nDNT: 1\r\nX-Requested-With: XMLHttpRequest\r\n"
            "Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcdefghijklmnopqrstuvwxyz0123456789\r\n");
    if (body_length >= 0)
        q += sprintf(q, "Content-Type: application/octet-stream\r\nContent-Length: %lld\r\n", (long long)body_length);
    q += sprintf(q, "\r\n");
    return q - to;
}

// RFC 6455 section 5.2: one masked binary frame.
static size_t write_message(char *to, size_t length) {
    static const char mask[4] = { 0x11, 0x22, 0x33, 0x44 };
    char *q = to;
    *q++ = (char)0x82;
    if (length < 126) *q++ = (char)(0x80 | length);
    else { *q++ = (char)(0x80 | 126); *q++ = (char)(length >> 8); *q++ = (char)length; }
    memcpy(q, mask, 4);
    q += 4;
    for (size_t i = 0; i < length; i++) *q++ = 'x' ^ mask[i & 3];
    return q - to;
}
