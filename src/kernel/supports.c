/* Which operations the kernels lack for some dtypes. */
#include "kernel/expr.h"

const char *supports_elementwise(int op, tme_dtype t) {
  if (!(dtype_kind(t) & op_rule_get(op_get(op)->rule)->takes)) return "the operation does not take this dtype";
  if (dtype_is_int(t) && (op_traits(op) & TRAIT_POWER)) return "powers of integers are not compiled";
  if (op_traits(op) & TRAIT_LOOP) return "kernels have no loop whose end depends on its numbers";
  if (dtype_is_complex(t) && (op_traits(op) & TRAIT_REAL_KERNELS))
    return "this function of complex numbers is not compiled";
  if (dtype_is_narrow(t) && (op_traits(op) & TRAIT_NEIGHBOUR))
    return "kernels hold narrow floats as float32, which has other neighbours";
  return NULL;
}

const char *supports_reduce(int op, tme_dtype t) {
  return dtype_is_complex(t) && op != OP_sum ? "a reduction of complex numbers other than a sum" : NULL;
}

const char *op_supports(int op, tme_dtype t) {
  const char *why = dtype_no_kernels(t);
  static op_supports_fn *const families[FAMILY_COUNT] = {
#define CHECKS_YES(name) supports_##name
#define CHECKS_NO(name) NULL
#define FAMILY(name, class, reference, decomposes, checks, mlx, derivative, batching) CHECKS_##checks(name),
#include "ops/families.def"
  };
  op_supports_fn *supports = op < OP_PUBLIC_COUNT ? families[op_get(op)->family] : NULL;
  return why || !supports ? why : supports(op, t);
}
