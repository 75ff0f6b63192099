/* From an operation to the kernel of its family. */
#include "backend/reference/reference.h"

static ref_fn *const families[FAMILY_COUNT] = {
#define REFERENCE_YES(name) ref_##name
#define REFERENCE_NO(name) NULL
#define FAMILY(name, class, reference, decomposes, checks, mlx, derivative, batching) REFERENCE_##reference(name),
#include "ops/families.def"
};

bool reference_has(int op) { return op >= 0 && op < OP_PUBLIC_COUNT && families[op_get(op)->family]; }

tme_status reference_run(ref_call *c, error *e) {
  if (!reference_has(c->op)) return fail(e, TME_ERR_UNSUPPORTED, "%s: no kernel", op_name(c->op));
  c->failure = NULL;
  return families[op_get(c->op)->family](c, e);
}
