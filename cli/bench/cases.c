#include "bench/cases.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* BASIC: in the table without --all. */
enum { BASIC = 1, QUICK = 2, HEADLINE = 4 };
enum { ANY = TME_DTYPE_NONE };

typedef void define(bench_case *k, bench_input *in, const int64_t *n);

/* An array of normally distributed numbers; the shape ends at the first 0. */
static bench_input normal(int64_t a, int64_t b, int64_t c, int64_t d) {
  bench_input in = {.shape = {a, b, c, d}, .scale = 1};
  while (in.rank < 4 && in.shape[in.rank] > 0) in.rank++;
  return in;
}

/* m x k by k x n, n[3] of them. */
static void matmul(bench_case *k, bench_input *in, const int64_t *n) {
  double products = n[3] ? (double)n[3] : 1;
  in[0] = n[3] ? normal(n[3], n[0], n[1], 0) : normal(n[0], n[1], 0, 0);
  in[1] = n[3] ? normal(n[3], n[1], n[2], 0) : normal(n[1], n[2], 0, 0);
  in[0].cut = true;
  in[1].cut = n[3] > 0;
  k->ninputs = 2;
  k->checked = n[0] > 512 ? 64 : 0;
  k->products = true;
  k->operations = 2 * products * (double)(n[0] * n[1] * n[2]);
  k->elements = products * (double)(n[0] * n[1] + n[1] * n[2] + n[0] * n[2]);
  bool square = n[0] == n[1] && n[1] == n[2];
  if (n[3])
    snprintf(k->shape, sizeof k->shape, "%lldx(%lldx%lldx%lld)", (long long)n[3], (long long)n[0], (long long)n[1],
             (long long)n[2]);
  else if (!square)
    snprintf(k->shape, sizeof k->shape, "%lldx%lldx%lld", (long long)n[0], (long long)n[1], (long long)n[2]);
}

/* `arrays` of one shape, with a result of that shape. */
static void elementwise(bench_case *k, bench_input *in, const int64_t *n, int arrays, int operations) {
  for (int i = 0; i < arrays; i++) {
    in[i] = normal(n[0], n[1], 0, 0);
    in[i].cut = n[0] > 2048;
  }
  k->ninputs = arrays;
  k->checked = n[0] > 2048 ? 256 : 0;
  k->elements = (arrays + 1) * (double)bench_size(&in[0]);
  k->operations = operations * (double)bench_size(&in[0]);
}

static void gelu(bench_case *k, bench_input *in, const int64_t *n) { elementwise(k, in, n, 1, 8); }
static void add(bench_case *k, bench_input *in, const int64_t *n) { elementwise(k, in, n, 2, 1); }
static void softmax(bench_case *k, bench_input *in, const int64_t *n) { elementwise(k, in, n, 1, 5); }
static void chain(bench_case *k, bench_input *in, const int64_t *n) { elementwise(k, in, n, 3, 13); }

static void layer_norm(bench_case *k, bench_input *in, const int64_t *n) {
  elementwise(k, in, n, 1, 8);
  in[1] = in[2] = normal(n[1], 0, 0, 0);
  k->ninputs = 3;
}

static void sum(bench_case *k, bench_input *in, const int64_t *n) {
  elementwise(k, in, n, 1, 1);
  in[0].cut = false;
  k->checked = 0;
  k->elements = (double)bench_size(&in[0]);
}

static void transposed(bench_case *k, bench_input *in, const int64_t *n) {
  elementwise(k, in, n, 1, 0);
  in[0].cut = false;
  k->checked = 0;
}

/* Its operations depend on the method, so the limits say nothing about it. */
static void svd(bench_case *k, bench_input *in, const int64_t *n) {
  in[0] = normal(n[0], n[1], 0, 0);
  k->ninputs = 1;
  k->noutputs = 3;
}

static void attention(bench_case *k, bench_input *in, const int64_t *n) {
  in[0] = in[1] = in[2] = normal(n[0], n[1], n[2], n[3]);
  k->ninputs = 3;
  k->products = true;
  k->operations = 4 * (double)n[2] * (double)bench_size(&in[0]);
  k->elements = 4 * (double)bench_size(&in[0]);
}

static void causal(bench_case *k, bench_input *in, const int64_t *n) {
  attention(k, in, n);
  k->operations *= 0.5;
}

static bench_input weight(int64_t rows, int64_t columns, double scale) {
  bench_input in = normal(rows, columns, 0, 0);
  in.scale = scale;
  return in;
}

static bench_input vector(int64_t n, double scale, double offset) {
  bench_input in = normal(n, 0, 0, 0);
  in.scale = scale;
  in.offset = offset;
  return in;
}

static double sum_of_sizes(const bench_case *k, const bench_input *in) {
  double all = 0;
  for (int i = 0; i < k->ninputs; i++) all += (double)bench_size(&in[i]);
  return all;
}

