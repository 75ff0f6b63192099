#include "base/buckets.h"
#include "base/caches.h"
#include "base/convert.h"
#include "base/env.h"
#include "base/grow.h"
#include "base/hash.h"
#include "base/libm.h"
#include "base/pointers.h"
#include "cache/lru.h"
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* (fail): cmocka has a macro of that name. */
static void errors(void **state) {
  (void)state;
  error e = {0};
  assert_int_equal((fail)(NULL, TME_ERR_IO, "lost"), TME_ERR_IO);
  assert_int_equal((fail)(&e, TME_ERR_SHAPE, "matmul: (%d,%d)", 3, 4), TME_ERR_SHAPE);
  assert_int_equal((fail)(&e, TME_ERR_IO, "later"), TME_ERR_SHAPE); /* the first one stays */
  assert_string_equal(e.text, "matmul: (3,4)");
  e = (error){0};
  assert_int_equal(fail_memory(&e, "add", 4096), TME_ERR_MEMORY);
  assert_string_equal(e.text, "add: out of memory (4096 bytes)");
  e = (error){0};
  char large[3000];
  memset(large, 'x', sizeof large);
  large[sizeof large - 1] = 0;
  (fail)(&e, TME_ERR_IO, "%s", large);
  assert_int_equal(strlen(e.text), sizeof e.text - 1);
  /* A message is UTF-8, whatever is named in it and wherever it is cut. */
  for (int cut = 0; cut < 6; cut++) {
    e = (error){0};
    (fail)(&e, TME_ERR_IO, "'%.*s' \xe9", cut, "\xc3\xa9\xe2\x82\xac\xff");
    assert_true(utf8_valid(e.text, strlen(e.text)));
    static const char *const cuts[] = {
        "'' ?", "'?' ?", "'\xc3\xa9' ?", "'\xc3\xa9?' ?", "'\xc3\xa9\?\?' ?", "'\xc3\xa9\xe2\x82\xac' ?"};
    assert_string_equal(e.text, cuts[cut]);
  }
  for (int s = 0; s < TME_STATUS_COUNT; s++) assert_string_not_equal(tme_status_name((tme_status)s), "unknown");
  assert_string_equal(tme_status_name(TME_STATUS_COUNT), "unknown");
  assert_string_equal(tme_version(), TME_VERSION);
}

static void memory(void **state) {
  (void)state;
  long live = mem_live(), count = mem_count();
  char *a = mem_alloc(0), *b = mem_calloc(0, 8), *c = mem_realloc(NULL, 0), *d = mem_strdup("text");
  assert_true(a && b && c && d);
  assert_string_equal(d, "text");
  assert_int_equal(mem_live(), live + 4);
  d = mem_realloc(d, 1000);
  assert_string_equal(d, "text");
  assert_int_equal(mem_live(), live + 4);
  assert_int_equal(mem_count(), count + 5);
  mem_fail_at(2, false);
  char *e = mem_alloc(1);
  assert_non_null(e);
  assert_null(mem_realloc(d, 2000)); /* d stays */
  char *f = mem_alloc(1);
  assert_non_null(f);
  mem_fail_at(1, true);
  assert_null(mem_calloc(1, 1));
  assert_null(mem_strdup("x"));
  mem_fail_at(0, false);
  assert_null(mem_calloc(SIZE_MAX / 2, 16));
  mem_free(a), mem_free(b), mem_free(c), mem_free(d), mem_free(e), mem_free(f), mem_free(NULL);
  assert_int_equal(mem_live(), live);
  size_t n;
  assert_false(mul_size(SIZE_MAX / 2, 3, &n));
  assert_false(add_size(SIZE_MAX, 1, &n));
  assert_true(mul_size(6, 7, &n) && n == 42);
}

