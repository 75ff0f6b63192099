#include "io/target.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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

/* Links of /proc are open descriptors (/dev/stdout is one): a file in the place of what they lead to would not be what
 * the descriptor's readers see. */
static bool is_descriptor(const char *link) {
  struct stat a, b;
  return lstat(link, &a) == 0 && lstat("/proc/self", &b) == 0 && a.st_dev == b.st_dev;
}

static tme_status follow_links(const io_place *at, io_target *t) {
  t->path = mem_strdup(at->path);
  if (!t->path) return io_fail_memory(at, strlen(at->path) + 1);
  char to[PATH_MAX];
  for (int i = 0; i < 40; i++) {
    ssize_t n = readlink(t->path, to, sizeof to - 1);
    if (n < 0) return TME_OK; /* no link */
    if (is_descriptor(t->path)) return io_fail(at, TME_ERR_IO, "it is an open descriptor, expected a file");
    to[n] = 0;
    char *next = join(t->path, to[0] == '/' ? 0 : folder(t->path), to);
    if (!next) return io_fail_memory(at, (size_t)n + 1);
    mem_free(t->path);
    t->path = next;
  }
  return io_fail_errno(at, "cannot open", ELOOP);
}

static tme_status inspect(const io_place *at, io_target *t) {
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

tme_status io_target_find(const io_place *at, io_target *t) {
  *t = (io_target){.temp = {.fd = -1, .slot = -1}};
  tme_status st = follow_links(at, t);
  return st == TME_OK ? inspect(at, t) : st;
}

static bool stat_folder(const io_target *t, struct stat *st) {
  char path[PATH_MAX + 2];
  snprintf(path, sizeof path, "%.*s.", (int)folder(t->path), t->path);
  return stat(path, st) == 0;
}

bool io_target_same(const io_target *a, const io_target *b) {
  struct stat x, y;
  return !strcmp(a->path + folder(a->path), b->path + folder(b->path)) && stat_folder(a, &x) && stat_folder(b, &y) &&
         x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

tme_status io_target_open(const io_place *at, io_target *t, bool nameless) {
  /* Private until it has the permissions of the file that it replaces; a new file's come from the umask. */
  if (temporary_open(&t->temp, t->path, t->exists ? 0600 : 0666, nameless)) return TME_OK;
  if (errno == ENOMEM) return io_fail_memory(at, strlen(t->path));
  return io_fail_errno(at, "cannot create a file there", errno);
}

tme_status io_target_finish(const io_place *at, io_target *t) {
  if (t->exists && fchmod(t->temp.fd, t->mode) != 0) return io_fail_errno(at, "cannot set permissions", errno);
  return temporary_finish(&t->temp) ? TME_OK : io_fail_errno(at, "cannot write", errno);
}

tme_status io_target_put(const io_place *at, io_target *t) {
  if (temporary_put(&t->temp, t->path)) return TME_OK;
  if (errno == ENOMEM) return io_fail_memory(at, strlen(t->path));
  return io_fail_errno(at, "cannot replace the file", errno);
}

void io_target_free(io_target *t) {
  temporary_drop(&t->temp);
  mem_free(t->path);
  t->path = NULL;
}

void size_signal_block(size_signal *s) {
  sigset_t limit;
  sigemptyset(&limit);
  sigaddset(&limit, SIGXFSZ);
  s->blocked = pthread_sigmask(SIG_BLOCK, &limit, &s->old) == 0 && !sigismember(&s->old, SIGXFSZ);
}

void size_signal_restore(const size_signal *s) {
  if (!s->blocked) return;
  sigset_t limit, pending;
  sigemptyset(&limit);
  sigaddset(&limit, SIGXFSZ);
  if (sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ)) sigtimedwait(&limit, NULL, &(struct timespec){0, 0});
  pthread_sigmask(SIG_SETMASK, &s->old, NULL);
}
