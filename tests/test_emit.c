/* Compiled kernels against an interpreter of the description and against plain C.
 * ctest: timeout=300 */
#include "support/kernel_samples.h"
#include "support/kernel_interp.h"
#include "backend/cpu/code.h"
#include "base/libm.h"
#include "kernel/kernel_util.h"
#include <dlfcn.h>
#include <elf.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

static const emit_module *module;
static code_arena *arena;
static emit_target targets[5]; /* those that this machine can run come first */
static int ntargets, nrunnable;

#define EACH_TARGET(t) for (const emit_target *t = targets; t < targets + nrunnable; t++)

static bool has(const emit_target *t, const char *feature) {
  char plus[40];
  snprintf(plus, sizeof plus, "+%s,", feature);
  return strstr(t->features, plus) != NULL;
}

static int open_module(void **state) {
  (void)state;
  error e = {0};
  const char *path = getenv("TME_TEST_LLVM_MODULE");
  void *h = dlopen(path ? path : TME_TEST_MODULE_DIR "/libtme-llvm.so", RTLD_NOW | RTLD_LOCAL);
  if (!h) return 0; /* built without LLVM: the tests skip themselves */
  module = dlsym(h, "tme_llvm_module");
  arena = code_arena_new(&e);
  if (!module || module->version != EMIT_MODULE_VERSION || !arena) return -1;
  emit_target host;
  emit_host_target(&host);
  targets[ntargets++] = host;
  if (!strncmp(host.triple, "x86_64", 6)) {
    static const emit_target others[] = {
        {"x86_64-unknown-linux-gnu", "x86-64", "", 16},
        {"x86_64-unknown-linux-gnu", "haswell", "+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+popcnt,+sse4.1,+sse4.2", 32},
        {"x86_64-unknown-linux-gnu", "skylake-avx512",
         "+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+popcnt,+sse4.1,+sse4.2,+avx512f,+avx512bw,+avx512dq,+avx512vl", 64},
        {"x86_64-unknown-linux-gnu", "cooperlake",
         "+avx,+avx2,+fma,+f16c,+bmi,+bmi2,+lzcnt,+popcnt,+sse4.1,+sse4.2,+avx512f,+avx512bw,+avx512dq,+avx512vl,"
         "+avx512vnni,+avx512bf16",
         64}};
    for (int i = 0; i < COUNT(others); i++) targets[ntargets++] = others[i];
    bool avx2 = has(&host, "avx2") && has(&host, "fma") && has(&host, "f16c") && has(&host, "bmi2");
    bool avx512 = avx2 && host.vector_bytes == 64, dots = has(&host, "avx512vnni") && has(&host, "avx512bf16");
    nrunnable = 2 + avx2 + avx512 + (avx512 && dots);
  } else {
    nrunnable = 1;
  }
  return 0;
}

static int close_module(void **state) {
  (void)state;
  code_arena_free(arena);
  return 0;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

/* Elements at the very end or the very beginning of a page, with a page that must not be touched beyond. */
typedef struct memory {
  uint8_t *map, *first, *base; /* base: element 0, which may lie outside */
  size_t mapped, bytes;
} memory;

static memory memory_new(const k_buf *b, bool at_end) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), size = tme_dtype_size((tme_dtype)b->dtype);
  memory m = {.bytes = (size_t)(b->hi - b->lo) * size};
  size_t inner = (m.bytes + page - 1) / page * page;
  m.mapped = inner + 2 * page;
  m.map = mmap(NULL, m.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(m.map != MAP_FAILED);
  if (inner) assert_int_equal(mprotect(m.map + page, inner, PROT_READ | PROT_WRITE), 0);
  m.first = m.map + page + (at_end ? (inner - m.bytes) / b->align * b->align : 0);
  m.base = m.first - b->lo * (int64_t)size;
  return m;
}

static uint64_t seed = 1;
static uint64_t next(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed;
}

static double uniform(void) { return (double)(next() >> 11) * 0x1p-53 * 8 - 4; }

static int64_t index_bound; /* 0, or: integers that are filled in are below it */
static bool bf16_pairs;     /* uint32 are filled with two bfloat16 */
static bool wild;           /* floats of all magnitudes, NaN, infinities; zeros among integers */

