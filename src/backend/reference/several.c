/* Elementwise operations of two results: one loop after the other. */
#include "backend/reference/reference.h"

tme_status ref_several(ref_call *c, error *e) {
  tme_status s = TME_OK;
  for (int k = 0; k < c->nout && s == TME_OK; k++) {
    ref_call one = *c;
    one.op = op_of_result(c->op, k);
    one.out = &c->out[k];
    one.nout = 1;
    s = ref_elementwise(&one, e);
  }
  return s;
}
