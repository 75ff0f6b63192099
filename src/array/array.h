/* Arrays whose elements are there already. */
#ifndef TME_ARRAY_H
#define TME_ARRAY_H

#include "array/scope.h"
#include "memory/view.h"

/* Checks what the caller says of its memory; `what` is the function that is told. */
tme_status array_check(error *e, const char *what, tme_dtype t, int rank, const int64_t *shape, const void *data,
                       op_type *type);
/* Takes over `b`, also on failure. */
tme_array *array_of_buffer(tme_scope *s, const op_type *type, buffer *b, int64_t offset, const int64_t *strides,
                           const char *what);
/* The caller's memory, where element (0, ..., 0) is at `data`; strides are in elements, NULL for row-major. On failure
 * `release` is not called. */
tme_array *array_of_memory(tme_scope *s, const op_type *type, const int64_t *strides, const void *data,
                           void (*release)(void *user), void *user, const char *what);
/* Where the elements of a computed array lie; no reference. */
array_view array_elements(const tme_array *a);

#endif
