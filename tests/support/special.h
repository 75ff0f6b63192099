/* Oracles of special functions in long double. */
#ifndef TME_TEST_SPECIAL_H
#define TME_TEST_SPECIAL_H

long double erfinv_long(long double x);

#endif
