/* From an operation to the kernel of its family. */
#include "backend/reference/reference.h"

tme_status reference_run(ref_call *c, error *e) {
  static ref_fn *const families[FAMILY_COUNT] = {
      [FAMILY_elementwise] = ref_elementwise,
      [FAMILY_cast] = ref_cast,
      [FAMILY_reduce] = ref_reduce,
      [FAMILY_statistics] = ref_statistics,
      [FAMILY_argreduce] = ref_argreduce,
      [FAMILY_softmax] = ref_softmax,
      [FAMILY_norm] = ref_norm,
      [FAMILY_matmul] = ref_matmul,
      [FAMILY_attention] = ref_attention,
      [FAMILY_svd] = ref_svd,
      [FAMILY_shape] = ref_shape,
      [FAMILY_join] = ref_join,
      [FAMILY_take] = ref_take,
      [FAMILY_create] = ref_create,
  };
  const op_def *d = op_get(c->op);
  if (!d) return fail(e, TME_ERR_UNSUPPORTED, "%s: no kernel", op_name(c->op));
  c->failure = NULL;
  return families[d->family](c, e);
}
