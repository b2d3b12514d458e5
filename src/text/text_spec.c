/* An empty text_spec. */
#include "text/text_spec.h"

void text_spec_init(text_spec *spec, text_kind kind) {
    *spec = (text_spec){.kind = kind};
    for (int i = 0; i < TEXT_SPECIAL_COUNT; i++)
        spec->special_ids[i] = TEXT_ID_DEFAULT;
}
