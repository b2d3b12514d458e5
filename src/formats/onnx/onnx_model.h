/* The ONNX file format: what a file holds, message by message and field by field, without loss.
 *
 * Structures mirror onnx-ml.proto and onnx-data.proto (IR version 14). Strings, raw data and packed
 * floats are views of the file's bytes; all else is in the arena of whoever parsed. A field is
 * present when its bit of head.has is set (onnx_has); what is absent is 0 or empty. Fields that the
 * table does not know are kept as bytes, so that a file that is written again is the same. */
#ifndef FORMATS_ONNX_MODEL_H
#define FORMATS_ONNX_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "tensor/value.h"

typedef tensor_string onnx_string; /* text, size_bytes; not ended by a 0 */

typedef struct onnx_strings {
    const onnx_string *items;
    size_t count;
} onnx_strings;

typedef struct onnx_int64s {
    const int64_t *items;
    size_t count;
} onnx_int64s;

typedef struct onnx_int32s {
    const int32_t *items;
    size_t count;
} onnx_int32s;

typedef struct onnx_uint64s {
    const uint64_t *items;
    size_t count;
} onnx_uint64s;

/* count numbers of 4 or 8 bytes each, little endian, of any alignment. */
typedef struct onnx_packed {
    const unsigned char *items;
    size_t count;
} onnx_packed;

/* Begins every message. */
typedef struct onnx_head {
    uint32_t has;         /* bit i: the i-th field of the message's rows in onnx_fields.def */
    onnx_strings unknown; /* whole fields, tag included, in the order of the file */
} onnx_head;

typedef struct onnx_string_entry onnx_string_entry;
typedef struct onnx_int_list_entry onnx_int_list_entry;
typedef struct onnx_dimension onnx_dimension;
typedef struct onnx_shape onnx_shape;
typedef struct onnx_tensor_type onnx_tensor_type;
typedef struct onnx_sequence_type onnx_sequence_type;
typedef struct onnx_map_type onnx_map_type;
typedef struct onnx_optional_type onnx_optional_type;
typedef struct onnx_opaque_type onnx_opaque_type;
typedef struct onnx_type onnx_type;
typedef struct onnx_segment onnx_segment;
typedef struct onnx_tensor onnx_tensor;
typedef struct onnx_sparse_tensor onnx_sparse_tensor;
typedef struct onnx_value_info onnx_value_info;
typedef struct onnx_attribute onnx_attribute;
typedef struct onnx_simple_sharded_dim onnx_simple_sharded_dim;
typedef struct onnx_sharded_dim onnx_sharded_dim;
typedef struct onnx_sharding_spec onnx_sharding_spec;
typedef struct onnx_node_device_configuration onnx_node_device_configuration;
typedef struct onnx_node onnx_node;
typedef struct onnx_tensor_annotation onnx_tensor_annotation;
typedef struct onnx_graph onnx_graph;
typedef struct onnx_training_info onnx_training_info;
typedef struct onnx_operator_set onnx_operator_set;
typedef struct onnx_function onnx_function;
typedef struct onnx_device_configuration onnx_device_configuration;
typedef struct onnx_model_proto onnx_model_proto;
typedef struct onnx_sequence onnx_sequence;
typedef struct onnx_map onnx_map;
typedef struct onnx_optional onnx_optional;

