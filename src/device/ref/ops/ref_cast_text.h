/* Numbers as text, as Cast reads and writes them. */
#ifndef DEVICE_REF_CAST_TEXT_H
#define DEVICE_REF_CAST_TEXT_H

#include "tensor/value.h"

/* Element i of data as text, element i of the strings y: integers in decimals, bools True and
 * False, floats with the fewest digits that read back, as numpy writes them (1.0, 1e-05, 1e+16,
 * nan, inf). Errors: LIMIT, MEMORY. */
ondol_status ref_number_to_text(tensor_element e, const void *data, uint64_t i, tensor_value *y,
                                ondol_error *err);

/* The number that all of the text says: decimals with or without exponent, inf, infinity, nan, in
 * any case, with a sign; blanks around it are passed over. False: it is none. */
bool ref_text_to_number(const tensor_string *s, double *out);
/* The same of a plain integer that fits. */
bool ref_text_to_integer(const tensor_string *s, int64_t *out);

#endif
