/* Special functions that the C library lacks, in double: within a few units of the last place, and NaN where they have no value. */
#ifndef TME_SPECIAL_H
#define TME_SPECIAL_H

double erfinv(double x);    /* the inverse of erf; infinite at -1 and 1 */
double cube_root(double x); /* within 0.51 ulp: some C libraries' cbrt is 3 or 4 off */
double digamma(double x);   /* the derivative of log(Gamma(x)); infinite at 0, by its sign */
double bessel_i0(double x); /* the modified Bessel functions of the first kind, of order 0 and 1 ... */
double bessel_i1(double x);
double bessel_i0e(double x); /* ... and times exp(-|x|) */
double bessel_i1e(double x);
double scale_by_power(double x, double n); /* x times 2 to the power of trunc(n), rounded once */

#endif
