/* Files to arrays and back. */
#include "engine/scope.h"
#include "io/io.h"
#include "run/eval.h"
#include <string.h>

static void release_bytes(void *bytes) { io_bytes_release(bytes); }

/* Elements that lie at odd addresses or distances in the file are copied. */
static bool usable(const io_array *a) {
  size_t size = tme_dtype_size(a->dtype), align = dtype_is_complex(a->dtype) ? size / 2 : size;
  if ((uintptr_t)a->data % align) return false;
  for (int d = 0; d < a->rank; d++)
    if (a->strides[d] % (int64_t)size) return false;
  return true;
}

/* Element by element, since nothing is aligned. */
static void copy_elements(const io_array *a, char *dst) {
  size_t size = tme_dtype_size(a->dtype);
  int64_t at[TME_MAX_RANK] = {0}, total = 1;
  for (int d = 0; d < a->rank; d++) total *= a->shape[d];
  const uint8_t *src = a->data;
  for (int64_t i = 0; i < total; i++, dst += size) {
    memcpy(dst, src, size);
    for (int d = a->rank - 1; d >= 0; d--) {
      src += a->strides[d];
      if (++at[d] < a->shape[d]) break;
      src -= a->strides[d] * a->shape[d];
      at[d] = 0;
    }
  }
}

static tme_array *copied(tme_scope *s, const io_array *a) {
  op_type t = {.dtype = a->dtype, .rank = a->rank};
  memcpy(t.shape, a->shape, sizeof t.shape);
  if (type_check_size(&t, "load", &s->err) != TME_OK) return NULL;
  buffer *b = pool_get(engine_pool(s->engine), (size_t)type_size(&t) * tme_dtype_size(t.dtype));
  node *n = b ? node_new(s->engine, OP_leaf, NULL, 0, NULL, &t, 1) : NULL;
  if (n) {
    int64_t strides[TME_MAX_RANK];
    type_strides(&t, strides);
    copy_elements(a, b->data);
    array_set(&n->out[0], b, 0, strides);
  } else {
    buffer_release(b);
  }
  return scope_take(s, n, "load");
}

static tme_array *load(tme_scope *s, const char *spec, bool copy) {
  if (!s) return NULL;
  if (!spec) {
    scope_null(s, "load: the path");
    return NULL;
  }
  error err = {.code = TME_OK};
  char *path = NULL, *name = NULL;
  io_list list = {0};
  tme_array *out = NULL;
  tme_status st = io_split(spec, &path, &name, &err);
  if (st == TME_OK) st = io_read(path, name, copy, &list, &err);
  if (st == TME_OK && list.n != 1) {
    text names = {0};
    for (int i = 0; i < list.n && i < 8; i++) text_add(&names, "%s%s", i ? ", " : "", list.a[i].name);
    st = fail(&err, TME_ERR_ARGUMENT, "load: '%s' holds %d arrays, name one of them as '%s:NAME': %s%s", path, list.n,
              path, names.s ? names.s : "", list.n > 8 ? ", ..." : "");
    text_free(&names);
  }
  if (st == TME_OK) {
    io_array *a = &list.a[0];
    if (usable(a)) {
      out = tme_wrap(s, a->dtype, a->rank, a->shape, a->strides, a->data, release_bytes, io_bytes_retain(a->bytes));
      if (!out) io_bytes_release(a->bytes);
    } else {
      out = copied(s, a);
    }
  }
  io_list_free(&list);
  mem_free(path);
  mem_free(name);
  if (st != TME_OK) scope_fail(s, &err);
  return out;
}

tme_array *tme_load(tme_scope *s, const char *path) { return load(s, path, false); }
tme_array *tme_load_copy(tme_scope *s, const char *path) { return load(s, path, true); }

static tme_status save(tme_scope *s, const char *path, const char *const *names, tme_array *const *a, int n) {
  tme_status st = eval_list(s, "save", a, n);
  if (st != TME_OK) return st;
  if (!path) return scope_null(s, "save: the path");
  if (n == 0) return fail(&s->err, TME_ERR_ARGUMENT, "save: there are no arrays");
  st = tme_eval_all(s, a, n);
  if (st != TME_OK) return st;
  io_source *source = mem_calloc((size_t)n, sizeof *source);
  if (!source) return fail_memory(&s->err, "save", (size_t)n * sizeof *source);
  for (int i = 0; i < n && st == TME_OK; i++) {
    source[i] = (io_source){.name = names ? names[i] : NULL,
                            .dtype = a[i]->type.dtype,
                            .rank = a[i]->type.rank,
                            .shape = a[i]->type.shape,
                            .data = tme_data(s, a[i])};
    if (!source[i].data) st = s->err.code;
    if (names && !names[i]) st = fail(&s->err, TME_ERR_ARGUMENT, "save: the name of array %d is NULL", i);
  }
  error err = {.code = TME_OK};
  if (st == TME_OK) {
    st = io_write(path, source, n, &err);
    scope_fail(s, &err);
  }
  mem_free(source);
  return st;
}

tme_status tme_save(tme_scope *s, const char *path, tme_array *a) {
  static const char *const name[] = {"arr_0"};
  return save(s, path, name, &a, 1);
}

tme_status tme_save_all(tme_scope *s, const char *path, const char *const *names, tme_array *const *a, int n) {
  if (s && !names) return scope_null(s, "save: the list of names");
  return save(s, path, names, a, n);
}
