/* Inside of api/: values of networks are the library's own. */
#ifndef API_VALUE_H
#define API_VALUE_H

#include "graph/graph.h"
#include "ondol/ondol.h"
#include "tensor/value.h"

static inline tensor_value *api_value_of(ondol_value *v) {
    return (tensor_value *)(void *)v;
}

static inline const tensor_value *api_value_view(const ondol_value *v) {
    return (const tensor_value *)(const void *)v;
}

static inline ondol_value *api_value_from(tensor_value *v) {
    return (ondol_value *)(void *)v;
}

tensor_heap *api_network_heap(const ondol_network *network);
/* NULL: no input of that index. */
const graph_value *api_network_input_value(const ondol_network *network, size_t input);

#endif