static void fill(tme_dtype t, void *p, size_t n) {
  static const double odd[] = {0,
                               -0.0,
                               1,
                               -1,
                               0.5,
                               -0.5,
                               1.5,
                               2.5,
                               -2.5,
                               1e-40,
                               -1e-42,
                               3e38,
                               -3e38,
                               65504,
                               65520,
                               1e10,
                               -1e10,
                               2147483647,
                               -2147483648.0,
                               4294967295.0,
                               9.3e18,
                               1.9e19,
                               -9.3e18,
                               6e-8,
                               3e-8,
                               HUGE_VAL,
                               -HUGE_VAL,
                               NAN,
                               255,
                               256,
                               -129,
                               32767.5,
                               8388607.5,
                               4503599627370495.5,
                               1e300};
  for (size_t i = 0; i < n; i++) {
    double x = uniform();
    if (wild && next() % 2) x = odd[next() % (sizeof odd / sizeof *odd)];
    if (t == TME_F64)
      ((double *)p)[i] = x;
    else if (t == TME_F32)
      ((float *)p)[i] = (float)x;
    else if (t == TME_F16)
      ((uint16_t *)p)[i] = wild ? (uint16_t)next() : f16_from_f64(x);
    else if (t == TME_BF16)
      ((uint16_t *)p)[i] = wild ? (uint16_t)next() : bf16_from_f64(x);
    else if (t == TME_BOOL)
      ((uint8_t *)p)[i] = next() & 1;
    else {
      uint64_t v = index_bound ? next() % (uint64_t)index_bound : next();
      uint64_t few[] = {0, 1, UINT64_MAX, 0x80, 0x8000, 0x80000000, (uint64_t)1 << 63, 7, 31, 32, 64};
      if (wild && next() % 2) v = few[next() % COUNT(few)];
      if (bf16_pairs && t == TME_U32) v = (uint64_t)bf16_from_f64(x) << 16 | bf16_from_f64(uniform());
      memcpy((uint8_t *)p + i * tme_dtype_size(t), &v, tme_dtype_size(t));
    }
  }
}

static double as_double(tme_dtype t, const void *p, size_t i) {
  switch (t) {
  case TME_F64: return ((const double *)p)[i];
  case TME_F32: return (double)((const float *)p)[i];
  case TME_F16: return (double)f16_to_f32(((const uint16_t *)p)[i]);
  case TME_BF16: return (double)bf16_to_f32(((const uint16_t *)p)[i]);
  default: return 0;
  }
}

/* The same bits, both NaN, or within `tolerance` of each other relative to 1 and the value. */
static bool same(tme_dtype t, const uint8_t *a, const uint8_t *b, size_t i, double tolerance) {
  size_t size = tme_dtype_size(t);
  if (!memcmp(a + i * size, b + i * size, size)) return true;
  if (!dtype_is_float(t)) return false;
  double x = as_double(t, a, i), y = as_double(t, b, i);
  return (isnan(x) && isnan(y)) || fabs(x - y) <= tolerance * (1 + fabs(y));
}

static code *compile(const kernel *k, const emit_target *t) {
  error e = {0};
  emit_object o;
  tme_status st = module->compile(k, t, &o, &e);
  if (st != TME_OK) fail_msg("%s", e.text);
  code *c = code_load(arena, o.bytes, o.size, "kernel", &e);
  module->free_bytes(o.bytes);
  if (!c) fail_msg("%s: %s", k->name, e.text);
  return c;
}

static kernel_fn *entry(const code *c) {
  void *p = code_entry(c);
  kernel_fn *f;
  memcpy(&f, &p, sizeof f);
  return f;
}

enum { MAX_BUFS = 8 };

static void check_placed(const emit_target *t, const kernel *k, const code *c, double tolerance, bool at_end) {
  memory in[MAX_BUFS], expected[MAX_BUFS];
  void *a[MAX_BUFS], *b[MAX_BUFS];
  error e = {0};
  assert_true(k->nbufs <= MAX_BUFS);
  for (int i = 0; i < k->nbufs; i++) {
    in[i] = memory_new(&k->bufs[i], at_end);
    expected[i] = memory_new(&k->bufs[i], at_end);
    size_t n = in[i].bytes / tme_dtype_size((tme_dtype)k->bufs[i].dtype);
    if (k->bufs[i].role == BUF_IN)
      fill((tme_dtype)k->bufs[i].dtype, in[i].first, n);
    else if (in[i].bytes)
      memset(in[i].first, 0x5a, in[i].bytes);
    if (in[i].bytes) memcpy(expected[i].first, in[i].first, in[i].bytes);
    a[i] = k->bufs[i].role == BUF_SCRATCH ? NULL : in[i].base;
    b[i] = k->bufs[i].role == BUF_SCRATCH ? NULL : expected[i].base;
  }
  void *scratch = aligned_alloc(64, (size_t)k->scratch_bytes + 64);
  assert_non_null(scratch);
  int64_t tasks = kernel_tasks(k, NULL), strip = kernel_strip(k), third = tasks / 3 / strip * strip;
  int64_t cuts[] = {0, third, third, (tasks - tasks / 4) / strip * strip, tasks};
  for (int i = 0; i + 1 < COUNT(cuts); i++) entry(c)(a, NULL, scratch, libm_table, cuts[i], cuts[i + 1]);
  if (kernel_interp(k, b, NULL, scratch, 0, tasks, &e) != TME_OK) fail_msg("%s", e.text);
  for (int i = 0; i < k->nbufs; i++) {
    tme_dtype type = (tme_dtype)k->bufs[i].dtype;
    size_t size = tme_dtype_size(type), n = in[i].bytes / size;
    for (size_t j = 0; j < n && k->bufs[i].role != BUF_SCRATCH; j++) {
      if (same(type, in[i].first, expected[i].first, j, tolerance)) continue;
      uint64_t x = 0, y = 0;
      memcpy(&x, in[i].first + j * size, size);
      memcpy(&y, expected[i].first + j * size, size);
      fail_msg("%s for %s: buffer %d, element %zu of %zu (%s): %llx (%g) instead of %llx (%g)", k->name, t->cpu, i, j,
               n, tme_dtype_name(type), (unsigned long long)x, as_double(type, in[i].first, j), (unsigned long long)y,
               as_double(type, expected[i].first, j));
    }
    munmap(in[i].map, in[i].mapped);
    munmap(expected[i].map, expected[i].mapped);
  }
  free(scratch);
}

