#include "backend/reference/draws.h"
#include "backend/reference/iter.h"
#include <math.h>
#include <string.h>

random_key key_at(const ref_array *key) {
  random_key k;
  memcpy(&k.word[0], key->data, sizeof k.word[0]);
  memcpy(&k.word[1], key->data + key->strides[0] * (int64_t)sizeof k.word[0], sizeof k.word[1]);
  return k;
}

static bool is_within(double v, const draw_range *r) {
  return v >= r->least && v <= r->most && !(r->open && v == r->least) && !(r->whole && v != floor(v));
}

tme_status check_range(const char *op, const char *name, const ref_array *x, const draw_range *r, error *e) {
  const int64_t *strides[1] = {x->strides};
  ref_iter it;
  for (bool more = iter_start(&it, x->type.rank, x->type.shape, 1, strides); more; more = iter_next(&it))
    for (int64_t i = 0; i < it.inner; i++) {
      double v;
      memcpy(&v, x->data + (it.offset[0] + i * it.step[0]) * (int64_t)sizeof v, sizeof v);
      if (!is_within(v, r)) return fail(e, TME_ERR_ARGUMENT, "%s: %s is %g, expected %s", op, name, v, r->words);
    }
  return TME_OK;
}

tme_status check_probabilities(const char *op, const double *p, int64_t n, tme_dtype given, error *e) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) {
    if (!(p[i] >= 0))
      return fail(e, TME_ERR_ARGUMENT, "%s: the probability of %lld is %g, expected 0 or more", op, (long long)i, p[i]);
    sum += p[i];
  }
  if (fabs(sum - 1) <= ldexp(1, -dtype_get(given)->digits / 2)) return TME_OK;
  return fail(e, TME_ERR_ARGUMENT, "%s: the probabilities add up to %.9g, expected 1", op, sum);
}
