#include "backend/reference/step.h"
#include "backend/reference/reference.h"
#include <string.h>

static ref_array slot_array(const program *p, int slot, char *const *data) {
  const struct slot *s = &p->slots[slot];
  ref_array a = {.type = s->type, .data = data[slot]};
  memcpy(a.strides, s->strides, sizeof a.strides);
  return a;
}

/* Takes check their indices before a kernel gathers with them. */
static tme_status check_bounds(const program *p, const step *s, char *const *data, error *e) {
  ref_array indices = slot_array(p, s->in[0], data);
  int axis = (int)graph_attrs(p->g, s->node)->take.axis;
  return reference_check_indices(&indices, p->g->node[graph_in(p->g, s->node, 0)].type.shape[axis], axis, e);
}

static tme_status library(const program *p, const step *s, threads *t, char *const *data, char *const *unread,
                          step_failure *failed, error *e) {
  size_t n = (size_t)s->nin + 1;
  ref_array out[OP_MAX_OUTPUTS], *in = mem_alloc(n * (sizeof *in + sizeof(ref_array *)));
  if (!in) return fail_memory(e, s->label, n * sizeof *in);
  const ref_array **operand = (const ref_array **)(void *)(in + n);
  for (int k = 0; k < s->nin; k++) {
    if (s->in[k] >= 0) in[k] = slot_array(p, s->in[k], data);
    operand[k] = s->in[k] >= 0 ? &in[k] : NULL;
  }
  for (int k = 0; k < s->nout; k++) {
    if (s->out[k] >= 0) {
      out[k] = slot_array(p, s->out[k], data);
      continue;
    }
    out[k] = (ref_array){.type = *graph_output(p->g, s->node, k), .data = unread[k]};
    type_strides(&out[k].type, out[k].strides);
  }
  ref_call c = {.op = p->g->node[s->node].op,
                .nin = s->nin,
                .in = operand,
                .attrs = graph_attrs(p->g, s->node),
                .out = out,
                .nout = s->nout,
                .libraries = true,
                .threads = t};
  tme_status status = reference_run(&c, e);
  *failed = (step_failure){c.failure, c.failed_matrix};
  mem_free(in);
  return status;
}

tme_status reference_step(const program *p, int i, threads *t, char *const *data, char *const *unread,
                          step_failure *failed, error *e) {
  const step *s = &p->steps[i];
  return s->kind == STEP_BOUNDS ? check_bounds(p, s, data, e) : library(p, s, t, data, unread, failed, e);
}
