/* Where the time of a pass goes, for `ondol bench --profile`. */
#ifndef ONDOL_BENCH_PROFILE_H
#define ONDOL_BENCH_PROFILE_H

#include <jansson.h>
#include <ondol/ondol.h>

typedef struct bench_profile bench_profile;

/* Reads what the model's profile has by now, added up over its layers. Free with
 * bench_profile_free. */
bench_profile *bench_profile_read(const ondol_model *model);
void bench_profile_free(bench_profile *p); /* takes NULL */

/* A table of milliseconds a pass and shares, the largest first. */
void bench_profile_print(const bench_profile *p, const char *title);
json_t *bench_profile_json(const bench_profile *p);

#endif
