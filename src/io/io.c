/* Reading by the ending of the path, and what all readers do alike. */
#include "io/formats.h"
#include "base/grow.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const endings[IO_FORMAT_COUNT] = {".npy", ".npz", ".safetensors", ".gguf"};

io_format io_format_of(const char *path, size_t len) {
  for (int i = 0; i < IO_FORMAT_COUNT; i++) {
    size_t n = strlen(endings[i]);
    if (len >= n && strncasecmp(path + len - n, endings[i], n) == 0) return (io_format)i;
  }
  return IO_UNKNOWN;
}

/* Names come from files, and paths from other programs: nothing in them may steer a terminal. */
static void clean(char *s) {
  for (; *s; s++)
    if ((unsigned char)*s < 0x20 || *s == 0x7f) *s = '?';
}

tme_status io_fail(const io_place *at, tme_status code, const char *fmt, ...) {
  char what[600], where[300], path[320];
  va_list ap;
  va_start(ap, fmt);
  if (vsnprintf(what, sizeof what, fmt, ap) < 0) what[0] = 0;
  va_end(ap);
  if (!at->array || snprintf(where, sizeof where, "array '%.200s': ", at->array) < 0) where[0] = 0;
  snprintf(path, sizeof path, "%.300s", at->path);
  clean(what);
  clean(where);
  clean(path);
  return fail(at->e, code, "%s: '%s': %s%s", at->verb, path, where, what);
}

tme_status io_fail_memory(const io_place *at, size_t bytes) {
  return io_fail(at, TME_ERR_MEMORY, "out of memory (%zu bytes)", bytes);
}

tme_status io_fail_errno(const io_place *at, const char *what, int errnum) {
  return io_fail(at, TME_ERR_IO, "%s: %s", what, strerror(errnum));
}

io_array *io_list_add(io_list *l, const char *name, size_t name_len) {
  if (!grow(&l->a, &l->cap, l->n + 1, sizeof *l->a)) return NULL;
  char *copy = mem_alloc(name_len + 1);
  if (!copy) return NULL;
  if (name_len) memcpy(copy, name, name_len);
  copy[name_len] = 0;
  io_array *a = &l->a[l->n++];
  *a = (io_array){.name = copy, .dtype = TME_DTYPE_NONE};
  return a;
}

void io_list_free(io_list *l) {
  for (int i = 0; i < l->n; i++) {
    mem_free(l->a[i].name);
    io_bytes_release(l->a[i].bytes);
  }
  mem_free(l->a);
  *l = (io_list){0};
}

tme_status io_layout(const io_place *at, io_array *a, bool fortran, size_t *bytes) {
  int64_t item = (int64_t)tme_dtype_size(a->dtype), stride = item, all = item;
  for (int i = 0; i < a->rank; i++) {
    int k = fortran ? i : a->rank - 1 - i;
    if (a->shape[k] < 0) return io_fail(at, TME_ERR_FORMAT, "negative dimension %lld", (long long)a->shape[k]);
    a->strides[k] = stride;
    /* Dimensions of 0 are left out, so that the strides of an empty array stay within bounds as well. */
    if (a->shape[k] && __builtin_mul_overflow(stride, a->shape[k], &stride)) {
      return io_fail(at, TME_ERR_FORMAT, "the shape has more elements than fit in memory");
    }
    all = a->shape[k] == 0 ? 0 : all;
  }
  *bytes = all ? (size_t)stride : 0;
  if (*bytes > PTRDIFF_MAX) return io_fail(at, TME_ERR_FORMAT, "the shape has more elements than fit in memory");
  return TME_OK;
}

static void swap_copy(uint8_t *to, const uint8_t *from, size_t bytes, size_t unit) {
  for (size_t i = 0; i < bytes; i += unit) {
    for (size_t k = 0; k < unit; k++) to[i + k] = from[i + unit - 1 - k];
  }
}

static bool only_bools(const uint8_t *p, size_t n) {
  uint8_t all = 0;
  for (size_t i = 0; i < n; i++) all |= p[i];
  return all <= 1;
}

