#include "backend/reference/rejection.h"
#include <math.h>
#include <stdbool.h>

static const double pi = 3.14159265358979323846;

static double draw_normal(stream *s) {
  double r = sqrt(-2 * log(stream_unit(s)));
  return r * cos(2 * pi * stream_unit(s));
}

/* Marsaglia & Tsang, 2000. */
double draw_log_gamma(stream *s, double a) {
  double boost = a < 1 ? log(stream_unit(s)) / a : 0, d = (a < 1 ? a + 1 : a) - 1.0 / 3, c = 1 / sqrt(9 * d);
  for (;;) {
    double x = draw_normal(s), v = 1 + c * x;
    if (v <= 0) continue;
    v = v * v * v;
    if (log(stream_unit(s)) < 0.5 * x * x + d * (1 - v + log(v))) return boost + log(d * v);
  }
}

/* log(k!): Stirling's series, from 10 on to the last digits. */
static double log_factorial(double k) {
  double shift = 0;
  for (; k < 10; k++) shift += log(k + 1);
  double x = k + 1, y = 1 / (x * x);
  double series = (1.0 / 12 - y * (1.0 / 360 - y * (1.0 / 1260 - y * (1.0 / 1680 - y / 1188)))) / x;
  return (x - 0.5) * log(x) - x + 0.5 * log(2 * pi) + series - shift;
}

/* As many factors as the product stays above exp(-mean). */
static double poisson_product(stream *s, double mean) {
  double least = exp(-mean), product = 1, k = -1;
  for (; product > least; k++) product *= stream_unit(s);
  return k;
}

/* Transformed rejection with squeeze (PTRS: Hormann, 1993). */
static double poisson_rejection(stream *s, double mean) {
  double root = sqrt(mean), b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b;
  double inverse = 1.1239 + 1.1328 / (b - 3.4), squeeze = 0.9277 - 3.6224 / (b - 2), log_mean = log(mean);
  for (;;) {
    double u = stream_unit(s) - 0.5, v = stream_unit(s), us = 0.5 - fabs(u);
    double k = floor((2 * a / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= squeeze) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    if (log(v * inverse / (a / (us * us) + b)) <= k * log_mean - mean - log_factorial(k)) return k;
  }
}

double draw_poisson(stream *s, double mean) {
  return mean < 10 ? poisson_product(s, mean) : poisson_rejection(s, mean);
}

/* Trials up to each success, in turn, as long as there are any left (p <= 0.5, and few are expected). */
static double binomial_waiting(stream *s, double n, double p) {
  double rest = log1p(-p), tried = 0, k = 0;
  for (;; k++) {
    tried += floor(log(stream_unit(s)) / rest) + 1;
    if (!(tried <= n)) return k;
  }
}

/* Transformed rejection (BTRS: Hormann, 1993). */
static double binomial_rejection(stream *s, double n, double p) {
  double root = sqrt(n * p * (1 - p)), b = 1.15 + 2.53 * root, a = -0.0873 + 0.0248 * b + 0.01 * p;
  double c = n * p + 0.5, sure = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * root, odds = log(p / (1 - p));
  double mode = floor((n + 1) * p), at_mode = log_factorial(mode) + log_factorial(n - mode);
  for (;;) {
    double u = stream_unit(s) - 0.5, v = stream_unit(s), us = 0.5 - fabs(u), k = floor((2 * a / us + b) * u + c);
    if (us >= 0.07 && v <= sure) return k;
    if (k < 0 || k > n) continue;
    v = log(v * alpha / (a / (us * us) + b));
    if (v <= at_mode - log_factorial(k) - log_factorial(n - k) + (k - mode) * odds) return k;
  }
}

double draw_binomial(stream *s, double n, double p) {
  bool mirrored = p > 0.5;
  double q = mirrored ? 1 - p : p;
  if (n <= 0 || q <= 0) return mirrored ? n : 0;
  double k = n * q < 10 ? binomial_waiting(s, n, q) : binomial_rejection(s, n, q);
  return mirrored ? n - k : k;
}