/* Rows through linear layers of these widths. */
static void mlp(bench_case *k, bench_input *in, const int64_t *n) {
  static const int64_t widths[] = {784, 512, 512, 10};
  in[0] = normal(n[0], widths[0], 0, 0);
  in[0].cut = true;
  k->products = true;
  k->ninputs = 1;
  for (int i = 0; i < 3; i++) {
    in[k->ninputs++] = weight(widths[i], widths[i + 1], sqrt(2.0 / (double)widths[i]));
    in[k->ninputs++] = vector(widths[i + 1], 0, 0);
    k->operations += 2 * (double)(n[0] * widths[i] * widths[i + 1]);
  }
  k->elements = sum_of_sizes(k, in) + (double)(n[0] * widths[3]);
}

/* Of one layer of a transformer of width d. */
static double transformer_operations(double batch, double tokens, double d, double inner) {
  return 2 * batch * tokens * (4 * d * d + 2 * d * inner) + 4 * batch * tokens * tokens * d;
}

static void block(bench_case *k, bench_input *in, const int64_t *n) {
  int64_t d = n[2], inner = 4 * d;
  double near = 1 / sqrt((double)d);
  const bench_input all[] = {normal(n[0], n[1], d, 0), vector(d, 0.1, 1),     vector(d, 0.1, 0),
                             weight(d, 3 * d, near),   vector(3 * d, 0.1, 0), weight(d, d, near),
                             vector(d, 0.1, 0),        vector(d, 0.1, 1),     vector(d, 0.1, 0),
                             weight(d, inner, near),   vector(inner, 0.1, 0), weight(inner, d, 1 / sqrt((double)inner)),
                             vector(d, 0.1, 0)};
  memcpy(in, all, sizeof all);
  in[0].cut = true;
  k->ninputs = sizeof all / sizeof *all;
  k->checked = 1;
  k->products = true;
  k->operations = transformer_operations((double)n[0], (double)n[1], (double)d, (double)inner);
  k->elements = sum_of_sizes(k, in) + (double)bench_size(&in[0]);
}

static void minilm(bench_case *k, bench_input *in, const int64_t *n) {
  in[0] = in[1] = normal(n[0], n[1], 0, 0);
  in[0].fill = FILL_TOKENS;
  in[1].fill = FILL_ONES;
  in[0].cut = in[1].cut = true;
  k->ninputs = 2 + model_inputs(in + 2);
  k->checked = 1;
  k->products = true;
  k->operations = 6 * transformer_operations((double)n[0], (double)n[1], 384, 1536);
  k->elements = sum_of_sizes(k, in) + (double)n[0] * 384;
}

static const struct {
  const char *op;
  define *define;
  int64_t n[4];
  int flags;
  int dtype;
  moment moment;
} list[] = {
    {"matmul", matmul, {16, 16, 16}, QUICK, ANY, EVERY_CALL},
    {"matmul", matmul, {64, 64, 64}, QUICK, ANY, EVERY_CALL},
    {"matmul", matmul, {128, 128, 128}, BASIC | QUICK, ANY, EVERY_CALL},
    {"matmul", matmul, {256, 256, 256}, BASIC | QUICK, ANY, EVERY_CALL},
    {"matmul", matmul, {512, 512, 512}, BASIC | QUICK, ANY, EVERY_CALL},
    {"matmul", matmul, {1024, 1024, 1024}, BASIC | HEADLINE, ANY, EVERY_CALL},
    {"matmul", matmul, {2048, 2048, 2048}, BASIC, ANY, EVERY_CALL},
    {"matmul", matmul, {100, 200, 300}, QUICK, ANY, EVERY_CALL},
    {"matmul", matmul, {37, 41, 43}, QUICK, ANY, EVERY_CALL},
    {"matmul", matmul, {64, 64, 64, 64}, QUICK, ANY, EVERY_CALL},
    {"matmul", matmul, {1, 1024, 1024}, QUICK, ANY, EVERY_CALL},
    {"matmul", matmul, {32, 1024, 4096}, 0, ANY, EVERY_CALL},
    {"matmul", matmul, {32, 4096, 1024}, 0, ANY, EVERY_CALL},
    {"matmul", matmul, {32, 4096, 1024}, 0, TME_F16, EVERY_CALL},
    {"matmul", matmul, {1024, 1024, 1024}, 0, TME_F16, EVERY_CALL},
    {"matmul", matmul, {1024, 1024, 1024}, 0, TME_BF16, EVERY_CALL},
    {"matmul", matmul, {1024, 1024, 1024}, 0, TME_F64, EVERY_CALL},
    {"svd", svd, {32, 32}, BASIC | QUICK, ANY, EVERY_CALL},
    {"svd", svd, {64, 64}, BASIC | QUICK, ANY, EVERY_CALL},
    {"svd", svd, {128, 128}, BASIC | QUICK, ANY, EVERY_CALL},
    {"svd", svd, {256, 256}, BASIC, ANY, EVERY_CALL},
    {"svd", svd, {512, 512}, BASIC | HEADLINE, ANY, EVERY_CALL},
    {"gelu", gelu, {1024, 1024}, BASIC | QUICK | HEADLINE, ANY, EVERY_CALL},
    {"gelu", gelu, {1024, 1024}, QUICK, TME_F16, EVERY_CALL},
    {"add", add, {1024, 1024}, BASIC | QUICK, ANY, EVERY_CALL},
    {"softmax", softmax, {1024, 1024}, BASIC | QUICK, ANY, EVERY_CALL},
    {"layer_norm", layer_norm, {1024, 1024}, BASIC | QUICK, ANY, EVERY_CALL},
    {"sum axis 0", sum, {4096, 4096}, 0, ANY, EVERY_CALL},
    {"sum axis 1", sum, {4096, 4096}, 0, ANY, EVERY_CALL},
    {"chain", chain, {1024, 1024}, BASIC | QUICK, ANY, EVERY_CALL},
    {"chain", chain, {4096, 4096}, 0, ANY, EVERY_CALL},
    {"transpose", transposed, {4096, 4096}, 0, ANY, EVERY_CALL},
    {"attention", attention, {1, 12, 512, 64}, BASIC, ANY, EVERY_CALL},
    {"causal attention", causal, {1, 12, 512, 64}, 0, ANY, EVERY_CALL},
    {"encoder block", block, {8, 128, 384}, 0, ANY, EVERY_CALL},
    {"mlp", mlp, {64}, QUICK, ANY, EVERY_CALL},
    {"minilm", minilm, {32, 128}, 0, TME_F32, EVERY_CALL},
    {"add", add, {16}, QUICK, ANY, EVERY_CALL},
    {"chain", chain, {64}, QUICK, ANY, EVERY_CALL},
    {"first chain, cold", chain, {1024, 1024}, QUICK, TME_F32, FIRST_CALL_COLD},
    {"first chain, warm", chain, {1024, 1024}, QUICK, TME_F32, FIRST_CALL_WARM},
};
enum { CASES = sizeof list / sizeof *list, ROOM = 16 };

