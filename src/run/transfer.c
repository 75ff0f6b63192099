#include "run/transfer.h"

static tme_status no_memory(error *e, size_t bytes) { return fail_memory(e, "eval", bytes); }

tme_status view_to_host(tme_engine *e, const array_view *v, array_view *out, error *err) {
  *out = *v;
  backend *from = v->buf->device;
  if (!from) {
    buffer_retain(v->buf);
    return TME_OK;
  }
  tme_status s = buffer_wait(v->buf, err);
  if (s != TME_OK) return s;
  int64_t first, last;
  if (!view_span(v, &first, &last)) return fail(err, TME_ERR_MEMORY, "eval: a view reaches too far");
  size_t size = tme_dtype_size(v->dtype), bytes = (size_t)(last - first) * size;
  double t = profile_begin(&e->context);
  out->buf = pool_get(e->context.pool, bytes);
  if (!out->buf) return no_memory(err, bytes);
  out->offset = -first;
  s = from->download(from, out->buf->data, v->buf, (size_t)(v->offset + first) * size, bytes, err);
  profile_end(&e->context, t, "copy", "download", bytes);
  buffer_inherit(out->buf, v->buf);
  if (s != TME_OK) buffer_release(out->buf);
  return s;
}

tme_status view_to_device(backend *b, const array_view *v, array_view *out, error *err) {
  int64_t first, last;
  *out = *v;
  if (!view_span(v, &first, &last)) return fail(err, TME_ERR_MEMORY, "eval: a view reaches too far");
  size_t size = tme_dtype_size(v->dtype), bytes = (size_t)(last - first) * size;
  double t = profile_begin(b->context);
  out->buf = b->alloc(b, bytes, err);
  if (!out->buf) return no_memory(err, bytes);
  out->offset = -first;
  tme_status s = b->upload(b, out->buf, v->buf, (size_t)(v->offset + first) * size, bytes, err);
  profile_end(b->context, t, "copy", "upload", bytes);
  buffer_inherit(out->buf, v->buf);
  if (s != TME_OK) buffer_release(out->buf);
  return s;
}

tme_status view_to_rows(tme_engine *e, const array_view *v, array_view *out, error *err) {
  op_type t = view_type(v);
  size_t size = tme_dtype_size(v->dtype), bytes = (size_t)type_size(&t) * size;
  *out = *v;
  out->buf = pool_get(e->context.pool, bytes);
  if (!out->buf) return no_memory(err, bytes);
  view_pack(v, (const char *)v->buf->data + v->offset * (int64_t)size, out->buf->data);
  out->offset = 0;
  type_strides(&t, out->strides);
  buffer_inherit(out->buf, v->buf);
  return TME_OK;
}
