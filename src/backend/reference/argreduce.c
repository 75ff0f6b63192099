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

BOTH(bool, uint8_t, bool, NONZERO)
BOTH(u8, uint8_t, uint8_t, PLAIN)
BOTH(u16, uint16_t, uint16_t, PLAIN)
BOTH(u32, uint32_t, uint32_t, PLAIN)
BOTH(u64, uint64_t, uint64_t, PLAIN)
BOTH(i8, int8_t, int8_t, PLAIN)
BOTH(i16, int16_t, int16_t, PLAIN)
BOTH(i32, int32_t, int32_t, PLAIN)
BOTH(i64, int64_t, int64_t, PLAIN)
BOTH(f16, uint16_t, float, f16_to_f32)
BOTH(bf16, uint16_t, float, bf16_to_f32)
BOTH(f32, float, float, PLAIN)
BOTH(f64, double, double, PLAIN)

typedef int64_t search_fn(const char *data, const ref_space *dims);

static search_fn *const searches[TME_DTYPE_COUNT][2] = {
    [TME_BOOL] = {argmin_bool, argmax_bool}, [TME_U8] = {argmin_u8, argmax_u8},
    [TME_U16] = {argmin_u16, argmax_u16},    [TME_U32] = {argmin_u32, argmax_u32},
    [TME_U64] = {argmin_u64, argmax_u64},    [TME_I8] = {argmin_i8, argmax_i8},
    [TME_I16] = {argmin_i16, argmax_i16},    [TME_I32] = {argmin_i32, argmax_i32},
    [TME_I64] = {argmin_i64, argmax_i64},    [TME_F16] = {argmin_f16, argmax_f16},
    [TME_BF16] = {argmin_bf16, argmax_bf16}, [TME_F32] = {argmin_f32, argmax_f32},
    [TME_F64] = {argmin_f64, argmax_f64},
};

tme_status ref_argreduce(ref_call *c, error *e) {
  const ref_array *x = c->in[0];
  search_fn *search = searches[x->type.dtype][c->op == OP_argmax];
  if (!search)
    return fail(e, TME_ERR_UNSUPPORTED, "%s: no kernel for %s", op_name(c->op), tme_dtype_name(x->type.dtype));
  ref_space reduced = dims_of(&x->type, x->strides, c->attrs->axes);
  ref_space kept = dims_of(&x->type, x->strides, ~c->attrs->axes);
  int64_t *out = (int64_t *)(void *)c->out[0].data, size = (int64_t)tme_dtype_size(x->type.dtype);
  const int64_t *strides[1] = {kept.stride};
  ref_iter it;
  for (bool more = iter_start(&it, kept.rank, kept.shape, 1, strides); more; more = iter_next(&it))
    for (int64_t i = 0; i < it.inner; i++) *out++ = search(x->data + (it.offset[0] + i * it.step[0]) * size, &reduced);
  return TME_OK;
}