typedef struct onnx_dimension_list {
    const onnx_dimension *items;
    size_t count;
} onnx_dimension_list;
typedef struct onnx_string_entry_list {
    const onnx_string_entry *items;
    size_t count;
} onnx_string_entry_list;
typedef struct onnx_tensor_list {
    const onnx_tensor *items;
    size_t count;
} onnx_tensor_list;
typedef struct onnx_graph_list {
    const onnx_graph *items;
    size_t count;
} onnx_graph_list;
typedef struct onnx_sparse_tensor_list {
    const onnx_sparse_tensor *items;
    size_t count;
} onnx_sparse_tensor_list;
typedef struct onnx_type_list {
    const onnx_type *items;
    size_t count;
} onnx_type_list;
typedef struct onnx_simple_sharded_dim_list {
    const onnx_simple_sharded_dim *items;
    size_t count;
} onnx_simple_sharded_dim_list;
typedef struct onnx_int_list_entry_list {
    const onnx_int_list_entry *items;
    size_t count;
} onnx_int_list_entry_list;
typedef struct onnx_sharded_dim_list {
    const onnx_sharded_dim *items;
    size_t count;
} onnx_sharded_dim_list;
typedef struct onnx_sharding_spec_list {
    const onnx_sharding_spec *items;
    size_t count;
} onnx_sharding_spec_list;
typedef struct onnx_attribute_list {
    const onnx_attribute *items;
    size_t count;
} onnx_attribute_list;
typedef struct onnx_node_device_configuration_list {
    const onnx_node_device_configuration *items;
    size_t count;
} onnx_node_device_configuration_list;
typedef struct onnx_node_list {
    const onnx_node *items;
    size_t count;
} onnx_node_list;
typedef struct onnx_value_info_list {
    const onnx_value_info *items;
    size_t count;
} onnx_value_info_list;
typedef struct onnx_tensor_annotation_list {
    const onnx_tensor_annotation *items;
    size_t count;
} onnx_tensor_annotation_list;
typedef struct onnx_operator_set_list {
    const onnx_operator_set *items;
    size_t count;
} onnx_operator_set_list;
typedef struct onnx_training_info_list {
    const onnx_training_info *items;
    size_t count;
} onnx_training_info_list;
typedef struct onnx_function_list {
    const onnx_function *items;
    size_t count;
} onnx_function_list;
typedef struct onnx_device_configuration_list {
    const onnx_device_configuration *items;
    size_t count;
} onnx_device_configuration_list;
typedef struct onnx_sequence_list {
    const onnx_sequence *items;
    size_t count;
} onnx_sequence_list;
typedef struct onnx_map_list {
    const onnx_map *items;
    size_t count;
} onnx_map_list;
typedef struct onnx_optional_list {
    const onnx_optional *items;
    size_t count;
} onnx_optional_list;

/* StringStringEntryProto */
struct onnx_string_entry {
    onnx_head head;
    onnx_string key;
    onnx_string value;
};

/* IntIntListEntryProto */
struct onnx_int_list_entry {
    onnx_head head;
    int64_t key;
    onnx_int64s value;
};

/* TensorShapeProto.Dimension */
struct onnx_dimension {
    onnx_head head;
    int64_t dim_value;
    onnx_string dim_param;
    onnx_string denotation;
};

/* TensorShapeProto */
struct onnx_shape {
    onnx_head head;
    onnx_dimension_list dim;
};

/* TypeProto.Tensor */
struct onnx_tensor_type {
    onnx_head head;
    int32_t elem_type;
    const onnx_shape *shape;
};

/* TypeProto.Sequence */
struct onnx_sequence_type {
    onnx_head head;
    const onnx_type *elem_type;
};

/* TypeProto.Map */
struct onnx_map_type {
    onnx_head head;
    int32_t key_type;
    const onnx_type *value_type;
};

/* TypeProto.Optional */
struct onnx_optional_type {
    onnx_head head;
    const onnx_type *elem_type;
};

/* TypeProto.Opaque */
struct onnx_opaque_type {
    onnx_head head;
    onnx_string domain;
    onnx_string name;
};

/* TypeProto */
struct onnx_type {
    onnx_head head;
    const onnx_tensor_type *tensor_type;
    const onnx_sequence_type *sequence_type;
    const onnx_map_type *map_type;
    const onnx_optional_type *optional_type;
    const onnx_tensor_type *sparse_tensor_type;
    const onnx_opaque_type *opaque_type;
    onnx_string denotation;
};

/* TensorProto.Segment */
struct onnx_segment {
    onnx_head head;
    int64_t begin;
    int64_t end;
};

/* TensorProto */
struct onnx_tensor {
    onnx_head head;
    onnx_int64s dims;
    int32_t data_type;
    const onnx_segment *segment;
    onnx_packed float_data; /* float32 */
    onnx_int32s int32_data;
    onnx_strings string_data;
    onnx_int64s int64_data;
    onnx_string name;
    onnx_string doc_string;
    onnx_string raw_data;
    onnx_string_entry_list external_data;
    int32_t data_location;
    onnx_packed double_data; /* float64 */
    onnx_uint64s uint64_data;
    onnx_string_entry_list metadata_props;
};

/* SparseTensorProto */
struct onnx_sparse_tensor {
    onnx_head head;
    const onnx_tensor *values;
    const onnx_tensor *indices;
    onnx_int64s dims;
};

/* ValueInfoProto */
struct onnx_value_info {
    onnx_head head;
    onnx_string name;
    const onnx_type *type;
    onnx_string doc_string;
    onnx_string_entry_list metadata_props;
};

