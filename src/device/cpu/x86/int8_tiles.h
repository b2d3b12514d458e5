/* For the tiles of int8 kernels: loops of constant counts become straight code, so that their sums
 * stay in registers. */
#ifndef DEVICE_CPU_X86_INT8_TILES_H
#define DEVICE_CPU_X86_INT8_TILES_H

#if defined(__clang__)
#define INT8_UNROLL _Pragma("clang loop unroll(full)")
#else
#define INT8_UNROLL _Pragma("GCC unroll 16")
#endif

#endif
