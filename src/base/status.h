/* Status and error text: how every function of the library reports a fault. */
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include "ondol/ondol_status.h"

#if defined(__GNUC__)
#define BASE_PRINTF(format_index, first_index)                                                     \
    __attribute__((format(printf, format_index, first_index)))
#else
#define BASE_PRINTF(format_index, first_index)
#endif

/* Leaves the function through its label `done:` with `status` set, when expr is not ONDOL_OK. */
#define TRY(expr)                                                                                  \
    do {                                                                                           \
        status = (expr);                                                                           \
        if (status != ONDOL_OK) goto done;                                                         \
    } while (0)

/* Fills *err (may be NULL) with status and the formatted sentence; returns status.
 * Bytes of `%s` arguments that are control characters or broken UTF-8 become '?'. */
ondol_status base_fail(ondol_error *err, ondol_status status, const char *format, ...)
    BASE_PRINTF(3, 4);

/* Puts "prefix: " before the text of *err (may be NULL); returns err's status unchanged as given.
 */
ondol_status base_prefix(ondol_error *err, ondol_status status, const char *format, ...)
    BASE_PRINTF(3, 4);

/* Short name without prefix: "ok", "argument", "memory" ... */
const char *base_status_name(ondol_status status);

#endif
