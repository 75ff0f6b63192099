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

static const long double pi = 3.14159265358979323846264338327950288L;

/* By Stirling's series beyond 40. */
long double digamma_long(long double x) {
  static const long double b[] = {1 / 12.0L,  -1 / 120.0L,     1 / 252.0L, -1 / 240.0L,
                                  1 / 132.0L, -691 / 32760.0L, 1 / 12.0L};
  if (x == 0) return copysignl(INFINITY, -x);
  if (x < 0) {
    long double rest = x - rintl(x);
    return rest == 0 || isinf(x) ? (long double)NAN : digamma_long(1 - x) - pi / tanl(pi * rest);
  }
  long double less = 0, series = 0, power = 1;
  for (; x < 40; x += 1) less += 1 / x;
  for (int i = 0; i < 7; i++) series += b[i] * (power /= x * x);
  return logl(x) - 0.5L / x - series - less;
}

/* The integral of exp(x (cos t - 1)), or with x sin^2 t besides, over half a circle by the trapezoidal rule, which for such
 * functions converges as fast as powers do; where that takes too many points, the first terms of the asymptotic series. */
long double bessel_long(long double x, int order) {
  long double a = fabsl(x), sum = 0;
  if (isnan(x)) return x;
  if (isinf(x)) return order ? copysignl(0, x) : 0;
  if (a > 1e6L) {
    long double mu = 4 * order, u = 1 / (8 * a);
    sum = (1 - (mu - 1) * u * (1 - (mu - 9) * u / 2 * (1 - (mu - 25) * u / 3))) / sqrtl(2 * pi) / sqrtl(a);
    return order ? copysignl(sum, x) : sum;
  }
  int n = 64 + (int)(16 * sqrtl(a));
  for (int i = 0; i <= n; i++) {
    long double t = pi * i / n, half = sinl(t / 2), sine = sinl(t), weight = i && i < n ? 1 : 0.5L;
    sum += weight * expl(-2 * a * half * half) * (order ? sine * sine : 1);
  }
  return sum / n * (order ? x : 1);
}