static void check(const emit_target *t, kernel *k, double tolerance) {
  assert_non_null(k);
  kernel_interp_fuses = has(t, "fma") || strncmp(t->triple, "x86_64", 6) != 0;
  code *c = compile(k, t);
  check_placed(t, k, c, tolerance, true);
  check_placed(t, k, c, tolerance, false);
  code_free(c);
  kernel_free(k);
}

#define NEED_MODULE()                                                                                                  \
  do {                                                                                                                 \
    if (!module) skip();                                                                                               \
  } while (0)

/* ---- maps -------------------------------------------------------------------------------------------------------- */

static int square_plus(kernel *k, const int *v) { return k_bin(k, K_ADD, k_bin(k, K_MUL, v[0], v[0]), v[0]); }
static int not_and(kernel *k, const int *v) { return k_bin(k, K_AND, v[0], k_un(k, K_NOT, v[1])); }
static int half_square(kernel *k, const int *v) {
  int x = k_cast(k, TME_F32, v[0]);
  return k_cast(k, (tme_dtype)k->inst[v[0]].dtype, k_bin(k, K_MUL, x, x));
}

static int reset(void **state) {
  (void)state;
  wild = bf16_pairs = false;
  index_bound = 0;
  return 0;
}

static void maps_of_every_length(void **state) {
  (void)state;
  NEED_MODULE();
  tme_dtype types[] = {TME_F32, TME_F64, TME_I32, TME_U8, TME_I16};
  EACH_TARGET(t) {
    for (int64_t n = 1; n <= 100; n++) check(t, sample_map(t, 1, types, types[0], n, 1 + (int)(n % 4), square_plus), 0);
    for (int i = 0; i < COUNT(types); i++) {
      for (int64_t n = 1; n < 700; n += n < 70 ? 23 : 171)
        check(t, sample_map(t, 1, types + i, types[i], n, 4, square_plus), 0);
    }
  }
}

static void maps_of_bools_and_halves(void **state) {
  (void)state;
  NEED_MODULE();
  wild = true;
  EACH_TARGET(t) {
    for (int64_t n = 1; n < 400; n += 57) {
      check(t, sample_map(t, 2, (tme_dtype[]){TME_BOOL, TME_BOOL}, TME_BOOL, n, 2, not_and), 0);
      check(t, sample_map(t, 1, (tme_dtype[]){TME_F16}, TME_F16, n, 2, half_square), 0);
      check(t, sample_map(t, 1, (tme_dtype[]){TME_BF16}, TME_BF16, n, 2, half_square), 0);
    }
  }
  wild = false;
}

static void transposes(void **state) {
  (void)state;
  NEED_MODULE();
  static const tme_dtype types[] = {TME_F32, TME_F64, TME_U8, TME_I16, TME_F16, TME_BOOL};
  static const int64_t extents[] = {1, 3, 4, 7, 8, 9, 16, 17, 31, 33, 64, 70};
  /* all sizes with all dtypes are many: some of them */
  const char *share = getenv("TME_MATRIX");
  int step = share && !strcmp(share, "full") ? 7 : 35;
  wild = true;
  EACH_TARGET(t) {
    for (int i = 0; i < COUNT(types) * COUNT(extents) * COUNT(extents); i += step) {
      tme_dtype type = types[i % COUNT(types)];
      int64_t rows = extents[i / COUNT(types) % COUNT(extents)], columns = extents[i / COUNT(types) / COUNT(extents)];
      int side = 16 / (int)tme_dtype_size(type), unit = i % 5 ? 1 : -1;
      int64_t far = (rows + i % 3) * (i % 7 ? 1 : -1), tile = 8 << i % 4;
      check(t, sample_transpose(t, type, rows, columns, side, tile, far, unit, i % 4 == 0), 0);
    }
  }
}

/* With results that go past the caches where they fill whole vectors. */
static kernel *streamed(kernel *k) {
  for (int i = 0; i < k->nbufs; i++) {
    k->bufs[i].stream = k->bufs[i].role == BUF_OUT;
    if (k->bufs[i].stream) k->bufs[i].align = CACHE_LINE;
  }
  return k;
}

