/* Products at sizes where the right operand is packed, rows are cut into blocks and columns into slabs: of whole numbers,
 * whose sums are exact, so that the compiler's result is the reference's to the bit.
 * ctest: timeout=250 */
#include "base/caches.h"
#include "lower/cpu/target.h"
#include "lower/program.h"
#include "support/kernel_interp.h"
#include "support/matrix.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static tme_engine *cpu, *reference;

static int open_engines(void **state) {
  (void)state;
  cpu = engine_of("cpu", 2);
  reference = engine_of("reference", 1);
  return cpu && reference ? 0 : -1;
}

static int close_engines(void **state) {
  (void)state;
  tme_engine_free(cpu);
  tme_engine_free(reference);
  return 0;
}

typedef enum turn { AS_IT_IS, LEFT_TURNED, RIGHT_TURNED, PART } turn;

/* (batch, rows, k) x (right_batch, k, columns) */
typedef struct shape {
  int64_t batch, rows, k, right_batch, columns;
  turn turn;
} shape;

static const shape shapes[] = {
    {1, 1, 129, 1, 1030, AS_IT_IS},
    {1, 3, 70, 1, 1300, AS_IT_IS},
    {1, 4, 7, 1, 512, AS_IT_IS},
    {5, 2, 33, 5, 700, AS_IT_IS},
    {1, 2, 40, 1, 600, RIGHT_TURNED},
    {1, 24, 300, 1, 1024, AS_IT_IS},
    {1, 5, 257, 1, 2048, AS_IT_IS},
    {3, 9, 260, 3, 1100, AS_IT_IS},
    {1, 8, 1031, 1, 1111, AS_IT_IS},
    {1, 10, 770, 1, 1200, PART},
    {1, 61, 130, 1, 1041, PART},
    {1, 700, 400, 1, 130, AS_IT_IS},
    {1, 1300, 260, 1, 96, AS_IT_IS},
    {1, 610, 702, 1, 1500, AS_IT_IS},
    {1, 613, 257, 1, 263, LEFT_TURNED},
    {1, 300, 300, 1, 300, RIGHT_TURNED},
    {4, 400, 200, 1, 64, AS_IT_IS},
    {2, 520, 310, 2, 270, PART},
    {1, 40, 3000, 1, 20, AS_IT_IS},
    /* each of many small matrices a task; results of one vector, and of one and a half */
    {40, 20, 33, 40, 70, AS_IT_IS},
    {33, 50, 41, 1, 50, RIGHT_TURNED},
    {1, 75, 90, 1, 7, AS_IT_IS},
    {70, 13, 21, 70, 11, PART},
    /* panels for the first cache; rows of blocks that begin anywhere in a line */
    {1, 131, 192, 1, 256, AS_IT_IS},
    {1, 50, 640, 1, 304, PART},
    {1, 9, 20000, 1, 50, AS_IT_IS},
    /* sums that are cut into chunks, with and without a rest; a row as long as a block */
    {1, 16, 8192, 1, 16, AS_IT_IS},
    {1, 5, 10007, 1, 50, AS_IT_IS},
    {3, 8, 9001, 1, 24, LEFT_TURNED},
    {2, 30, 5003, 2, 40, RIGHT_TURNED},
    /* a rest of one vector in panels */
    {1, 70, 90, 1, 56, RIGHT_TURNED},
    {1, 70, 90, 1, 51, RIGHT_TURNED},
    {1, 2, 6000, 1, 300, PART},
    {1, 1, 33000, 1, 257, AS_IT_IS},
    /* blocks of rows: bands that are no multiple of a task's, several products, a left operand that fills the cache */
    {1, 13, 768, 1, 2431, AS_IT_IS},
    {2, 21, 640, 2, 1800, PART},
    {1, 7, 4096, 1, 1944, AS_IT_IS},
    {1, 11, 4096, 1, 1944, AS_IT_IS},
    {1, 250, 512, 1, 2424, LEFT_TURNED},
    /* long sums of narrow results */
    {1, 7, 2800, 1, 1031, AS_IT_IS},
    {1, 12, 2800, 1, 1031, AS_IT_IS},
    {1, 13, 2829, 1, 1040, PART},
    {2, 6, 2816, 2, 520, LEFT_TURNED},
    {2, 14, 2816, 2, 520, LEFT_TURNED},
};

