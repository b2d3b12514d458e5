/* A model -> its graph, plan or kernels as text. */
#include "common/describe.h"

#include <stdlib.h>

int describe_model(const ondol_model *model, ondol_model_text what, text_buffer *text) {
    ondol_error err;
    size_t count = 0;
    if (ondol_model_describe(model, what, NULL, 0, &count, &err)) return report_error(&err);
    char *bytes = memory_take(count);
    ondol_status failed = ondol_model_describe(model, what, bytes, count, &count, &err);
    if (!failed) text_append(text, bytes, count);
    free(bytes);
    return failed ? report_error(&err) : EXIT_DONE;
}
