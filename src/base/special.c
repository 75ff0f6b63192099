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

/* ---- the cube root -------------------------------------------------------------------------------------------------- */

/* A step of Newton's, with what the third power loses. */
double cube_root(double x) {
  if (fabs(x) < 0x1p-900 && x != 0) return cube_root(x * 0x1p162) * 0x1p-54;
  double t = cbrt(x), square = t * t, lost = fma(t, t, -square);
  double rest = fma(square, t, -x) + lost * t;
  return x == 0 || !isfinite(x) ? t : t - rest / (3 * square);
}

/* ---- digamma --------------------------------------------------------------------------------------------------------- */

/* On [1, 2]: the distance from its root, whose digits go on in the second number, times a quotient of polynomials in x - 1 (own
 * fit, within 2^-65). */
static double digamma_near_root(double x) {
  static const double p[] = {1.250380137503405359,   1.869999017470915908,  0.9743332527517693338,
                             0.2176788486008652001,  0.0201790581829773581, 0.0005912001108073801748,
                             1.120271502161153755e-6};
  static const double q[] = {1,
                             2.179091219021609448,
                             1.666948886173950171,
                             0.5736277149244737302,
                             0.09182375018942183198,
                             0.006176415815100831178,
                             0.0001227160944723085697};
  double top = 0, bottom = 0;
  for (int i = 6; i >= 0; i--) {
    top = top * (x - 1) + p[i];
    bottom = bottom * (x - 1) + q[i];
  }
  return (x - 0x1.762d86356be3fp+0 - 0x1.b86a722197829p-54) * top / bottom;
}

/* By digamma(x + 1) = digamma(x) + 1 / x to [1, 2]; far out Stirling's series; below 0 the reflection. */
double digamma(double x) {
  if (x == 0) return copysign(INFINITY, -x);
  if (x < 0) {
    double rest = x - rint(x);
    return rest == 0 || isinf(x) ? (double)NAN : digamma(1 - x) - pi / tan(pi * rest);
  }
  if (x >= 10) {
    double s = 1 / (x * x);
    double series =
        s * (1.0 / 12 -
             s * (1.0 / 120 - s * (1.0 / 252 - s * (1.0 / 240 - s * (1.0 / 132 - s * (691.0 / 32760 - s / 12))))));
    return log(x) - 0.5 / x - series;
  }
  double sum = 0;
  for (; x < 1; x += 1) sum -= 1 / x;
  for (; x > 2; sum += 1 / x) x -= 1;
  return digamma_near_root(x) + sum;
}

/* ---- Bessel functions ------------------------------------------------------------------------------------------------- */

/* I_order(x) for 0 <= x <= 20 by the power series, whose terms are positive. */
static double bessel_near(double x, int order) {
  double term = 1, sum = 1, t = x * x / 4;
  for (int k = 1; term > sum * 0x1p-56; k++) sum += term *= t / (k * (k + order));
  return order ? sum * x / 2 : sum;
}

/* I_order(x) exp(-x) for x > 20 by the asymptotic series. */
static double bessel_far(double x, int order) {
  double term = 1, sum = 1, u = 1 / (8 * x);
  for (int k = 1; fabs(term) > 0x1p-56; k++) sum += term *= ((2 * k - 1) * (2 * k - 1) - 4 * order) * u / k;
  return sum / (sqrt(2 * pi) * sqrt(x));
}

/* exp(x) in two factors, so that it overflows no sooner than the product. */
static double bessel(double x, int order) {
  double half = exp(x / 2);
  return !(x > 20) ? bessel_near(x, order) : isinf(x) ? x : bessel_far(x, order) * half * half;
}

static double bessel_scaled(double x, int order) {
  return x > 20 ? bessel_far(x, order) : bessel_near(x, order) * exp(-x);
}

double bessel_i0(double x) { return bessel(fabs(x), 0); }
double bessel_i1(double x) { return copysign(bessel(fabs(x), 1), x); }
double bessel_i0e(double x) { return bessel_scaled(fabs(x), 0); }
double bessel_i1e(double x) { return copysign(bessel_scaled(fabs(x), 1), x); }

/* ---- powers of two ------------------------------------------------------------------------------------------------------- */

double scale_by_power(double x, double n) {
  if (n != n) return n;
  return ldexp(x, (int)fmax(-5000, fmin(n, 5000)));
}
