// Latencies in a log-linear histogram: 32 steps to a power of two, in units of 0.1 us.
#include <stdint.h>

#define BUCKETS 4096

static uint64_t histogram[BUCKETS], samples;

static void record(uint64_t nanoseconds) {
    uint64_t v = nanoseconds / 100;
    unsigned index = v;
    if (v >= 64) {
        int shift = 58 - __builtin_clzll(v);
        index = shift * 32 + (v >> shift);
    }
    histogram[index < BUCKETS ? index : BUCKETS - 1]++;
    samples++;
}

static double percentile(double p) {
    uint64_t rank = samples * p, seen = 0;
    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += histogram[i];
        if (seen <= rank) continue;
        if (i < 64) return i / 10.0;
        int shift = i / 32 - 1;
        return ((double)((uint64_t)(i % 32 + 32) << shift) + (double)(1ull << shift) / 2) / 10;
    }
    return 0;
}