static void texts(void **state) {
  (void)state;
  text t = {0};
  char expected[4000] = "", piece[600];
  for (int i = 1; i < 100; i++) { /* around the small buffer and each growth */
    text_add(&t, "%d:", i);
    sprintf(expected + strlen(expected), "%d:", i);
  }
  for (int n = 250; n <= 260; n++) {
    memset(piece, 'a', sizeof piece);
    piece[n] = 0;
    text_add(&t, "%s", piece);
    strcat(expected, piece);
  }
  text_bytes(&t, "\0b", 2);
  assert_int_equal(t.len, strlen(expected) + 2);
  assert_string_equal(t.s, expected);
  assert_memory_equal(t.s + t.len - 2, "\0b", 3);
  assert_false(t.failed);
  mem_fail_at(1, false);
  size_t len = t.len;
  memset(piece, 'b', sizeof piece);
  piece[599] = 0;
  for (int i = 0; i < 10; i++) text_add(&t, "%s", piece);
  mem_fail_at(0, false);
  assert_true(t.failed);
  assert_true(t.len >= len && t.s[t.len] == 0);
  len = t.len;
  text_add(&t, "after"); /* nothing follows a gap */
  text_bytes(&t, "after", 5);
  assert_int_equal(t.len, len);
  text_free(&t);
  assert_null(t.s);
}