tme_status io_attach(const io_place *at, io_array *a, io_bytes *b, size_t start, size_t bytes, bool swap) {
  const uint8_t *from = b->data + start;
  size_t unit = tme_dtype_size(dtype_real(a->dtype));
  swap = swap && unit > 1;
  bool tidy = a->dtype == TME_BOOL && !only_bools(from, bytes);
  if (!swap && !tidy) {
    a->bytes = io_bytes_retain(b);
    a->data = from;
    return TME_OK;
  }
  io_bytes *copy = io_bytes_new(bytes);
  if (!copy) return io_fail_memory(at, bytes);
  if (swap) {
    swap_copy(copy->data, from, bytes, unit);
  } else {
    for (size_t i = 0; i < bytes; i++) copy->data[i] = from[i] != 0;
  }
  a->bytes = copy;
  a->data = copy->data;
  return TME_OK;
}

static tme_status parse(io_format f, const char *path, io_bytes *b, const char *only, bool one, bool packed,
                        io_list *out, error *e) {
  io_place at = {"load", path, NULL, e};
  *out = (io_list){0};
  tme_status s = TME_OK;
  switch (f) {
  case IO_NPY:
    if (only && *only) {
      s = io_fail(&at, TME_ERR_ARGUMENT, "a .npy file holds one array without a name, asked for '%.200s'", only);
    } else {
      s = npy_read(&at, b, out);
    }
    break;
  case IO_NPZ: s = npz_read(&at, b, only, one, out); break;
  case IO_SAFETENSORS: s = safetensors_read(&at, b, only, one, out); break;
  case IO_GGUF: s = gguf_read(&at, b, only, packed ? GGUF_PACKED : one ? GGUF_NAMES : GGUF_NUMBERS, out); break;
  case IO_UNKNOWN:
  case IO_FORMAT_COUNT:
    s = io_fail(&at, TME_ERR_ARGUMENT, "unknown ending, expected .npy, .npz, .safetensors or .gguf");
    break;
  }
  if (s == TME_OK && only && out->n == 0) {
    s = io_fail(&at, TME_ERR_ARGUMENT, "holds no array named '%.200s'", only);
  }
  if (s != TME_OK) io_list_free(out);
  return s;
}

tme_status io_parse(io_format f, const char *path, io_bytes *b, const char *only, bool one, io_list *out, error *e) {
  return parse(f, path, b, only, one, false, out, e);
}

static tme_status read_file(const char *path, const char *only, bool one, bool packed, bool copy, io_list *out,
                            error *e) {
  *out = (io_list){0};
  io_place at = {"load", path ? path : "", NULL, e};
  if (!path) return io_fail(&at, TME_ERR_ARGUMENT, "no path was given");
  io_format f = io_format_of(path, strlen(path));
  if (f == IO_UNKNOWN) return parse(f, path, NULL, only, one, packed, out, e);
  io_bytes *b;
  tme_status s = io_bytes_open(&at, copy, &b);
  if (s != TME_OK) return s;
  s = parse(f, path, b, only, one, packed, out, e);
  io_bytes_release(b); /* the arrays hold their own references */
  return s;
}

tme_status io_read(const char *path, const char *only, bool copy, io_list *out, error *e) {
  return read_file(path, only, false, false, copy, out, e);
}

tme_status io_read_one(const char *path, const char *only, bool copy, io_list *out, error *e) {
  return read_file(path, only, true, false, copy, out, e);
}

tme_status io_read_packed(const char *path, bool copy, io_list *out, error *e) {
  return read_file(path, NULL, false, true, copy, out, e);
}

tme_status io_split(const char *spec, char **path, char **name, error *e) {
  *path = *name = NULL;
  io_place at = {"load", spec ? spec : "", NULL, e};
  if (!spec) return io_fail(&at, TME_ERR_ARGUMENT, "no path was given");
  size_t len = strlen(spec), cut = len;
  for (size_t i = len; i-- > 0;) {
    if (spec[i] == ':' && io_format_of(spec, i) != IO_UNKNOWN) {
      cut = i;
      break;
    }
  }
  char *head = mem_strdup(spec);
  char *tail = cut < len ? mem_strdup(spec + cut + 1) : NULL;
  if (!head || (cut < len && !tail)) {
    mem_free(head);
    mem_free(tail);
    return io_fail_memory(&at, len + 1);
  }
  head[cut] = 0;
  *path = head;
  *name = tail;
  return TME_OK;
}
