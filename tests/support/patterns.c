#include "support/patterns.h"
#include "support/engines.h"
#include <stdio.h>

enum { STEPS = 16 };

tme_array *pattern_of(tme_scope *s, unsigned number, tme_array *x, tme_array *y) {
  for (int i = 0; i < STEPS; i++) x = number >> i & 1 ? tme_subtract(s, y, x) : tme_maximum(s, tme_add(s, x, y), x);
  return x;
}

float pattern_value(unsigned number, float x, float y) {
  for (int i = 0; i < STEPS; i++) {
    float sum = x + y;
    x = number >> i & 1 ? y - x : sum > x ? sum : x;
  }
  return x;
}

bool pattern_right(tme_engine *e, unsigned number, int n) {
  tme_scope *s = tme_scope_new(e);
  tme_array *x = test_vector(s, n, 1), *y = test_vector(s, n, -3);
  const float *got = tme_data(s, pattern_of(s, number, x, y));
  bool right = got;
  if (!got) fprintf(stderr, "pattern %u: %s\n", number, tme_error(s));
  for (int i = 0; right && i < n; i++) {
    float want = pattern_value(number, (float)i + 1, (float)i - 3);
    right = got[i] == want;
    if (!right) fprintf(stderr, "pattern %u: element %d is %g, not %g\n", number, i, (double)got[i], (double)want);
  }
  tme_scope_free(s);
  return right;
}
