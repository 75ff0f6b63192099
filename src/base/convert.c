/* Blocks of elements go through one wide type per kind of number, which holds them exactly. */
#include "base/convert.h"
#include <math.h>

enum { BLOCK = 256 };

/* A block on its way. */
typedef struct block {
  enum { SIGNED, UNSIGNED, SINGLE, DOUBLE } kind;
  union {
    int64_t i[BLOCK];
    uint64_t u[BLOCK];
    float s[BLOCK];
    double d[BLOCK];
  } v;
} block;

/* ---- from elements ----------------------------------------------------------------------------------------------- */

typedef void load_fn(block *b, const void *from, int64_t step, int64_t n);

#define LOAD(id, element, holds, member, value)                                                                        \
  static void load_##id(block *b, const void *from, int64_t step, int64_t n) {                                         \
    const element *p = from;                                                                                           \
    b->kind = holds;                                                                                                   \
    for (int64_t k = 0; k < n; k++) {                                                                                  \
      element x = p[k * step];                                                                                         \
      b->v.member[k] = value;                                                                                          \
    }                                                                                                                  \
  }
#define LOAD_BOOL(id, element) LOAD(id, element, UNSIGNED, u, x != 0)
#define LOAD_UNSIGNED(id, element) LOAD(id, element, UNSIGNED, u, x)
#define LOAD_SIGNED(id, element) LOAD(id, element, SIGNED, i, x)
#define LOAD_FLOAT(id, element) LOAD(id, element, HOLDS_##id, MEMBER_##id, x)
#define HOLDS_f32 SINGLE
#define MEMBER_f32 s
#define HOLDS_f64 DOUBLE
#define MEMBER_f64 d
#define LOAD_NARROW(id, element) LOAD(id, element, SINGLE, s, id##_to_f32(x))
#define LOAD_COMPLEX(id, element) /* its parts are loaded */
#define DTYPE(ID, id, name, kind, element, ...) LOAD_##kind(id, element)
#include "base/dtypes.def"

/* ---- to elements ------------------------------------------------------------------------------------------------- */

static int64_t saturate(double v, double lo, double hi, int64_t least, int64_t most) {
  return isnan(v) ? 0 : v <= lo ? least : v >= hi ? most : (int64_t)v;
}

static uint64_t saturate_unsigned(double v, double hi, uint64_t most) {
  return isnan(v) || v <= 0 ? 0 : v >= hi ? most : (uint64_t)v;
}

/* An integer as an f64 that is to be rounded once more, to a float whose largest number is `most`. */
#define TO_ODD(x) _Generic(x, int64_t : int_to_odd, uint64_t : uint_to_odd)(x)
#define ONCE_MORE(x, most) ((most) < 0x1p53 ? (double)(x) : TO_ODD(x))

typedef void store_fn(const block *b, void *to, int64_t step, int64_t n);

#define EACH(element, type, member, value)                                                                             \
  for (int64_t k = 0; k < n; k++) {                                                                                    \
    type x = b->v.member[k];                                                                                           \
    p[k * step] = (element)(value);                                                                                    \
  }                                                                                                                    \
  break
#define STORE(id, element, of_int, of_single, of_double)                                                               \
  static void store_##id(const block *b, void *to, int64_t step, int64_t n) {                                          \
    element *p = to;                                                                                                   \
    switch (b->kind) {                                                                                                 \
    case SIGNED: EACH(element, int64_t, i, of_int);                                                                    \
    case UNSIGNED: EACH(element, uint64_t, u, of_int);                                                                 \
    case SINGLE: EACH(element, float, s, of_single);                                                                   \
    case DOUBLE: EACH(element, double, d, of_double);                                                                  \
    }                                                                                                                  \
  }
#define STORE_BOOL(id, element, most) STORE(id, element, x != 0, x != 0, x != 0)
#define STORE_UNSIGNED(id, element, most)                                                                              \
  STORE(id, element, x, saturate_unsigned((double)x, (double)(most), most), saturate_unsigned(x, (double)(most), most))
#define SATURATE(x, most) saturate((double)(x), (double)(-(most)-1), (double)(most), -(most)-1, most)
#define STORE_SIGNED(id, element, most) STORE(id, element, x, SATURATE(x, most), SATURATE(x, most))
#define STORE_FLOAT(id, element, most) STORE(id, element, x, x, x)
#define STORE_NARROW(id, element, most)                                                                                \
  STORE(id, element, id##_from_f64(ONCE_MORE(x, most)), id##_from_f32(x), id##_from_f64(x))
#define STORE_COMPLEX(id, element, most)
#define DTYPE(ID, id, name, kind, element, held, digits, most, ...) STORE_##kind(id, element, most)
#include "base/dtypes.def"

/* ---- both -------------------------------------------------------------------------------------------------------- */

#define WAYS(id)                                                                                                       \
  { load_##id, store_##id }
#define WAYS_BOOL WAYS
#define WAYS_UNSIGNED WAYS
#define WAYS_SIGNED WAYS
#define WAYS_FLOAT WAYS
#define WAYS_NARROW WAYS
#define WAYS_COMPLEX(id)                                                                                               \
  { NULL, NULL }
static const struct {
  load_fn *load;
  store_fn *store;
} ways[TME_DTYPE_COUNT] = {
#define DTYPE(ID, id, name, kind, ...) WAYS_##kind(id),
#include "base/dtypes.def"
};

/* 1 where either part is not 0. */
static void either(block *re, const block *im, int64_t n) {
  for (int64_t k = 0; k < n && re->kind == SINGLE; k++) re->v.s[k] = re->v.s[k] != 0 || im->v.s[k] != 0;
  for (int64_t k = 0; k < n && re->kind == DOUBLE; k++) re->v.d[k] = re->v.d[k] != 0 || im->v.d[k] != 0;
}

void convert_run(tme_dtype from, const void *src, int64_t src_step, tme_dtype to, void *dst, int64_t dst_step,
                 int64_t n) {
  bool of_pairs = dtype_is_complex(from), to_pairs = dtype_is_complex(to);
  tme_dtype part_from = dtype_real(from), part_to = dtype_real(to);
  int64_t from_size = (int64_t)tme_dtype_size(part_from), to_size = (int64_t)tme_dtype_size(part_to);
  int64_t s = src_step * (of_pairs ? 2 : 1), d = dst_step * (to_pairs ? 2 : 1);
  const char *p = src;
  char *q = dst;
  block re, im;
  im.kind = DOUBLE;
  for (int64_t k = 0; k < (n < BLOCK ? n : BLOCK) && to_pairs && !of_pairs; k++) im.v.d[k] = 0;
  for (int64_t at = 0; at < n; at += BLOCK) {
    int64_t m = n - at < BLOCK ? n - at : BLOCK;
    ways[part_from].load(&re, p + at * s * from_size, s, m);
    if (of_pairs) ways[part_from].load(&im, p + (at * s + 1) * from_size, s, m);
    if (of_pairs && to == TME_BOOL) either(&re, &im, m);
    ways[part_to].store(&re, q + at * d * to_size, d, m);
    if (to_pairs) ways[part_to].store(&im, q + (at * d + 1) * to_size, d, m);
  }
}