static void dtypes(void **state) {
  (void)state;
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    assert_int_equal(tme_dtype_parse(tme_dtype_name(t)), t);
    assert_int_equal(tme_dtype_promote(t, t), t);
    for (int k = 0; k < TME_DTYPE_COUNT; k++) {
      tme_dtype u = (tme_dtype)k, r = tme_dtype_promote(t, u);
      assert_int_equal(r, tme_dtype_promote(u, t));
      assert_true(tme_dtype_promote(r, t) == r && tme_dtype_promote(r, u) == r);
      assert_int_equal(tme_dtype_promote(t, TME_BOOL), t);
    }
  }
  static const struct {
    const char *a, *b, *promoted;
  } table[] = {
      {"u8", "i8", "i16"},         {"u8", "i16", "i16"},        {"u8", "i64", "i64"},     {"u16", "i8", "i32"},
      {"u16", "i16", "i32"},       {"u16", "i32", "i32"},       {"u32", "i8", "i64"},     {"u32", "i32", "i64"},
      {"u32", "i64", "i64"},       {"u64", "i8", "f64"},        {"u64", "i64", "f64"},    {"u8", "u32", "u32"},
      {"i8", "i32", "i32"},        {"i64", "f16", "f16"},       {"u64", "f32", "f32"},    {"i8", "bf16", "bf16"},
      {"f16", "bf16", "f32"},      {"f16", "f32", "f32"},       {"bf16", "f64", "f64"},   {"f32", "f64", "f64"},
      {"f16", "c64", "c64"},       {"f32", "c64", "c64"},       {"f64", "c64", "c128"},   {"i64", "c64", "c64"},
      {"f64", "c128", "c128"},     {"c64", "c128", "c128"},     {"bool", "c64", "c64"},   {"bool", "u8", "u8"},
      {"f8e4m3", "f16", "f16"},    {"f8e4m3", "f8e5m2", "f32"}, {"f8e5m2", "f16", "f16"}, {"f8e5m2", "bf16", "bf16"},
      {"i64", "f8e4m3", "f8e4m3"}, {"bool", "f16", "f16"},      {"bf16", "c128", "c128"}};
  for (int i = 0; i < COUNT(table); i++) {
    tme_dtype r = tme_dtype_promote(tme_dtype_parse(table[i].a), tme_dtype_parse(table[i].b));
    if (r != tme_dtype_parse(table[i].promoted)) fail_msg("%s with %s: %s", table[i].a, table[i].b, tme_dtype_name(r));
  }
  assert_int_equal(tme_dtype_promote(TME_F32, TME_DTYPE_NONE), TME_DTYPE_NONE);
  assert_int_equal(tme_dtype_promote((tme_dtype)99, TME_F32), TME_DTYPE_NONE);
  assert_int_equal(tme_dtype_parse("float"), TME_DTYPE_NONE);
  assert_int_equal(tme_dtype_parse(NULL), TME_DTYPE_NONE);
  assert_string_equal(tme_dtype_name(TME_DTYPE_NONE), "none");
  assert_string_equal(tme_dtype_name(TME_BF16), "bfloat16");
  assert_int_equal(tme_dtype_size(TME_C128), 16);
  assert_int_equal(tme_dtype_size(TME_DTYPE_NONE), 0);
  assert_true(dtype_is_float(TME_BF16) && !dtype_is_float(TME_C64) && !dtype_is_float(TME_DTYPE_NONE));
  assert_true(dtype_is_int(TME_U8) && dtype_is_int(TME_I64) && !dtype_is_int(TME_BOOL) && !dtype_is_int(TME_F16));
  assert_true(dtype_is_signed(TME_I8) && dtype_is_signed(TME_F16) && !dtype_is_signed(TME_U8));
  assert_true(dtype_is_complex(TME_C64) && !dtype_is_complex(TME_F64));
  assert_true(dtype_real(TME_C64) == TME_F32 && dtype_real(TME_C128) == TME_F64 && dtype_real(TME_I8) == TME_I8);
  assert_true(dtype_is_narrow(TME_F16) && !dtype_is_narrow(TME_F32) && !dtype_is_narrow(TME_C64));
  assert_true(dtype_wide(TME_BF16) == TME_F32 && dtype_wide(TME_C64) == TME_C64 && dtype_held(TME_C64) == TME_F32);
  assert_true(dtype_is_value(TME_BOOL) && dtype_is_value(TME_F64) && !dtype_is_value(TME_F16));
  assert_true(dtype_get(TME_DTYPE_NONE)->size == 0 && dtype_no_kernels(TME_DTYPE_NONE));
  assert_true(tme_dtype_kind(TME_BF16) == 'f' && tme_dtype_kind(TME_BOOL) == 'b' && !tme_dtype_kind(TME_DTYPE_NONE));
  assert_true(tme_dtype_epsilon(TME_F16) == 0x1p-10 && tme_dtype_epsilon(TME_C128) == 0x1p-52);
  assert_true(tme_dtype_largest(TME_F16) == 65504 && tme_dtype_largest(TME_C64) == (double)FLT_MAX);
  assert_true(tme_dtype_smallest_normal(TME_BF16) == 0x1p-126 && tme_dtype_smallest_normal(TME_F64) == DBL_MIN);
  assert_true(tme_dtype_largest(TME_I8) == 0 && tme_dtype_smallest_normal((tme_dtype)99) == 0);
  assert_true(tme_dtype_epsilon(TME_I32) == 0 && tme_dtype_epsilon(TME_DTYPE_NONE) == 0);
}

/* Limits and digits of the table are those of the conversions. */
static void dtype_limits(void **state) {
  (void)state;
  for (int t = 0; t < TME_DTYPE_COUNT; t++) {
    tme_dtype own = dtype_real((tme_dtype)t);
    const dtype_info *d = dtype_get(own);
    double v[] = {d->most, -d->most, d->least, 1 + ldexp(1, 1 - d->digits)}, back;
    bool is_signed = dtype_is_signed(own), is_float = dtype_is_float(own);
    for (int i = 0; i < (is_float ? 4 : 1); i++) {
      uint64_t bits = 0;
      convert_run(TME_F64, &v[i], 1, own, &bits, 1, 1);
      convert_run(own, &bits, 1, TME_F64, &back, 1, 1);
      if (back != v[i]) fail_msg("%s: %a becomes %a", d->name, v[i], back);
    }
    if (!is_float) assert_true(own == TME_BOOL || d->digits + is_signed == 8 * d->size);
    const double beyond[] = {d->least / 2, 1 + ldexp(1, -d->digits)}; /* both are ties */
    for (int i = 0; is_float && i < 2; i++) {
      uint64_t bits = 0;
      convert_run(TME_F64, &beyond[i], 1, own, &bits, 1, 1);
      convert_run(own, &bits, 1, TME_F64, &back, 1, 1);
      if (own != TME_F64) assert_true(back == i);
    }
  }
}

