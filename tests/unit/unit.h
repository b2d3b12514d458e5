/* What every unit test needs: cmocka, the default allocator, and checks with a readable message. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

/* Fails with the error's text when status is not ONDOL_OK. */
#define ASSERT_OK(expr)                                                                            \
    do {                                                                                           \
        ondol_status assert_status_ = (expr);                                                      \
        if (assert_status_ != ONDOL_OK) {                                                          \
            fail_msg("%s: %s: %s", #expr, base_status_name(assert_status_), err.text);             \
        }                                                                                          \
    } while (0)

#define ASSERT_STATUS(expr, want)                                                                  \
    do {                                                                                           \
        ondol_status assert_status_ = (expr);                                                      \
        if (assert_status_ != (want)) {                                                            \
            fail_msg("%s: %s, expected %s (%s)", #expr, base_status_name(assert_status_),          \
                     base_status_name(want), err.text);                                            \
        }                                                                                          \
    } while (0)

#define ASSERT_CONTAINS(text, part)                                                                \
    do {                                                                                           \
        if (!strstr((text), (part))) fail_msg("'%s' lacks '%s'", (text), (part));                  \
    } while (0)

#endif
