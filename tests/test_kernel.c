/* The kernel description: index expressions, builder, finishing pass, verifier, printer. */
#include "kernel/kernel.h"
#include "support/kernel_interp.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static uint64_t state;

static int pick(int n) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (int)((state >> 20) % (uint64_t)n);
}

/* ---- index expressions ------------------------------------------------------------------------------------------- */

enum { AXES = 3, NODES = 24 };

/* An expression as it was asked for, beside what became of it. */
typedef struct asked {
  ix_op op;
  int a, b;
  int64_t c;
  int ix;
} asked;

static int64_t floor_div(int64_t a, int64_t n) { return a / n - (a % n < 0); }

static int64_t value_asked(const asked *t, int i, const int64_t *at) {
  const asked *x = &t[i];
  switch (x->op) {
  case IX_CONST: return x->c;
  case IX_AXIS: return at[x->a];
  case IX_ADD: return value_asked(t, x->a, at) + value_asked(t, x->b, at);
  case IX_MUL: return value_asked(t, x->a, at) * x->c;
  case IX_DIV: return floor_div(value_asked(t, x->a, at), x->c);
  default: return value_asked(t, x->a, at) - floor_div(value_asked(t, x->a, at), x->c) * x->c;
  }
}

static int64_t value_made(const kernel *k, int i, const int64_t *at) {
  const k_ix *x = &k->ix[i];
  switch (x->op) {
  case IX_CONST: return x->c;
  case IX_AXIS: return at[x->a];
  case IX_ADD: return value_made(k, x->a, at) + value_made(k, x->b, at);
  case IX_MUL: return value_made(k, x->a, at) * x->c;
  case IX_DIV: return floor_div(value_made(k, x->a, at), x->c);
  default: return value_made(k, x->a, at) - floor_div(value_made(k, x->a, at), x->c) * x->c;
  }
}

static void ask(kernel *k, asked *t, int i) {
  static const int64_t factors[] = {1, 2, 3, 4, 6, 8, 12, 5, -1, -3, 24};
  int64_t c = factors[pick(COUNT(factors))], n = factors[pick(8)];
  asked x = {.op = i < AXES ? IX_AXIS : (ix_op)pick(6), .a = i ? pick(i) : 0, .b = i ? pick(i) : 0};
  switch (x.op) {
  case IX_CONST:
    x.c = c - 2;
    x.ix = ix_const(k, x.c);
    break;
  case IX_AXIS:
    x.a = i < AXES ? i : pick(AXES);
    x.ix = ix_axis(k, x.a);
    break;
  case IX_ADD: x.ix = ix_add(k, t[x.a].ix, t[x.b].ix); break;
  case IX_MUL:
    x.c = c;
    x.ix = ix_mul(k, t[x.a].ix, c);
    break;
  case IX_DIV:
    x.c = n;
    x.ix = ix_div(k, t[x.a].ix, n);
    break;
  case IX_MOD:
    x.c = n;
    x.ix = ix_mod(k, t[x.a].ix, n);
    break;
  }
  t[i] = x;
}

static void check_asked(const kernel *k, const asked *t, int i, const int64_t *extent) {
  int ix = t[i].ix;
  uint64_t axes = ix_axes(k, ix);
  int64_t factor[AXES], at[AXES];
  bool affine[AXES];
  for (int a = 0; a < AXES; a++) affine[a] = ix_affine(k, ix, a, &factor[a]);
  for (at[0] = 0; at[0] < extent[0]; at[0]++) {
    for (at[1] = 0; at[1] < extent[1]; at[1]++) {
      for (at[2] = 0; at[2] < extent[2]; at[2]++) {
        int64_t v = value_made(k, ix, at);
        if (v != value_asked(t, i, at))
          fail_msg("expression %d at %d,%d,%d: %lld", i, (int)at[0], (int)at[1], (int)at[2], (long long)v);
        assert_in_range(v - k->ix[ix].lo, 0, k->ix[ix].hi - k->ix[ix].lo);
        for (int a = 0; a < AXES; a++) {
          if (!at[a]) continue;
          at[a]--;
          int64_t step = v - value_made(k, ix, at);
          at[a]++;
          if (affine[a]) assert_int_equal(step, factor[a]);
          if (!(axes >> a & 1)) assert_int_equal(step, 0);
        }
      }
    }
  }
}

