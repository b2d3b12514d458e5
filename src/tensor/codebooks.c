/* Codebooks of single codes. Those of vectors are in iq_grids.c. */
#include "tensor/codebooks.h"

const int8_t tensor_codebook_sign[2] = {-1, 1};
const int8_t tensor_codebook_iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                        1,    13,   25,  38,  53,  69,  89,  113};
/* Sign, 2 bits of exponent, 1 of mantissa (OCP Microscaling Formats 1.0, 5.3.3), doubled. */
const int8_t tensor_codebook_e2m1[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
const int8_t tensor_codebook_iq1[6] = {-9, -7, -1, 1, 7, 9};
const int8_t tensor_codebook_iq2[6] = {-43, -25, -8, 8, 25, 43};
const int8_t tensor_codebook_iq3_xxs[16] = {-62, -52, -44, -36, -28, -20, -12, -4,
                                            4,   12,  20,  28,  36,  44,  52,  62};
const int8_t tensor_codebook_iq3_s[16] = {-15, -13, -11, -9, -7, -5, -3, -1,
                                          1,   3,   5,   7,  9,  11, 13, 15};