/* The values -4 ... 4, of (batch, rows, columns), as they lie or as a turned or cut view of something larger. */
static tme_array *numbers(tme_scope *s, tme_dtype t, int64_t batch, int64_t rows, int64_t columns, bool turned,
                          bool part) {
  int64_t border = part ? 3 : 0, whole[] = {batch, rows + border, columns + border};
  int64_t n = whole[0] * whole[1] * whole[2], turned_shape[] = {whole[0], whole[2], whole[1]};
  int32_t *data = malloc((size_t)n * sizeof *data);
  uint64_t seed = (uint64_t)(rows * 1000 + columns);
  for (int64_t i = 0; data && i < n; i++) data[i] = (int32_t)(next_random(&seed) % 9) - 4;
  tme_array *x = tme_astype(s, tme_from(s, TME_I32, 3, turned ? turned_shape : whole, data), t);
  free(data);
  if (tme_eval(s, x) != TME_OK) return NULL;
  if (turned) x = tme_transpose(s, x, (int64_t[]){0, 2, 1}, 3);
  if (part) {
    int64_t start[] = {0, 1, 2}, stop[] = {batch, rows + 1, columns + 2}, by[] = {1, 1, 1};
    x = tme_slice(s, x, start, stop, by);
  }
  return batch == 1 ? tme_squeeze(s, x, (int[]){0}, 1) : x;
}

/* x y + 1 (of 16-bit numbers x y: a fused sum is rounded once, not twice) on an engine; NULL with the error in the scope. */
static const void *run(tme_scope *s, const shape *h, tme_dtype t, tme_dtype to, int64_t *bytes) {
  tme_array *x = numbers(s, t, h->batch, h->rows, h->k, h->turn == LEFT_TURNED, h->turn == PART);
  tme_array *y = numbers(s, t, h->right_batch, h->k, h->columns, h->turn == RIGHT_TURNED, h->turn == PART);
  if (to != t) x = tme_astype(s, x, to), y = tme_astype(s, y, to);
  tme_array *z = tme_matmul(s, x, y);
  if (tme_dtype_size(t) > 2) z = tme_add(s, z, tme_integer(s, 1));
  *bytes = tme_array_size(z) * (int64_t)tme_dtype_size(tme_array_dtype(z));
  return tme_data(s, z);
}

/* What takes long is done one time in four (each shape in some dtype), and always where the whole matrix is wanted. */
static bool has_turn(int i) { return matrix_share() == SHARE_FULL || ((uint64_t)i + matrix_seed()) % 4 == 0; }

static void test_exact(void **state) {
  (void)state;
  static const tme_dtype dtypes[][2] = {{TME_F32, TME_F32},   {TME_F64, TME_F64}, {TME_F16, TME_F16},
                                        {TME_BF16, TME_BF16}, {TME_I32, TME_I32}, {TME_C64, TME_C64},
                                        {TME_I8, TME_I32},    {TME_F32, TME_F64}};
  for (int i = 0; i < COUNT(shapes); i++)
    for (int d = 0; d < (sanitized() ? 1 : COUNT(dtypes)); d++) {
      /* the reference is slow: the largest ones in f32 alone */
      double work = (double)(shapes[i].batch * shapes[i].rows * shapes[i].k) * (double)shapes[i].columns;
      if (work > (sanitized() ? 1e7 : d ? 5e7 : 1e9)) continue;
      if (work > 1e6 && !has_turn(i + d)) continue;
      tme_scope *a = tme_scope_new(cpu), *b = tme_scope_new(reference);
      int64_t size = 0, bytes = 0;
      const void *got = run(a, &shapes[i], dtypes[d][0], dtypes[d][1], &size);
      const void *want = run(b, &shapes[i], dtypes[d][0], dtypes[d][1], &bytes);
      if (!got || !want) fail_msg("product %d: %s%s", i, got ? "" : tme_error(a), want ? "" : tme_error(b));
      assert_int_equal(size, bytes);
      if (memcmp(got, want, (size_t)bytes) != 0) fail_msg("product %d of %s differs", i, tme_dtype_name(dtypes[d][0]));
      tme_scope_free(a);
      tme_scope_free(b);
    }
  tme_stats stats;
  tme_engine_stats(cpu, &stats);
  if (tme_engine_has_jit(cpu)) assert_int_equal(stats.fallbacks, 0);
}

