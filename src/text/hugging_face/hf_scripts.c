/* Code point -> script. */
#include "text/hugging_face/hf_unicode.h"

uint32_t hf_script(uint32_t code) {
    return code > 0x20;
}
