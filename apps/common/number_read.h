/* One number of a dense tensor as a double, of any element type but strings (complex: the real
 * part). */
#ifndef NUMBER_READ_H
#define NUMBER_READ_H

#include <ondol/ondol.h>

double number_read(ondol_element element, const void *data, uint64_t index);

#endif
