/* From an operation to the kernel of its family. */
#include "backend/reference/reference.h"

tme_status reference_run(ref_call *c, error *e) {
  static ref_fn *const families[FAMILY_COUNT] = {
#define FAMILY(name, class, decomposes, checks, mlx, derivative, batching) ref_##name,
#include "ops/families.def"
  };
  const op_def *d = op_get(c->op);
  if (!d) return fail(e, TME_ERR_UNSUPPORTED, "%s: no kernel", op_name(c->op));
  c->failure = NULL;
  return families[d->family](c, e);
}
