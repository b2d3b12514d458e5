/* Dates as C's strftime writes them in the C locale, of a given moment. */
#ifndef TEMPLATE_STRFTIME_H
#define TEMPLATE_STRFTIME_H

#include "text/template/template_run.h"

/* Appends the moment in the given format. Conversions: those of C17 and glibc, with the flags
 * - _ 0 ^ #; %z and %Z give nothing, as for Python's datetime.now(). */
ondol_status template_strftime(template_run *run, template_builder *builder,
                               const template_string *format, int64_t unix_time,
                               int32_t utc_offset_seconds);

#endif
