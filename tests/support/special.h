/* Oracles of special functions in long double. */
#ifndef TME_TEST_SPECIAL_H
#define TME_TEST_SPECIAL_H

long double erfinv_long(long double x);
long double digamma_long(long double x);
/* The modified Bessel function of order 0 or 1, times exp(-|x|). */
long double bessel_long(long double x, int order);

#endif
