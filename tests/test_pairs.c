/* Products of 8-bit integers and of bfloat16, which are summed by pairs where the processor has instructions for that.
 * Integers are those of the reference to the bit. Sums of bfloat16 are as near to the exact ones as sums in f32 are, but
 * that numbers below the least normal f32 may count as 0: the same bound holds with and without the instruction. */
#include "lower/cpu/target.h"
#include "lower/program.h"
#include "emit/emit.h"
#include "support/kernel_interp.h"
#include "support/matrix.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static tme_engine *cpu, *one_thread, *reference;

static int open_engines(void **state) {
  (void)state;
  cpu = engine_of("cpu", 3);
  one_thread = engine_of("cpu", 1);
  reference = engine_of("reference", 1);
  return cpu && one_thread && reference ? 0 : -1;
}

static int close_engines(void **state) {
  (void)state;
  tme_engine_free(cpu);
  tme_engine_free(one_thread);
  tme_engine_free(reference);
  return 0;
}

/* ---- cases ------------------------------------------------------------------------------------------------------- */

/* (batch, rows, k) x (right_batch, k, columns) */
typedef struct shape {
  int64_t batch, rows, k, right_batch, columns;
} shape;

static const shape shapes[] = {
    {1, 5, 1, 1, 16},    {1, 6, 2, 1, 17},     {1, 7, 3, 1, 33},   {1, 5, 8, 1, 16},    {1, 6, 9, 1, 17},
    {1, 13, 64, 1, 40},  {1, 31, 15, 1, 64},   {3, 9, 33, 3, 24},  {4, 2, 21, 1, 48},   {3, 7, 12, 1, 31},
    {1, 29, 65, 2, 100}, {1, 64, 260, 1, 130}, {1, 40, 1, 1, 300}, {1, 8, 1001, 1, 16}, {1, 97, 128, 1, 515},
};

typedef struct operands {
  operand x, y;
} operands;

/* Integers are of all values. */
static operand make(tme_dtype t, int64_t batch, int64_t rows, int64_t columns, layout l, double lo, double hi,
                    int which) {
  operand o = {.dtype = t, .rank = batch > 1 ? 3 : 2, .layout = l, .lo = lo, .hi = hi};
  int64_t s[] = {batch, rows, columns};
  if (dtype_is_int(t)) {
    double all = ldexp(1, 8 * (int)tme_dtype_size(t));
    o.lo = dtype_is_signed(t) ? -all / 2 : 0;
    o.hi = o.lo + all - 1;
  }
  for (int d = 0; d < o.rank; d++) o.shape[d] = s[d + 3 - o.rank];
  operand_make(&o, (uint64_t)(rows * 1000 + columns), which);
  return o;
}

/* Of layouts that differ. */
static operands make_both(const shape *h, tme_dtype tx, tme_dtype ty, int l, double lo, double hi) {
  layout lx = (layout)(l % LAYOUT_COUNT), ly = (layout)((l + l / LAYOUT_COUNT) % LAYOUT_COUNT);
  return (operands){make(tx, h->batch, h->rows, h->k, lx, lo, hi, 0),
                    make(ty, h->right_batch, h->k, h->columns, ly, lo, hi, 1)};
}

static void free_both(operands *o) {
  operand_free(&o->x);
  operand_free(&o->y);
}

static tme_array *wrap(tme_scope *s, const operand *o, tme_dtype t) {
  tme_array *x = tme_wrap(s, o->dtype, o->rank, o->shape, o->strides, o->data, NULL, NULL);
  return t == o->dtype ? x : tme_astype(s, x, t);
}

typedef enum ending { NOTHING, SHORT, LONG, ENDINGS } ending;

/* The product in dtype t of operands converted to it, and what follows. */
static tme_array *product(tme_scope *s, const operands *o, tme_dtype t, ending e) {
  tme_array *z = tme_matmul(s, wrap(s, &o->x, t), wrap(s, &o->y, t));
  int64_t least = dtype_is_int(t) && !dtype_is_signed(t) ? 20 : -20;
  if (e == SHORT) z = tme_maximum(s, tme_add(s, z, tme_integer(s, 3)), tme_integer(s, least));
  if (e == LONG) z = tme_tanh(s, z);
  return z;
}