static void streams(void **state) {
  (void)state;
  NEED_MODULE();
  static const tme_dtype types[] = {TME_F32, TME_F64, TME_U8, TME_F16};
  EACH_TARGET(t) {
    for (int i = 0; i < 4 * COUNT(types); i++) {
      tme_dtype type = types[i % COUNT(types)];
      check(t,
            streamed(sample_map(t, 1, &type, type, 700 + 77 * i, 1 + i % 4,
                                i % COUNT(types) < 3 ? square_plus : half_square)),
            0);
      int64_t rows = 20 + i, columns = i % 3 ? 64 * (1 + i % 2) : 100;
      check(t, streamed(sample_transpose(t, type, rows, columns, 4, 32, rows, 1, false)), 0);
      check(t, streamed(sample_pad(t, type, 1000, 24)), 0);
    }
  }
  text out = {0};
  error e = {0};
  kernel *k = streamed(sample_map(&targets[0], 1, types, types[0], 1000, 4, square_plus));
  assert_int_equal(module->disassemble(k, &targets[0], true, &out, &e), TME_OK);
  assert_non_null(strstr(out.s, "!nontemporal"));
  kernel_free(k);
  text_free(&out);
}

static void maps_with_symbolic_extents(void **state) {
  (void)state;
  NEED_MODULE();
  enum { N = 300 };
  float x[N + 1], y[N + 1];
  fill(TME_F32, x, N + 1);
  EACH_TARGET(t) {
    kernel *k = sample_map_symbolic(t, TME_F32, square_plus);
    assert_non_null(k);
    code *c = compile(k, t);
    for (uint64_t n = 0; n <= N; n += n < 140 ? 1 : 53) {
      void *buf[] = {x, y};
      memset(y, 0, sizeof y);
      assert_int_equal(kernel_tasks(k, &n), n);
      entry(c)(buf, &n, NULL, libm_table, 0, (int64_t)n);
      for (uint64_t i = 0; i < n; i++) assert_true(y[i] == x[i] * x[i] + x[i]);
      assert_true(y[n] == 0);
    }
    code_free(c);
    kernel_free(k);
  }
}

/* ---- primitives -------------------------------------------------------------------------------------------------- */

static k_op the_op;
static tme_dtype the_type;
static int the_function;

static int apply1(kernel *k, const int *v) { return k_un(k, the_op, v[0]); }
static int apply2(kernel *k, const int *v) { return k_bin(k, the_op, v[0], v[1]); }
static int apply_cast(kernel *k, const int *v) { return k_cast(k, the_type, v[0]); }
static int apply_bits(kernel *k, const int *v) { return k_bitcast(k, the_type, v[0]); }
static int apply_select(kernel *k, const int *v) { return k_select(k, v[0], v[1], v[2]); }
static int apply_fma(kernel *k, const int *v) { return k_fma(k, v[0], v[1], v[2]); }
static int apply_fma_once(kernel *k, const int *v) { return k_fma_once(k, v[0], v[1], v[2]); }
static int apply_by_7(kernel *k, const int *v) {
  return k_bin(k, the_op, v[0], k_const_i(k, (tme_dtype)k->inst[v[0]].dtype, 7));
}
static int apply_libm1(kernel *k, const int *v) {
  return k_emit(k, K_LIBM, (tme_dtype)k->inst[v[0]].dtype, v[0], -1, -1, (uint64_t)the_function);
}
static int apply_libm2(kernel *k, const int *v) {
  return k_emit(k, K_LIBM, (tme_dtype)k->inst[v[0]].dtype, v[0], v[1], -1, (uint64_t)the_function);
}
/* Of a square root, which half of the samples has not. */
static int apply_rest1(kernel *k, const int *v) {
  return k_emit(k, K_LIBM_REST, (tme_dtype)k->inst[v[0]].dtype, k_un(k, K_SQRT, v[0]), v[0], v[0],
                (uint64_t)the_function);
}
static int apply_rest2(kernel *k, const int *v) {
  return k_emit(k, K_LIBM_REST, (tme_dtype)k->inst[v[0]].dtype, k_un(k, K_SQRT, v[0]), v[0], v[1],
                (uint64_t)the_function);
}

static bool takes(k_op op, tme_dtype t) {
  bool f = dtype_is_float(t), b = t == TME_BOOL;
  switch (op) {
  case K_DIV:
  case K_LARGER:
  case K_SMALLER:
  case K_SQRT:
  case K_FLOOR:
  case K_CEIL:
  case K_TRUNC:
  case K_RINT: return f;
  case K_IDIV:
  case K_IREM:
  case K_SHL:
  case K_SHR: return !f && !b;
  case K_AND:
  case K_OR:
  case K_XOR:
  case K_NOT: return !f;
  case K_EQ:
  case K_NE: return true;
  case K_ABS: return f || dtype_is_signed(t);
  default: return !b;
  }
}

static const tme_dtype value_types[] = {TME_BOOL, TME_U8,  TME_U16, TME_U32, TME_U64, TME_I8,
                                        TME_I16,  TME_I32, TME_I64, TME_F32, TME_F64};