/* AttributeProto */
struct onnx_attribute {
    onnx_head head;
    onnx_string name;
    onnx_string ref_attr_name;
    onnx_string doc_string;
    int32_t type;
    float f;
    int64_t i;
    onnx_string s;
    const onnx_tensor *t;
    const onnx_graph *g;
    const onnx_sparse_tensor *sparse_tensor;
    const onnx_type *tp;
    onnx_packed floats; /* float32 */
    onnx_int64s ints;
    onnx_strings strings;
    onnx_tensor_list tensors;
    onnx_graph_list graphs;
    onnx_sparse_tensor_list sparse_tensors;
    onnx_type_list type_protos;
};

/* SimpleShardedDimProto */
struct onnx_simple_sharded_dim {
    onnx_head head;
    int64_t dim_value;
    onnx_string dim_param;
    int64_t num_shards;
};

/* ShardedDimProto */
struct onnx_sharded_dim {
    onnx_head head;
    int64_t axis;
    onnx_simple_sharded_dim_list simple_sharding;
};

/* ShardingSpecProto */
struct onnx_sharding_spec {
    onnx_head head;
    onnx_string tensor_name;
    onnx_int64s device;
    onnx_int_list_entry_list index_to_device_group_map;
    onnx_sharded_dim_list sharded_dim;
};

/* NodeDeviceConfigurationProto */
struct onnx_node_device_configuration {
    onnx_head head;
    onnx_string configuration_id;
    onnx_sharding_spec_list sharding_spec;
    int32_t pipeline_stage;
};

/* NodeProto */
struct onnx_node {
    onnx_head head;
    onnx_strings input;
    onnx_strings output;
    onnx_string name;
    onnx_string op_type;
    onnx_string domain;
    onnx_string overload;
    onnx_attribute_list attribute;
    onnx_string doc_string;
    onnx_string_entry_list metadata_props;
    onnx_node_device_configuration_list device_configurations;
};

/* TensorAnnotation */
struct onnx_tensor_annotation {
    onnx_head head;
    onnx_string tensor_name;
    onnx_string_entry_list quant_parameter_tensor_names;
};

/* GraphProto */
struct onnx_graph {
    onnx_head head;
    onnx_node_list node;
    onnx_string name;
    onnx_tensor_list initializer;
    onnx_sparse_tensor_list sparse_initializer;
    onnx_string doc_string;
    onnx_value_info_list input;
    onnx_value_info_list output;
    onnx_value_info_list value_info;
    onnx_tensor_annotation_list quantization_annotation;
    onnx_string_entry_list metadata_props;
};

/* TrainingInfoProto */
struct onnx_training_info {
    onnx_head head;
    const onnx_graph *initialization;
    const onnx_graph *algorithm;
    onnx_string_entry_list initialization_binding;
    onnx_string_entry_list update_binding;
};

/* OperatorSetIdProto */
struct onnx_operator_set {
    onnx_head head;
    onnx_string domain;
    int64_t version;
};

/* FunctionProto */
struct onnx_function {
    onnx_head head;
    onnx_string name;
    onnx_strings input;
    onnx_strings output;
    onnx_strings attribute;
    onnx_attribute_list attribute_proto;
    onnx_node_list node;
    onnx_string doc_string;
    onnx_operator_set_list opset_import;
    onnx_string domain;
    onnx_string overload;
    onnx_value_info_list value_info;
    onnx_string_entry_list metadata_props;
};

/* DeviceConfigurationProto */
struct onnx_device_configuration {
    onnx_head head;
    onnx_string name;
    int32_t num_devices;
    onnx_strings device;
};

/* ModelProto */
struct onnx_model_proto {
    onnx_head head;
    int64_t ir_version;
    onnx_operator_set_list opset_import;
    onnx_string producer_name;
    onnx_string producer_version;
    onnx_string domain;
    int64_t model_version;
    onnx_string doc_string;
    const onnx_graph *graph;
    onnx_string_entry_list metadata_props;
    onnx_training_info_list training_info;
    onnx_function_list functions;
    onnx_device_configuration_list configuration;
};

/* SequenceProto */
struct onnx_sequence {
    onnx_head head;
    onnx_string name;
    int32_t elem_type;
    onnx_tensor_list tensor_values;
    onnx_sparse_tensor_list sparse_tensor_values;
    onnx_sequence_list sequence_values;
    onnx_map_list map_values;
    onnx_optional_list optional_values;
};

/* MapProto */
struct onnx_map {
    onnx_head head;
    onnx_string name;
    int32_t key_type;
    onnx_int64s keys;
    onnx_strings string_keys;
    const onnx_sequence *values;
};

