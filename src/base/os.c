/* Clock, entropy and processors of the operating system. */
#ifndef _WIN32
#define _GNU_SOURCE
#endif
#include "base/os.h"

#include <stdio.h>
#include <time.h>

#ifdef _WIN32
#include <windows.h>
#include <psapi.h>
#else
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/random.h>
#endif
#endif

uint64_t base_now_ns(void) {
#ifdef _WIN32
    LARGE_INTEGER t, f;
    QueryPerformanceCounter(&t);
    QueryPerformanceFrequency(&f);
    uint64_t whole = (uint64_t)(t.QuadPart / f.QuadPart);
    uint64_t part = (uint64_t)(t.QuadPart % f.QuadPart);
    return whole * 1000000000u + part * 1000000000u / (uint64_t)f.QuadPart;
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
#endif
}

int64_t base_unix_time(void) {
    return (int64_t)time(NULL);
}

void base_random_seed(uint64_t seed[2]) {
#if defined(__linux__)
    if (getrandom(seed, 16, GRND_NONBLOCK) == 16) return;
#endif
    seed[0] = base_now_ns() * 0x9e3779b97f4a7c15u;
    seed[1] = (uint64_t)(uintptr_t)seed ^ (uint64_t)base_unix_time() << 32;
}

unsigned base_processor_count(void) {
#ifdef _WIN32
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    return info.dwNumberOfProcessors ? info.dwNumberOfProcessors : 1;
#else
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) {
        return (unsigned)CPU_COUNT(&set);
    }
#endif
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
#endif
}

uint64_t base_memory_total_bytes(void) {
#ifdef _WIN32
    MEMORYSTATUSEX m = {.dwLength = sizeof m};
    return GlobalMemoryStatusEx(&m) ? m.ullTotalPhys : 0;
#else
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0;
#endif
}

#if defined(__linux__)
/* Of this program alone: getrusage counts what the process held before exec, too. */
static uint64_t peak_of_program(void) {
    char line[128];
    unsigned long long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f) && sscanf(line, "VmHWM: %llu", &kib) != 1)
        continue;
    if (f) fclose(f);
    return kib * 1024u;
}
#endif

uint64_t base_memory_peak_bytes(void) {
#ifdef _WIN32
    PROCESS_MEMORY_COUNTERS c;
    return GetProcessMemoryInfo(GetCurrentProcess(), &c, sizeof c) ? c.PeakWorkingSetSize : 0;
#else
    struct rusage u;
#if defined(__linux__)
    const uint64_t own = peak_of_program();
    if (own) return own;
#endif
    if (getrusage(RUSAGE_SELF, &u) != 0) return 0;
#if defined(__APPLE__)
    return (uint64_t)u.ru_maxrss;
#else
    return (uint64_t)u.ru_maxrss * 1024u;
#endif
#endif
}
