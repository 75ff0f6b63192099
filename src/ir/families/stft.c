/* stft, istft: spectra of overlapping parts of a signal, and the signal that has them. After inference n_fft, hop and length
 * are given. */
#include "ir/along.h"

static tme_status check_frames(const op_call *c, stft_attrs *a, error *e) {
  const char *name = op_name(c->op);
  const op_type *window = c->in[1];
  if (a->n_fft < 1)
    return fail(e, TME_ERR_ARGUMENT, "%s: n_fft is %lld, expected 1 or more", name, (long long)a->n_fft);
  if (a->hop == -1) a->hop = a->n_fft < 4 ? 1 : a->n_fft / 4;
  if (a->hop < 1) return fail(e, TME_ERR_ARGUMENT, "%s: hop is %lld, expected 1 or more", name, (long long)a->hop);
  if (window && (window->rank != 1 || window->shape[0] != a->n_fft)) {
    char shape[SHAPE_TEXT];
    type_shape_text(window, shape);
    return fail(e, TME_ERR_SHAPE, "%s: a window of shape %s, expected (%lld,), as n_fft says", name, shape,
                (long long)a->n_fft);
  }
  if (window && dtype_is_complex(window->dtype))
    return fail(e, TME_ERR_DTYPE, "%s: a window of %s, expected real numbers", name, tme_dtype_name(window->dtype));
  return TME_OK;
}

static tme_status infer_forward(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  stft_attrs *a = &c->attrs->stft;
  tme_status s = infer_takes(c, TAKES_BOOL | TAKES_INT | TAKES_FLOAT, "real numbers", e);
  if (s == TME_OK) s = check_frames(c, a, e);
  if (s != TME_OK) return s;
  if (x->rank < 1) return fail(e, TME_ERR_SHAPE, "stft: takes signals along the last axis, not a single number");
  int64_t n = x->shape[x->rank - 1], side = a->center ? a->n_fft / 2 : 0;
  if (side && side >= n)
    return fail(e, TME_ERR_ARGUMENT, "stft: %lld numbers cannot be reflected by n_fft / 2 = %lld, expected more",
                (long long)n, (long long)side);
  if (n + 2 * side < a->n_fft)
    return fail(e, TME_ERR_ARGUMENT, "stft: n_fft is %lld, more than the %lld numbers", (long long)a->n_fft,
                (long long)n);
  if (x->rank == TME_MAX_RANK)
    return fail(e, TME_ERR_SHAPE, "stft: the spectra would have %d dimensions, more than the %d supported", x->rank + 1,
                TME_MAX_RANK);
  tme_dtype t = dtype_wide(infer_float(c, x->dtype));
  infer_want(c, 0, t);
  infer_want(c, 1, t);
  *out = *x;
  out->dtype = tme_dtype_promote(t, TME_C64);
  out->rank = x->rank + 1;
  out->shape[x->rank - 1] = a->n_fft / 2 + 1;
  out->shape[x->rank] = 1 + (n + 2 * side - a->n_fft) / a->hop;
  return TME_OK;
}

static tme_status infer_back(op_call *c, op_type *out, error *e) {
  const op_type *x = c->in[0];
  stft_attrs *a = &c->attrs->stft;
  if (x->rank < 2) return fail(e, TME_ERR_SHAPE, "istft: takes spectra (..., frequencies, frames)");
  int64_t rows = x->shape[x->rank - 2], frames = x->shape[x->rank - 1];
  if (a->n_fft == -1) a->n_fft = 2 * (rows - 1);
  tme_status s = check_frames(c, a, e);
  if (s != TME_OK) return s;
  if (rows != a->n_fft / 2 + 1 || !frames)
    return fail(e, TME_ERR_SHAPE,
                "istft: %lld frequencies and %lld frames, expected n_fft / 2 + 1 = %lld, and one or more",
                (long long)rows, (long long)frames, (long long)(a->n_fft / 2 + 1));
  int64_t all, skipped;
  if (__builtin_mul_overflow(frames - 1, a->hop, &all) || __builtin_add_overflow(all, a->n_fft, &all))
    return fail_memory(e, "istft", SIZE_MAX);
  skipped = a->center ? a->n_fft / 2 : 0;
  if (a->length == -1) a->length = all - 2 * skipped;
  if (a->length < 0)
    return fail(e, TME_ERR_ARGUMENT, "istft: length is %lld, expected 0 or more", (long long)a->length);
  tme_dtype t = dtype_real(tme_dtype_promote(infer_float(c, x->dtype), TME_C64));
  infer_want(c, 0, tme_dtype_promote(t, TME_C64));
  infer_want(c, 1, t);
  *out = *x;
  out->dtype = t;
  out->rank = x->rank - 1;
  out->shape[x->rank - 2] = a->length;
  return TME_OK;
}

