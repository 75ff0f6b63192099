/* The elements of arrays, for the caller. */
#include "array/array.h"
#include "run/eval.h"
#include "run/transfer.h"
#include <string.h>

/* The array's elements in host memory, in any strides; a new reference. */
static tme_status to_host(tme_scope *s, tme_array *a, array_view *out) {
  tme_status st = tme_eval_all(s, &a, 1);
  if (st != TME_OK) return st;
  error err = {.code = TME_OK};
  array_view v = array_elements(a);
  st = view_to_host(s->engine, &v, out, &err);
  return st == TME_OK ? st : scope_fail(s, &err);
}

static const void *start_of(const array_view *v) {
  return (const char *)v->buf->data + v->offset * (int64_t)tme_dtype_size(v->dtype);
}

const char *tme_array_device(const tme_array *a) {
  if (!a) return NULL;
  const buffer *b = array_buffer(a);
  const backend_list *l = &a->node->engine->backends;
  const backend *asked = l->at[a->node->device ? a->node->device - 1 : 0];
  const backend *owner = b ? b->device : asked->host_memory ? NULL : asked;
  return owner ? owner->device : "cpu";
}

const void *tme_data(tme_scope *s, tme_array *a) {
  array_view v, rows;
  if (!s || !a || tme_eval_all(s, &a, 1) != TME_OK) {
    if (s && !a) scope_null(s, "data: the array");
    return NULL;
  }
  v = array_elements(a);
  if (!v.buf->device && strides_contiguous(&a->type, v.strides)) return start_of(&v);
  buffer *packed = atomic_load_explicit(&a->packed, memory_order_acquire);
  if (packed) return packed->data;
  error err = {.code = TME_OK};
  array_view host;
  tme_status st = view_to_host(s->engine, &v, &host, &err);
  if (st == TME_OK) {
    st = view_to_rows(s->engine, &host, &rows, &err);
    buffer_release(host.buf);
  }
  if (st != TME_OK) {
    scope_fail(s, &err);
    return NULL;
  }
  /* Another thread may have been faster; pointers to its copy are out already. */
  if (!atomic_compare_exchange_strong(&a->packed, &packed, rows.buf)) {
    buffer_release(rows.buf);
    return packed->data;
  }
  return rows.buf->data;
}

tme_status tme_read(tme_scope *s, tme_array *a, void *dst, size_t bytes) {
  if (!s) return TME_ERR_ARGUMENT;
  if (!a) return scope_null(s, "read: the array");
  size_t want = (size_t)type_size(&a->type) * tme_dtype_size(a->type.dtype);
  if (bytes != want || (!dst && want))
    return fail(&s->err, TME_ERR_ARGUMENT, "read: the array has %zu bytes, the destination %zu", want, dst ? bytes : 0);
  array_view v;
  tme_status st = to_host(s, a, &v);
  if (st != TME_OK) return st;
  if (want) view_pack(&v, start_of(&v), dst);
  buffer_release(v.buf);
  return TME_OK;
}

tme_status tme_item(tme_scope *s, tme_array *a, double *out) {
  if (!s) return TME_ERR_ARGUMENT;
  if (!a || !out) return scope_null(s, a ? "item: the result" : "item: the array");
  if (type_size(&a->type) != 1)
    return fail(&s->err, TME_ERR_SHAPE, "item: the array has %lld elements, expected one",
                (long long)type_size(&a->type));
  uint64_t bits[2] = {0, 0};
  double v[2];
  tme_dtype t = a->type.dtype;
  size_t size = tme_dtype_size(t), half = dtype_is_complex(t) ? size / 2 : size;
  char raw[16];
  tme_status st = tme_read(s, a, raw, size);
  if (st != TME_OK) return st;
  memcpy(&bits[0], raw, half);
  if (half < size) memcpy(&bits[1], raw + half, half);
  literal_value(t, bits, v);
  *out = v[0];
  return TME_OK;
}