/* ---- integers ---------------------------------------------------------------------------------------------------- */

static void check_integers(const shape *h, tme_dtype tx, tme_dtype ty, tme_dtype t, int l, ending e) {
  operands o = make_both(h, tx, ty, l, 0, 0);
  tme_scope *a = tme_scope_new(cpu), *b = tme_scope_new(reference);
  tme_array *got = product(a, &o, t, e), *want = product(b, &o, t, e);
  const void *g = tme_data(a, got), *w = tme_data(b, want);
  if (!g || !w) fail_msg("%s%s", g ? "" : tme_error(a), w ? "" : tme_error(b));
  if (memcmp(g, w, (size_t)tme_array_size(want) * tme_dtype_size(t)) != 0)
    fail_msg("%lldx%lldx%lld of %s and %s in %s, layout %d, ending %d differs", (long long)h->rows, (long long)h->k,
             (long long)h->columns, tme_dtype_name(tx), tme_dtype_name(ty), tme_dtype_name(t), l, e);
  tme_scope_free(a);
  tme_scope_free(b);
  free_both(&o);
}

static void test_integers(void **state) {
  (void)state;
  static const tme_dtype dtypes[][3] = {
      {TME_I8, TME_I8, TME_I32}, {TME_I8, TME_I8, TME_I8},    {TME_U8, TME_I8, TME_I32},   {TME_U8, TME_U8, TME_U8},
      {TME_U8, TME_U8, TME_U32}, {TME_I16, TME_I16, TME_I32}, {TME_BOOL, TME_I8, TME_I32}, {TME_I8, TME_I16, TME_U32}};
  for (int i = 0; i < COUNT(shapes); i++)
    for (int d = 0; d < COUNT(dtypes); d++)
      for (int l = (i + d) % 7; l < LAYOUT_COUNT * LAYOUT_COUNT; l += sanitized() ? 35 : 7)
        check_integers(&shapes[i], dtypes[d][0], dtypes[d][1], dtypes[d][2], l, (i + l) % 2 ? SHORT : NOTHING);
}

/* Sums of the largest products, up to where they wrap. */
static void test_extreme_integers(void **state) {
  (void)state;
  static const int64_t k[] = {2, 9, 16, 1000, 140001};
  for (int i = 0; i < COUNT(k); i++) {
    const shape h = {1, 5, k[i], 1, 16};
    int8_t least[] = {INT8_MIN};
    uint8_t most[] = {UINT8_MAX};
    int16_t shorts[] = {INT16_MIN};
    const struct {
      tme_dtype t;
      void *data;
      int64_t square;
    } cases[] = {{TME_I8, least, 16384}, {TME_U8, most, 65025}, {TME_I16, shorts, 1 << 30}};
    for (int c = 0; c < COUNT(cases); c++) {
      tme_scope *s = tme_scope_new(cpu);
      const int64_t none[] = {0, 0};
      tme_array *x = tme_wrap(s, cases[c].t, 2, (int64_t[]){h.rows, h.k}, none, cases[c].data, NULL, NULL);
      tme_array *y = tme_wrap(s, cases[c].t, 2, (int64_t[]){h.k, h.columns}, none, cases[c].data, NULL, NULL);
      const int32_t *z = tme_data(s, tme_matmul(s, tme_astype(s, x, TME_I32), tme_astype(s, y, TME_I32)));
      if (!z) fail_msg("%s", tme_error(s));
      int32_t want = (int32_t)(uint32_t)(k[i] * cases[c].square);
      for (int64_t j = 0; j < h.rows * h.columns; j++) assert_int_equal(z[j], want);
      tme_scope_free(s);
    }
  }
}

/* ---- bfloat16 ---------------------------------------------------------------------------------------------------- */