/* ---- for other processors ---------------------------------------------------------------------------------------- */

/* x y in f32 as it is lowered for a processor, on the interpreter, which refuses what lies outside of a buffer. Scratch
 * memory is one for all tasks, and full of NaN before. */
static void check_lowered(const cpu_target *t, int64_t rows, int64_t k, int64_t columns, tme_dtype held) {
  op_type tx = {.dtype = TME_F32, .rank = 2, .shape = {rows, k}},
          ty = {.dtype = held, .rank = 2, .shape = {k, columns}};
  float *x = malloc((size_t)(rows * k) * sizeof *x), *y = malloc((size_t)(k * columns) * sizeof *y);
  uint16_t *y16 = malloc((size_t)(k * columns) * sizeof *y16);
  float *z = malloc((size_t)(rows * columns) * sizeof *z);
  error e = {0};
  graph *g = graph_new(1);
  assert_true(x && y && y16 && z && g);
  uint64_t seed = 7;
  for (int64_t i = 0; i < rows * k; i++) x[i] = (float)(int)(next_random(&seed) % 9) - 4;
  for (int64_t i = 0; i < k * columns; i++) y[i] = (float)(int)(next_random(&seed) % 9) - 4;
  for (int64_t i = 0; i < k * columns; i++) y16[i] = f16_from_f32(y[i]);
  for (int64_t i = 0; i < rows * columns; i++) z[i] = NAN;
  int a = graph_leaf(g, &tx, (int64_t[]){k, 1}, 0), b = graph_leaf(g, &ty, (int64_t[]){columns, 1}, 1);
  if (held != TME_F32) b = graph_op(g, OP_astype, &b, 1, &(op_attrs){.cast = {TME_F32}});
  g->root[0] = graph_op(g, OP_matmul, (int[]){a, b}, 2, NULL);
  program *p = program_lower(g, &t->base, &e);
  if (!p) fail_msg("%s", e.text);
  assert_int_equal(p->nsteps, 1); /* tasks make panels of their own */
  const kernel *made = p->steps[0].kernel;
  void *buf[8] = {0}, *right = held == TME_F32 ? (void *)y : (void *)y16;
  int scratches = 0;
  for (int i = 0; i < made->nbufs; i++) {
    int slot = p->steps[0].bind[i];
    scratches += made->bufs[i].role == BUF_SCRATCH;
    if (slot >= 0) buf[i] = p->slots[slot].leaf == 0 ? (void *)x : p->slots[slot].leaf == 1 ? right : (void *)z;
  }
  if (scratches != (k > 512 ? 3 : 2))
    fail_msg("%d x %d x %d: no blocks of rows with sums that wait", (int)rows, (int)k, (int)columns);
  size_t bytes = (size_t)made->scratch_bytes + 64;
  void *scratch = malloc(bytes);
  assert_non_null(scratch);
  memset(scratch, 0xff, bytes);
  if (kernel_interp(made, buf, NULL, scratch, 0, kernel_tasks(made, NULL), &e) != TME_OK) fail_msg("%s", e.text);
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < columns; j++) {
      float sum = 0;
      for (int64_t n = 0; n < k; n++) sum += x[i * k + n] * y[n * columns + j];
      if (z[i * columns + j] != sum)
        fail_msg("%d x %d x %d, (%d, %d)", (int)rows, (int)k, (int)columns, (int)i, (int)j);
    }
  program_free(p);
  graph_free(g);
  free(scratch);
  free(x);
  free(y);
  free(y16);
  free(z);
}