/* OptionalProto */
struct onnx_optional {
    onnx_head head;
    onnx_string name;
    int32_t elem_type;
    const onnx_tensor *tensor_value;
    const onnx_sparse_tensor *sparse_tensor_value;
    const onnx_sequence *sequence_value;
    const onnx_map *map_value;
    const onnx_optional *optional_value;
};

/* AttributeProto.AttributeType */
typedef enum onnx_attribute_type {
    ONNX_ATTRIBUTE_UNDEFINED = 0,
    ONNX_ATTRIBUTE_FLOAT = 1,
    ONNX_ATTRIBUTE_INT = 2,
    ONNX_ATTRIBUTE_STRING = 3,
    ONNX_ATTRIBUTE_TENSOR = 4,
    ONNX_ATTRIBUTE_GRAPH = 5,
    ONNX_ATTRIBUTE_FLOATS = 6,
    ONNX_ATTRIBUTE_INTS = 7,
    ONNX_ATTRIBUTE_STRINGS = 8,
    ONNX_ATTRIBUTE_TENSORS = 9,
    ONNX_ATTRIBUTE_GRAPHS = 10,
    ONNX_ATTRIBUTE_SPARSE_TENSOR = 11,
    ONNX_ATTRIBUTE_SPARSE_TENSORS = 12,
    ONNX_ATTRIBUTE_TYPE_PROTO = 13,
    ONNX_ATTRIBUTE_TYPE_PROTOS = 14
} onnx_attribute_type;

/* TensorProto.DataLocation */
typedef enum onnx_data_location {
    ONNX_DATA_LOCATION_DEFAULT = 0,
    ONNX_DATA_LOCATION_EXTERNAL = 1
} onnx_data_location;

/* SequenceProto.DataType, OptionalProto.DataType */
typedef enum onnx_sequence_of {
    ONNX_SEQUENCE_OF_UNDEFINED = 0,
    ONNX_SEQUENCE_OF_TENSOR = 1,
    ONNX_SEQUENCE_OF_SPARSE_TENSOR = 2,
    ONNX_SEQUENCE_OF_SEQUENCE = 3,
    ONNX_SEQUENCE_OF_MAP = 4,
    ONNX_SEQUENCE_OF_OPTIONAL = 5
} onnx_sequence_of;

/* The kinds of message that a file or a piece of test data can be. */
typedef enum onnx_message {
#define MESSAGE(structure, name) ONNX_MESSAGE_##structure,
#define FIELD(structure, number, kind, member, of)
#define END(structure)
#include "formats/onnx/onnx_fields.def"
#undef MESSAGE
#undef FIELD
#undef END
    ONNX_MESSAGE_COUNT
} onnx_message;

/* ONNX_HAS_tensor_raw_data ...: the place of each field in its message's rows, for onnx_has. */
#define MESSAGE(structure, name)                   typedef enum onnx_has_##structure {
#define FIELD(structure, number, kind, member, of) ONNX_HAS_##structure##_##member,
#define END(structure)                                                                             \
    ONNX_HAS_##structure##_COUNT                                                                   \
    }                                                                                              \
    onnx_has_##structure;
#include "formats/onnx/onnx_fields.def"
#undef MESSAGE
#undef FIELD
#undef END

/* Whether the file gave the field, as in onnx_has(&a->head, ONNX_HAS_attribute_f). */
static inline bool onnx_has(const onnx_head *head, unsigned field) {
    return head->has >> field & 1;
}

/* Parses bytes[0..size), which outlive *out, as a message of that kind; *out is in the arena.
 * Errors: FORMAT with the message, the field and the offset, also for a single message that is
 * given twice (protobuf would merge them; no writer does it); LIMIT (nested deeper than 100);
 * MEMORY. Thread class: that of the arena. Source: protobuf's encoding specification. */
ondol_status onnx_parse(base_arena *arena, onnx_message kind, const void *bytes, uint64_t size,
                        const void **out, ondol_error *err);

/* A number of a packed list. */
float onnx_packed_float(const onnx_packed *p, size_t i);
double onnx_packed_double(const onnx_packed *p, size_t i);

/* The attribute's type; where the file gives none (IR version 1), that of the value that is there.
 */
int32_t onnx_attribute_type_of(const onnx_attribute *a);

static inline bool onnx_is(onnx_string s, const char *text) {
    size_t n = 0;
    while (text[n])
        n++;
    if (s.size_bytes != n) return false;
    for (size_t i = 0; i < n; i++)
        if (s.text[i] != text[i]) return false;
    return true;
}

#endif