static const double *exact(tme_scope *s, const operands *o, ending e, const double **sums) {
  operands wide = *o;
  tme_array *x = tme_abs(s, wrap(s, &o->x, TME_F64)), *y = tme_abs(s, wrap(s, &o->y, TME_F64));
  *sums = tme_data(s, tme_matmul(s, x, y));
  return tme_data(s, product(s, &wide, TME_F64, e));
}

/* The result is f32 or bfloat16. */
static void check_bfloats(const shape *h, tme_dtype t, int l, double lo, double hi, ending e) {
  operands o = make_both(h, TME_BF16, TME_BF16, l, lo, hi);
  tme_scope *a = tme_scope_new(cpu), *b = tme_scope_new(reference), *c = tme_scope_new(one_thread);
  tme_array *z = product(a, &o, t, e), *alone = product(c, &o, t, e);
  const double *sums, *want = exact(b, &o, e, &sums);
  const char *got = tme_data(a, z), *same = tme_data(c, alone);
  if (!got || !same || !want || !sums) fail_msg("%s%s%s", tme_error(a), tme_error(b), tme_error(c));
  size_t size = tme_dtype_size(t);
  assert_memory_equal(got, same, (size_t)tme_array_size(z) * size);
  double terms = 4 * sqrt((double)h->k) + 4, last = t == TME_BF16 ? 0x1p-8 : 0x1p-22;
  double middle = tme_engine_has_jit(cpu) ? 0 : last; /* what an ending takes is rounded before it */
  for (int64_t i = 0; i < tme_array_size(z); i++) {
    double v[2], near = terms * 0x1p-23 * sums[i] + (double)h->k * 0x1p-125 + last * fabs(want[i]) +
                        middle * (fabs(want[i]) + 3);
    element_value(t, got + (size_t)i * size, v);
    if (fabs(v[0] - want[i]) <= near) continue;
    fail_msg("%lldx%lldx%lld in %s, layout %d, ending %d: element %lld is %.9g, not %.9g (bound %g)",
             (long long)h->rows, (long long)h->k, (long long)h->columns, tme_dtype_name(t), l, e, (long long)i, v[0],
             want[i], near);
  }
  tme_scope_free(a);
  tme_scope_free(b);
  tme_scope_free(c);
  free_both(&o);
}

static void test_bfloats(void **state) {
  (void)state;
  for (int i = 0; i < COUNT(shapes); i++)
    for (int l = i % 5; l < LAYOUT_COUNT * LAYOUT_COUNT; l += sanitized() ? 25 : 5)
      check_bfloats(&shapes[i], l % 2 ? TME_BF16 : TME_F32, l, -2, 2, (ending)((i + l) % ENDINGS));
  check_bfloats(&(shape){1, 9, 20001, 1, 40}, TME_F32, 0, -2, 2, NOTHING);
  check_bfloats(&(shape){1, 20, 300, 1, 40}, TME_F32, 0, 1e-21, 1e-17, NOTHING); /* products that are no normal f32 */
}

/* NaN and infinities come through, also where k is odd and a pair is half empty. */
static void test_classes(void **state) {
  (void)state;
  for (int64_t k = 8; k < 12; k++) {
    float x[6 * 11], y[11 * 16];
    for (int i = 0; i < COUNT(x); i++) x[i] = 1;
    for (int i = 0; i < COUNT(y); i++) y[i] = 2;
    x[0] = INFINITY;
    x[2 * k - 1] = NAN;
    x[3 * k - 1] = -INFINITY;
    tme_scope *s = tme_scope_new(cpu);
    tme_array *a = tme_astype(s, tme_from(s, TME_F32, 2, (int64_t[]){6, k}, x), TME_BF16);
    tme_array *b = tme_astype(s, tme_from(s, TME_F32, 2, (int64_t[]){k, 16}, y), TME_BF16);
    const float *z = tme_data(s, tme_matmul(s, tme_astype(s, a, TME_F32), tme_astype(s, b, TME_F32)));
    if (!z) fail_msg("%s", tme_error(s));
    for (int j = 0; j < 16; j++) {
      assert_true(z[j] == INFINITY && isnan(z[16 + j]) && z[32 + j] == -INFINITY);
      assert_true(z[48 + j] == 2 * (float)k);
    }
    tme_scope_free(s);
  }
}

