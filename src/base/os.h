/* The operating system: clock, entropy, processors, environment. */
#ifndef BASE_OS_H
#define BASE_OS_H

#include <stddef.h>
#include <stdint.h>

/* Monotonic clock. */
uint64_t base_now_ns(void);

/* Seconds since 1970, for texts that show a date. */
int64_t base_unix_time(void);

/* Two words that another process cannot guess; for hash seeds, not for keys. */
void base_random_seed(uint64_t seed[2]);

/* Processors that this process may run on, at least 1. */
unsigned base_processor_count(void);

/* Physical memory of the machine and what this process holds now / held at most. 0: unknown. */
uint64_t base_memory_total_bytes(void);
uint64_t base_memory_peak_bytes(void);

#endif