static void primitives(void **state) {
  (void)state;
  NEED_MODULE();
  static const k_op unary[] = {K_NEG, K_ABS, K_SQRT, K_FLOOR, K_CEIL, K_TRUNC, K_RINT, K_NOT};
  static const k_op binary[] = {K_ADD, K_SUB, K_MUL, K_DIV, K_IDIV, K_IREM, K_MIN, K_MAX, K_LARGER, K_SMALLER, K_EQ,
                                K_NE,  K_LT,  K_LE,  K_GT,  K_GE,   K_AND,  K_OR,  K_XOR, K_SHL,    K_SHR};
  wild = true;
  EACH_TARGET(t) {
    for (int i = 0; i < COUNT(value_types); i++) {
      tme_dtype type = value_types[i], in[] = {type, type, type};
      for (int j = 0; j < COUNT(unary); j++) {
        the_op = unary[j];
        if (takes(the_op, type)) check(t, sample_map(t, 1, in, type, 331, 1, apply1), 0);
      }
      for (int j = 0; j < COUNT(binary); j++) {
        the_op = binary[j];
        bool compares = the_op >= K_EQ && the_op <= K_GE;
        if (takes(the_op, type)) check(t, sample_map(t, 2, in, compares ? TME_BOOL : type, 331, 1, apply2), 0);
        if ((the_op == K_IDIV || the_op == K_IREM) && takes(the_op, type))
          check(t, sample_map(t, 1, in, type, 331, 1, apply_by_7), 0);
      }
      tme_dtype with_condition[] = {TME_BOOL, type, type};
      check(t, sample_map(t, 3, with_condition, type, 331, 1, apply_select), 0);
      if (type != TME_BOOL) check(t, sample_map(t, 3, in, type, 331, 1, apply_fma), 0);
      if (dtype_is_float(type))
        for (int turns = 1; turns <= 3; turns += 2) check(t, sample_map(t, 3, in, type, 331, turns, apply_fma_once), 0);
    }
  }
  wild = false;
}

static void casts(void **state) {
  (void)state;
  NEED_MODULE();
  static const tme_dtype types[] = {TME_BOOL, TME_U8,  TME_U16, TME_U32,  TME_U64, TME_I8, TME_I16,
                                    TME_I32,  TME_I64, TME_F16, TME_BF16, TME_F32, TME_F64};
  wild = true;
  EACH_TARGET(t) {
    for (int i = 0; i < COUNT(types); i++) {
      for (int j = 0; j < COUNT(types); j++) {
        the_type = types[j];
        check(t, sample_map(t, 1, types + i, types[j], 331, 1, apply_cast), 0);
      }
    }
    static const tme_dtype pairs[][2] = {
        {TME_F32, TME_I32}, {TME_U32, TME_F32}, {TME_F64, TME_U64}, {TME_I64, TME_F64}};
    for (int i = 0; i < COUNT(pairs); i++) {
      the_type = pairs[i][1];
      check(t, sample_map(t, 1, pairs[i], the_type, 100, 1, apply_bits), 0);
    }
  }
  wild = false;
}

static void calls_of_the_c_library(void **state) {
  (void)state;
  NEED_MODULE();
  EACH_TARGET(t) {
    for (the_function = 0; the_function < LIBM_COUNT; the_function += 3) {
      tme_dtype single[] = {TME_F32, TME_F32}, twice[] = {TME_F64, TME_F64};
      int n = libm_arity((libm_id)the_function);
      if (n > 2) continue; /* for the emitter alone */
      check(t, sample_map(t, n, single, TME_F32, 77, 1, n == 1 ? apply_libm1 : apply_libm2), 0);
      check(t, sample_map(t, n, twice, TME_F64, 77, 1, n == 1 ? apply_libm1 : apply_libm2), 0);
      check(t, sample_map(t, n, single, TME_F32, 77, 3, n == 1 ? apply_rest1 : apply_rest2), 0);
      check(t, sample_map(t, n, twice, TME_F64, 77, 3, n == 1 ? apply_rest1 : apply_rest2), 0);
    }
  }
}

/* ---- reductions -------------------------------------------------------------------------------------------------- */

static void sums_of_rows_and_columns(void **state) {
  (void)state;
  NEED_MODULE();
  EACH_TARGET(t) {
    for (int64_t columns = 1; columns < 300; columns += columns < 40 ? 7 : 83) {
      for (int unroll = 1; unroll <= 4; unroll += 3) {
        check(t, sample_sum_rows(t, TME_F32, 9, columns, unroll), 1e-6);
        check(t, sample_reduce(t, TME_F32, K_ADD, 0, 5, columns, unroll), 1e-4);
        check(t, sample_reduce(t, TME_F64, K_ADD, 2.5, 5, columns, unroll), 1e-13);
        check(t, sample_reduce(t, TME_F64, K_MUL, 3, 5, columns % 20 + 1, unroll), 1e-9);
      }
      check(t, sample_sum_rows(t, TME_I16, 9, columns, 2), 0);
      check(t, sample_reduce(t, TME_U8, K_ADD, 3, 5, columns, 2), 0);
      check(t, sample_reduce(t, TME_BOOL, K_OR, 0, 5, columns, 2), 0);
      check(t, sample_reduce(t, TME_I64, K_MUL, 1, 5, columns, 2), 0);
    }
  }
}

