/* sliding_window_view: what a window covers in dimensions of its own, behind all others. Its attributes after inference: axes
 * from 0 on, and as many strides and dilations as windows. An axis given twice is cut into windows of its windows. */
#include "ir/graph.h"
#include "ir/spatial.h"
#include <string.h>

tme_status infer_windows(op_call *c, op_type *out, error *e) {
  windows_attrs *a = &c->attrs->windows;
  const op_type *x = c->in[0];
  *out = *x;
  if (a->axis.n < 0) {
    a->axis.n = x->rank;
    for (int d = 0; d < x->rank; d++) a->axis.v[d] = d;
  }
  int n = a->window_shape.n;
  if (n != a->axis.n)
    return fail(e, TME_ERR_ARGUMENT, "%s: %d extents of windows for %d ax%s", op_name(c->op), n, a->axis.n,
                a->axis.n == 1 ? "is" : "es");
  if (x->rank + n > TME_MAX_RANK)
    return fail(e, TME_ERR_SHAPE, "%s: windows over %d axes of %d, more than the %d dimensions supported",
                op_name(c->op), n, x->rank, TME_MAX_RANK);
  tme_status s = spatial_list(c, "window_shape", &a->window_shape, n, 1, 1, e);
  if (s == TME_OK) s = spatial_list(c, "stride", &a->stride, n, 1, 1, e);
  if (s == TME_OK) s = spatial_list(c, "dilation", &a->dilation, n, 1, 1, e);
  for (int i = 0; i < n && s == TME_OK; i++) {
    s = infer_axis(c, &a->axis.v[i], x->rank, e);
    if (s != TME_OK) break;
    int64_t *extent = &out->shape[a->axis.v[i]];
    s = spatial_extent(c, (int)a->axis.v[i], extent, a->window_shape.v[i], a->dilation.v[i], a->stride.v[i], e);
    if (s != TME_OK) break;
    out->shape[out->rank++] = a->window_shape.v[i];
    /* Steps that are never made. */
    if (*extent == 1) a->stride.v[i] = 1;
    if (a->window_shape.v[i] == 1) a->dilation.v[i] = 1;
  }
  return s;
}
