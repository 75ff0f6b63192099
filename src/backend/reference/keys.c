/* Integers: the sign bit over. Floats: also all others where it is set (Herf, "Radix tricks", 2001). */
#include "backend/reference/keys.h"
#include "backend/reference/iter.h"
#include "base/convert.h"

enum { BLOCK = 256, PIECE = 1 << 15 };

/* Of complex numbers with NaN, above all keys of numbers: 1 + which parts are NaN, 1 for the imaginary and 2 for the real one. */
#define NAN_CLASS_32 (UINT32_MAX - 4)
#define NAN_CLASS_64 (UINT64_MAX - 4)

/* In which dtype elements of t are turned into keys, of its size. */
static tme_dtype turned_dtype(tme_dtype t) {
  if (dtype_is_complex(t) || dtype_is_float(t)) return dtype_held(t);
  bool is_signed = dtype_is_signed(t) && t != TME_BOOL;
  if (tme_dtype_size(t) == 8) return t;
  return is_signed ? TME_I32 : TME_U32;
}

size_t keys_size(tme_dtype t) { return tme_dtype_size(turned_dtype(t)) * (dtype_is_complex(t) ? 2 : 1); }

#define INTEGERS(bits)                                                                                                 \
  static void turn_integers_##bits(uint##bits##_t *k, int64_t n, bool is_signed, bool descending) {                    \
    uint##bits##_t over = is_signed ? (uint##bits##_t)1 << (bits - 1) : 0;                                             \
    if (descending) over = ~over;                                                                                      \
    for (int64_t i = 0; i < n; i++) k[i] ^= over;                                                                      \
  }
INTEGERS(32)
INTEGERS(64)

