/* What composite operations decompose to gives what their reference kernels give; the compiler's graph and its texts. */
#include "support/arrays.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static double tolerance_of(tme_dtype t) { return (dtype_is_narrow(t) ? 2 : 20) * tme_dtype_epsilon(t); }

/* Composes the operation both ways on the same leaves. */
static void compare(int op, const array *in, int nin, const op_attrs *attrs) {
  graph *g = graph_new(1);
  array leaves[8];
  int node[8], leaf_count = 0;
  assert_non_null(g);
  for (int i = 0; i < nin; i++) {
    node[i] = in[i].block ? graph_leaf(g, &in[i].a.type, in[i].a.strides, leaf_count) : -1;
    if (in[i].block) leaves[leaf_count++] = in[i];
  }
  int x = graph_op(g, op, node, nin, attrs);
  if (x < 0) fail_msg("%s: %s", op_name(op), g->err.text);
  op_attrs a;
  attrs_copy(op_get(op), &a, graph_attrs(g, x));
  g_node copy = *graph_get(g, x);
  op_type type = copy.type;
  int inputs[8], before = g->n;
  for (int i = 0; i < nin; i++) inputs[i] = graph_in(g, x, i);
  int y = graph_decomposer(op)(g, &(g_site){.node = &copy, .in = inputs, .attrs = &a});
  if (y < 0) fail_msg("%s: does not decompose (%d): %s", op_name(op), y, g->err.text);
  assert_true(g->node[y].type.dtype == type.dtype && type_same_shape(&g->node[y].type, &type));
  for (int i = before; i < g->n; i++) /* only what kernels are made of */
    assert_false(g->node[i].op == op && op != OP_concatenate);
  array want = array_graph(g, x, leaves), got = array_graph(g, y, leaves);
  for (int64_t i = 0; i < type_size(&type); i++) {
    double v[2], w[2];
    array_get(&got, i, v);
    array_get(&want, i, w);
    for (int part = 0; part < 2; part++) {
      if (v[part] == w[part] || (isnan(v[part]) && isnan(w[part]))) continue;
      if (!(fabs(v[part] - w[part]) <= tolerance_of(type.dtype) * (1 + fabs(w[part]))))
        fail_msg("%s of %s: element %d is %.17g, by the reference %.17g", op_name(op), tme_dtype_name(type.dtype),
                 (int)i, v[part], w[part]);
    }
  }
  array_free(&want);
  array_free(&got);
  graph_free(g);
}

static const tme_dtype reals[] = {TME_F16, TME_BF16, TME_F32, TME_F64, TME_I32};

static void reductions(void **state) {
  (void)state;
  static const int ops[] = {OP_mean, OP_var, OP_std, OP_logsumexp, OP_argmin, OP_argmax};
  uint64_t seed = 1;
  for (int t = 0; t < COUNT(reals); t++) {
    array x = array_new(reals[t], 3, (int64_t[]){3, 5, 4}), scalar = array_new(reals[t], 0, NULL);
    array_fill(&x, -4, 4, &seed);
    if (reals[t] != TME_I32) array_set_real(&x, 17, -INFINITY);
    for (int i = 0; i < COUNT(ops); i++)
      for (uint32_t axes = 1; axes < 8; axes++)
        for (int keep = 0; keep < 2; keep++) {
          bool arg = ops[i] == OP_argmin || ops[i] == OP_argmax;
          if (arg && axes != 7 && (axes & (axes - 1))) continue;
          op_attrs a = attrs_over(ops[i], axes, keep);
          if (ops[i] == OP_var || ops[i] == OP_std) a.statistics.correction = keep;
          compare(ops[i], &x, 1, &a);
        }
    op_attrs all = {0};
    for (int i = 0; i < COUNT(ops); i++) compare(ops[i], &scalar, 1, &all);
    if (reals[t] != TME_I32) {
      array_set_real(&x, 30, NAN);
      for (int i = 0; i < COUNT(ops); i++) compare(ops[i], &x, 1, &all);
    }
    array_free(&x);
    array_free(&scalar);
  }
  array none = array_new(TME_F32, 2, (int64_t[]){3, 0});
  for (uint32_t axes = 1; axes < 4; axes++) {
    op_attrs a = attrs_over(OP_mean, axes, true);
    compare(OP_mean, &none, 1, &a);
    compare(OP_var, &none, 1, &a);
    compare(OP_logsumexp, &none, 1, &a);
  }
  array_free(&none);
  array z = array_new(TME_C64, 2, (int64_t[]){3, 4});
  array_fill(&z, -1, 1, &seed);
  op_attrs a = attrs_over(OP_mean, 2, false);
  compare(OP_mean, &z, 1, &a);
  array_free(&z);
}