static void extrema_pass_nan_on(void **state) {
  (void)state;
  NEED_MODULE();
  wild = true;
  EACH_TARGET(t) {
    for (int64_t columns = 1; columns < 300; columns += columns < 40 ? 3 : 83) {
      check(t, sample_reduce(t, TME_F32, K_MAX, -HUGE_VAL, 64, columns, 4), 0);
      check(t, sample_reduce(t, TME_F64, K_MIN, HUGE_VAL, 64, columns, 2), 0);
      check(t, sample_reduce(t, TME_I8, K_MIN, 127, 5, columns, 2), 0);
      check(t, sample_reduce(t, TME_U32, K_MAX, 0, 5, columns, 2), 0);
    }
  }
  wild = false;
}

static void softmax(void **state) {
  (void)state;
  NEED_MODULE();
  EACH_TARGET(t) {
    for (int64_t columns = 1; columns < 200; columns += 21) check(t, sample_softmax(t, 4, columns), 1e-5);
  }
}

static void scratch_memory(void **state) {
  (void)state;
  NEED_MODULE();
  EACH_TARGET(t) {
    for (int64_t columns = 1; columns < 100; columns += 9) check(t, sample_scratch(t, 6, columns), 0);
  }
}

static void products(void **state) {
  (void)state;
  NEED_MODULE();
  EACH_TARGET(t) {
    bool wide = t->vector_bytes == 64;
    for (int i = 0; i < 2; i++) {
      int mr = i && wide ? 14 : 6, nv = i ? 2 : wide ? 4 : 1;
      int64_t nr = nv * t->vector_bytes / 4;
      check(t, sample_matmul(t, mr, nr, 5, mr, nv), 1e-5);
      check(t, sample_matmul(t, 2 * mr + 1, 2 * nr + 3, 17, mr, nv), 1e-5);
      check(t, sample_matmul(t, 3, nr - 1, 1, mr, nv), 1e-5);
      check(t, sample_matmul(t, mr + 5, nr + t->vector_bytes / 4, 33, mr, nv), 1e-5);
    }
  }
}

/* ---- ways into memory -------------------------------------------------------------------------------------------- */

static int apply_dot(kernel *k, const int *v) { return k_emit(k, the_op, dot_dtype(the_op), v[0], v[1], v[2], 0); }

/* Processors sum the pairs of bfloat16 in orders of their own. */
static void pairs_of_16_bit_numbers(void **state) {
  (void)state;
  NEED_MODULE();
  static const k_op ops[] = {K_DOT_I16, K_DOT_BF16};
  for (int i = 0; i < COUNT(ops); i++) {
    the_op = ops[i];
    bf16_pairs = the_op == K_DOT_BF16;
    double near = bf16_pairs ? 1e-5 : 0;
    tme_dtype sum = dot_dtype(the_op), in[] = {TME_U32, TME_U32, sum};
    EACH_TARGET(t) {
      int nv = t->vector_bytes == 64 ? 4 : 1;
      int64_t nr = nv * t->vector_bytes / 4;
      for (int64_t n = 1; n < 100; n += 14) check(t, sample_map(t, 3, in, sum, n, 1 + (int)(n % 2), apply_dot), near);
      check(t, sample_dots(t, the_op, 6, nr, 5, 6, nv), near);
      check(t, sample_dots(t, the_op, 13, 2 * nr + 3, 17, 6, nv), near);
      check(t, sample_dots(t, the_op, 3, nr - 1, 1, 6, nv), near);
    }
  }
  bf16_pairs = false;
}

/* -32768 squared twice is 2^31, which wraps. */
static void extreme_pairs(void **state) {
  (void)state;
  NEED_MODULE();
  enum { N = 37 };
  the_op = K_DOT_I16;
  EACH_TARGET(t) {
    kernel *k = sample_map(t, 3, (tme_dtype[]){TME_U32, TME_U32, TME_I32}, TME_I32, N, 1, apply_dot);
    assert_non_null(k);
    code *c = compile(k, t);
    uint32_t a[N], b[N];
    int32_t sum[N], out[N];
    for (int i = 0; i < N; i++) {
      a[i] = i % 2 ? 0x80008000u : 0x7fff8000u;
      b[i] = 0x80008000u;
      sum[i] = i;
    }
    entry(c)((void *[]){a, b, sum, out}, NULL, NULL, libm_table, 0, N);
    for (int i = 0; i < N; i++) assert_int_equal(out[i], i + (i % 2 ? INT32_MIN : 32768));
    code_free(c);
    kernel_free(k);
  }
}

/* Also where this machine cannot run it. */
static void instructions_for_pairs(void **state) {
  (void)state;
  NEED_MODULE();
  static const struct {
    const char *cpu;
    k_op op;
    const char *instruction;
  } cases[] = {{"haswell", K_DOT_I16, "vpmaddwd"},        {"haswell", K_DOT_BF16, "vfmadd"},
               {"skylake-avx512", K_DOT_I16, "vpmaddwd"}, {"skylake-avx512", K_DOT_BF16, "vfmadd"},
               {"cooperlake", K_DOT_I16, "vpdpwssd"},     {"cooperlake", K_DOT_BF16, "vdpbf16ps"}};
  for (const emit_target *t = targets + 1; t < targets + ntargets; t++) {
    for (int i = 0; i < COUNT(cases); i++) {
      if (strcmp(cases[i].cpu, t->cpu) != 0) continue;
      kernel *k = sample_dots(t, cases[i].op, 12, 64, 5, 6, 2);
      text out = {0};
      error e = {0};
      if (module->disassemble(k, t, false, &out, &e) != TME_OK) fail_msg("%s", e.text);
      if (!strstr(out.s, cases[i].instruction)) fail_msg("no %s for %s", cases[i].instruction, t->cpu);
      text_free(&out);
      kernel_free(k);
    }
  }
}

