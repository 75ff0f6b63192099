#include "base/special.h"
#include <math.h>

static const double pi = 0x1.921fb54442d18p+1, sqrt_pi_2 = 0x1.c5bf891b4ef6bp-1; /* sqrt(pi) / 2 */

/* ---- the inverse error function ------------------------------------------------------------------------------------ */

/* Winitzki's elementary approximation, within 0.4 %, then Halley's iteration, which triples the digits. Beyond 0.5 it works on
 * erfc, which keeps its digits in the tail; 1 - |x| is exact there. */
double erfinv(double x) {
  static const double a = 0.147;
  double size = fabs(x);
  if (!(size < 1)) return size == 1 ? copysign(INFINITY, x) : NAN;
  double l = log((1 - size) * (1 + size)) / 2, t = 2 / (pi * a) + l;
  double y = size < 0x1p-10 ? size * sqrt_pi_2 : sqrt(sqrt(t * t - 2 * l / a) - t);
  for (int i = 0; i < 3; i++) {
    double off = size < 0.5 ? erf(y) - size : (1 - size) - erfc(y);
    double step = off * sqrt_pi_2 * exp(y * y);
    y -= step / (1 + y * step);
  }
  return copysign(y, x);
}
