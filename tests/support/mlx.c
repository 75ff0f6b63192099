#include "support/mlx.h"
#include <math.h>
#include <string.h>

enum { EDGES = 1, NONFINITE = 2 };

const mlx_deviation mlx_deviations[] = {
#define DEVIATION(operations, dtypes, ulps, factor, absolute, flags, reason)                                           \
  {operations, dtypes, ulps, factor, absolute, flags, reason},
#include "support/mlx_deviations.def"
#undef DEVIATION
};
const int mlx_deviation_count = COUNT(mlx_deviations);

static bool has_word(const char *list, const char *word) {
  size_t n = strlen(word);
  for (const char *p = strstr(list, word); p; p = strstr(p + 1, word))
    if ((p == list || p[-1] == ' ') && (p[n] == ' ' || !p[n])) return true;
  return false;
}

static bool all_finite(const double v[2]) { return isfinite(v[0]) && isfinite(v[1]); }

/* exp(88) and what is as near to 0: MLX's exp is infinite and 0 beyond. */
static bool beyond_edge(const double got[2], const double want[2]) {
  const double edge = 1.6e38;
  if (isinf(got[0])) return fabs(want[0]) >= edge;
  return got[0] == 0 && fabs(want[0]) <= 1 / edge;
}

static bool allowed(const mlx_deviation *d, const cell *c, tme_dtype t, const void *got, const void *want,
                    const double *absolute, double ulps) {
  char why[200];
  double g[2], w[2];
  element_value(t, got, g);
  element_value(t, want, w);
  if ((d->flags & NONFINITE) && (!all_finite(g) || !all_finite(w))) return true;
  if ((d->flags & EDGES) && beyond_edge(g, w)) return true;
  if (d->absolute > 0 && fabs(g[0] - w[0]) <= d->absolute) return true;
  double wider = absolute ? *absolute * d->factor : 0;
  return compare_output(c, t, 1, got, want, absolute ? &wider : NULL, d->ulps > ulps ? d->ulps : ulps, why);
}

bool mlx_compare(const cell *c, tme_dtype t, int64_t n, const void *got, const void *want, const double *absolute,
                 double ulps, char why[static 200]) {
  if (compare_output(c, t, n, got, want, absolute, ulps, why)) return true;
  size_t size = tme_dtype_size(t);
  for (int k = 0; k < mlx_deviation_count; k++) {
    const mlx_deviation *d = &mlx_deviations[k];
    if (!has_word(d->operations, op_name(c->op)) || !has_word(d->dtypes, tme_dtype_name(t))) continue;
    bool good = true;
    for (int64_t i = 0; i < n && good; i++)
      good = allowed(d, c, t, (const char *)got + (size_t)i * size, (const char *)want + (size_t)i * size,
                     absolute ? &absolute[i] : NULL, ulps);
    if (good) return true;
  }
  return false;
}