static void strides(void **state) {
  (void)state;
  NEED_MODULE();
  tme_dtype types[] = {TME_F32, TME_F64, TME_U8, TME_BF16, TME_BOOL};
  EACH_TARGET(t) {
    for (int i = 0; i < COUNT(types); i++) {
      for (int64_t n = 1; n < 200; n += 66) {
        check(t, sample_strided(t, types[i], n, n - 1, -1), 0);
        check(t, sample_strided(t, types[i], n, 3, 2), 0);
        check(t, sample_strided(t, types[i], n, 3, 0), 0);
        check(t, sample_strided(t, types[i], n, 5 * n, -5), 0);
        check(t, sample_strided(t, types[i], n, 1, 37), 0);
        check(t, sample_scatter(t, types[i], n, n - 1, -1), 0);
        check(t, sample_scatter(t, types[i], n, 0, 3), 0);
      }
    }
  }
}

static void guards(void **state) {
  (void)state;
  NEED_MODULE();
  tme_dtype types[] = {TME_F32, TME_I64, TME_U8, TME_F16};
  EACH_TARGET(t) {
    for (int i = 0; i < COUNT(types); i++) {
      for (int64_t n = 1; n < 100; n += 33) check(t, sample_pad(t, types[i], n, n % 5 + 1), 0);
    }
    for (int64_t n = 1; n < 100; n += 33) {
      check(t, sample_pad_rows(t, TME_F32, 3, n, 2), 0);
      check(t, sample_pad_rows(t, TME_I16, 3, n, 2), 0);
    }
  }
}

static void chunks_with_a_limit(void **state) {
  (void)state;
  NEED_MODULE();
  EACH_TARGET(t) {
    for (int64_t n = 90; n < 130; n += 13) {
      check(t, sample_split(t, TME_F32, n, 30, 2), 1e-5);
      check(t, sample_split(t, TME_F32, n, 80, 1), 1e-5);
      check(t, sample_split(t, TME_U8, n, 50, 1), 0);
      check(t, sample_split(t, TME_I64, n, 16, 4), 0);
    }
  }
}

static void blocks_that_begin_later(void **state) {
  (void)state;
  NEED_MODULE();
  tme_dtype types[] = {TME_I64, TME_I32, TME_U8};
  EACH_TARGET(t) {
    for (int i = 0; i < COUNT(types); i++)
      for (int64_t n = 128; n < 250; n += 107) { /* whole strips, and parts of one, in the last block */
        check(t, sample_blocks(t, types[i], 3, n, 128, 2, false), 0);
        check(t, sample_blocks(t, types[i], 3, n, 64, 1, false), 0);
        check(t, sample_blocks(t, types[i], 70, n, 10, 2, true), 0);
      }
    for (int64_t first = 0; first <= 300; first += first < 100 ? 50 : first < 299 ? 199 : 1) /* to none at all */
      for (int unroll = 0; unroll < 3; unroll++) check(t, sample_rest(t, TME_I32, 3, 300, first, unroll), 0);
  }
}

static void reshapes(void **state) {
  (void)state;
  NEED_MODULE();
  EACH_TARGET(t) {
    for (int64_t rows = 7; rows < 80; rows += 21) {
      check(t, sample_reshape(t, TME_F32, rows, 13, false), 0);
      check(t, sample_reshape(t, TME_F32, rows, 13, true), 0);
      check(t, sample_reshape(t, TME_U8, rows, 3, false), 0);
      check(t, sample_reshape(t, TME_F64, rows, 64, true), 0);
    }
  }
}

static void gathers(void **state) {
  (void)state;
  NEED_MODULE();
  index_bound = 11;
  EACH_TARGET(t) {
    for (int64_t n = 1; n < 60; n += 13) {
      check(t, sample_take_rows(t, TME_F32, n, 11, n + 2), 0);
      check(t, sample_take(t, TME_F32, n, 11), 0);
      check(t, sample_take(t, TME_U8, n, 11), 0);
      check(t, sample_take(t, TME_F64, n, 11), 0);
    }
  }
  index_bound = 0;
}

/* ---- objects ----------------------------------------------------------------------------------------------------- */

static void assert_closed(const emit_object *o) {
  Elf64_Ehdr h;
  memcpy(&h, o->bytes, sizeof h);
  for (int i = 0; i < h.e_shnum; i++) {
    Elf64_Shdr s;
    memcpy(&s, o->bytes + h.e_shoff + (size_t)i * sizeof s, sizeof s);
    for (size_t j = 1; s.sh_type == SHT_SYMTAB && j < s.sh_size / sizeof(Elf64_Sym); j++) {
      Elf64_Sym y;
      memcpy(&y, o->bytes + s.sh_offset + j * sizeof y, sizeof y);
      assert_int_not_equal(y.st_shndx, SHN_UNDEF);
    }
  }
}

