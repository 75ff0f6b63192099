#include "bench.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef enum form { FORM_MATMUL, FORM_ONE, FORM_TWO, FORM_THREE, FORM_NORM, FORM_ATTENTION } form;

static const struct {
  const char *op;
  form form;
  int64_t n;
  bool quick, headline;
} list[] = {
    {"matmul", FORM_MATMUL, 128, true, false},   {"matmul", FORM_MATMUL, 256, true, false},
    {"matmul", FORM_MATMUL, 512, true, false},   {"matmul", FORM_MATMUL, 1024, false, true},
    {"matmul", FORM_MATMUL, 2048, false, false}, {"svd", FORM_ONE, 32, true, false},
    {"svd", FORM_ONE, 64, true, false},          {"svd", FORM_ONE, 128, true, false},
    {"svd", FORM_ONE, 256, false, false},        {"svd", FORM_ONE, 512, false, true},
    {"gelu", FORM_ONE, 1024, true, true},        {"add", FORM_TWO, 1024, true, false},
    {"softmax", FORM_ONE, 1024, true, false},    {"layer_norm", FORM_NORM, 1024, true, false},
    {"chain", FORM_THREE, 1024, true, false},    {"attention", FORM_ATTENTION, 512, false, false},
};
enum { CASES = sizeof list / sizeof *list };

static void set_inputs(bench_case *k, form f) {
  bench_input square = {2, {k->n, k->n}}, row = {1, {k->n}}, heads = {4, {1, 12, k->n, 64}};
  k->ninputs = f == FORM_ONE ? 1 : f == FORM_MATMUL || f == FORM_TWO ? 2 : 3;
  for (int i = 0; i < k->ninputs; i++) k->in[i] = f == FORM_ATTENTION ? heads : f == FORM_NORM && i > 0 ? row : square;
}

const bench_case *bench_cases(int *n) {
  static bench_case cases[CASES];
  for (int i = 0; i < CASES; i++) {
    bench_case *k = &cases[i];
    *k = (bench_case){.op = list[i].op,
                      .n = list[i].n,
                      .quick = list[i].quick,
                      .headline = list[i].headline,
                      .noutputs = !strcmp(list[i].op, "svd") ? 3 : 1,
                      .checked_rows = list[i].form == FORM_MATMUL && list[i].n > 512 ? 64 : 0};
    set_inputs(k, list[i].form);
    int len = 0;
    for (int d = 0; d < k->in[0].rank; d++)
      len +=
          snprintf(k->shape + len, sizeof k->shape - (size_t)len, "%s%lld", d ? "x" : "", (long long)k->in[0].shape[d]);
  }
  *n = CASES;
  return cases;
}

/* tanh(a b + c) sigmoid(a) - exp(-b b) + sqrt(|c| + 1): 13 operations. */
static tme_array *build_chain(tme_scope *s, tme_array *a, tme_array *b, tme_array *c) {
  tme_array *left = tme_multiply(s, tme_tanh(s, tme_add(s, tme_multiply(s, a, b), c)), tme_sigmoid(s, a));
  tme_array *middle = tme_exp(s, tme_negative(s, tme_multiply(s, b, b)));
  tme_array *right = tme_sqrt(s, tme_add(s, tme_abs(s, c), tme_integer(s, 1)));
  return tme_add(s, tme_subtract(s, left, middle), right);
}

bool bench_build(const bench_case *k, tme_scope *s, tme_array *const *in, tme_array **out) {
  if (!strcmp(k->op, "svd")) return tme_svd(s, in[0], false, out) == TME_OK;
  if (!strcmp(k->op, "matmul"))
    *out = tme_matmul(s, in[0], in[1]);
  else if (!strcmp(k->op, "gelu"))
    *out = tme_gelu(s, in[0]);
  else if (!strcmp(k->op, "add"))
    *out = tme_add(s, in[0], in[1]);
  else if (!strcmp(k->op, "softmax"))
    *out = tme_softmax(s, in[0], -1);
  else if (!strcmp(k->op, "layer_norm"))
    *out = tme_layer_norm(s, in[0], in[1], in[2], 1e-5);
  else if (!strcmp(k->op, "chain"))
    *out = build_chain(s, in[0], in[1], in[2]);
  else
    *out = tme_scaled_dot_product_attention(s, in[0], in[1], in[2], NULL, (double)NAN, false);
  return *out != NULL;
}

int64_t bench_size(const bench_input *in) {
  int64_t n = 1;
  for (int i = 0; i < in->rank; i++) n *= in->shape[i];
  return n;
}

/* splitmix64, as a number in (0, 1) */
static double uniform(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return ((double)((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
}

void bench_fill(const bench_case *k, int i, int set, double *out) {
  uint64_t state = (uint64_t)(1 + i + 16 * set);
  int64_t n = bench_size(&k->in[i]);
  /* Box and Muller: two at a time */
  for (int64_t j = 0; j < n; j += 2) {
    double r = sqrt(-2 * log(uniform(&state))), angle = 6.283185307179586 * uniform(&state);
    out[j] = r * cos(angle);
    if (j + 1 < n) out[j + 1] = r * sin(angle);
  }
}