static double bits64(uint64_t b) {
  double d;
  memcpy(&d, &b, sizeof d);
  return d;
}

/* Oracle: the value of a 16-bit float by its definition. */
static double value_of(uint32_t h, int exponent_bits, int mantissa_bits) {
  int bias = (1 << (exponent_bits - 1)) - 1;
  int exponent = (int)(h >> mantissa_bits) & ((1 << exponent_bits) - 1);
  double m = h & ((1u << mantissa_bits) - 1), sign = h >> 15 ? -1 : 1;
  if (exponent == (1 << exponent_bits) - 1) return m != 0 ? NAN : sign * INFINITY;
  return sign * (exponent ? ldexp(m + (1 << mantissa_bits), exponent - bias - mantissa_bits)
                          : ldexp(m, 1 - bias - mantissa_bits));
}

typedef struct half {
  int exponent_bits, mantissa_bits;
  float (*to_f32)(uint16_t h);
  uint16_t (*from_f32)(float f);
  uint16_t (*from_f64)(double d);
} half;

/* Between each two neighbours: the middle goes to the even one, and what is next to it to the nearer one. */
static void check_half(const half *f) {
  uint32_t inf = ((1u << f->exponent_bits) - 1) << f->mantissa_bits;
  for (uint32_t h = 0; h < 0x10000; h++) {
    uint16_t h16 = (uint16_t)h;
    double v = value_of(h, f->exponent_bits, f->mantissa_bits);
    float got = f->to_f32(h16);
    if (isnan(v)) {
      uint16_t quiet = (uint16_t)(h | 1u << (f->mantissa_bits - 1));
      assert_true(isnan(got) && f->from_f32(got) == quiet && f->from_f64((double)got) == quiet);
      continue;
    }
    assert_true((double)got == v && !signbit(got) == !(h >> 15));
    assert_true(f->from_f32(got) == h16 && f->from_f64(v) == h16);
    if ((h & 0x7fff) >= inf) continue;
    /* beyond the largest number, infinity stands where the next one would be */
    double next = (h & 0x7fff) + 1 == inf ? ldexp(1, 1 << (f->exponent_bits - 1))
                                          : fabs(value_of(h + 1, f->exponent_bits, f->mantissa_bits));
    double middle = copysign((fabs(v) + next) / 2, v);
    double below = nextafter(middle, v), above = nextafter(middle, copysign(INFINITY, v));
    uint16_t up = (uint16_t)(h + 1), even = h & 1 ? up : h16;
    assert_true(f->from_f64(middle) == even && f->from_f64(below) == h16 && f->from_f64(above) == up);
    float m = (float)middle; /* exact in f32 but between the last subnormal bits of bfloat16's range */
    if ((double)m == middle) assert_int_equal(f->from_f32(m), even);
  }
  assert_int_equal(f->from_f64(1e300), inf);
  assert_int_equal(f->from_f64(-1e300), inf | 0x8000);
  assert_int_equal(f->from_f64(1e-300), 0);
  assert_int_equal(f->from_f64(-0.0), 0x8000);
  assert_int_equal(f->from_f64(bits64(0x8000000000000001)), 0x8000);
  assert_int_equal(f->from_f64(bits64(0x7ff0000000000001)), inf | 1u << (f->mantissa_bits - 1));
  assert_int_equal(f->from_f32(0x1p-149f), 0);
  assert_int_equal(f->from_f32(-0.0f), 0x8000);
}

