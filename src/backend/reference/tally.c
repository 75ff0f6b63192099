#include "backend/reference/tally.h"
#include "backend/reference/combine.h"
#include "backend/reference/iter.h"
#include "base/convert.h"
#include <string.h>

enum { PIECE = 1 << 14, MOST_BYTES = 1 << 22 /* of the counts of all threads, where each has its own */ };

const char *flat_elements(const ref_array *x, void **copy, const char *op, error *e) {
  int64_t strides[TME_MAX_RANK];
  type_strides(&x->type, strides);
  bool flat = true;
  for (int d = 0; d < x->type.rank; d++) flat = flat && (x->type.shape[d] == 1 || x->strides[d] == strides[d]);
  *copy = NULL;
  if (!type_size(&x->type)) return ""; /* there may be no memory */
  if (flat) return x->data;
  size_t size = tme_dtype_size(x->type.dtype), bytes;
  bool fits = mul_size((size_t)type_size(&x->type), size, &bytes);
  *copy = fits ? mem_alloc(bytes) : NULL;
  if (*copy)
    copy_strided(x->type.rank, x->type.shape, size, x->data, x->strides, *copy, strides);
  else
    fail_memory(e, op, fits ? bytes : SIZE_MAX);
  return *copy;
}

typedef struct job {
  int64_t n, bins, *counts; /* of each thread its own, the first one of elements that have no bin */
  tally_fn *find;
  const void *user;
} job;

static void count(void *user, int thread, int64_t t0, int64_t t1) {
  const job *j = user;
  int64_t bin[TALLY_BLOCK], end = t1 * PIECE < j->n ? t1 * PIECE : j->n,
                            *counts = j->counts + thread * (j->bins + 1) + 1;
  for (int64_t i = t0 * PIECE; i < end; i += TALLY_BLOCK) {
    int64_t n = end - i < TALLY_BLOCK ? end - i : TALLY_BLOCK;
    j->find(j->user, i, n, bin);
    for (int64_t k = 0; k < n; k++) counts[bin[k]]++;
  }
}

static tme_status count_all(threads *t, const char *op, job *j, int64_t *sums, error *e) {
  size_t one, bytes;
  bool fits = add_size((size_t)j->bins, 1, &one) && mul_size(one, sizeof *sums, &one);
  int64_t tasks = ceil_div(j->n, PIECE);
  int shares = t && tasks > 1 && fits && one * (size_t)threads_count(t) <= MOST_BYTES ? threads_count(t) : 1;
  fits = fits && mul_size(one, (size_t)shares, &bytes);
  j->counts = fits ? mem_alloc(bytes) : NULL;
  if (!j->counts) return fail_memory(e, op, fits ? bytes : SIZE_MAX);
  memset(j->counts, 0, bytes);
  threads_for(shares > 1 ? t : NULL, tasks, 1, count, j);
  for (int64_t b = 0; b < j->bins; b++) {
    sums[b] = 0;
    for (int s = 0; s < shares; s++) sums[b] += j->counts[s * (j->bins + 1) + 1 + b];
  }
  mem_free(j->counts);
  return TME_OK;
}

static tme_status add_weights(const char *op, const job *j, const ref_array *weights, void *sums, error *e) {
  void *copy;
  tme_dtype t = weights->type.dtype, wide = combine_dtype(t);
  const char *from = flat_elements(weights, &copy, op, e);
  if (!from) return e->code;
  memset(sums, 0, (size_t)j->bins * tme_dtype_size(wide));
  for (int64_t i = 0; i < j->n; i += TALLY_BLOCK) {
    int64_t bin[TALLY_BLOCK], n = j->n - i < TALLY_BLOCK ? j->n - i : TALLY_BLOCK;
    uint64_t v[2 * TALLY_BLOCK]; /* elements of dtype wide, those without a bin left out */
    j->find(j->user, i, n, bin);
    int64_t kept = 0;
    size_t size = tme_dtype_size(wide);
    convert_run(t, from + (size_t)i * tme_dtype_size(t), 1, wide, v, 1, n);
    for (int64_t k = 0; k < n; k++) {
      if (bin[k] < 0) continue;
      memmove((char *)v + (size_t)kept * size, (char *)v + (size_t)k * size, size);
      bin[kept++] = bin[k];
    }
    combine(SCATTER_MODE_ADD, t, sums, bin, v, kept);
  }
  mem_free(copy);
  return TME_OK;
}

tme_status tally(threads *t, const char *op, int64_t n, int64_t bins, tally_fn *find, const void *user,
                 const ref_array *weights, void *sums, error *e) {
  job j = {.n = n, .bins = bins, .find = find, .user = user};
  return weights ? add_weights(op, &j, weights, sums, e) : count_all(t, op, &j, sums, e);
}
