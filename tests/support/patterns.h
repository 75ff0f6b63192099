/* Expressions that no two numbers have in common, so that each is a kernel of its own. */
#ifndef TME_TEST_PATTERNS_H
#define TME_TEST_PATTERNS_H

#include "tme/tme.h"

/* Sixteen operations on x and y, as the low bits of `number` say; x and y are vectors. */
tme_array *pattern_of(tme_scope *s, unsigned number, tme_array *x, tme_array *y);
/* The same of two numbers. Exact as long as they are small and whole. */
float pattern_value(unsigned number, float x, float y);
/* Evaluates it for `n` numbers and compares. */
bool pattern_right(tme_engine *e, unsigned number, int n);

#endif