static void halves(void **state) {
  (void)state;
  check_half(&(half){5, 10, f16_to_f32, f16_from_f32, f16_from_f64});
  check_half(&(half){8, 7, bf16_to_f32, bf16_from_f32, bf16_from_f64});
  /* Through f32 this would round twice, down to 1. */
  assert_int_equal(f16_from_f64(1 + 0x1p-11 + 0x1p-40), 0x3c01);
  assert_int_equal(bf16_from_f64(1 + 0x1p-8 + 0x1p-40), 0x3f81);
}

/* Oracle: the values of floats of 8 bits by their definition. */
static double value_of_8(int h, bool e4m3) {
  int digits = e4m3 ? 3 : 2, a = h & 0x7f, exponent = a >> digits, m = a & ((1 << digits) - 1);
  int bias = e4m3 ? 7 : 15;
  if (e4m3 ? a == 0x7f : a > 0x7c) return NAN;
  double v = exponent ? ldexp(m + (1 << digits), exponent - bias - digits) : ldexp(m, 1 - bias - digits);
  if (!e4m3 && a == 0x7c) v = INFINITY;
  return h & 0x80 ? -v : v;
}

static void bytes(void **state) {
  (void)state;
  for (int e4m3 = 0; e4m3 < 2; e4m3++) {
    float (*to_f32)(uint8_t) = e4m3 ? f8e4m3_to_f32 : f8e5m2_to_f32;
    uint8_t (*from_f32)(float) = e4m3 ? f8e4m3_from_f32 : f8e5m2_from_f32;
    uint8_t (*from_f64)(double) = e4m3 ? f8e4m3_from_f64 : f8e5m2_from_f64;
    int last = e4m3 ? 0x7e : 0x7b;
    for (int h = 0; h < 256; h++) {
      double v = value_of_8(h, e4m3), got = (double)to_f32((uint8_t)h);
      if (isnan(v)) {
        assert_true(isnan(got) && isnan(to_f32(from_f64(got))));
        continue;
      }
      assert_true(got == v && signbit(got) == signbit(v) && from_f64(v) == h && from_f32((float)v) == h);
      if ((h & 0x7f) > last) continue;
      /* What follows the largest number is where the next one would be. */
      double next = (h & 0x7f) < last ? value_of_8(h + 1, e4m3) : copysign(e4m3 ? 480 : 65536, v);
      double middle = (v + next) / 2;
      int even = h & 1 ? h + 1 : h;
      assert_int_equal(from_f64(middle), even);
      assert_int_equal(from_f32((float)middle), even);
      assert_int_equal(from_f64(nextafter(middle, 0)), h);
      assert_int_equal(from_f64(nextafter(middle, copysign(INFINITY, v))), h + 1);
    }
    assert_int_equal(from_f64(1e300), last + 1);
    assert_int_equal(from_f64(-INFINITY), 0x80 | (last + 1));
    assert_int_equal(from_f64(1e-300), 0);
    assert_int_equal(from_f64(-0.0), 0x80);
  }
}

