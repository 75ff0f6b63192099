/* What a binding does, by the installed headers alone: operations by name with keyword arguments, from the table, and
 * memory shared by DLPack. */
#include <stdio.h>
#include <string.h>
#include <tme/dlpack.h>
#include <tme/tme.h>

enum { MOST_PARAMETERS = 16 };

typedef struct keyword {
  const char *name;
  tme_arg value;
} keyword;

/* NULL for what the operation does not have; then, and after an error, the scope says why. */
static tme_array *call(tme_scope *s, const char *op, const keyword *given, int n) {
  const tme_op_info *info = tme_op_find(op);
  tme_arg args[MOST_PARAMETERS];
  tme_array *out = NULL;
  if (!info || info->params > MOST_PARAMETERS || info->outputs != 1) return NULL;
  for (int i = 0; i < info->params; i++) {
    const tme_param_info *p = tme_op_param(info, i);
    args[i] = p->value;
    for (int k = 0; k < n; k++)
      if (strcmp(given[k].name, p->name) == 0) args[i] = given[k].value;
  }
  return tme_apply_op(s, info->number, args, info->params, &out) == TME_OK ? out : NULL;
}

static tme_arg array(tme_array *a) {
  tme_arg arg = {TME_ARG_ARRAY, 0, {NULL}};
  arg.u.array = a;
  return arg;
}

static tme_arg integer(int64_t v) {
  tme_arg arg = {TME_ARG_INT, 0, {NULL}};
  arg.u.i = v;
  return arg;
}

static int deleted;
static void end(struct DLManagedTensorVersioned *t) { deleted += t->manager_ctx == &deleted; }

int main(void) {
  float xs[] = {1, 2, 3, 4, 5, 7};
  int64_t shape[] = {3, 2}, columns[] = {1, 3}; /* the transpose of xs as two rows */
  DLManagedTensorVersioned in = {{DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION}, &deleted, end, 0, {0}};
  in.dl_tensor.data = xs;
  in.dl_tensor.device.device_type = kDLCPU;
  in.dl_tensor.ndim = 2;
  in.dl_tensor.dtype.code = kDLFloat;
  in.dl_tensor.dtype.bits = 32;
  in.dl_tensor.dtype.lanes = 1;
  in.dl_tensor.shape = shape;
  in.dl_tensor.strides = columns;

  tme_engine *e = tme_engine_new(NULL);
  tme_scope *s = tme_scope_new(e);
  tme_array *x = tme_from_dlpack_versioned(s, &in);
  const keyword sum[] = {{"keepdims", integer(1)}, {"x", array(x)}, {"axis", integer(-1)}};
  DLManagedTensor *out = tme_to_dlpack(s, call(s, "sum", sum, 3), TME_DLPACK_ROWS);
  if (!out) fprintf(stderr, "%s\n", tme_error(s));
  int before = deleted;
  tme_scope_free(s);
  tme_engine_free(e);
  if (!out) return 1;
  const float *v = (const float *)out->dl_tensor.data;
  printf("%d %d: %g %g %g\n", before, deleted, (double)v[0], (double)v[1], (double)v[2]);
  int failed = out->dl_tensor.ndim != 2 || out->dl_tensor.shape[1] != 1;
  out->deleter(out);
  return failed;
}