tme_status infer_stft(op_call *c, op_type *out, error *e) {
  return c->op == OP_stft ? infer_forward(c, out, e) : infer_back(c, out, e);
}

/* frame * hop + place, of each frame and each of its places. */
static int places(graph *g, const stft_attrs *a, int64_t frames) {
  int frame = along_numbers(g, TME_I64, 2, 0, frames), place = along_numbers(g, TME_I64, 2, 1, a->n_fft);
  return graph_bin(g, OP_add, graph_bin(g, OP_multiply, frame, graph_number(g, TME_I64, (double)a->hop)), place);
}

/* Frames are gathered; what lies outside is reflected at the ends. */
static int forward(graph *g, const g_site *s) {
  const stft_attrs *a = &s->attrs->stft;
  int x = s->in[0], rank = s->node->type.rank - 1;
  if (x < 0) return -1;
  int64_t n = graph_get(g, x)->type.shape[rank - 1], side = a->center ? a->n_fft / 2 : 0;
  int at = places(g, a, s->node->type.shape[rank]);
  if (side) {
    at = graph_un(g, OP_abs, graph_bin(g, OP_subtract, at, graph_number(g, TME_I64, (double)side)));
    int last = graph_number(g, TME_I64, (double)(n - 1));
    at = graph_bin(g, OP_subtract, last, graph_un(g, OP_abs, graph_bin(g, OP_subtract, last, at)));
  }
  op_attrs take = {.take = {.axis = rank - 1}}, fft = {.fft = {.n = a->n_fft, .axis = rank}};
  x = graph_op(g, OP_take, (int[]){x, at}, 2, &take);
  if (s->in[1] >= 0) x = graph_bin(g, OP_multiply, x, s->in[1]);
  return along_swap_last(g, graph_op(g, OP_rfft, &x, 1, &fft));
}

/* Frames, which are (frames, n_fft) last, added up where they lie, from `skipped` on. */
static int overlap(graph *g, int x, const stft_attrs *a, int64_t frames, int64_t skipped) {
  if (x < 0) return -1;
  op_type all = graph_get(g, x)->type;
  all.rank--;
  all.shape[all.rank - 1] = (frames - 1) * a->hop + a->n_fft;
  int zeros = graph_broadcast(g, graph_number(g, all.dtype, 0), all.rank, all.shape);
  op_attrs add = {.scatter = {.axis = all.rank - 1, .mode = SCATTER_MODE_ADD}};
  int y = graph_op(g, OP_scatter, (int[]){zeros, places(g, a, frames), x}, 3, &add);
  y = along_part(g, y, all.rank - 1, skipped, all.shape[all.rank - 1]);
  return y < 0 ? -1 : along_length(g, y, all.rank - 1, a->length);
}

/* The frames that are nearest to what their spectra say: weighted by the window again, over the sum of its squares. */
static int back(graph *g, const g_site *s) {
  const stft_attrs *a = &s->attrs->stft;
  int x = along_swap_last(g, s->in[0]), w = s->in[1];
  if (x < 0) return -1;
  int rank = graph_get(g, x)->type.rank;
  int64_t frames = graph_get(g, x)->type.shape[rank - 2], skipped = a->center ? a->n_fft / 2 : 0;
  tme_dtype t = s->node->type.dtype;
  op_attrs fft = {.fft = {.n = a->n_fft, .axis = rank - 1}};
  x = graph_op(g, OP_irfft, &x, 1, &fft);
  if (w >= 0) x = graph_bin(g, OP_multiply, x, w);
  int squares = w >= 0 ? graph_bin(g, OP_multiply, w, w) : graph_number(g, t, 1);
  int weights = overlap(g, graph_broadcast(g, squares, 2, (int64_t[]){frames, a->n_fft}), a, frames, skipped);
  int in[3] = {graph_bin(g, OP_greater, weights, graph_number(g, t, 1e-11)), weights, graph_number(g, t, 1)};
  return graph_bin(g, OP_divide, overlap(g, x, a, frames, skipped), graph_op(g, OP_where, in, 3, NULL));
}

int decompose_stft(graph *g, const g_site *s) { return s->node->op == OP_stft ? forward(g, s) : back(g, s); }