static void test_ix_random(void **unused) {
  (void)unused;
  state = 12345;
  for (int round = 0; round < 1500; round++) {
    kernel *k = kernel_new("ix");
    asked t[NODES];
    int64_t extent[AXES];
    for (int a = 0; a < AXES; a++) {
      extent[a] = 1 + pick(9);
      k_axis_add(k, extent[a], 0, 1, 1);
    }
    for (int i = 0; i < NODES; i++) ask(k, t, i);
    assert_false(k->failed);
    for (int i = AXES; i < NODES; i++) check_asked(k, t, i, extent);
    kernel_free(k);
  }
}

static void test_ix_identities(void **unused) {
  (void)unused;
  kernel *k = kernel_new("ix");
  int i = ix_axis(k, k_axis_add(k, 100, 0, 1, 1)), j = ix_axis(k, k_axis_add(k, 12, 0, 1, 1));
  int whole = ix_add(k, ix_mul(k, i, 12), j);
  assert_int_equal(ix_add(k, i, j), ix_add(k, j, i));
  assert_int_equal(ix_add(k, ix_add(k, i, j), ix_mul(k, j, -1)), i);
  assert_int_equal(ix_mul(k, ix_mul(k, i, 3), 4), ix_mul(k, i, 12));
  assert_int_equal(ix_mul(k, i, 1), i);
  assert_int_equal(ix_add(k, i, ix_const(k, 0)), i);
  assert_int_equal(ix_mod(k, j, 12), j);
  assert_int_equal(ix_div(k, j, 12), ix_const(k, 0));
  assert_int_equal(ix_div(k, whole, 12), i);
  assert_int_equal(ix_mod(k, whole, 12), j);
  assert_int_equal(ix_div(k, whole, 24), ix_div(k, i, 2));
  assert_int_equal(ix_mod(k, whole, 24), ix_add(k, ix_mul(k, ix_mod(k, i, 2), 12), j));
  assert_int_equal(ix_div(k, ix_div(k, i, 3), 4), ix_div(k, i, 12));
  /* the digits of a number, put together again, also inside a longer sum */
  int d0 = ix_mod(k, i, 4), d1 = ix_mod(k, ix_div(k, i, 4), 5), d2 = ix_div(k, i, 20);
  int digits = ix_add(k, ix_add(k, ix_mul(k, d1, 4 * 7), ix_mul(k, d0, 7)), ix_add(k, j, ix_mul(k, d2, 20 * 7)));
  assert_int_equal(digits, ix_add(k, ix_mul(k, i, 7), j));
  assert_int_equal(ix_add(k, ix_mul(k, d1, 4), d0), ix_mod(k, i, 20));
  assert_int_equal(ix_div(k, ix_mod(k, i, 20), 4), d1);
  assert_false(k->failed);
  assert_int_equal(ix_div(k, i, 0), -1);
  assert_true(k->failed);
  kernel_free(k);
}

static void test_ix_unbounded(void **unused) {
  (void)unused;
  kernel *k = kernel_new("ix");
  int axis = k_axis_add(k, INT64_MAX / 16, 0, 1, 1), i = ix_axis(k, axis), x = ix_mul(k, i, 1 << 20);
  k->axes[axis].sym = 0;
  assert_true(k->ix[i].hi == INT64_MAX && k->ix[x].hi == INT64_MAX && k->ix[x].lo == 0);
  assert_int_equal(k->ix[ix_mod(k, i, 7)].hi, 6);
  assert_int_equal(ix_div(k, x, 1 << 20), i);
  assert_false(k->failed);
  kernel_free(k);
}

/* ---- kernels to try ---------------------------------------------------------------------------------------------- */

