/* Inside of formats/onnx: the table of messages and fields that reading and writing go by. */
#ifndef FORMATS_ONNX_TABLE_H
#define FORMATS_ONNX_TABLE_H

#include "formats/onnx/onnx_model.h"

typedef enum onnx_kind {
    ONNX_KIND_INT32, /* varint, sign-extended to 64 bits */
    ONNX_KIND_INT64,
    ONNX_KIND_FLOAT,
    ONNX_KIND_STRING, /* and bytes */
    ONNX_KIND_MESSAGE,
    /* Repeated: */
    ONNX_KIND_INT32S,
    ONNX_KIND_INT64S,
    ONNX_KIND_UINT64S,
    ONNX_KIND_FLOATS,
    ONNX_KIND_DOUBLES,
    ONNX_KIND_STRINGS,
    ONNX_KIND_MESSAGES
} onnx_kind;

typedef struct onnx_field {
    uint32_t number;
    onnx_kind kind;
    size_t offset; /* of the member */
    const char *name;
    onnx_message of; /* MESSAGE, MESSAGES */
    bool packed;     /* as written; either way is read */
} onnx_field;

typedef struct onnx_message_info {
    const char *name;
    size_t size;
    const onnx_field *fields; /* at most 32 */
    uint32_t field_count;
} onnx_message_info;

extern const onnx_message_info onnx_messages[ONNX_MESSAGE_COUNT];

/* What every repeated member looks like. */
typedef struct onnx_any_list {
    const void *items;
    size_t count;
} onnx_any_list;

#define ONNX_MAX_DEPTH 100

#endif
