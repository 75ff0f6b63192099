/* Writing: a temporary file beside each target, renamed when all are whole. */
#include "base/fd.h"
#include "io/formats.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
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

/* UTF-8 without surrogates, overlong forms and values beyond Unicode. */
static bool is_utf8(const char *name) {
  const unsigned char *s = (const unsigned char *)name;
  while (*s) {
    int more = *s < 0x80 ? 0 : *s >> 5 == 6 ? 1 : *s >> 4 == 14 ? 2 : *s >> 3 == 30 ? 3 : -1;
    if (more < 0) return false;
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    uint32_t c = more ? *s & (0x3fu >> more) : *s;
    s++;
    for (int i = 0; i < more; i++, s++) {
      if (*s >> 6 != 2) return false;
      c = c << 6 | (*s & 0x3fu);
    }
    if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return false;
  }
  return true;
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
    } else if (!is_utf8(a[i].name)) {
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
  if (f == IO_UNKNOWN) return io_fail(at, TME_ERR_ARGUMENT, "unknown ending, expected .npy, .npz or .safetensors");
  if (n < 0 || (n > 0 && !a)) return io_fail(at, TME_ERR_ARGUMENT, "no arrays were given");
  for (int i = 0; i < n; i++) {
    io_place one = {at->verb, at->path, f == IO_NPY ? NULL : a[i].name, at->e};
    tme_status s = check_source(&one, &a[i]);
    if (s != TME_OK) return s;
  }
  if (f != IO_NPY) return check_names(at, f, a, n);
  return n == 1 ? TME_OK : io_fail(at, TME_ERR_ARGUMENT, "a .npy file holds one array, %d were given", n);
}

/* ---- the target -------------------------------------------------------------------------------------------------- */

typedef struct target {
  char *path; /* behind all symbolic links: the link stays a link */
  char *temp; /* NULL before it is made and after it is renamed */
  bool exists;
  mode_t mode;
} target;

static char *join(const char *dir, size_t dir_len, const char *name) {
  size_t n = strlen(name) + 1;
  char *s = mem_alloc(dir_len + n);
  if (!s) return NULL;
  memcpy(s, dir, dir_len);
  memcpy(s + dir_len, name, n);
  return s;
}

/* The length of the folder's part of a path, with its slash. */
static size_t folder(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? (size_t)(slash - path) + 1 : 0;
}

static tme_status follow_links(const io_place *at, target *t) {
  t->path = mem_strdup(at->path);
  if (!t->path) return io_fail_memory(at, strlen(at->path) + 1);
  char to[PATH_MAX];
  for (int i = 0; i < 40; i++) {
    ssize_t n = readlink(t->path, to, sizeof to - 1);
    if (n < 0) return TME_OK; /* no link */
    to[n] = 0;
    char *next = join(t->path, to[0] == '/' ? 0 : folder(t->path), to);
    if (!next) return io_fail_memory(at, (size_t)n + 1);
    mem_free(t->path);
    t->path = next;
  }
  return io_fail_errno(at, "cannot open", ELOOP);
}

static tme_status inspect(const io_place *at, target *t) {
  struct stat st;
  if (stat(t->path, &st) != 0) {
    return errno == ENOENT ? TME_OK : io_fail_errno(at, "cannot open", errno);
  }
  if (S_ISDIR(st.st_mode)) return io_fail(at, TME_ERR_IO, "it is a directory, expected a file");
  if (!S_ISREG(st.st_mode)) return io_fail(at, TME_ERR_IO, "it is not a regular file");
  /* The rename would also replace a file that is protected from writing. */
  if (faccessat(AT_FDCWD, t->path, W_OK, AT_EACCESS) != 0) return io_fail_errno(at, "cannot write", errno);
  t->exists = true;
  t->mode = st.st_mode & 0777;
  return TME_OK;
}

static tme_status open_temp(const io_place *at, target *t, io_sink *s) {
  for (int i = 0; i < 16; i++) {
    uint64_t random;
    if (getentropy(&random, sizeof random) != 0) return io_fail_errno(at, "no random numbers", errno);
    char name[40];
    snprintf(name, sizeof name, ".tme-%016llx.tmp", (unsigned long long)random);
    char *temp = join(t->path, folder(t->path), name);
    if (!temp) return io_fail_memory(at, strlen(t->path) + sizeof name);
    /* Private until it has the permissions of the file that it replaces; a new file's come from the umask. */
    s->fd = fd_apart(open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, t->exists ? 0600 : 0666));
    if (s->fd >= 0) {
      t->temp = temp;
      return TME_OK;
    }
    int errnum = errno;
    mem_free(temp);
    if (errnum != EEXIST && errnum != EINTR) return io_fail_errno(at, "cannot create a file there", errnum);
  }
  return io_fail_errno(at, "cannot create a file there", EEXIST);
}

