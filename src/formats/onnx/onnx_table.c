/* The table of messages. In: onnx_fields.def. Out: rows with offsets. */
#include "formats/onnx/onnx_table.h"

#define MESSAGE(structure, name) static const onnx_field fields_##structure[] = {
#define FIELD(structure, number, kind, member, of)                                                 \
    {number,  ONNX_KIND_##kind,  offsetof(onnx_##structure, member),                               \
     #member, ONNX_MESSAGE_##of, false},
#define PACKED(structure, number, kind, member, of)                                                \
    {number,  ONNX_KIND_##kind,  offsetof(onnx_##structure, member),                               \
     #member, ONNX_MESSAGE_##of, true},
#define END(structure)                                                                             \
    }                                                                                              \
    ;
#include "formats/onnx/onnx_fields.def"
#undef MESSAGE
#undef FIELD
#undef END

const onnx_message_info onnx_messages[ONNX_MESSAGE_COUNT] = {
#define MESSAGE(structure, name)                                                                   \
    {name, sizeof(onnx_##structure), fields_##structure,                                           \
     sizeof fields_##structure / sizeof *fields_##structure},
#define FIELD(structure, number, kind, member, of)
#define END(structure)
#include "formats/onnx/onnx_fields.def"
#undef MESSAGE
#undef FIELD
#undef END
};
