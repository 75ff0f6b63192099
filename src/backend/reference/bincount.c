/* bincount: numbers are their bins. */
#include "backend/reference/combine.h"
#include "backend/reference/tally.h"
#include "base/convert.h"

typedef struct numbers {
  tme_dtype dtype;
  const char *data;
  int64_t bins;
} numbers;

static void load(const numbers *x, int64_t from, int64_t n, int64_t *to) {
  convert_run(x->dtype, x->data + (size_t)from * tme_dtype_size(x->dtype), 1, TME_I64, to, 1, n);
}

static void find(const void *user, int64_t from, int64_t n, int64_t *bin) {
  const numbers *x = user;
  load(x, from, n, bin);
  for (int64_t i = 0; i < n; i++) bin[i] = bin[i] >= 0 && bin[i] < x->bins ? bin[i] : -1;
}

static tme_status check(const numbers *x, int64_t n, error *e) {
  int64_t v[TALLY_BLOCK];
  if (!dtype_is_signed(x->dtype) || x->dtype == TME_BOOL) return TME_OK;
  for (int64_t i = 0; i < n; i += TALLY_BLOCK) {
    int64_t m = n - i < TALLY_BLOCK ? n - i : TALLY_BLOCK;
    load(x, i, m, v);
    for (int64_t k = 0; k < m; k++)
      if (v[k] < 0)
        return fail(e, TME_ERR_ARGUMENT, "bincount: x[%lld] is %lld, expected 0 or more", (long long)(i + k),
                    (long long)v[k]);
  }
  return TME_OK;
}

tme_status ref_bincount(ref_call *c, error *e) {
  const ref_array *x = c->in[0], *weights = c->in[1], *out = &c->out[0];
  int64_t n = x->type.shape[0], bins = out->type.shape[0];
  tme_dtype wide = combine_dtype(out->type.dtype);
  void *copy;
  numbers v = {.dtype = x->type.dtype, .data = flat_elements(x, &copy, "bincount", e), .bins = bins};
  if (!v.data) return e->code;
  size_t bytes;
  bool fits = mul_size((size_t)bins, tme_dtype_size(wide), &bytes);
  void *sums = fits ? mem_alloc(bytes) : NULL;
  tme_status s = sums ? check(&v, n, e) : fail_memory(e, "bincount", fits ? bytes : SIZE_MAX);
  if (s == TME_OK) s = tally(c->threads, "bincount", n, bins, find, &v, weights, sums, e);
  if (s == TME_OK) convert_run(wide, sums, 1, out->type.dtype, out->data, 1, bins);
  mem_free(sums);
  mem_free(copy);
  return s;
}