static kernel *softmax(void) {
  kernel *k = kernel_new("softmax_8x1000");
  int r = k_axis_add(k, 8, AXIS_PARALLEL, 1, 1), c = k_axis_add(k, 1000, AXIS_VECTOR | AXIS_REDUCE, 16, 2);
  int in = k_buf_add(k, BUF_IN, TME_F32, 0, 8000), out = k_buf_add(k, BUF_OUT, TME_F32, 0, 8000);
  int ix = ix_add(k, ix_mul(k, ix_axis(k, r), 1000), ix_axis(k, c)), rows = k_loop(k, r);
  int most = k_emit(k, K_ACC, TME_F32, k_const_f(k, TME_F32, -INFINITY), K_MAX, -1, 0), l = k_loop(k, c);
  k_emit(k, K_UPDATE, TME_F32, most, k_load(k, k_access_add(k, in, ix)), -1, 0);
  k_end(k, l);
  l = k_loop(k, c);
  int top = k_emit(k, K_READ, TME_F32, most, -1, -1, 0), x = k_load(k, k_access_add(k, in, ix));
  int twice = k_bin(k, K_MUL, top, k_const_f(k, TME_F32, 2)), again = k_bin(k, K_MUL, top, k_const_f(k, TME_F32, 2));
  k_un(k, K_NEG, again); /* unused */
  k_store(k, k_access_add(k, out, ix), k_bin(k, K_SUB, k_bin(k, K_SUB, x, twice), again));
  k_end(k, l);
  k_end(k, rows);
  return k;
}

/* A random kernel: rows in parallel, and in each a few loops that load, compute, reduce, and store to out or
 * scratch. */
enum { ROWS = 3, COLS = 7, POOL = 64 };

typedef struct maker {
  kernel *k;
  int r, c, s; /* axes */
  int in, out, tmp;
  int pool[POOL], n; /* f32 values in scope */
} maker;

static int some(const maker *m) { return m->pool[pick(m->n)]; }

static void give(maker *m, int v) {
  if (m->n < POOL) m->pool[m->n++] = v;
}

static void make_values(maker *m, int ix, int count) {
  kernel *k = m->k;
  for (int i = 0; i < count; i++) {
    static const k_op ops[] = {K_ADD, K_SUB, K_MUL, K_MAX};
    int v;
    switch (pick(8)) {
    case 0: v = k_const_f(k, TME_F32, pick(3) - 1); break;
    case 1: v = k_cast(k, TME_F32, k_index(k, pick(2) ? ix : ix_axis(k, m->r))); break;
    case 2: v = k_load(k, k_access_add(k, m->in, pick(2) ? ix : ix_mul(k, ix_axis(k, m->r), COLS))); break;
    case 3: {
      int a = k_access_add(k, m->in, ix_add(k, ix, ix_const(k, ROWS * COLS - 5)));
      int guard = k_bin(k, K_LT, k_index(k, ix), k_const_i(k, TME_I64, 5));
      if (a >= 0) k->acc[a].guard = guard;
      v = k_load(k, a);
      break;
    }
    case 4: v = k_load(k, k_access_add(k, m->tmp, pick(2) ? ix_mod(k, ix, COLS) : ix_const(k, pick(COLS)))); break;
    case 5: v = k_load(k, k_access_add(k, m->out, pick(2) ? ix : ix_mul(k, ix_axis(k, m->r), COLS))); break;
    default: v = k_bin(k, ops[pick(COUNT(ops))], some(m), some(m));
    }
    give(m, v);
  }
}

static kernel *random_kernel(uint64_t seed) {
  state = seed * 0x9e3779b97f4a7c15u + 1;
  kernel *k = kernel_new("random");
  maker m = {.k = k};
  m.r = k_axis_add(k, ROWS, AXIS_PARALLEL, 1, 1);
  m.c = k_axis_add(k, COLS, pick(2) ? AXIS_VECTOR : 0, 4, 1);
  m.s = k_axis_add(k, pick(3), 0, 1, 1);
  m.in = k_buf_add(k, BUF_IN, TME_F32, 0, ROWS * COLS);
  m.out = k_buf_add(k, BUF_OUT, TME_F32, 0, ROWS * COLS);
  m.tmp = k_buf_add(k, BUF_SCRATCH, TME_F32, 0, COLS);
  int row = ix_mul(k, ix_axis(k, m.r), COLS), ix = ix_add(k, row, ix_axis(k, m.c)), rows = k_loop(k, m.r);
  int clear = k_loop(k, m.c);
  k_store(k, k_access_add(k, m.tmp, ix_axis(k, m.c)), k_const_f(k, TME_F32, 1));
  k_end(k, clear);
  give(&m, k_const_f(k, TME_F32, 2));
  for (int loops = 2 + pick(4); loops > 0; loops--) {
    int acc = k_emit(k, K_ACC, TME_F32, k_const_f(k, TME_F32, 0), K_ADD, -1, 0), outer = m.n;
    int steps = pick(2) ? k_loop(k, m.s) : -1;
    int running = steps >= 0 ? k_emit(k, K_READ, TME_F32, acc, -1, -1, 0) : -1, l = k_loop(k, m.c);
    if (running >= 0) give(&m, running);
    make_values(&m, ix, 3 + pick(6));
    k_emit(k, K_UPDATE, TME_F32, acc, some(&m), pick(2) ? some(&m) : -1, 0);
    if (pick(2))
      k_store(k, k_access_add(k, pick(2) ? m.out : m.tmp, pick(2) ? ix_axis(k, m.c) : ix_const(k, 2)), some(&m));
    make_values(&m, ix, pick(3));
    k_store(k, k_access_add(k, m.out, ix), some(&m));
    k_end(k, l);
    if (steps >= 0) k_end(k, steps);
    m.n = outer;
    give(&m, k_emit(k, K_READ, TME_F32, acc, -1, -1, 0));
    make_values(&m, row, pick(3));
  }
  k_end(k, rows);
  return k;
}