/* ---- which instruction ------------------------------------------------------------------------------------------- */

static void expect(const char *dot, tme_dtype x, tme_dtype y, tme_dtype t, shape h) {
  operands o = make_both(&h, x, y, 0, -2, 2);
  tme_scope *s = tme_scope_new(cpu);
  tme_array *z = product(s, &o, t, SHORT);
  char *report = tme_explain(s, &z, 1, TME_EXPLAIN_IR);
  if (!report) fail_msg("%s", tme_error(s));
  bool found = strstr(report, "update dot") != NULL;
  if (dot ? !strstr(report, dot) : found)
    fail_msg("%lldx%lldx%lld of %s in %s: %s", (long long)h.rows, (long long)h.k, (long long)h.columns,
             tme_dtype_name(x), tme_dtype_name(t), found ? "pairs" : "no pairs");
  tme_string_free(report);
  tme_scope_free(s);
  free_both(&o);
}

static void test_choice(void **state) {
  (void)state;
  if (!tme_engine_has_jit(cpu)) skip();
  emit_target host;
  emit_host_target(&host);
  bool fast = !strncmp(host.cpu, "znver", 5) && strstr(host.features, "+avx512bf16") && host.vector_bytes == 64;
  const char *bf16 = fast ? "update dot_bf16" : NULL;
  const char *i16 = host.vector_bytes >= 32 ? "update dot_i16" : NULL;
  const shape h = {1, 40, 64, 1, 48};
  expect(i16, TME_I8, TME_I8, TME_I32, h);
  expect(i16, TME_U8, TME_I8, TME_I32, h);
  expect(i16, TME_I8, TME_I8, TME_I8, h);
  expect(i16, TME_I16, TME_I16, TME_I32, h);
  expect(i16, TME_I8, TME_I8, TME_I32, (shape){8, 1, 64, 1, 48}); /* the batch is rows */
  expect(bf16, TME_BF16, TME_BF16, TME_BF16, h);
  expect(bf16, TME_BF16, TME_BF16, TME_F32, h);
  expect(NULL, TME_U16, TME_U16, TME_I32, h);
  expect(NULL, TME_I8, TME_I32, TME_I32, h);
  expect(NULL, TME_I8, TME_I8, TME_I64, h);
  expect(NULL, TME_I16, TME_I16, TME_I16, h);
  expect(NULL, TME_F16, TME_F16, TME_F16, h);
  expect(NULL, TME_F16, TME_BF16, TME_F32, h);
  expect(NULL, TME_F32, TME_F32, TME_F32, h);
  expect(NULL, TME_I8, TME_I8, TME_I32, (shape){1, 4, 64, 1, 48});
  expect(NULL, TME_I8, TME_I8, TME_I32, (shape){1, 40, 3, 1, 48});
}

/* ---- for other processors ---------------------------------------------------------------------------------------- */

/* bfloat16 x y in f32, lowered for a processor with AVX512-BF16. */
static program *lower_bfloats(const shape *h, bool transposed) {
  static const cpu_target t = {.base = CPU_LOWERING,
                               .vector_bytes = 64,
                               .registers = 32,
                               .l1 = {1 << 15, 8},
                               .l2 = {1 << 20, 8},
                               .last_level = 1 << 25,
                               .dot_bf16 = true};
  op_type tx = {.dtype = TME_BF16, .rank = 2, .shape = {h->rows, h->k}};
  op_type ty = {.dtype = TME_BF16, .rank = 2, .shape = {h->k, h->columns}};
  int64_t by_rows[][2] = {{h->k, 1}, {h->columns, 1}}, by_columns[][2] = {{1, h->rows}, {1, h->k}};
  error e = {0};
  graph *g = graph_new(1);
  assert_non_null(g);
  int x = graph_cast(g, graph_leaf(g, &tx, (transposed ? by_columns : by_rows)[0], 0), TME_F32);
  int y = graph_cast(g, graph_leaf(g, &ty, (transposed ? by_columns : by_rows)[1], 1), TME_F32);
  g->root[0] = graph_op(g, OP_matmul, (int[]){x, y}, 2, NULL);
  program *p = program_lower(g, &t.base, &e);
  if (!p) fail_msg("%s", e.text);
  graph_free(g);
  return p;
}

