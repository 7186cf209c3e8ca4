/* Clocks, CPU times and latencies. */
#define _GNU_SOURCE
#include "wsload.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint32_t *latencies;
static size_t latency_count, latency_cap;

static uint64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

uint64_t now(void) { return clock_ns(CLOCK_MONOTONIC); }

uint64_t own_cpu(void) { return clock_ns(CLOCK_PROCESS_CPUTIME_ID); }

static uint64_t thread_cpu(const char *tid) {
    char path[600];
    snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", opt.pid, tid);
    FILE *f = fopen(path, "r");
    unsigned long long ns = 0;
    if (!f) return 0;
    if (fscanf(f, "%llu", &ns) != 1) ns = 0;
    fclose(f);
    return ns;
}

/* Nanoseconds that the server has been on a CPU, in all its threads. */
uint64_t server_cpu(void) {
    if (!opt.pid) return 0;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", opt.pid);
    DIR *d = opendir(path);
    if (!d) return 0;
    uint64_t sum = 0;
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') sum += thread_cpu(e->d_name);
    closedir(d);
    return sum;
}

void add_latency(uint64_t ns) {
    if (latency_count == latency_cap) {
        latency_cap = latency_cap ? latency_cap * 2 : 65536;
        latencies = realloc(latencies, latency_cap * sizeof *latencies);
        if (!latencies) die("out of memory");
    }
    latencies[latency_count++] = ns > 4000000000ull ? 4000000000u : (uint32_t)ns;
}

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

void sort_latencies(void) {
    if (latency_count) qsort(latencies, latency_count, sizeof *latencies, compare);
}

/* The latency that this share of them does not exceed. */
double latency_us(double share) {
    if (!latency_count) return 0;
    size_t i = (size_t)(latency_count * share);
    return latencies[i < latency_count ? i : latency_count - 1] / 1e3;
}

void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "wsload: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    printf("{\"error\":\"see stderr\"}\n");
    exit(1);
}
