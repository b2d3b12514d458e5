/* ISA levels from CPUID and XGETBV. In: nothing. Out: the best level that runs here. */
#ifndef _WIN32
#define _DEFAULT_SOURCE
#endif
#include "base/cpu.h"

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

static const char *const isa_names[BASE_ISA_COUNT] = {
    "scalar", "avx2", "avx2vnni", "avx512", "avx512vnni", "amx", "neon", "neondot", "i8mm"};

#if defined(__x86_64__)

static uint64_t read_xcr0(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool has(uint32_t word, unsigned bit) {
    return word >> bit & 1;
}

/* Linux gives the tiles' registers, 8 KiB to a thread, to processes that have asked: from then on
 * to all their threads. Asking again does nothing. */
static bool may_use_tiles(void) {
    uint32_t palettes = 0, unused; /* some virtual machines show AMX and have none */
    if (!__get_cpuid_count(0x1d, 0, &palettes, &unused, &unused, &unused) || !palettes)
        return false;
#if defined(__linux__)
    enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 }; /* of arch_prctl */
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#elif defined(_WIN32)
    return true;
#else
    return false;
#endif
}

base_isa base_cpu_isa(void) {
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, 27) || !has(c, 28)) return BASE_ISA_SCALAR;
    bool fma_f16c = has(c, 12) && has(c, 29);
    uint64_t xcr0 = read_xcr0();
    if ((xcr0 & 0x6) != 0x6) return BASE_ISA_SCALAR;
    uint32_t a7, b7, c7, d7;
    if (!__get_cpuid_count(7, 0, &a7, &b7, &c7, &d7)) return BASE_ISA_SCALAR;
    if (!fma_f16c || !has(b7, 5) || !has(b7, 8)) return BASE_ISA_SCALAR;
    uint32_t a71 = 0, unused = 0;
    if (a7 >= 1) __get_cpuid_count(7, 1, &a71, &unused, &unused, &unused);
    bool avx512 = (xcr0 & 0xe0) == 0xe0 && has(b7, 16) && has(b7, 17) && has(b7, 30) && has(b7, 31);
    if (!avx512) return has(a71, 4) ? BASE_ISA_AVX2VNNI : BASE_ISA_AVX2;
    if (!has(c7, 11)) return BASE_ISA_AVX512;
    bool amx = (xcr0 & 0x60000) == 0x60000 && has(d7, 24) && has(d7, 25) && has(d7, 22);
    return amx && may_use_tiles() ? BASE_ISA_AMX : BASE_ISA_AVX512VNNI;
}

void base_cpu_model(char *out, unsigned out_bytes) {
    uint32_t words[12] = {0};
    char text[49] = {0};
    if ((unsigned)__get_cpuid_max(0x80000000u, NULL) >= 0x80000004u) {
        for (unsigned i = 0; i < 3; i++)
            __get_cpuid(0x80000002u + i, words + 4 * i, words + 4 * i + 1, words + 4 * i + 2,
                        words + 4 * i + 3);
    }
    memcpy(text, words, 48);
    const char *start = text;
    while (*start == ' ')
        start++;
    size_t n = strlen(start);
    if (out_bytes == 0) return;
    if (n >= out_bytes) n = out_bytes - 1;
    memcpy(out, start, n);
    out[n] = 0;
}

#else

base_isa base_cpu_isa(void) {
#if defined(__aarch64__) && defined(__linux__)
    unsigned long capabilities = getauxval(AT_HWCAP), more = getauxval(AT_HWCAP2);
    if (more >> 13 & 1) return BASE_ISA_I8MM;            /* HWCAP2_I8MM */
    if (capabilities >> 20 & 1) return BASE_ISA_NEONDOT; /* HWCAP_ASIMDDP */
    return BASE_ISA_NEON;
#elif defined(__aarch64__)
    return BASE_ISA_NEONDOT;
#else
    return BASE_ISA_SCALAR;
#endif
}

void base_cpu_model(char *out, unsigned out_bytes) {
    if (out_bytes) out[0] = 0;
}

#endif

static bool is_arm(base_isa isa) {
    return isa >= BASE_ISA_NEON;
}

bool base_isa_runs(base_isa have, base_isa need) {
    if (need == BASE_ISA_SCALAR) return true;
    if (is_arm(have) != is_arm(need)) return false;
    if (need == BASE_ISA_AVX2VNNI) return have == BASE_ISA_AVX2VNNI;
    return have >= need;
}

const char *base_isa_name(base_isa isa) {
    return isa < BASE_ISA_COUNT ? isa_names[isa] : "unknown";
}

ondol_status base_isa_parse(const char *name, base_isa *out, ondol_error *err) {
    for (int i = 0; i < BASE_ISA_COUNT; i++) {
        if (strcmp(name, isa_names[i]) == 0) {
            *out = (base_isa)i;
            return ONDOL_OK;
        }
    }
    return base_fail(err, ONDOL_E_ARGUMENT,
                     "instruction set '%s', expected scalar, avx2, avx2vnni, avx512, avx512vnni, "
                     "amx, neon, neondot or i8mm",
                     name);
}
