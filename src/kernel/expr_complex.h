/* Complex arithmetic in a kernel, with the formulas of src/backend/reference/scalar_complex.inc. */
#ifndef TME_EXPR_COMPLEX_H
#define TME_EXPR_COMPLEX_H

#include "kernel/expr.h"

expr_value complex_mul(kernel *k, expr_value a, expr_value b);
/* Scaled by the larger part of b (Smith); does not overflow where the quotient does not. */
expr_value complex_div(kernel *k, expr_value a, expr_value b);
/* The modulus, a real value; infinite if either part is. */
int complex_abs(kernel *k, expr_value a);
/* a / |a|, 0 of 0; of infinite numbers that of their angle */
expr_value complex_sign(kernel *k, expr_value a);

/* Computed in f64 whatever the dtype. */
expr_value complex_sqrt(kernel *k, expr_value a);
expr_value complex_exp(kernel *k, expr_value a);
expr_value complex_log(kernel *k, expr_value a);
expr_value complex_expm1(kernel *k, expr_value a);
expr_value complex_log1p(kernel *k, expr_value a);
expr_value complex_log2(kernel *k, expr_value a);
expr_value complex_log10(kernel *k, expr_value a);
expr_value complex_sin(kernel *k, expr_value a);
expr_value complex_cos(kernel *k, expr_value a);
expr_value complex_sinh(kernel *k, expr_value a);
expr_value complex_cosh(kernel *k, expr_value a);

/* |x| with the sign bit of y, by bits; f32 or f64. */
int expr_copysign(kernel *k, int x, int y);
tme_dtype expr_type(const kernel *k, int v);

#endif
