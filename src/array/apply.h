/* Applying an operation: what the generated C functions call. */
#ifndef TME_APPLY_H
#define TME_APPLY_H

#include "array/node.h"

/* One tme_arg per parameter of the signature; `out` receives as many arrays as the operation has outputs, NULL on
 * failure. They belong to the scope. */
tme_status apply(tme_scope *s, int op, const tme_arg *args, int nargs, tme_array **out);

static inline tme_arg arg_array(tme_array *a) { return (tme_arg){.kind = TME_ARG_ARRAY, .u.array = a}; }
static inline tme_arg arg_optional(tme_array *a) {
  return (tme_arg){.kind = a ? TME_ARG_ARRAY : TME_ARG_ABSENT, .u.array = a};
}
static inline tme_arg arg_arrays(tme_array *const *a, int n) {
  return (tme_arg){.kind = TME_ARG_ARRAYS, .n = n, .u.arrays = a};
}
static inline tme_arg arg_ints(const int64_t *v, int n) {
  return (tme_arg){.kind = n >= 0 && (v || !n) ? TME_ARG_INTS : TME_ARG_ABSENT, .n = n, .u.ints = v};
}
/* `room` has TME_MAX_RANK places; more axes than that are refused by their count. */
static inline tme_arg arg_axes(const int *axes, int n, int64_t *room) {
  if (!axes && n != 0) n = TME_ALL;
  for (int i = 0; i < n && i < TME_MAX_RANK; i++) room[i] = axes[i];
  return (tme_arg){.kind = TME_ARG_INTS, .n = n, .u.ints = room};
}
/* One entry per dimension of x; without x the operation fails for that reason. */
static inline tme_arg arg_perdim(const int64_t *v, const tme_array *x) {
  return (tme_arg){.kind = v ? TME_ARG_INTS : TME_ARG_ABSENT, .n = x ? x->type.rank : 0, .u.ints = v};
}
static inline tme_arg arg_text(const char *s) {
  return (tme_arg){.kind = s ? TME_ARG_TEXT : TME_ARG_ABSENT, .u.text = s};
}
static inline tme_arg arg_float(double f) { return (tme_arg){.kind = TME_ARG_FLOAT, .u.f = f}; }
static inline tme_arg arg_int(int64_t i) { return (tme_arg){.kind = TME_ARG_INT, .u.i = i}; }

#endif
