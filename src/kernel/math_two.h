/* Numbers of f64 as unevaluated sums hi + lo, lo below an ulp or two of hi (Dekker, "A floating-point technique for extending
 * the available precision", 1971). */
#ifndef TME_MATH_TWO_H
#define TME_MATH_TWO_H

#include "kernel/math_build.h"

typedef struct two {
  int hi, lo;
} two;

static inline two two_num(kernel *k, int like, double hi, double lo) {
  return (two){m_num(k, like, hi), m_num(k, like, lo)};
}

static inline two two_select(kernel *k, int c, two a, two b) {
  return (two){m_sel(k, c, a.hi, b.hi), m_sel(k, c, a.lo, b.lo)};
}

/* a + b, where a is 0, the larger one, or a multiple of an ulp of b. */
static inline two two_sum(kernel *k, int a, int b) {
  int s = m_add(k, a, b);
  return (two){s, m_sub(k, b, m_sub(k, s, a))};
}

static inline two two_product(kernel *k, int a, int b) {
  int p = m_mul(k, a, b);
  return (two){p, k_fma_once(k, a, b, m_neg(k, p))};
}

/* a / b, where neither is so small that what the quotient loses is. */
static inline two two_quotient(kernel *k, two a, two b) {
  int over = m_div(k, m_num(k, b.hi, 1), b.hi), q = m_mul(k, a.hi, over), minus = m_neg(k, q);
  int rest = k_fma(k, minus, b.lo, m_add(k, k_fma_once(k, minus, b.hi, a.hi), a.lo));
  return (two){q, m_mul(k, rest, over)};
}

/* base + t + low, with t below the base or that 0. */
static inline int two_from(kernel *k, two base, int t, int low) {
  two s = two_sum(k, base.hi, t);
  return m_add(k, s.hi, m_add(k, s.lo, m_add(k, base.lo, low)));
}

two m_log_two(kernel *k, int x); /* the natural logarithm within 2^-65; hi has all special values */
int m_exp_two(kernel *k, two x);

#endif