static void test_blocks_of_other_processors(void **state) {
  (void)state;
  static const cpu_target small = {.base = CPU_LOWERING,
                                   .vector_bytes = 32,
                                   .registers = 16,
                                   .l1 = {1 << 15, 8},
                                   .l2 = {1 << 19, 8},
                                   .last_level = 1 << 23};
  static const cpu_target wide = {.base = CPU_LOWERING,
                                  .vector_bytes = 64,
                                  .registers = 32,
                                  .l1 = {3 << 14, 12},
                                  .l2 = {1 << 20, 16},
                                  .last_level = 1 << 25};
  static const struct {
    const cpu_target *target;
    int64_t rows, k, columns;
    tme_dtype held;
  } products[] = {{&small, 11, 768, 2431, TME_F32},
                  {&small, 11, 768, 2481, TME_F32},  /* the last task has an odd number of panels less */
                  {&small, 13, 2800, 1031, TME_F32}, /* narrow, and of a long sum */
                  {&small, 11, 2800, 1031, TME_F16}, /* converted while it is copied */
                  {&wide, 11, 768, 4101, TME_F32}};
  for (int i = 0; i < COUNT(products) - (sanitized() ? 1 : 0); i++)
    if (has_turn(i)) /* the interpreter is slow */
      check_lowered(products[i].target, products[i].rows, products[i].k, products[i].columns, products[i].held);
}

/* 2049 is no 16-bit number: what is fused with a product sees the sum itself, be it cut or not. */
static void test_epilogue_of_wide_sum(void **state) {
  (void)state;
  enum { ONES = 2049 };
  static const int64_t lengths[] = {ONES, 8192, 9000};
  for (int i = 0; i < COUNT(lengths); i++) {
    tme_scope *s = tme_scope_new(cpu);
    int64_t before = 0, after = lengths[i] - ONES, ones = ONES, left[] = {16, lengths[i]}, right[] = {lengths[i], 16};
    tme_array *y = tme_pad(s, tme_ones(s, &ones, 1, TME_F16), &before, &after, 0, NULL);
    y = tme_broadcast_to(s, tme_expand_dims(s, y, (int[]){1}, 1), right, 2);
    tme_array *x = tme_ones(s, left, 2, TME_F16);
    assert_int_equal(tme_eval_all(s, (tme_array *[]){x, y}, 2), TME_OK);
    tme_array *z = tme_subtract(s, tme_matmul(s, x, y), tme_integer(s, ONES - 1));
    double least = 0, most = 0;
    assert_int_equal(tme_item(s, tme_min(s, z, NULL, TME_ALL, false), &least), TME_OK);
    assert_int_equal(tme_item(s, tme_max(s, z, NULL, TME_ALL, false), &most), TME_OK);
    if (tme_engine_has_jit(cpu)) assert_true(least == 1 && most == 1);
    tme_scope_free(s);
  }
}

/* A right operand that is a view of what the plan computes is copied a block at a time, but not ahead. */
static void test_view_on_the_right(void **state) {
  (void)state;
  enum { ROWS = 20, K = 4096, COLUMNS = 1300 };
  tme_scope *s = tme_scope_new(cpu);
  tme_array *x = numbers(s, TME_F32, 1, ROWS, K, false, false), *y = numbers(s, TME_F32, 1, K, COLUMNS, false, false);
  assert_true(x && y);
  const void *got = tme_data(s, tme_matmul(s, x, tme_flip(s, tme_negative(s, y), (int[]){0}, 1)));
  tme_array *turned = tme_flip(s, tme_negative(s, y), (int[]){0}, 1);
  assert_int_equal(tme_eval(s, turned), TME_OK);
  const void *want = tme_data(s, tme_matmul(s, x, turned));
  assert_true(got && want);
  assert_memory_equal(got, want, ROWS * COLUMNS * sizeof(float));
  tme_scope_free(s);
}

static void count_warning(void *user, tme_log_level level, const char *message) {
  if (level > TME_LOG_WARNING) return;
  print_message("  %s\n", message);
  ++*(int *)user;
}

/* TME_CHECK compares every stored value with the reference: of products that are cut as well, in all dtypes. */
static void test_checked(void **state) {
  (void)state;
  static const tme_dtype dtypes[] = {TME_F32, TME_F64, TME_F16, TME_BF16, TME_I8, TME_U8, TME_I16, TME_I32, TME_C64};
  int warnings = 0;
  tme_options o;
  tme_options_init(&o);
  o.backend = "cpu";
  o.cache_dir = "";
  o.log = count_warning;
  o.log_user = &warnings;
  setenv("TME_CHECK", "1", 1);
  tme_engine *checked = tme_engine_open(&o, NULL, 0);
  unsetenv("TME_CHECK");
  assert_non_null(checked);
  for (int i = 0; i < COUNT(dtypes); i++)
    for (int64_t k = 8192; k < 9002; k += 809) {
      tme_scope *s = tme_scope_new(checked);
      tme_array *x = numbers(s, dtypes[i], 1, 12, k, false, false), *y = numbers(s, dtypes[i], 1, k, 17, false, false);
      if (!x || !y || !tme_data(s, tme_matmul(s, x, y))) fail_msg("%s: %s", tme_dtype_name(dtypes[i]), tme_error(s));
      tme_scope_free(s);
    }
  if (tme_engine_has_jit(checked)) assert_int_equal(warnings, 0); /* without, it warns that there is none */
  tme_engine_free(checked);
}