/* Runs with values that are exact in f32 for a while; NaN and infinities compare by bits. */
static void run_random(const kernel *k, float *out) {
  float in[ROWS * COLS], scratch[16 * ((COLS * 4 + 63) / 64)];
  for (int i = 0; i < ROWS * COLS; i++) {
    in[i] = (float)(i % 5 - 2);
    out[i] = (float)i;
  }
  void *buf[] = {in, out, NULL};
  error e = {0};
  if (kernel_interp(k, buf, NULL, scratch, 0, kernel_tasks(k, NULL), &e) != TME_OK) fail_msg("%s", e.text);
}

static void test_finish_keeps_meaning(void **unused) {
  (void)unused;
  int moved = 0;
  for (uint64_t seed = 1; seed <= 4000; seed++) {
    kernel *before = random_kernel(seed), *after = random_kernel(seed);
    error e = {0};
    float want[ROWS * COLS], got[ROWS * COLS];
    if (kernel_verify(before, &e) != TME_OK || kernel_finish(after, &e) != TME_OK || kernel_verify(after, &e) != TME_OK)
      fail_msg("seed %d: %s", (int)seed, e.text);
    run_random(before, want);
    run_random(after, got);
    if (memcmp(want, got, sizeof want)) {
      text t = {0};
      kernel_print(before, &t);
      kernel_print(after, &t);
      print_error("%s\n", t.s);
      text_free(&t);
      fail_msg("seed %d", (int)seed);
    }
    moved += after->ninst < before->ninst;
    /* finishing again changes nothing */
    text once = {0}, twice = {0};
    kernel_bytes(after, &once);
    assert_int_equal(kernel_finish(after, &e), TME_OK);
    kernel_bytes(after, &twice);
    assert_true(once.len == twice.len && !memcmp(once.s, twice.s, once.len));
    text_free(&once);
    text_free(&twice);
    kernel_free(before);
    kernel_free(after);
  }
  assert_in_range(moved, 2000, 4000);
}

static void test_print(void **unused) {
  (void)unused;
  kernel *k = softmax();
  error e = {0};
  text t = {0};
  assert_int_equal(kernel_finish(k, &e), TME_OK);
  kernel_print(k, &t);
  assert_string_equal(t.s, "kernel softmax_8x1000\n"
                           "  buffer in0 float32 [0, 8000)\n"
                           "  buffer out1 float32 [0, 8000)\n"
                           "  %0 float32 = const -inf\n"
                           "  %1 float32 = const 2\n"
                           "  loop i parallel 8\n"
                           "    %3 float32 = acc max %0\n"
                           "    loop j vector reduce(16x2) 1000\n"
                           "      %5 float32 = load in0[i*1000 + j]\n"
                           "      update %3, %5\n"
                           "    end\n"
                           "    %8 float32 = read %3\n"
                           "    %9 float32 = mul %8, %1\n"
                           "    loop j vector reduce(16x2) 1000\n"
                           "      %11 float32 = load in0[i*1000 + j]\n"
                           "      %12 float32 = sub %11, %9\n"
                           "      %13 float32 = sub %12, %9\n"
                           "      store out1[i*1000 + j], %13\n"
                           "    end\n"
                           "  end\n");
  assert_int_equal(k->opt, 2);
  assert_int_equal(k->scratch_bytes, 0);
  text_free(&t);
  kernel_free(k);
}

