#include "support/special.h"
#include "base/special.h"
#include <math.h>

/* Newton's iteration from the double nearby, on erfc in the tail: erf and erfc are the C library's. */
long double erfinv_long(long double x) {
  long double y = (long double)erfinv((double)x), a = fabsl(x);
  if (!isfinite(y) || x == 0) return y;
  y = fabsl(y);
  for (int i = 0; i < 2; i++)
    y += (a < 0.5L ? a - erfl(y) : erfcl(y) - (1 - a)) * 0.886226925452758013649L * expl(y * y);
  return copysignl(y, x);
}