static void rows(void **state) {
  (void)state;
  uint64_t seed = 2;
  for (int t = 0; t < COUNT(reals); t++) {
    array in[3] = {array_new(reals[t], 3, (int64_t[]){3, 5, 4}), array_new(reals[t], 1, (int64_t[]){4}),
                   array_new(reals[t], 1, (int64_t[]){4})};
    for (int i = 0; i < 3; i++) array_fill(&in[i], -4, 4, &seed);
    for (int axis = 0; axis < 3; axis++) {
      op_attrs a = {.softmax = {axes_from_mask(1u << axis)}};
      compare(OP_softmax, in, 1, &a);
      compare(OP_log_softmax, in, 1, &a);
    }
    op_attrs eps = {.norm = {1e-5}};
    array some[3] = {in[0], {.block = NULL}, in[2]};
    compare(OP_layer_norm, in, 3, &eps);
    compare(OP_layer_norm, some, 3, &eps);
    compare(OP_rms_norm, in, 2, &eps);
    compare(OP_rms_norm, some, 2, &eps);
    for (int i = 0; i < 3; i++) array_free(&in[i]);
  }
  array none = array_new(TME_F32, 2, (int64_t[]){3, 0});
  op_attrs last = {.softmax = {axes_from_mask(2)}}, first = {.softmax = {axes_from_mask(1)}};
  compare(OP_softmax, &none, 1, &last);
  compare(OP_softmax, &none, 1, &first);
  array_free(&none);
}

static void attention(void **state) {
  (void)state;
  uint64_t seed = 3;
  for (int t = 0; t < 4; t++)
    for (int64_t heads = 1; heads <= 4; heads *= 2)
      for (int mask = 0; mask < 3; mask++) {
        array in[4] = {array_new(reals[t], 4, (int64_t[]){2, 4, 3, 6}),
                       array_new(reals[t], 4, (int64_t[]){2, heads, 7, 6}),
                       array_new(reals[t], 4, (int64_t[]){1, heads, 7, 5}),
                       {.block = NULL}};
        if (mask) in[3] = array_new(mask == 1 ? TME_BOOL : reals[t], 2, (int64_t[]){3, 7});
        for (int i = 0; i < 4; i++)
          if (in[i].block) array_fill(&in[i], -1, 1, &seed);
        for (int causal = 0; causal < 2; causal++) {
          op_attrs a = {.weights = {NAN, causal}};
          compare(OP_attention_weights, (array[]){in[0], in[1], in[3]}, 3, &a);
        }
        for (int i = 0; i < 4; i++) array_free(&in[i]);
      }
  array in[4] = {array_new(TME_F32, 2, (int64_t[]){3, 6}),
                 array_new(TME_F32, 2, (int64_t[]){0, 6}),
                 array_new(TME_F32, 2, (int64_t[]){0, 5}),
                 {.block = NULL}};
  op_attrs a = {.attention = {.scale = NAN}}, w = {.weights = {.scale = NAN}};
  compare(OP_scaled_dot_product_attention, in, 4, &a);
  compare(OP_attention_weights, (array[]){in[0], in[1], in[3]}, 3, &w);
  for (int i = 0; i < 3; i++) array_free(&in[i]);
}

static void shapes(void **state) {
  (void)state;
  uint64_t seed = 4;
  array x = array_new(TME_F32, 3, (int64_t[]){3, 1, 4}), in[10];
  array_fill(&x, 0, 9, &seed);
  for (int i = 0; i < 4; i++) {
    op_attrs axis = {.dims = {.axes = axes_from_mask(1u << i)}}, along = {.stack = {i}};
    compare(OP_expand_dims, &x, 1, &axis);
    for (int k = 0; k < 3; k++) in[k] = x;
    compare(OP_stack, in, 3, &along);
  }
  op_attrs none = {0};
  compare(OP_squeeze, &x, 1, &none);
  for (uint32_t axes = 0; axes < 8; axes++) {
    op_attrs a = {.dims = {.axes = axes_from_mask(axes)}};
    compare(OP_flip, &x, 1, &a);
  }
  array_free(&x);
}

