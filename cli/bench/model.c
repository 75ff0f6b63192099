/* MiniLM-L6, a model that makes vectors of texts: https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2. */
#include "bench/cases.h"
#include <math.h>
#include <stdio.h>

enum { LAYERS = 6, WIDTH = 384, INNER = 1536, HEADS = 12, WORDS = 30522, TOKENS = 512, NAME = 72 };

/* The arrays of a layer, in the order in which they are inputs: weight, then bias. */
enum { QUERY, KEY, VALUE, DENSE, DENSE_NORM, INTERMEDIATE, OUTPUT, OUTPUT_NORM, PARTS };

static const struct {
  const char *name;
  int64_t from, to; /* a norm: from 0 */
} parts[PARTS] = {{"attention.self.query", WIDTH, WIDTH},   {"attention.self.key", WIDTH, WIDTH},
                  {"attention.self.value", WIDTH, WIDTH},   {"attention.output.dense", WIDTH, WIDTH},
                  {"attention.output.LayerNorm", 0, WIDTH}, {"intermediate.dense", WIDTH, INNER},
                  {"output.dense", INNER, WIDTH},           {"output.LayerNorm", 0, WIDTH}};

static bench_input named(const char *name, int64_t rows, int64_t columns) {
  bench_input in = {.rank = rows ? 2 : 1, .shape = {rows ? rows : columns, rows ? columns : 0}, .name = name};
  return in;
}

int model_inputs(bench_input *in) {
  static char names[LAYERS][PARTS][2][NAME];
  int n = 0;
  in[n++] = named("embeddings.word_embeddings.weight", WORDS, WIDTH);
  in[n++] = named("embeddings.position_embeddings.weight", TOKENS, WIDTH);
  in[n++] = named("embeddings.token_type_embeddings.weight", 2, WIDTH);
  in[n++] = named("embeddings.LayerNorm.weight", 0, WIDTH);
  in[n++] = named("embeddings.LayerNorm.bias", 0, WIDTH);
  for (int layer = 0; layer < LAYERS; layer++)
    for (int p = 0; p < PARTS; p++) {
      char(*name)[NAME] = names[layer][p];
      snprintf(name[0], NAME, "encoder.layer.%d.%s.weight", layer, parts[p].name);
      snprintf(name[1], NAME, "encoder.layer.%d.%s.bias", layer, parts[p].name);
      in[n] = named(name[0], parts[p].from, parts[p].to);
      in[n++].transposed = parts[p].from > 0;
      in[n++] = named(name[1], 0, parts[p].to);
    }
  return n;
}

static tme_array *apply(tme_scope *s, tme_array *x, tme_array *const *layer, int part) {
  return tme_add(s, tme_matmul(s, x, layer[2 * part]), layer[2 * part + 1]);
}

static tme_array *norm(tme_scope *s, tme_array *x, tme_array *const *layer, int part) {
  return tme_layer_norm(s, x, layer[2 * part], layer[2 * part + 1], 1e-12);
}

static tme_array *heads(tme_scope *s, tme_array *x, int64_t texts, int64_t tokens) {
  x = tme_reshape(s, x, (int64_t[]){texts, tokens, HEADS, WIDTH / HEADS}, 4);
  return tme_transpose(s, x, (int64_t[]){0, 2, 1, 3}, 4);
}

static tme_array *build_layer(tme_scope *s, tme_array *x, tme_array *const *in, int64_t texts, int64_t tokens) {
  tme_array *q = heads(s, apply(s, x, in, QUERY), texts, tokens), *k = heads(s, apply(s, x, in, KEY), texts, tokens),
            *v = heads(s, apply(s, x, in, VALUE), texts, tokens);
  tme_array *a = tme_scaled_dot_product_attention(s, q, k, v, NULL, (double)NAN, false);
  a = tme_reshape(s, tme_transpose(s, a, (int64_t[]){0, 2, 1, 3}, 4), (int64_t[]){texts, tokens, WIDTH}, 3);
  x = norm(s, tme_add(s, x, apply(s, a, in, DENSE)), in, DENSE_NORM);
  tme_array *f = apply(s, tme_gelu_erf(s, apply(s, x, in, INTERMEDIATE)), in, OUTPUT);
  return norm(s, tme_add(s, x, f), in, OUTPUT_NORM);
}

/* The mean of the tokens' vectors where the mask is 1, of length 1. */
static tme_array *pool(tme_scope *s, tme_array *x, tme_array *mask) {
  static const int tokens = 1;
  tme_array *total =
      tme_sum(s, tme_multiply(s, x, tme_expand_dims(s, mask, (int[]){2}, 1)), &tokens, 1, false, TME_DTYPE_NONE);
  tme_array *mean = tme_divide(s, total, tme_sum(s, mask, &tokens, 1, true, TME_DTYPE_NONE));
  tme_array *length = tme_sqrt(s, tme_sum(s, tme_multiply(s, mean, mean), &tokens, 1, true, TME_DTYPE_NONE));
  return tme_divide(s, mean, length);
}

static tme_array *rows(tme_scope *s, tme_array *x, int64_t n) {
  return tme_slice(s, x, (int64_t[]){TME_NONE, TME_NONE}, (int64_t[]){n, TME_NONE}, (int64_t[]){1, 1});
}

/* in: tokens, mask, then model_inputs(). */
tme_array *model_build(tme_scope *s, tme_array *const *in) {
  const int64_t texts = tme_array_shape(in[0])[0], tokens = tme_array_shape(in[0])[1];
  tme_array *const *embedding = in + 2, *const *layer = embedding + 5;
  tme_array *x = tme_take(s, embedding[0], in[0], 0);
  x = tme_add(s, tme_add(s, x, rows(s, embedding[1], tokens)), rows(s, embedding[2], 1));
  x = tme_layer_norm(s, x, embedding[3], embedding[4], 1e-12);
  for (int i = 0; i < LAYERS; i++, layer += 2 * PARTS) x = build_layer(s, x, layer, texts, tokens);
  return pool(s, x, in[1]);
}