static void objects_for_other_processors_are_closed(void **state) {
  (void)state;
  NEED_MODULE();
  for (const emit_target *t = targets; t < targets + ntargets; t++) {
    kernel *list[] = {sample_softmax(t, 3, 50),
                      sample_matmul(t, 20, 70, 9, 6, 2),
                      sample_dots(t, K_DOT_BF16, 20, 70, 9, 6, 2),
                      sample_dots(t, K_DOT_I16, 20, 70, 9, 6, 2),
                      sample_map(t, 1, (tme_dtype[]){TME_F16}, TME_F16, 100, 2, half_square),
                      sample_pad(t, TME_U8, 50, 3)};
    for (int i = 0; i < COUNT(list); i++) {
      emit_object o;
      error e = {0};
      assert_non_null(list[i]);
      if (module->compile(list[i], t, &o, &e) != TME_OK) fail_msg("%s", e.text);
      assert_closed(&o);
      module->free_bytes(o.bytes);
      kernel_free(list[i]);
    }
  }
}

static void texts_and_errors(void **state) {
  (void)state;
  NEED_MODULE();
  const emit_target *t = targets;
  kernel *k = sample_chain(t, 100);
  text out = {0};
  error e = {0};
  assert_non_null(k);
  assert_int_equal(module->disassemble(k, t, false, &out, &e), TME_OK);
  assert_non_null(strstr(out.s, "kernel:"));
  text_free(&out);
  assert_int_equal(module->disassemble(k, t, true, &out, &e), TME_OK);
  assert_non_null(strstr(out.s, "define void @kernel"));
  text_free(&out);
  emit_c(k, &out);
  assert_non_null(strstr(out.s, "fmaf("));
  text_free(&out);
  emit_object o;
  emit_target wrong = *t;
  strcpy(wrong.triple, "pdp11-unknown-none");
  assert_int_equal(module->compile(k, &wrong, &o, &e), TME_ERR_JIT);
  assert_null(o.bytes);
  kernel_free(k);
}

static void *compile_many(void *arg) {
  float x[37], y[37];
  for (int i = 0; i < 37; i++) x[i] = (float)i;
  for (int i = 0; i < 20; i++) {
    kernel *k = sample_map(targets, 1, (tme_dtype[]){TME_F32}, TME_F32, 37, 1 + i % 3, square_plus);
    emit_object o;
    error e = {0};
    if (!k || module->compile(k, targets, &o, &e) != TME_OK) return arg;
    code *c = code_load(arena, o.bytes, o.size, "kernel", &e);
    module->free_bytes(o.bytes);
    kernel_free(k);
    if (!c) return arg;
    void *buf[] = {x, y};
    entry(c)(buf, NULL, NULL, libm_table, 0, 37);
    code_free(c);
    if (y[36] != 36 * 36 + 36) return arg;
  }
  return NULL;
}

static void threads_compile_side_by_side(void **state) {
  (void)state;
  NEED_MODULE();
  pthread_t threads[4];
  int ids[4];
  for (int i = 0; i < COUNT(threads); i++)
    assert_int_equal(pthread_create(&threads[i], NULL, compile_many, &ids[i]), 0);
  for (int i = 0; i < COUNT(threads); i++) {
    void *failed;
    pthread_join(threads[i], &failed);
    assert_null(failed);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(maps_of_every_length, reset),
      cmocka_unit_test_setup(maps_of_bools_and_halves, reset),
      cmocka_unit_test_setup(transposes, reset),
      cmocka_unit_test_setup(streams, reset),
      cmocka_unit_test_setup(maps_with_symbolic_extents, reset),
      cmocka_unit_test_setup(primitives, reset),
      cmocka_unit_test_setup(casts, reset),
      cmocka_unit_test_setup(calls_of_the_c_library, reset),
      cmocka_unit_test_setup(sums_of_rows_and_columns, reset),
      cmocka_unit_test_setup(extrema_pass_nan_on, reset),
      cmocka_unit_test_setup(softmax, reset),
      cmocka_unit_test_setup(scratch_memory, reset),
      cmocka_unit_test_setup(products, reset),
      cmocka_unit_test_setup(pairs_of_16_bit_numbers, reset),
      cmocka_unit_test_setup(extreme_pairs, reset),
      cmocka_unit_test_setup(instructions_for_pairs, reset),
      cmocka_unit_test_setup(strides, reset),
      cmocka_unit_test_setup(guards, reset),
      cmocka_unit_test_setup(chunks_with_a_limit, reset),
      cmocka_unit_test_setup(blocks_that_begin_later, reset),
      cmocka_unit_test_setup(reshapes, reset),
      cmocka_unit_test_setup(gathers, reset),
      cmocka_unit_test_setup(objects_for_other_processors_are_closed, reset),
      cmocka_unit_test_setup(threads_compile_side_by_side, reset),
      cmocka_unit_test_setup(texts_and_errors, reset),
  };
  return cmocka_run_group_tests(tests, open_module, close_module);
}
