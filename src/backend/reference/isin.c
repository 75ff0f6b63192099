/* isin: the elements of both arrays in groups of equal ones. */
#include "backend/reference/distinct.h"

tme_status ref_isin(ref_call *c, error *e) {
  int64_t n = type_size(&c->in[0]->type);
  char *out = c->out[0].data;
  distinct d;
  tme_status s = distinct_make(&d, "isin", c->in[0], c->in[1], c->threads, e);
  if (s != TME_OK) return s;
  for (int64_t i = 0, end; i < d.n; i = end) {
    for (end = i + 1; end < d.n && !d.begins[end]; end++) {
    }
    bool both = d.place[end - 1] >= n; /* those of the second array come last */
    for (int64_t k = i; k < end && d.place[k] < n; k++) out[d.place[k]] = (char)(both != c->attrs->isin.invert);
  }
  distinct_free(&d);
  return TME_OK;
}
