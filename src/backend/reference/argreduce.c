/* argmin, argmax: the first best element, or the first NaN. */
#include "backend/reference/iter.h"

#define PLAIN(x) (x)
#define NONZERO(x) ((x) != 0)
#define LESS(a, b) ((a) < (b))
#define MORE(a, b) ((a) > (b))

/* The place of the best element in row-major order of the reduced dimensions. */
#define SEARCH(name, ELEMENT, VALUE, LOAD, BETTER)                                                                     \
  static int64_t name(const char *data, const ref_space *dims) {                                                       \
    const ELEMENT *x = (const ELEMENT *)(const void *)data;                                                            \
    const int64_t *strides[1] = {dims->stride};                                                                        \
    VALUE best = LOAD(x[0]);                                                                                           \
    int64_t at = 0, place = 0;                                                                                         \
    ref_iter it;                                                                                                       \
    for (bool more = iter_start(&it, dims->rank, dims->shape, 1, strides); more; more = iter_next(&it))                \
      for (int64_t i = 0; i < it.inner; i++, at++) {                                                                   \
        VALUE v = LOAD(x[it.offset[0] + i * it.step[0]]);                                                              \
        if (v != v) return at;                                                                                         \
        if (BETTER(v, best)) best = v, place = at;                                                                     \
      }                                                                                                                \
    return place;                                                                                                      \
  }
#define BOTH(suffix, ELEMENT, VALUE, LOAD)                                                                             \
  SEARCH(argmin_##suffix, ELEMENT, VALUE, LOAD, LESS)                                                                  \
  SEARCH(argmax_##suffix, ELEMENT, VALUE, LOAD, MORE)

#define SEARCH_BOOL(id, element) BOTH(id, element, bool, NONZERO)
#define SEARCH_UNSIGNED(id, element) BOTH(id, element, element, PLAIN)
#define SEARCH_SIGNED(id, element) BOTH(id, element, element, PLAIN)
#define SEARCH_FLOAT(id, element) BOTH(id, element, element, PLAIN)
#define SEARCH_NARROW(id, element) BOTH(id, element, float, id##_to_f32)
#define SEARCH_COMPLEX(id, element)
#define DTYPE(ID, id, name, kind, element, ...) SEARCH_##kind(id, element)
#include "base/dtypes.def"

typedef int64_t search_fn(const char *data, const ref_space *dims);

static search_fn *const searches[TME_DTYPE_COUNT][2] = {
#define FOUND(id)                                                                                                      \
  { argmin_##id, argmax_##id }
#define FOUND_BOOL FOUND
#define FOUND_UNSIGNED FOUND
#define FOUND_SIGNED FOUND
#define FOUND_FLOAT FOUND
#define FOUND_NARROW FOUND
#define FOUND_COMPLEX(id)                                                                                              \
  { NULL, NULL }
#define DTYPE(ID, id, name, kind, ...) [TME_##ID] = FOUND_##kind(id),
#include "base/dtypes.def"
};

tme_status ref_argreduce(ref_call *c, error *e) {
  const ref_array *x = c->in[0];
  search_fn *search = searches[x->type.dtype][c->op == OP_argmax];
  if (!search)
    return fail(e, TME_ERR_UNSUPPORTED, "%s: no kernel for %s", op_name(c->op), tme_dtype_name(x->type.dtype));
  ref_space reduced = dims_of(&x->type, x->strides, c->attrs->argreduce.axes.mask);
  ref_space kept = dims_of(&x->type, x->strides, ~c->attrs->argreduce.axes.mask);
  int64_t *out = (int64_t *)(void *)c->out[0].data, size = (int64_t)tme_dtype_size(x->type.dtype);
  const int64_t *strides[1] = {kept.stride};
  ref_iter it;
  for (bool more = iter_start(&it, kept.rank, kept.shape, 1, strides); more; more = iter_next(&it))
    for (int64_t i = 0; i < it.inner; i++) *out++ = search(x->data + (it.offset[0] + i * it.step[0]) * size, &reduced);
  return TME_OK;
}