/* Kernels with most sections: three spans of rows, two parts of columns, an epilogue of functions. */
static void test_functions_after_products(void **state) {
  (void)state;
  static const int64_t sizes[][3] = {{442, 512, 1931}, {777, 300, 500}, {555, 768, 50}, {730, 768, 100}};
  for (int i = 0; i < (sanitized() ? 1 : COUNT(sizes)); i++) {
    tme_scope *s = tme_scope_new(cpu);
    tme_array *x = numbers(s, TME_F32, 1, sizes[i][0], sizes[i][1], false, false);
    tme_array *y = numbers(s, TME_F32, 1, sizes[i][1], sizes[i][2], false, false), *z = tme_matmul(s, x, y);
    tme_array *apart = tme_astype(s, z, TME_F32);
    assert_int_equal(tme_eval(s, apart), TME_OK);
    tme_array *fused = tme_gelu(s, tme_matmul(s, x, y)), *same = tme_equal(s, fused, tme_gelu(s, apart));
    double all = 0;
    assert_int_equal(tme_item(s, tme_all(s, same, NULL, TME_ALL, false), &all), TME_OK);
    assert_true(all == 1);
    tme_scope_free(s);
  }
  tme_stats stats;
  tme_engine_stats(cpu, &stats);
  if (tme_engine_has_jit(cpu)) assert_int_equal(stats.fallbacks, 0);
}

/* Sums of which every term rounds to -0 are -0, wherever they wait; without JIT they start from 0. */
static void test_minus_zero(void **state) {
  (void)state;
  if (!tme_engine_has_jit(cpu)) skip();
  enum { ROWS = 64, K = 1024, COLUMNS = 1920 };
  int64_t left[] = {ROWS, K}, right[] = {K, COLUMNS};
  tme_scope *s = tme_scope_new(cpu);
  tme_array *x = tme_full(s, left, 2, 1e-30, TME_F32), *y = tme_full(s, right, 2, -1e-30, TME_F32);
  assert_int_equal(tme_eval_all(s, (tme_array *[]){x, y}, 2), TME_OK);
  const float *wide = tme_data(s, tme_matmul(s, x, y));
  assert_non_null(wide);
  for (int i = 0; i < ROWS * COLUMNS; i++) assert_true(wide[i] == 0 && signbit(wide[i]));
  tme_scope_free(s);
}

static void test_what_a_cache_holds(void **state) {
  (void)state;
  const cache_level c = {512 << 10, 8}; /* 1024 sets */
  assert_true(cache_holds(&c, 1000, 64, 100));
  assert_true(cache_holds(&c, 256, 96, 1024));
  assert_false(cache_holds(&c, 512, 96, 2048));
  assert_false(cache_holds(&c, 512, 96, -2048));
  assert_false(cache_holds(&c, 17, 64, 65536)); /* all in one set */
  assert_true(cache_holds(&c, 6, 64, 65536));
  assert_false(cache_holds(&c, 100, 64, 0));
  cache_level first = cache_host(1), second = cache_host(2);
  assert_true(first.bytes >= 32 << 10 && first.ways > 0);
  assert_true(second.bytes >= 256 << 10 && second.ways > 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_exact),
                                     cmocka_unit_test(test_epilogue_of_wide_sum),
                                     cmocka_unit_test(test_checked),
                                     cmocka_unit_test(test_functions_after_products),
                                     cmocka_unit_test(test_minus_zero),
                                     cmocka_unit_test(test_view_on_the_right),
                                     cmocka_unit_test(test_what_a_cache_holds),
                                     cmocka_unit_test(test_blocks_of_other_processors)};
  return cmocka_run_group_tests(tests, open_engines, close_engines);
}
