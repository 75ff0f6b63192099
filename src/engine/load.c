/* Files to arrays and back. */
#include "array/array.h"
#include "io/formats.h"
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
  buffer *b = pool_get(context_of(s->engine)->pool, (size_t)type_size(&t) * tme_dtype_size(t.dtype));
  int64_t strides[TME_MAX_RANK];
  type_strides(&t, strides);
  if (b) copy_elements(a, b->data);
  return array_of_buffer(s, &t, b, 0, strides, "load");
}

static tme_array *array_of_io(tme_scope *s, const io_array *a) {
  if (!usable(a)) return copied(s, a);
  tme_array *out =
      tme_wrap(s, a->dtype, a->rank, a->shape, a->strides, a->data, release_bytes, io_bytes_retain(a->bytes));
  if (!out) io_bytes_release(a->bytes);
  return out;
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
  if (st == TME_OK) st = io_read_one(path, name, copy, &list, &err);
  if (st == TME_OK && list.n != 1) {
    const io_place at = {"load", path, NULL, &err};
    text names = {0};
    for (int i = 0; i < list.n; i++) text_add(&names, "%s%s", i ? ", " : "", list.a[i].name);
    if (!list.n)
      st = io_fail(&at, TME_ERR_ARGUMENT, "holds no arrays");
    else
      st = io_fail(&at, TME_ERR_ARGUMENT, "it holds %d arrays, name one of them as FILE:NAME: %s%s", list.n + list.more,
                   names.s ? names.s : "", list.more ? ", ..." : "");
    text_free(&names);
  }
  if (st == TME_OK) out = array_of_io(s, &list.a[0]);
  io_list_free(&list);
  mem_free(path);
  mem_free(name);
  if (st != TME_OK) scope_fail(s, &err);
  return out;
}

tme_array *tme_load(tme_scope *s, const char *path) { return load(s, path, false); }
tme_array *tme_load_copy(tme_scope *s, const char *path) { return load(s, path, true); }

/* The list and what it points to, in one piece but for the names, which it takes from `list`. */
typedef struct members {
  tme_members all;
  io_list list;
  const char **names;
  tme_array **arrays;
} members;

void tme_members_free(tme_members *all) {
  members *m = (members *)all;
  if (!m) return;
  io_list_free(&m->list);
  mem_free(m->names);
  mem_free(m->arrays);
  mem_free(m);
}

static tme_status load_members(tme_scope *s, const char *path, bool packed, bool copy, members *m) {
  error err = {.code = TME_OK};
  tme_status st = packed ? io_read_packed(path, copy, &m->list, &err) : io_read(path, NULL, copy, &m->list, &err);
  if (st != TME_OK) return scope_fail(s, &err);
  int n = m->list.n;
  m->names = mem_alloc((size_t)n * sizeof *m->names + 1);
  m->arrays = mem_alloc((size_t)n * sizeof *m->arrays + 1);
  if (!m->names || !m->arrays) return fail_memory(&s->err, "load", (size_t)n * sizeof *m->arrays);
  for (int i = 0; i < n; i++) {
    m->names[i] = m->list.a[i].name;
    m->arrays[i] = array_of_io(s, &m->list.a[i]);
    if (!m->arrays[i]) return s->err.code;
  }
  m->all = (tme_members){n, m->names, m->arrays};
  return TME_OK;
}

static tme_members *load_all(tme_scope *s, const char *path, bool packed, bool copy) {
  if (!s) return NULL;
  if (!path) {
    scope_null(s, "load: the path");
    return NULL;
  }
  members *m = mem_calloc(1, sizeof *m);
  if (!m) {
    fail_memory(&s->err, "load", sizeof *m);
    return NULL;
  }
  if (load_members(s, path, packed, copy, m) == TME_OK) return &m->all;
  tme_members_free(&m->all);
  return NULL;
}

tme_members *tme_load_all(tme_scope *s, const char *path, bool copy) { return load_all(s, path, false, copy); }

tme_members *tme_load_quantized(tme_scope *s, const char *path, bool copy) { return load_all(s, path, true, copy); }

static tme_status check_file(tme_scope *s, const tme_file *f) {
  tme_status st = eval_list(s, "save", f->arrays, f->n);
  if (st != TME_OK) return st;
  if (!f->path) return scope_null(s, "save: the path");
  if (f->n == 0) return fail(&s->err, TME_ERR_ARGUMENT, "save: there are no arrays");
  if (!f->names && f->n > 1) return scope_null(s, "save: the list of names");
  for (int i = 0; i < f->n && f->names; i++)
    if (!f->names[i]) return fail(&s->err, TME_ERR_ARGUMENT, "save: the name of array %d is NULL", i);
  return TME_OK;
}

static tme_status evaluate_all(tme_scope *s, const tme_file *f, int n, int total) {
  tme_array **all = mem_alloc((size_t)total * sizeof(tme_array *));
  if (!all) return fail_memory(&s->err, "save", (size_t)total * sizeof(tme_array *));
  for (int i = 0, at = 0; i < n; at += f[i++].n) memcpy(all + at, f[i].arrays, (size_t)f[i].n * sizeof(tme_array *));
  tme_status st = tme_eval_all(s, all, total);
  mem_free(all);
  return st;
}

static tme_status write_all(tme_scope *s, const tme_file *f, int n, io_file *file, io_source *source) {
  for (int i = 0; i < n; i++) {
    file[i] = (io_file){f[i].path, source, f[i].n};
    for (int k = 0; k < f[i].n; k++) {
      tme_array *a = f[i].arrays[k];
      *source = (io_source){.name = f[i].names ? f[i].names[k] : "arr_0",
                            .dtype = a->type.dtype,
                            .rank = a->type.rank,
                            .shape = a->type.shape,
                            .data = tme_data(s, a)};
      if (!source++->data) return s->err.code;
    }
  }
  error err = {.code = TME_OK};
  tme_status st = io_write_all(file, n, &err);
  scope_fail(s, &err);
  return st;
}

tme_status tme_save_files(tme_scope *s, const tme_file *f, int n) {
  int total = 0;
  if (!s) return TME_ERR_ARGUMENT;
  if (n < 0) return fail(&s->err, TME_ERR_ARGUMENT, "save: %d files", n);
  if (n > 0 && !f) return scope_null(s, "save: the list of files");
  for (int i = 0; i < n; i++) {
    tme_status st = check_file(s, &f[i]);
    if (st != TME_OK) return st;
    if (__builtin_add_overflow(total, f[i].n, &total)) return fail(&s->err, TME_ERR_ARGUMENT, "save: too many arrays");
  }
  if (total == 0) return TME_OK;
  tme_status st = evaluate_all(s, f, n, total);
  if (st != TME_OK) return st;
  io_file *file = mem_calloc((size_t)n, sizeof *file);
  io_source *source = mem_calloc((size_t)total, sizeof *source);
  if (file && source)
    st = write_all(s, f, n, file, source);
  else
    st = fail_memory(&s->err, "save", (size_t)n * sizeof *file + (size_t)total * sizeof *source);
  mem_free(file);
  mem_free(source);
  return st;
}

tme_status tme_save(tme_scope *s, const char *path, tme_array *a) {
  return tme_save_files(s, &(tme_file){path, NULL, &a, 1}, 1);
}

tme_status tme_save_all(tme_scope *s, const char *path, const char *const *names, tme_array *const *a, int n) {
  if (s && !names) return scope_null(s, "save: the list of names");
  return tme_save_files(s, &(tme_file){path, names, a, n}, 1);
}