bench_case *bench_cases(int *n) {
  static bench_case cases[CASES];
  static bench_input room[CASES * ROOM + BENCH_INPUTS];
  bench_input *in = room;
  for (int i = 0; i < CASES; i++) {
    bench_case *k = &cases[i];
    *k = (bench_case){.op = list[i].op,
                      .dtype = (tme_dtype)list[i].dtype,
                      .moment = list[i].moment,
                      .basic = list[i].flags & BASIC,
                      .quick = list[i].flags & QUICK,
                      .headline = list[i].flags & HEADLINE,
                      .noutputs = 1,
                      .in = in};
    list[i].define(k, in, list[i].n);
    for (int d = 0, len = (int)strlen(k->shape); d < in[0].rank && (d > 0 || len == 0); d++)
      len += snprintf(k->shape + len, sizeof k->shape - (size_t)len, "%s%lld", d ? "x" : "", (long long)in[0].shape[d]);
    in += k->ninputs;
  }
  *n = CASES;
  return cases;
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

/* So many that are drawn repeat, a prime number: neither side is to spend its time on them. */
static void fill_uniform(const bench_input *in, uint64_t *state, double *out) {
  enum { BLOCK = 65521 };
  bool pairs = tme_dtype_kind(in->dtype) == 'c', exact = in->dtype == TME_F64 || in->dtype == TME_C128;
  int64_t n = bench_size(in) * (pairs ? 2 : 1), block = BLOCK * (pairs ? 2 : 1);
  for (int64_t j = 0; j < n; j++) {
    if (j >= block) {
      out[j] = out[j - block];
    } else if (in->fill == FILL_WHOLE) {
      out[j] = floor(in->offset + (in->scale + 1) * uniform(state));
    } else {
      double v = in->offset + in->scale * uniform(state);
      out[j] = exact ? v : (double)(float)v; /* what is narrower is rounded once more, alike everywhere */
    }
  }
}

void bench_fill(const bench_case *k, int i, int set, double *out) {
  const bench_input *in = &k->in[i];
  uint64_t state = (uint64_t)(1 + i + 16 * set);
  int64_t n = bench_size(in);
  if (in->fill == FILL_UNIFORM || in->fill == FILL_WHOLE) {
    fill_uniform(in, &state, out);
    return;
  }
  if (in->fill != FILL_NORMAL) {
    for (int64_t j = 0; j < n; j++) out[j] = in->fill == FILL_ONES ? 1 : floor((double)BENCH_TOKENS * uniform(&state));
    return;
  }
  /* Box and Muller: two at a time */
  for (int64_t j = 0; j < n; j += 2) {
    double r = in->scale * sqrt(-2 * log(uniform(&state))), angle = 6.283185307179586 * uniform(&state);
    out[j] = r * cos(angle) + in->offset;
    if (j + 1 < n) out[j + 1] = r * sin(angle) + in->offset;
  }
}
