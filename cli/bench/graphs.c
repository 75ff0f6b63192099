/* The cases as graphs. */
#include "bench/cases.h"
#include <math.h>
#include <string.h>

/* tanh(a b + c) sigmoid(a) - exp(-b b) + sqrt(|c| + 1): 13 operations. */
static tme_array *build_chain(tme_scope *s, tme_array *const *in) {
  tme_array *a = in[0], *b = in[1], *c = in[2];
  tme_array *left = tme_multiply(s, tme_tanh(s, tme_add(s, tme_multiply(s, a, b), c)), tme_sigmoid(s, a));
  tme_array *middle = tme_exp(s, tme_negative(s, tme_multiply(s, b, b)));
  tme_array *right = tme_sqrt(s, tme_add(s, tme_abs(s, c), tme_integer(s, 1)));
  return tme_add(s, tme_subtract(s, left, middle), right);
}

static tme_array *linear(tme_scope *s, tme_array *x, tme_array *w, tme_array *b) {
  return tme_add(s, tme_matmul(s, x, w), b);
}

static tme_array *build_mlp(tme_scope *s, tme_array *const *in) {
  tme_array *h = tme_relu(s, linear(s, in[0], in[1], in[2]));
  return linear(s, tme_relu(s, linear(s, h, in[3], in[4])), in[5], in[6]);
}

/* Element i along the first axis of (3, texts, heads, tokens, width). */
static tme_array *third(tme_scope *s, tme_array *x, int i) {
  int64_t start[5], stop[5], step[5];
  for (int d = 0; d < 5; d++) {
    start[d] = d == 0 ? i : TME_NONE;
    stop[d] = d == 0 ? i + 1 : TME_NONE;
    step[d] = 1;
  }
  return tme_squeeze(s, tme_slice(s, x, start, stop, step), (int[]){0}, 1);
}

/* One encoder block of a transformer, its norms before its layers, with 12 heads. */
static tme_array *build_block(tme_scope *s, tme_array *const *in) {
  enum { HEADS = 12 };
  const int64_t *n = tme_array_shape(in[0]), texts = n[0], tokens = n[1], d = n[2];
  tme_array *x = in[0], *h = linear(s, tme_layer_norm(s, x, in[1], in[2], 1e-5), in[3], in[4]);
  h = tme_reshape(s, h, (int64_t[]){texts, tokens, 3, HEADS, d / HEADS}, 5);
  h = tme_transpose(s, h, (int64_t[]){2, 0, 3, 1, 4}, 5);
  tme_array *a =
      tme_scaled_dot_product_attention(s, third(s, h, 0), third(s, h, 1), third(s, h, 2), NULL, (double)NAN, false);
  a = tme_reshape(s, tme_transpose(s, a, (int64_t[]){0, 2, 1, 3}, 4), (int64_t[]){texts, tokens, d}, 3);
  x = tme_add(s, x, linear(s, a, in[5], in[6]));
  h = tme_gelu(s, linear(s, tme_layer_norm(s, x, in[7], in[8], 1e-5), in[9], in[10]));
  return tme_add(s, x, linear(s, h, in[11], in[12]));
}

/* A transpose of an array in memory is a view of it; as one long row its elements must move. */
static tme_array *build_transpose(tme_scope *s, tme_array *const *in) {
  return tme_reshape(s, tme_transpose(s, in[0], (int64_t[]){1, 0}, 2), (int64_t[]){-1}, 1);
}

static tme_array *build(const char *op, tme_scope *s, tme_array *const *in) {
  if (!strcmp(op, "matmul")) return tme_matmul(s, in[0], in[1]);
  if (!strcmp(op, "gelu")) return tme_gelu(s, in[0]);
  if (!strcmp(op, "add")) return tme_add(s, in[0], in[1]);
  if (!strcmp(op, "softmax")) return tme_softmax(s, in[0], (int[]){-1}, 1);
  if (!strcmp(op, "layer_norm")) return tme_layer_norm(s, in[0], in[1], in[2], 1e-5);
  if (!strcmp(op, "sum axis 0")) return tme_sum(s, in[0], (int[]){0}, 1, false, TME_DTYPE_NONE);
  if (!strcmp(op, "sum axis 1")) return tme_sum(s, in[0], (int[]){1}, 1, false, TME_DTYPE_NONE);
  if (!strcmp(op, "transpose")) return build_transpose(s, in);
  if (!strcmp(op, "mlp")) return build_mlp(s, in);
  if (!strcmp(op, "encoder block")) return build_block(s, in);
  if (!strcmp(op, "minilm")) return model_build(s, in);
  if (strstr(op, "attention"))
    return tme_scaled_dot_product_attention(s, in[0], in[1], in[2], NULL, (double)NAN, !strncmp(op, "causal", 6));
  return build_chain(s, in);
}

bool bench_build(const bench_case *k, tme_scope *s, tme_array *const *in, tme_array **out) {
  if (!strcmp(k->op, "svd")) return tme_svd(s, in[0], false, out) == TME_OK;
  *out = build(k->op, s, in);
  return *out != NULL;
}
