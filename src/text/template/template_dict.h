/* Insertion-ordered dict of the template language. Keys hash and compare as Python's: 1, 1.0 and
 * true are one key. */
#ifndef TEMPLATE_DICT_H
#define TEMPLATE_DICT_H

#include "text/template/template_value.h"

typedef struct template_pair {
    template_value key, value; /* key ABSENT: removed */
    uint64_t hash;
} template_pair;

struct template_dict {
    template_pair *pairs;
    size_t used, capacity; /* places in `pairs`, removed ones among them */
    size_t count;          /* living pairs */
    uint32_t *index;       /* NULL while there are few; 0: free, else place + 1 */
    size_t index_capacity; /* power of two */
};

/* NULL when the heap is full. */
template_dict *template_dict_create(template_heap *heap);

/* For builders outside a render: text keys. False when the heap is full. */
bool template_dict_put(template_heap *heap, template_dict *dict, const template_string *key,
                       template_value value);
bool template_dict_put_text(template_heap *heap, template_dict *dict, const char *key,
                            template_value value);

/* *found (may be NULL) becomes the value when the text is a key; false otherwise. */
bool template_dict_find(const template_heap *heap, const template_dict *dict,
                        const template_string *key, template_value *found);

/* Within a render, any key. Errors: FORMAT for an unhashable key, LIMIT, MEMORY. */
ondol_status template_dict_set(template_run *run, template_dict *dict, template_value key,
                               template_value value);
ondol_status template_dict_get(template_run *run, const template_dict *dict, template_value key,
                               template_value *value, bool *found);
ondol_status template_dict_remove(template_run *run, template_dict *dict, template_value key,
                                  bool *found);
void template_dict_clear(template_dict *dict);

#endif
