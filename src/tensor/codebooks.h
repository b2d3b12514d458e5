/* Codebooks: the int8 values that codes of the non-linear encodings stand for. Inside of tensor/;
 * others get them from tensor_encoding_info. */
#ifndef TENSOR_CODEBOOKS_H
#define TENSOR_CODEBOOKS_H

#include <stdint.h>

/* In the order in which files number them. */
extern const int8_t tensor_codebook_sign[2];  /* Q1_0 */
extern const int8_t tensor_codebook_iq4[16];  /* IQ4_NL, IQ4_XS */
extern const int8_t tensor_codebook_e2m1[16]; /* MXFP4, NVFP4: twice the values of a 4-bit float */

/* Ascending; files number whole vectors of 4 or 8 of them, see below. */
extern const int8_t tensor_codebook_iq1[6];      /* 8 * {-1, 0, 1} +- 1 */
extern const int8_t tensor_codebook_iq2[6];      /* +- {8, 25, 43} */
extern const int8_t tensor_codebook_iq3_xxs[16]; /* +- {4, 12 ... 52, 62} */
extern const int8_t tensor_codebook_iq3_s[16];   /* +- {1, 3 ... 15} */

/* Vectors of levels: of 8 elements with 2 bits each (iq1, iq2), of 4 elements with 4 bits each
 * (iq3), the first element in the lowest bits. */
extern const uint16_t tensor_grid_iq1[2048];
extern const uint16_t tensor_grid_iq2_xxs[256];
extern const uint16_t tensor_grid_iq2_xs[512];
extern const uint16_t tensor_grid_iq2_s[1024];
extern const uint16_t tensor_grid_iq3_xxs[256];
extern const uint16_t tensor_grid_iq3_s[512];

#endif
