/* Messages -> the text of the chat template -> ids. */
#include "common/chat_prompt.h"

#include <stdlib.h>

#include "common/model_flags.h"
#include "common/report.h"

int chat_prompt_ids(const ondol_model *model, const ondol_message *messages, size_t n,
                    int32_t **ids, size_t *count) {
    ondol_error err;
    char *text = NULL;
    size_t bytes = 0, capacity = 4096;
    do {
        if (bytes > capacity) capacity = bytes;
        text = memory_resize(text, capacity);
        if (ondol_chat_format(model, messages, n, NULL, text, capacity, &bytes, &err)) {
            free(text);
            return report_error(&err);
        }
    } while (bytes > capacity);
    int status = text_to_ids(model, text, bytes, ONDOL_TOKENIZE_NO_BOS, ids, count);
    free(text);
    return status;
}
