/* Writing: a temporary file beside each target, renamed when all are whole. */
#include "io/target.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool io_put(io_sink *s, const void *p, size_t n) {
  const char *from = p;
  while (n > 0 && !s->errnum) {
    ssize_t done = write(s->fd, from, n < (1u << 30) ? n : 1u << 30);
    if (done >= 0) {
      from += done;
      n -= (size_t)done;
      s->size += (uint64_t)done;
    } else if (errno != EINTR) {
      s->errnum = errno;
    }
  }
  return !s->errnum;
}

/* ---- the sources ------------------------------------------------------------------------------------------------- */

size_t io_source_bytes(const io_source *a) {
  size_t bytes = tme_dtype_size(a->dtype);
  for (int i = 0; i < a->rank; i++) bytes *= (size_t)a->shape[i];
  return bytes;
}

static tme_status check_source(const io_place *at, const io_source *a) {
  if (a->dtype < 0 || a->dtype >= TME_DTYPE_COUNT) return io_fail(at, TME_ERR_DTYPE, "unknown dtype %d", (int)a->dtype);
  if (a->rank < 0 || a->rank > TME_MAX_RANK) {
    return io_fail(at, TME_ERR_ARGUMENT, "%d dimensions, expected at most %d", a->rank, TME_MAX_RANK);
  }
  io_array layout = {.dtype = a->dtype, .rank = a->rank};
  for (int i = 0; i < a->rank; i++) layout.shape[i] = a->shape[i];
  size_t bytes;
  tme_status s = io_layout(at, &layout, false, &bytes);
  if (s == TME_OK && bytes && !a->data) s = io_fail(at, TME_ERR_ARGUMENT, "no data was given");
  return s;
}

static int by_name(const void *l, const void *r) {
  return strcmp((*(const io_source *const *)l)->name, (*(const io_source *const *)r)->name);
}

static tme_status check_names(const io_place *at, io_format f, const io_source *a, int n) {
  size_t bytes;
  const io_source **order = mul_size((size_t)n, sizeof *order, &bytes) ? mem_alloc(bytes) : NULL;
  if (!order) return io_fail_memory(at, (size_t)n * sizeof *order);
  tme_status s = TME_OK;
  for (int i = 0; i < n && s == TME_OK; i++) {
    order[i] = &a[i];
    if (!a[i].name) {
      s = io_fail(at, TME_ERR_ARGUMENT, "array %d has no name", i);
    } else if (!utf8_valid(a[i].name, strlen(a[i].name))) {
      s = io_fail(at, TME_ERR_ARGUMENT, "the name of array %d is not UTF-8", i);
    } else if (f == IO_SAFETENSORS && strcmp(a[i].name, "__metadata__") == 0) {
      s = io_fail(at, TME_ERR_ARGUMENT, "the name '__metadata__' is reserved in .safetensors");
    }
  }
  if (s == TME_OK) {
    qsort(order, (size_t)n, sizeof *order, by_name);
    for (int i = 1; i < n && s == TME_OK; i++) {
      if (by_name(&order[i - 1], &order[i]) == 0) {
        s = io_fail(at, TME_ERR_ARGUMENT, "two arrays are named '%.200s'", order[i]->name);
      }
    }
  }
  mem_free(order);
  return s;
}

static tme_status check(const io_place *at, io_format f, const io_source *a, int n) {
  if (f == IO_UNKNOWN)
    return io_fail(at, TME_ERR_ARGUMENT, "unknown ending, expected .npy, .npz, .safetensors or .gguf");
  if (n < 0 || (n > 0 && !a)) return io_fail(at, TME_ERR_ARGUMENT, "no arrays were given");
  for (int i = 0; i < n; i++) {
    io_place one = {at->verb, at->path, f == IO_NPY ? NULL : a[i].name, at->e};
    tme_status s = check_source(&one, &a[i]);
    if (s != TME_OK) return s;
  }
  if (f != IO_NPY) return check_names(at, f, a, n);
  return n == 1 ? TME_OK : io_fail(at, TME_ERR_ARGUMENT, "a .npy file holds one array, %d were given", n);
}

/* ---- the files --------------------------------------------------------------------------------------------------- */

static tme_status write_temp(const io_place *at, const io_file *f, io_target *t, bool nameless) {
  tme_status st = io_target_open(at, t, nameless);
  if (st != TME_OK) return st;
  io_sink s = {.fd = t->temp.fd};
  switch (io_format_of(f->path, strlen(f->path))) {
  case IO_NPY: st = npy_write(at, &s, f->a); break;
  case IO_NPZ: st = npz_write(at, &s, f->a, f->n); break;
  case IO_GGUF: st = gguf_write(at, &s, f->a, f->n); break;
  default: st = safetensors_write(at, &s, f->a, f->n); break;
  }
  return st == TME_OK ? io_target_finish(at, t) : st;
}

static io_place place_of(const io_file *f, error *e) { return (io_place){"save", f->path ? f->path : "", NULL, e}; }

static tme_status prepare(const io_file *f, io_target *t, error *e) {
  io_place at = place_of(f, e);
  if (!f->path) return io_fail(&at, TME_ERR_ARGUMENT, "no path was given");
  tme_status st = check(&at, io_format_of(f->path, strlen(f->path)), f->a, f->n);
  return st == TME_OK ? io_target_find(&at, t) : st;
}

/* Each step is done for all files before the next one begins. */
static tme_status write_files(const io_file *f, io_target *t, int n, error *e) {
  enum { FEW = 32 }; /* files without a name stay open */
  tme_status st = TME_OK;
  for (int i = 0; i < n && st == TME_OK; i++) st = prepare(&f[i], &t[i], e);
  for (int i = 0; i < n && st == TME_OK; i++) {
    io_place at = place_of(&f[i], e);
    for (int k = 0; k < i && st == TME_OK; k++)
      if (io_target_same(&t[i], &t[k])) st = io_fail(&at, TME_ERR_ARGUMENT, "the file is given twice");
  }
  for (int i = 0; i < n && st == TME_OK; i++) {
    io_place at = place_of(&f[i], e);
    st = write_temp(&at, &f[i], &t[i], n <= FEW);
  }
  for (int i = 0; i < n && st == TME_OK; i++) {
    io_place at = place_of(&f[i], e);
    st = io_target_put(&at, &t[i]);
  }
  for (int i = 0; i < n; i++) io_target_free(&t[i]);
  return st;
}

tme_status io_write_all(const io_file *f, int n, error *e) {
  io_target *t = mem_calloc((size_t)n, sizeof *t);
  if (!t) return fail_memory(e, "save", (size_t)n * sizeof *t);
  for (int i = 0; i < n; i++) t[i].temp.fd = t[i].temp.slot = -1;
  size_signal limit;
  size_signal_block(&limit);
  tme_status st = write_files(f, t, n, e);
  size_signal_restore(&limit);
  mem_free(t);
  return st;
}

tme_status io_write(const char *path, const io_source *a, int n, error *e) {
  return io_write_all(&(io_file){path, a, n}, 1, e);
}