#define FLOATS(bits, infinite)                                                                                         \
  static inline uint##bits##_t float_key_##bits(uint##bits##_t b, uint##bits##_t descending) {                         \
    const uint##bits##_t sign = (uint##bits##_t)1 << (bits - 1);                                                       \
    bool nan = (b & ~sign) > (infinite);                                                                               \
    if (!(b & ~sign)) b = 0;                                                                                           \
    b ^= (b >> (bits - 1) ? (uint##bits##_t) - 1 : sign) ^ descending;                                                 \
    return nan ? (uint##bits##_t) - 1 : b;                                                                             \
  }                                                                                                                    \
  static void turn_floats_##bits(uint##bits##_t *k, int64_t n, bool descending) {                                      \
    uint##bits##_t all = descending ? (uint##bits##_t) - 1 : 0;                                                        \
    for (int64_t i = 0; i < n; i++) k[i] = float_key_##bits(k[i], all);                                                \
  }                                                                                                                    \
  static void turn_back_floats_##bits(uint##bits##_t *k, int64_t n, bool descending) {                                 \
    const uint##bits##_t sign = (uint##bits##_t)1 << (bits - 1), quiet = (infinite) | ((infinite) >> 1);               \
    uint##bits##_t all = descending ? (uint##bits##_t) - 1 : 0;                                                        \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
      uint##bits##_t b = k[i] ^ all;                                                                                   \
      b ^= b & sign ? sign : (uint##bits##_t) - 1;                                                                     \
      k[i] = k[i] == (uint##bits##_t) - 1 ? quiet : b;                                                                 \
    }                                                                                                                  \
  }
FLOATS(32, 0x7f800000u)
FLOATS(64, 0x7ff0000000000000u)

static uint64_t narrow_pair(uint32_t re, uint32_t im) {
  uint32_t none = UINT32_MAX;
  if (re != none && im != none) return (uint64_t)re << 32 | im;
  uint32_t class = NAN_CLASS_32 + (uint32_t)(im == none) + 2 * (uint32_t)(re == none);
  return (uint64_t) class << 32 | (re != none ? re : im != none ? im : 0);
}

static wide_key wide_pair(uint64_t re, uint64_t im) {
  uint64_t none = UINT64_MAX;
  if (re != none && im != none) return (wide_key){re, im};
  return (wide_key){NAN_CLASS_64 + (uint64_t)(im == none) + 2 * (uint64_t)(re == none), re != none   ? re
                                                                                        : im != none ? im
                                                                                                     : 0};
}

static void make_pairs(tme_dtype t, const char *from, int64_t step, int64_t n, bool descending, char *keys) {
  size_t size = tme_dtype_size(t);
  for (int64_t i = 0; i < n; i++) {
    const char *p = from + i * step * (int64_t)size;
    if (size == sizeof(c64)) {
      uint32_t part[2], all = descending ? UINT32_MAX : 0;
      memcpy(part, p, sizeof part);
      uint64_t k = narrow_pair(float_key_32(part[0], all), float_key_32(part[1], all));
      memcpy(keys + i * (int64_t)sizeof k, &k, sizeof k);
    } else {
      uint64_t part[2], all = descending ? UINT64_MAX : 0;
      memcpy(part, p, sizeof part);
      wide_key k = wide_pair(float_key_64(part[0], all), float_key_64(part[1], all));
      memcpy(keys + i * (int64_t)sizeof k, &k, sizeof k);
    }
  }
}

void keys_make(tme_dtype t, const char *from, int64_t step, int64_t n, bool descending, void *keys) {
  if (dtype_is_complex(t)) {
    make_pairs(t, from, step, n, descending, keys);
    return;
  }
  tme_dtype to = turned_dtype(t);
  if (t == to && step == 1)
    memcpy(keys, from, (size_t)n * tme_dtype_size(t));
  else
    convert_run(t, from, step, to, keys, 1, n);
  bool is_wide = tme_dtype_size(to) == 8;
  if (dtype_is_float(to) && is_wide)
    turn_floats_64(keys, n, descending);
  else if (dtype_is_float(to))
    turn_floats_32(keys, n, descending);
  else if (is_wide)
    turn_integers_64(keys, n, to == TME_I64, descending);
  else
    turn_integers_32(keys, n, to == TME_I32, descending);
}

void keys_read(tme_dtype t, const void *keys, int64_t n, bool descending, char *to) {
  tme_dtype from = turned_dtype(t);
  size_t size = tme_dtype_size(from);
  union {
    uint32_t narrow[BLOCK];
    uint64_t wide[BLOCK];
  } b;
  for (int64_t i = 0; i < n; i += BLOCK) {
    int64_t m = n - i < BLOCK ? n - i : BLOCK;
    memcpy(&b, (const char *)keys + (size_t)i * size, (size_t)m * size);
    if (dtype_is_float(from) && size == 8)
      turn_back_floats_64(b.wide, m, descending);
    else if (dtype_is_float(from))
      turn_back_floats_32(b.narrow, m, descending);
    else if (size == 8)
      turn_integers_64(b.wide, m, from == TME_I64, descending);
    else
      turn_integers_32(b.narrow, m, from == TME_I32, descending);
    char *at = to + (size_t)i * tme_dtype_size(t);
    if (t == from)
      memcpy(at, &b, (size_t)m * size);
    else
      convert_run(from, &b, 1, t, at, 1, m);
  }
}

typedef struct run {
  const ref_array *x;
  char *keys;
} run;

static void make_piece(void *user, int thread, int64_t t0, int64_t t1) {
  (void)thread;
  const run *r = user;
  tme_dtype t = r->x->type.dtype;
  int64_t n = type_size(&r->x->type);
  for (int64_t i = t0 * PIECE; i < n && i < t1 * PIECE; i += PIECE)
    keys_make(t, r->x->data + i * (int64_t)tme_dtype_size(t), 1, n - i < PIECE ? n - i : PIECE, false,
              r->keys + (size_t)i * keys_size(t));
}

void keys_of_array(threads *t, const ref_array *x, void *keys) {
  const int64_t *strides[1] = {x->strides};
  tme_dtype dtype = x->type.dtype;
  char *to = keys;
  ref_iter it;
  for (bool more = iter_start(&it, x->type.rank, x->type.shape, 1, strides); more; more = iter_next(&it)) {
    if (!it.rank && it.step[0] == 1) {
      run r = {x, keys};
      threads_for(t, ceil_div(it.inner, PIECE), 1, make_piece, &r);
      return;
    }
    keys_make(dtype, x->data + it.offset[0] * (int64_t)tme_dtype_size(dtype), it.step[0], it.inner, false, to);
    to += (size_t)it.inner * keys_size(dtype);
  }
}

bool key_is_nan(tme_dtype t, const void *keys, int64_t at) {
  if (!dtype_is_float(t) && !dtype_is_complex(t)) return false;
  switch (keys_size(t)) {
  case sizeof(uint32_t): return ((const uint32_t *)keys)[at] == UINT32_MAX;
  case sizeof(uint64_t): {
    uint64_t k = ((const uint64_t *)keys)[at];
    return dtype_is_complex(t) ? k >> 32 > NAN_CLASS_32 : k == UINT64_MAX;
  }
  default: return ((const wide_key *)keys)[at].high > NAN_CLASS_64;
  }
}

static int64_t keys_below(const void *keys, size_t size, int64_t n, uint64_t key) {
  int64_t lo = 0, hi = n;
  while (lo < hi) {
    int64_t mid = lo + (hi - lo) / 2;
    bool less = size == sizeof(uint32_t) ? ((const uint32_t *)keys)[mid] < key : ((const uint64_t *)keys)[mid] < key;
    *(less ? &lo : &hi) = less ? mid + 1 : mid;
  }
  return lo;
}

int64_t keys_before_zeros(tme_dtype t, const void *keys, int64_t n, bool descending, int64_t *zeros) {
  static const char nothing[sizeof(uint64_t)] = {0};
  uint64_t key = 0;
  keys_make(t, nothing, 1, 1, descending, &key);
  int64_t below = keys_below(keys, keys_size(t), n, key);
  *zeros = keys_below(keys, keys_size(t), n, key + 1) - below;
  return below;
}