static void test_deps(void **unused) {
  (void)unused;
  kernel *k = softmax();
  error e = {0};
  uint64_t deps[64];
  assert_int_equal(kernel_finish(k, &e), TME_OK);
  kernel_deps(k, deps);
  assert_int_equal(deps[1], 0);
  assert_int_equal(deps[5], 3);
  assert_int_equal(deps[8], 1);
  assert_int_equal(deps[9], 1);
  assert_int_equal(deps[12], 3);
  kernel_free(k);
}

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

static void section(kernel *k, int out, const int *axes, int n) {
  int loops[4], ix = ix_const(k, 0);
  for (int i = 0; i < n; i++) {
    loops[i] = k_loop(k, axes[i]);
    ix = ix_add(k, ix_mul(k, ix, k->axes[axes[i]].extent), ix_axis(k, axes[i]));
  }
  k_store(k, k_access_add(k, out, ix), k_const_i(k, TME_I32, 1));
  while (n) k_end(k, loops[--n]);
}

static void test_tasks(void **unused) {
  (void)unused;
  kernel *k = kernel_new("tasks");
  int a = k_axis_add(k, 3, AXIS_PARALLEL, 1, 1), b = k_axis_add(k, 5, AXIS_PARALLEL, 1, 1);
  int v = k_axis_add(k, 7, AXIS_PARALLEL | AXIS_VECTOR, 4, 1), s = k_axis_add(k, 4, 0, 1, 1);
  int o[3];
  for (int i = 0; i < 3; i++) o[i] = k_buf_add(k, BUF_OUT, TME_I32, 0, 105);
  section(k, o[0], (int[]){a, b, v}, 3);
  section(k, o[1], (int[]){v}, 1);
  section(k, o[2], (int[]){a, s}, 2);
  error e = {0};
  if (kernel_finish(k, &e) != TME_OK) fail_msg("%s", e.text);
  assert_int_equal(kernel_tasks(k, NULL), 15 + 7 + 3);
  k->axes[v].sym = 1;
  assert_int_equal(kernel_tasks(k, (uint64_t[]){0, 6}), 15 + 6 + 3);
  k->axes[v].sym = -1;
  /* each task is run once, whatever the cut */
  int32_t out[3][105] = {{0}};
  void *buf[] = {out[0], out[1], out[2]};
  for (int64_t t = 0; t < 25; t += 4) assert_int_equal(kernel_interp(k, buf, NULL, NULL, t, t + 4, &e), TME_OK);
  int sum[3] = {0};
  for (int i = 0; i < 3 * 105; i++) sum[i / 105] += out[i / 105][i % 105];
  assert_int_equal(sum[0], 105);
  assert_int_equal(sum[1], 7);
  assert_int_equal(sum[2], 12);
  kernel_free(k);
}

/* ---- what the verifier refuses ----------------------------------------------------------------------------------- */

static void refused(kernel *k, const char *why) {
  error e = {0};
  assert_int_equal(kernel_verify(k, &e), TME_ERR_ARGUMENT);
  if (!strstr(e.text, why)) fail_msg("\"%s\" instead of \"%s\"", e.text, why);
  kernel_free(k);
}

static int find(const kernel *k, int op) {
  for (int i = 0; i < k->ninst; i++) {
    if (k->inst[i].op == op) return i;
  }
  fail_msg("no %s", k_op_name((k_op)op));
  return -1;
}