static tme_status write_temp(const io_place *at, const io_file *f, target *t) {
  io_sink s = {.fd = -1};
  tme_status st = open_temp(at, t, &s);
  if (st != TME_OK) return st;
  switch (io_format_of(f->path, strlen(f->path))) {
  case IO_NPY: st = npy_write(at, &s, f->a); break;
  case IO_NPZ: st = npz_write(at, &s, f->a, f->n); break;
  default: st = safetensors_write(at, &s, f->a, f->n); break;
  }
  if (st == TME_OK && t->exists && fchmod(s.fd, t->mode) != 0) st = io_fail_errno(at, "cannot set permissions", errno);
  if (close(s.fd) != 0 && st == TME_OK) st = io_fail_errno(at, "cannot write", errno);
  return st;
}

static tme_status put_in_place(const io_place *at, target *t) {
  if (rename(t->temp, t->path) != 0) return io_fail_errno(at, "cannot replace the file", errno);
  mem_free(t->temp);
  t->temp = NULL;
  return TME_OK;
}

static io_place place_of(const io_file *f, error *e) { return (io_place){"save", f->path ? f->path : "", NULL, e}; }

static tme_status prepare(const io_file *f, target *t, error *e) {
  io_place at = place_of(f, e);
  if (!f->path) return io_fail(&at, TME_ERR_ARGUMENT, "no path was given");
  tme_status st = check(&at, io_format_of(f->path, strlen(f->path)), f->a, f->n);
  if (st == TME_OK) st = follow_links(&at, t);
  return st == TME_OK ? inspect(&at, t) : st;
}

static bool stat_folder(const target *t, struct stat *st) {
  char path[PATH_MAX + 2];
  snprintf(path, sizeof path, "%.*s.", (int)folder(t->path), t->path);
  return stat(path, st) == 0;
}

/* Whether two targets are one file, however their paths are spelled. */
static bool same_target(const target *a, const target *b) {
  struct stat x, y;
  return !strcmp(a->path + folder(a->path), b->path + folder(b->path)) && stat_folder(a, &x) && stat_folder(b, &y) &&
         x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Each step is done for all files before the next one begins. */
static tme_status write_files(const io_file *f, target *t, int n, error *e) {
  tme_status st = TME_OK;
  for (int i = 0; i < n && st == TME_OK; i++) st = prepare(&f[i], &t[i], e);
  for (int i = 0; i < n && st == TME_OK; i++) {
    io_place at = place_of(&f[i], e);
    for (int k = 0; k < i && st == TME_OK; k++)
      if (same_target(&t[i], &t[k])) st = io_fail(&at, TME_ERR_ARGUMENT, "the file is given twice");
  }
  for (int i = 0; i < n && st == TME_OK; i++) {
    io_place at = place_of(&f[i], e);
    st = write_temp(&at, &f[i], &t[i]);
  }
  for (int i = 0; i < n && st == TME_OK; i++) {
    io_place at = place_of(&f[i], e);
    st = put_in_place(&at, &t[i]);
  }
  for (int i = 0; i < n; i++) {
    if (t[i].temp) unlink(t[i].temp);
    mem_free(t[i].path);
    mem_free(t[i].temp);
  }
  return st;
}

/* Beyond the process's limit of a file's size, a write is an error: the signal that comes with it would end the process
 * and leave the temporary file. */
tme_status io_write_all(const io_file *f, int n, error *e) {
  target *t = mem_calloc((size_t)n, sizeof *t);
  if (!t) return fail_memory(e, "save", (size_t)n * sizeof *t);
  sigset_t limit, old, pending;
  sigemptyset(&limit);
  sigaddset(&limit, SIGXFSZ);
  bool blocked = pthread_sigmask(SIG_BLOCK, &limit, &old) == 0 && !sigismember(&old, SIGXFSZ);
  tme_status st = write_files(f, t, n, e);
  mem_free(t);
  if (!blocked) return st;
  if (sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ)) sigtimedwait(&limit, NULL, &(struct timespec){0, 0});
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  return st;
}

tme_status io_write(const char *path, const io_source *a, int n, error *e) {
  return io_write_all(&(io_file){path, a, n}, 1, e);
}