static void environment(void **state) {
  (void)state;
  static const struct {
    const char *value;
    int64_t result; /* -99: an error */
  } table[] = {{"0", 0},        {"17", 17},   {"-5", -5},
               {"+8", 8},       {"4K", 4096}, {"2m", 2 << 20},
               {"1G", 1 << 30}, {"", 7},      {"x", -99},
               {"1x", -99},     {"1KB", -99}, {" 1", -99},
               {"1 ", -99},     {"-", -99},   {"K", -99},
               {"0x10", -99},   {"1e3", -99}, {"99999999999999999999", -99},
               {"-6", -99},     {"5G", -99},  {"9223372036854775807G", -99}};
  for (int i = 0; i < COUNT(table); i++) {
    setenv("TME_TEST", table[i].value, 1);
    error e = {0};
    int64_t x = 7;
    tme_status s = env_int("TME_TEST", -5, (int64_t)4 << 30, true, &x, &e);
    if (table[i].result == -99) {
      assert_int_equal(s, TME_ERR_ARGUMENT);
      assert_non_null(strstr(e.text, "TME_TEST=\""));
      assert_non_null(strstr(e.text, table[i].value));
      assert_int_equal(x, 7);
    } else {
      assert_int_equal(s, TME_OK);
      assert_int_equal(x, table[i].result);
    }
  }
  int64_t x = 7;
  setenv("TME_TEST", "1K", 1);
  assert_int_equal(env_int("TME_TEST", 0, 9999, false, &x, NULL), TME_ERR_ARGUMENT);
  setenv("TME_TEST", "-9223372036854775808", 1);
  assert_int_equal(env_int("TME_TEST", INT64_MIN, 0, false, &x, NULL), TME_OK);
  assert_true(x == INT64_MIN);
  const char *const words[] = {"off", "on"};
  int choice = 5;
  error e = {0};
  setenv("TME_TEST", "on\n\x1b[31mand a value that goes on and on and on and on and on and on", 1);
  assert_int_equal(env_choice("TME_TEST", words, 2, &choice, &e), TME_ERR_ARGUMENT);
  assert_null(strchr(e.text, '\x1b'));
  assert_null(strchr(e.text, '\n'));
  assert_non_null(strstr(e.text, "off, on"));
  assert_int_equal(choice, 5);
  e = (error){0};
  mem_fail_at(1, true);
  assert_int_equal(env_choice("TME_TEST", words, 2, &choice, &e), TME_ERR_ARGUMENT);
  mem_fail_at(0, false);
  setenv("TME_TEST", "on", 1);
  assert_int_equal(env_choice("TME_TEST", words, 2, &choice, NULL), TME_OK);
  assert_int_equal(choice, 1);
  unsetenv("TME_TEST");
  assert_null(env_get("TME_TEST"));
  assert_int_equal(env_choice("TME_TEST", words, 2, &choice, NULL), TME_OK);
  assert_false(env_secure());
}

static void c_library(void **state) {
  (void)state;
  static const struct {
    libm_id id;
    double x, y, result;
  } table[] = {{LIBM_sin, 0.5, 0, 0.479425538604203},
               {LIBM_lgamma, 5, 0, 3.17805383034795},
               {LIBM_pow, 2, 10, 1024},
               {LIBM_fmod, 7.5, 2, 1.5},
               {LIBM_hypot, 3, 4, 5},
               {LIBM_erfc, 0.5, 0, 0.479500122186953}};
  for (int i = 0; i < COUNT(table); i++) {
    const void *p = libm_table[table[i].id];
    double (*one)(double), (*two)(double, double), r;
    memcpy(&one, &p, sizeof one);
    memcpy(&two, &p, sizeof two);
    r = libm_arity(table[i].id) == 1 ? one(table[i].x) : two(table[i].x, table[i].y);
    assert_true(fabs(r - table[i].result) < 1e-13);
  }
  assert_string_equal(libm_name(LIBM_lgamma), "lgamma");
  assert_int_equal(libm_arity(LIBM_atan2), 2);
  assert_null(libm_name(LIBM_COUNT));
  assert_int_equal(libm_arity(LIBM_COUNT), 0);
  for (int i = 0; i < LIBM_COUNT; i++) assert_non_null(libm_table[i]);
}

static void clock_goes_on(void **state) {
  (void)state;
  double last = now_ms();
  assert_true(last > 0);
  for (int i = 0; i < 1000; i++) {
    double now = now_ms();
    assert_true(now >= last);
    last = now;
  }
}

/* ---- lru ---- */

static void drop(void *user, void *value) {
  ((int *)user)[0]++;
  ((int *)user)[1] = *(int *)value;
}

static int number[2000];

static bool has(lru *c, int key) { return lru_peek(c, &key, sizeof key) == &number[key]; }
static tme_status insert(lru *c, int key, size_t bytes) {
  return lru_put(c, &key, sizeof key, &number[key], bytes, NULL);
}