static void test_verify(void **unused) {
  (void)unused;
  error e = {0};
  kernel *k = softmax();
  assert_int_equal(kernel_verify(k, &e), TME_OK);
  k->bufs[0].hi--;
  refused(k, "touches elements 0 to 7999");
  k = softmax();
  k->bufs[1].role = BUF_IN;
  refused(k, "stores to input");
  k = softmax();
  k->inst[find(k, K_SUB)].b = find(k, K_SUB) + 1;
  refused(k, "does not come before");
  k = softmax();
  k->inst[find(k, K_SUB)].b = find(k, K_LOAD);
  refused(k, "of a loop that has ended");
  k = softmax();
  k->inst[find(k, K_SUB)].dtype = TME_F64;
  refused(k, "gives float64");
  k = softmax();
  k->inst[find(k, K_MUL)].op = K_AND;
  refused(k, "does not work on float32");
  k = softmax();
  k->inst[find(k, K_READ)].a = find(k, K_LOAD);
  refused(k, "is a load");
  k = softmax();
  k->ninst--;
  refused(k, "not ended");
  k = softmax();
  k->inst[find(k, K_END)].a = 0;
  refused(k, "not the innermost");
  k = softmax();
  k->axes[0].flags = 0;
  refused(k, "starts with a parallel loop");
  k = softmax();
  k->axes[0].flags = AXIS_PARALLEL | AXIS_VECTOR;
  k->axes[0].width = 4;
  refused(k, "lanes inside lanes");
  k = softmax();
  k->bufs[0].stream = true;
  refused(k, "cannot be streamed to");
  k = softmax();
  k->axes[1].flags = AXIS_PARALLEL;
  refused(k, "perfectly nested");
  k = softmax();
  k->axes[1].width = 12;
  refused(k, "12 lanes");
  k = softmax();
  k->inst[find(k, K_ACC)].b = K_SUB;
  refused(k, "cannot accumulate");
  k = softmax();
  k->inst[find(k, K_UPDATE)].imm = K_DOT_BF16;
  refused(k, "no such update");
  k = softmax();
  k->inst[find(k, K_UPDATE)].imm = K_FMA;
  refused(k, "no such update");
  k = softmax();
  k->inst[find(k, K_ACC)].imm = 1;
  refused(k, "keeps axis 0");
  k = softmax();
  k->inst[find(k, K_CONST)].imm = UINT64_C(1) << 40;
  refused(k, "bits beyond");
  k = softmax();
  k->acc[0].guard = find(k, K_LOAD);
  refused(k, "does not come before");
  k = softmax();
  k->inst[find(k, K_LOAD)].imm = 99;
  refused(k, "no access");
  k = softmax();
  k->ix[0].a = 5;
  refused(k, "malformed");
}

/* The last chunk of a split axis stays in bounds through its limit. */
static void test_limit(void **unused) {
  (void)unused;
  for (int64_t size = 100; size >= 99; size--) {
    kernel *k = kernel_new("limit");
    int o = k_axis_add(k, 2, AXIS_PARALLEL, 1, 1), i = k_axis_add(k, 64, AXIS_VECTOR, 16, 1);
    int start = ix_mul(k, ix_axis(k, o), 64), ix = ix_add(k, start, ix_axis(k, i));
    k->axes[i].limit = ix_add(k, ix_const(k, 100), ix_mul(k, start, -1));
    assert_int_equal(ix_mod(k, ix, 100), ix);
    assert_int_equal(ix_div(k, ix, 100), ix_const(k, 0));
    int out = k_buf_add(k, BUF_OUT, TME_U8, 0, size), l0 = k_loop(k, o), l1 = k_loop(k, i);
    k_store(k, k_access_add(k, out, ix), k_const_i(k, TME_U8, 1));
    k_end(k, l1);
    k_end(k, l0);
    error e = {0};
    assert_int_equal(kernel_finish(k, &e), size == 100 ? TME_OK : TME_ERR_ARGUMENT);
    if (size == 100) {
      uint8_t bytes[100] = {0};
      void *buf[] = {bytes};
      assert_int_equal(kernel_interp(k, buf, NULL, NULL, 0, 2, &e), TME_OK);
      assert_int_equal(bytes[99], 1);
    }
    kernel_free(k);
  }
}

/* ---- failures ---------------------------------------------------------------------------------------------------- */

static void test_bad_operands(void **unused) {
  (void)unused;
  assert_int_equal(k_axis_add(NULL, 1, 0, 1, 1), -1);
  assert_int_equal(k_const_f(NULL, TME_F32, 1), -1);
  assert_int_equal(k_load(NULL, 0), -1);
  assert_int_equal(k_cast(NULL, TME_F32, 0), -1);
  assert_int_equal(ix_add(NULL, 0, 0), -1);
  k_store(NULL, 0, 0);
  k_end(NULL, 0);
  error e = {0};
  assert_int_equal(kernel_finish(NULL, &e), TME_ERR_MEMORY);
  kernel *k = kernel_new(NULL);
  int one = k_const_f(k, TME_F32, 1);
  assert_int_equal(k_bin(k, K_ADD, one, -1), -1);
  assert_true(k->failed);
  assert_int_equal(k_const_f(k, TME_F32, 1), -1);
  kernel_free(k);
  kernel_free(NULL);
}