static void creation(void **state) {
  (void)state;
  static const tme_dtype types[] = {TME_I8, TME_U64, TME_F16, TME_BF16, TME_F32, TME_F64};
  for (int t = 0; t < COUNT(types); t++) {
    op_attrs shape = {.create = {.shape = {2, {3, 2}}, .dtype = types[t]}};
    shape.create.value = number_of_double(dtype_is_int(types[t]) ? 3 : 3.5);
    compare(OP_zeros, NULL, 0, &shape);
    compare(OP_ones, NULL, 0, &shape);
    compare(OP_full, NULL, 0, &shape);
    op_attrs eye = {.create = {.rows = 4, .columns = 6, .k = 1, .dtype = types[t]}};
    compare(OP_eye, NULL, 0, &eye);
    eye.create.k = -5;
    compare(OP_eye, NULL, 0, &eye);
    op_attrs range = {.create = {.start = number_of_int(1), .stop = number_of_int(30), .step = number_of_int(3)}};
    range.create.dtype = types[t];
    compare(OP_arange, NULL, 0, &range);
    if (!dtype_is_float(types[t])) continue;
    range.create.step = number_of_double(0.7);
    compare(OP_arange, NULL, 0, &range);
    for (int n = 0; n < 4; n++)
      for (int endpoint = 0; endpoint < 2; endpoint++) {
        op_attrs line = {.create = {.start = number_of_int(-1), .stop = number_of_double(0.3), .num = n}};
        line.create.endpoint = endpoint;
        line.create.dtype = types[t];
        compare(OP_linspace, NULL, 0, &line);
      }
  }
}

/* ---- the graph ------------------------------------------------------------------------------------------------------- */

static void texts(void **state) {
  (void)state;
  graph *g = graph_new(1);
  op_type t = {.dtype = TME_F16, .rank = 2, .shape = {3, 4}};
  int x = graph_leaf(g, &t, (int64_t[]){4, 1}, 0);
  int y = graph_bin(g, OP_add, x, graph_number(g, TME_F32, 0.5));
  int s = graph_reduce(g, OP_sum, y, 2, true);
  g->root[0] = graph_bin(g, OP_divide, s, graph_literal_arg(g, TME_F32, 0));
  assert_true(g->root[0] >= 0 && g->nleaves == 1 && g->nargs == 1);
  text out = {.s = NULL};
  graph_print(g, &out);
  assert_string_equal(out.s, "%0 = leaf float16 (3, 4) 0 strides (4, 1)\n"
                             "%1 = literal float32 () 0.5\n"
                             "%2 = astype float32 (3, 4) dtype=float32 %0\n"
                             "%3 = add float32 (3, 4) %2 %1\n"
                             "%4 = sum float32 (3, 1) axis=(1) keepdims=true dtype=none %3\n"
                             "%5 = literal float32 () argument 0\n"
                             "%6 = divide float32 (3, 1) %4 %5\n"
                             "roots %6\n");
  text_free(&out);
  graph_dot(g, &out);
  assert_non_null(strstr(out.s, "n3 -> n4;"));
  text_free(&out);
  graph_free(g);
}

static void bad_calls(void **state) {
  (void)state;
  graph *g = graph_new(1);
  op_type t = {.dtype = TME_F32, .rank = 1, .shape = {3}}, u = t;
  u.shape[0] = 4;
  int64_t stride = 1;
  int x = graph_leaf(g, &t, &stride, 0), y = graph_leaf(g, &u, &stride, 1);
  assert_int_equal(graph_un(g, OP_exp, -1), -1);
  assert_int_equal(g->err.code, TME_OK);
  assert_int_equal(graph_bin(g, OP_add, x, y), -1);
  assert_int_equal(g->err.code, TME_ERR_SHAPE);
  assert_int_equal(graph_un(g, OP_exp, x), -1); /* nothing is built after a failure */
  graph_free(g);
}

static void without_memory(void **state) {
  (void)state;
  op_type t = {.dtype = TME_F16, .rank = 2, .shape = {3, 4}};
  long live = mem_live();
  for (long k = 1, failed = 1; failed; k++) {
    mem_fail_at(k, false);
    graph *g = graph_new(1);
    int y = -1;
    if (g) {
      int x = graph_leaf(g, &t, (int64_t[]){4, 1}, 0), in[10];
      op_attrs a = {.stack = {1}}, along = {.softmax = {axes_from_mask(2)}};
      g_node n = {.op = OP_stack, .nin = 10, .type = {.dtype = TME_F16, .rank = 3, .shape = {3, 10, 4}}};
      for (int i = 0; i < 10; i++) in[i] = x;
      y = decompose_stack(g, &(g_site){.node = &n, .in = in, .attrs = &a});
      n.op = OP_softmax;
      n.nin = 1;
      if (y >= 0) y = decompose_softmax(g, &(g_site){.node = &n, .in = (int[]){y}, .attrs = &along});
      failed = g->failed;
      assert_true((y < 0) == (failed != 0));
    }
    mem_fail_at(0, false);
    graph_free(g);
    assert_int_equal(mem_live(), live);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reductions), cmocka_unit_test(rows),           cmocka_unit_test(attention),
      cmocka_unit_test(shapes),     cmocka_unit_test(creation),       cmocka_unit_test(texts),
      cmocka_unit_test(bad_calls),  cmocka_unit_test(without_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