/* Runs the steps on the interpreter; the result, to be freed. */
static float *interpret(const program *p, uint16_t *const *leaves) {
  void **slots = calloc((size_t)p->nslots, sizeof *slots);
  assert_non_null(slots);
  for (int i = 0; i < p->nslots; i++) {
    const struct slot *s = &p->slots[i];
    slots[i] = s->leaf >= 0 ? leaves[s->leaf] : calloc((size_t)s->size, tme_dtype_size(s->type.dtype));
    assert_non_null(slots[i]);
  }
  bool dot = false;
  for (int i = 0; i < p->nsteps; i++) {
    const kernel *k = p->steps[i].kernel;
    void *buf[8], *scratch = calloc(1, (size_t)k->scratch_bytes + 64);
    error e = {0};
    assert_true(k->nbufs <= COUNT(buf));
    for (int b = 0; b < k->nbufs; b++) buf[b] = p->steps[i].bind[b] < 0 ? NULL : slots[p->steps[i].bind[b]];
    if (kernel_interp(k, buf, NULL, scratch, 0, kernel_tasks(k, NULL), &e) != TME_OK) fail_msg("%s", e.text);
    for (int j = 0; j < k->ninst; j++) dot |= k->inst[j].op == K_UPDATE && k->inst[j].imm == K_DOT_BF16;
    free(scratch);
  }
  assert_true(dot);
  float *out = slots[p->root_slot[0]];
  for (int i = 0; i < p->nslots; i++)
    if (p->slots[i].leaf < 0 && slots[i] != out) free(slots[i]);
  free(slots);
  return out;
}

static void test_lowering_for_bfloats(void **state) {
  (void)state;
  static const shape few[] = {{1, 5, 8, 1, 16}, {1, 13, 17, 1, 70}, {1, 40, 34, 1, 33}, {1, 7, 9, 1, 200}};
  for (int i = 0; i < 2 * COUNT(few); i++) {
    const shape *h = &few[i / 2];
    bool transposed = i % 2;
    uint16_t *x = malloc((size_t)(h->rows * h->k) * 2), *y = malloc((size_t)(h->k * h->columns) * 2);
    assert_true(x && y);
    uint64_t seed = 1;
    for (int64_t j = 0; j < h->rows * h->k; j++) x[j] = bf16_from_f64((double)(next_random(&seed) % 512) / 64 - 4);
    for (int64_t j = 0; j < h->k * h->columns; j++) y[j] = bf16_from_f64((double)(next_random(&seed) % 512) / 64 - 4);
    program *p = lower_bfloats(h, transposed);
    float *z = interpret(p, (uint16_t *[]){x, y});
    for (int64_t r = 0; r < h->rows; r++)
      for (int64_t c = 0; c < h->columns; c++) {
        double sum = 0;
        for (int64_t k = 0; k < h->k; k++) {
          uint16_t u = x[transposed ? k * h->rows + r : r * h->k + k],
                   v = y[transposed ? c * h->k + k : k * h->columns + c];
          sum += (double)bf16_to_f32(u) * (double)bf16_to_f32(v);
        }
        if (fabs((double)z[r * h->columns + c] - sum) > 1e-4) fail_msg("product %d, (%d, %d)", i, (int)r, (int)c);
      }
    free(z);
    free(x);
    free(y);
    program_free(p);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_integers), cmocka_unit_test(test_extreme_integers),
      cmocka_unit_test(test_bfloats),  cmocka_unit_test(test_classes),
      cmocka_unit_test(test_choice),   cmocka_unit_test(test_lowering_for_bfloats),
  };
  return cmocka_run_group_tests(tests, open_engines, close_engines);
}