static void cache(void **state) {
  (void)state;
  long live = mem_live();
  for (int i = 0; i < COUNT(number); i++) number[i] = i;
  int dropped[2] = {0, -1};
  lru *c = lru_new(SIZE_MAX, 3, drop, dropped, NULL);
  assert_non_null(c);
  for (int i = 0; i < 3; i++) assert_int_equal(insert(c, i, 10), TME_OK);
  int key = 0;
  assert_ptr_equal(lru_get(c, &key, sizeof key), &number[0]);
  assert_null(lru_get(c, &key, 3)); /* a key is all its bytes */
  assert_int_equal(insert(c, 3, 10), TME_OK);
  assert_true(has(c, 0) && !has(c, 1) && has(c, 2) && has(c, 3));
  assert_int_equal(dropped[1], 1);
  assert_int_equal(insert(c, 2, 10), TME_OK); /* replaces */
  assert_int_equal(dropped[0], 2);
  lru_stats s = lru_stats_of(c);
  assert_true(s.entries == 3 && s.hits == 1 && s.misses == 1 && s.evictions == 1);
  assert_true(lru_remove(c, &key, sizeof key));
  assert_false(lru_remove(c, &key, sizeof key));
  assert_int_equal(lru_put(c, "", 0, &number[9], 1, NULL), TME_OK);
  assert_ptr_equal(lru_get(c, NULL, 0), &number[9]);
  lru_clear(c);
  s = lru_stats_of(c);
  assert_true(s.entries == 0 && s.bytes == 0 && s.evictions == 1);
  assert_int_equal(dropped[0], 6);
  lru_free(c);
  lru_free(NULL);

  memset(dropped, 0, sizeof dropped);
  c = lru_new(100000, 0, drop, dropped, NULL);
  for (int i = 0; i < 2000; i++) {
    assert_int_equal(insert(c, i, 50), TME_OK);
    assert_true(lru_stats_of(c).bytes <= 100000);
    assert_true(has(c, i));
  }
  s = lru_stats_of(c);
  assert_true(s.entries > 500 && s.entries + s.evictions == 2000 && s.evictions == (uint64_t)dropped[0]);
  for (int i = 0; i < 2000; i++) assert_int_equal(has(c, i), (uint64_t)i >= 2000 - s.entries);
  assert_int_equal(insert(c, 5, 200000), TME_OK); /* larger than all */
  assert_int_equal(lru_stats_of(c).entries, 0);
  assert_int_equal(dropped[0], 2001);
  lru_free(c);
  assert_int_equal(mem_live(), live);
}

static void cache_without_memory(void **state) {
  (void)state;
  long live = mem_live();
  error e = {0};
  for (long k = 1; k <= 2; k++) {
    mem_fail_at(k, false);
    assert_null(lru_new(1000, 0, NULL, NULL, &e));
    mem_fail_at(0, false);
    assert_int_equal(e.code, TME_ERR_MEMORY);
  }
  int dropped[2] = {0, -1};
  lru *c = lru_new(SIZE_MAX, 0, drop, dropped, NULL);
  assert_int_equal(insert(c, 1, 1), TME_OK);
  mem_fail_at(1, false);
  assert_int_equal(insert(c, 1, 1), TME_ERR_MEMORY); /* and the old value stays */
  assert_true(has(c, 1));
  assert_int_equal(dropped[0], 0);
  for (int i = 0; i < 1000; i++) { /* no growth */
    mem_fail_at(2, true);
    assert_int_equal(insert(c, i, 1), TME_OK);
  }
  mem_fail_at(0, false);
  for (int i = 0; i < 1000; i++) assert_true(has(c, i));
  assert_int_equal(lru_put(c, "k", 1, &number[0], SIZE_MAX - 8, &e), TME_ERR_MEMORY);
  lru_free(c);
  assert_int_equal(mem_live(), live);
}