static uint64_t bits_of(const kernel *k, int i) { return k->inst[i].imm; }

static void test_constants(void **unused) {
  (void)unused;
  kernel *k = kernel_new("constants");
  assert_int_equal(bits_of(k, k_const_f(k, TME_I8, 300)), 127);
  assert_int_equal(bits_of(k, k_const_f(k, TME_I8, -1)), 255);
  assert_int_equal(bits_of(k, k_const_f(k, TME_U16, -5)), 0);
  assert_int_equal(bits_of(k, k_const_f(k, TME_I64, NAN)), 0);
  assert_true(bits_of(k, k_const_f(k, TME_U64, 1e30)) == UINT64_MAX);
  assert_true(bits_of(k, k_const_f(k, TME_I64, -0x1p63)) == UINT64_C(1) << 63);
  assert_true(bits_of(k, k_const_i(k, TME_F32, 3)) == 0x40400000);
  assert_true(bits_of(k, k_const_f(k, TME_F32, -0.0)) == 0x80000000);
  assert_int_equal(bits_of(k, k_const_i(k, TME_BOOL, 7)), 1);
  kernel_free(k);
}

#ifdef TME_TEST_HOOKS
static void test_out_of_memory(void **unused) {
  (void)unused;
  long live = mem_live();
  for (long n = 1; n < 200; n++) {
    error e = {0};
    text t = {0};
    mem_fail_at(n, false);
    kernel *k = kernel_new("x");
    kernel_free(k);
    k = k ? random_kernel(7) : NULL;
    if (kernel_finish(k, &e) == TME_OK) kernel_print(k, &t);
    mem_fail_at(0, false);
    text_free(&t);
    kernel_free(k);
    assert_int_equal(mem_live(), live);
  }
}
#endif

/* out = in * 2, of 1000 elements, with strips of `unroll` vectors. */
static kernel *doubled(int unroll, int full) {
  kernel *k = kernel_new("doubled");
  int a = k_axis_add(k, 1000, AXIS_PARALLEL | AXIS_VECTOR, 8, unroll), ix = ix_axis(k, a);
  int in = k_buf_add(k, BUF_IN, TME_F32, 0, 1000), out = k_buf_add(k, BUF_OUT, TME_F32, 0, 1000), l = k_loop(k, a);
  int x = k_load(k, k_access_add(k, in, ix));
  k_store(k, k_access_add(k, out, ix), k_bin(k, K_ADD, x, x));
  k_end(k, l);
  k->full_unroll = full;
  assert_int_equal(kernel_finish(k, NULL), TME_OK);
  return k;
}

static bool same_bytes(const kernel *a, const kernel *b) {
  text x = {0}, y = {0};
  kernel_bytes(a, &x);
  kernel_bytes(b, &y);
  bool same = !x.failed && !y.failed && x.len == y.len && !memcmp(x.s, y.s, x.len);
  text_free(&x);
  text_free(&y);
  return same;
}

/* Code of other strips is other code, whatever it starts with. */
static void test_tiers(void **unused) {
  (void)unused;
  kernel *one = doubled(4, 0), *two = doubled(1, 2), *four = doubled(1, 4), *full = kernel_full(four);
  assert_non_null(full);
  assert_int_equal(kernel_strip(one), 32);
  assert_int_equal(kernel_strip(two), 16);
  assert_int_equal(kernel_strip(four), 32);
  assert_int_equal(kernel_strip(full), 32);
  assert_true(same_bytes(one, full));
  assert_false(same_bytes(two, four));
  assert_false(same_bytes(one, four));
  assert_int_equal(kernel_verify(full, NULL), TME_OK);
  kernel_free(one);
  kernel_free(two);
  kernel_free(four);
  kernel_free(full);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ix_random),     cmocka_unit_test(test_ix_identities),
      cmocka_unit_test(test_ix_unbounded),  cmocka_unit_test(test_finish_keeps_meaning),
      cmocka_unit_test(test_print),         cmocka_unit_test(test_deps),
      cmocka_unit_test(test_tasks),         cmocka_unit_test(test_verify),
      cmocka_unit_test(test_limit),         cmocka_unit_test(test_bad_operands),
      cmocka_unit_test(test_constants),     cmocka_unit_test(test_tiers),
#ifdef TME_TEST_HOOKS
      cmocka_unit_test(test_out_of_memory),
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
