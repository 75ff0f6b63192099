/* Where untyped values meet arrays: whether they fit, and comparisons, which are of the values themselves. */
#ifndef TME_UNTYPED_H
#define TME_UNTYPED_H

#include "array/node.h"

/* An element in memory, which is not complex. */
op_number element_number(tme_dtype t, const char *data);
/* An error of `what` unless dtype t holds the values of the untyped array. Floats that are yet to be computed are not looked at. */
bool untyped_fits(tme_scope *s, const char *what, tme_array *a, tme_dtype t);
/* Whether some element of untyped integers is negative. */
tme_status untyped_negative(tme_scope *s, tme_array *a, bool *out);

/* Comparisons. */
static inline bool is_comparison(op_rule r) { return r == RULE_CMP || r == RULE_ORDER; }
/* Of two literals: what it gives. */
bool compare_literals(int op, const op_number *a, const op_number *b);
/* An array and a literal that its dtype does not hold: another comparison that gives the same. *own is the literal that was
 * made for it, or NULL. False when out of memory. */
bool compare_literal(tme_scope *s, int *op, tme_array *in[2], node **own);
/* uint64 and an integer with a sign have no dtype that holds both. */
bool compare_mixes_signs(tme_array *const in[2]);
/* NULL with an error in the scope. */
tme_array *compare_mixed_signs(tme_scope *s, int op, tme_array *const in[2]);

#endif