static void hashes(void **state) {
  (void)state;
  hash128 h = hash_bytes("", 0); /* as XXH3-128 is published */
  assert_true(h.hi == 0x99aa06d3014798d8 && h.lo == 0x6001c324468d497f);
}

static void last_cache(void **state) {
  (void)state;
  int64_t n = cache_last_level();
  assert_true(n == 0 || (n >= 64 << 10 && n <= (int64_t)16 << 30));
}

static void tables(void **state) {
  (void)state;
  int *table = NULL, cap = 0;
  assert_true(grow(&table, &cap, 0, sizeof *table));
  assert_null(table);
  for (int i = 0; i < 1000; i++) {
    assert_true(grow(&table, &cap, i + 1, sizeof *table));
    assert_in_range(cap, i + 1, 2 * i + 32);
    table[i] = i;
  }
  int *before = table, had = cap;
  mem_fail_at(1, true);
  assert_false(grow(&table, &cap, cap + 1, sizeof *table));
  mem_fail_at(0, false);
  assert_false(grow(&table, &cap, INT32_MAX, sizeof *table));
  assert_false(grow(&table, &cap, INT32_MAX / 2, SIZE_MAX / 4));
  assert_ptr_equal(table, before);
  assert_int_equal(cap, had);
  for (int i = 0; i < 1000; i++) assert_int_equal(table[i], i);
  mem_free(table);
}

static void sorted_into_buckets(void **state) {
  (void)state;
  static const int key[] = {2, 0, 2, -1, 3, 0, 7, 2};
  static const int first[] = {0, 2, 2, 5, 6}, item[] = {1, 5, 0, 2, 7, 4};
  buckets b;
  assert_true(buckets_make(&b, key, COUNT(key), 4));
  assert_memory_equal(b.first, first, sizeof first);
  assert_memory_equal(b.item, item, sizeof item);
  buckets_free(&b);
  assert_true(buckets_make(&b, key, 0, 0));
  assert_int_equal(b.first[0], 0);
  buckets_free(&b);
  for (long k = 1; k <= 2; k++) {
    mem_fail_at(k, false);
    assert_false(buckets_make(&b, key, COUNT(key), 4));
    mem_fail_at(0, false);
    buckets_free(&b);
  }
}

static void numbers_of_pointers(void **state) {
  (void)state;
  enum { MANY = 5000 };
  static char bytes[2 * MANY];
  pointer_map m = {0};
  assert_int_equal(pointer_map_get(&m, bytes), -1);
  for (int i = 0; i < MANY; i++) assert_true(pointer_map_add(&m, &bytes[2 * i], i));
  assert_true(pointer_map_add(&m, bytes, 7)); /* the first one stays */
  assert_int_equal(m.n, MANY);
  for (int i = 0; i < MANY; i++) {
    assert_int_equal(pointer_map_get(&m, &bytes[2 * i]), i);
    assert_int_equal(pointer_map_get(&m, &bytes[2 * i + 1]), -1);
  }
  pointer_map_free(&m);
  for (long k = 1; k <= 2; k++) {
    mem_fail_at(k, false);
    assert_false(pointer_map_add(&m, bytes, 0));
    mem_fail_at(0, false);
    assert_int_equal(pointer_map_get(&m, bytes), -1);
  }
  pointer_map_free(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(errors),
      cmocka_unit_test(memory),
      cmocka_unit_test(texts),
      cmocka_unit_test(dtypes),
      cmocka_unit_test(dtype_limits),
      cmocka_unit_test(halves),
      cmocka_unit_test(bytes),
      cmocka_unit_test(environment),
      cmocka_unit_test(c_library),
      cmocka_unit_test(clock_goes_on),
      cmocka_unit_test(cache),
      cmocka_unit_test(cache_without_memory),
      cmocka_unit_test(hashes),
      cmocka_unit_test(last_cache),
      cmocka_unit_test(tables),
      cmocka_unit_test(sorted_into_buckets),
      cmocka_unit_test(numbers_of_pointers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
