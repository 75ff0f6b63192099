#include "io/temporary.h"
#include "base/fd.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NAME_SIZE = 26 }; /* ".tme-" 16 digits ".tmp" */
enum { LIVES = 600 };    /* seconds without a write, after which a file that nobody has locked was left behind */

#ifdef TME_TEST_HOOKS
bool temporary_hook_named;
#endif

/* ---- names that a signal's handler can find ---------------------------------------------------------------------- */

/* Whoever takes a name out of its slot removes the file. One that a handler took is freed once no handler reads it. In a
 * child of fork() they are the parent's. */
static struct {
  atomic_bool taken;
  _Atomic(char *) name;
  atomic_int owner, readers; /* readers: handlers */
} slots[64];
_Static_assert(ATOMIC_POINTER_LOCK_FREE == 2, "handlers of signals read the slots");

static int enter(char *name) {
  for (int i = 0; i < COUNT(slots); i++) {
    if (atomic_exchange(&slots[i].taken, true)) continue;
    atomic_store(&slots[i].owner, getpid());
    atomic_store(&slots[i].name, name);
    return i;
  }
  return -1; /* a later write into that folder removes it */
}

/* False: a handler of the parent may have had it in hand when this process was forked, and never lets go of it here. */
static bool leave(temporary *t) {
  if (t->slot < 0) return true;
  bool there = atomic_exchange(&slots[t->slot].name, NULL), own = atomic_load(&slots[t->slot].owner) == getpid();
  while (own && atomic_load(&slots[t->slot].readers)) sched_yield();
  atomic_store(&slots[t->slot].taken, false);
  t->slot = -1;
  return there || own;
}

void tme_save_abandon(void) {
  int errnum = errno;
  for (int i = 0; i < COUNT(slots); i++) {
    if (!atomic_load(&slots[i].name) || atomic_load(&slots[i].owner) != getpid()) continue;
    atomic_fetch_add(&slots[i].readers, 1);
    const char *name = atomic_exchange(&slots[i].name, NULL);
    if (name) unlink(name);
    atomic_fetch_sub(&slots[i].readers, 1);
  }
  errno = errnum;
}

static void forget_name(temporary *t) {
  if (!t->name) return;
  if (leave(t)) mem_free(t->name);
  t->name = NULL;
}

/* ---- what was left behind ---------------------------------------------------------------------------------------- */

static bool is_temporary(const char *s) {
  return !strncmp(s, ".tme-", 5) && strspn(s + 5, "0123456789abcdef") == 16 && !strcmp(s + 21, ".tmp");
}

/* Those who write hold the lock. */
static void remove_if_left(int folder, const char *name) {
  struct stat st;
  int fd = fd_apart(openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (fd < 0) return;
  bool left = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_nlink == 1 &&
              time(NULL) - st.st_mtime > LIVES && flock(fd, LOCK_EX | LOCK_NB) == 0;
  if (left) (void)unlinkat(folder, name, 0);
  close(fd);
}

/* Once a minute at most, and no further than a folder of usual size goes. */
static void sweep(const char *path, size_t folder) {
  enum { MOST = 100000 };
  static atomic_llong next;
  long long now = (long long)(now_ms() / 1000), due = atomic_load(&next);
  if (now < due || !atomic_compare_exchange_strong(&next, &due, now + 60)) return;
  char *name = mem_alloc(folder + 2);
  if (!name) return;
  memcpy(name, path, folder);
  memcpy(name + folder, ".", 2);
  DIR *d = opendir(name);
  mem_free(name);
  if (!d) return;
  const struct dirent *f;
  for (int i = 0; i < MOST && (f = readdir(d)); i++)
    if (is_temporary(f->d_name)) remove_if_left(dirfd(d), f->d_name);
  closedir(d);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

/* The length of the folder's part of a path, with its slash. */
static size_t folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? (size_t)(slash - path) + 1 : 0;
}

/* A new name in the folder of `path`, entered into a slot. */
static bool make_name(temporary *t, const char *path) {
  uint64_t random;
  size_t folder = folder_of(path);
  if (getentropy(&random, sizeof random) != 0) return false;
  t->name = mem_alloc(folder + NAME_SIZE);
  if (!t->name) {
    errno = ENOMEM;
    return false;
  }
  memcpy(t->name, path, folder);
  snprintf(t->name + folder, NAME_SIZE, ".tme-%016llx.tmp", (unsigned long long)random);
  t->slot = enter(t->name);
  return true;
}

/* How a file without a name is called where it gets one. */
static void descriptor_path(int fd, char out[40]) { snprintf(out, 40, "/proc/self/fd/%d", fd); }

static bool open_nameless(temporary *t, const char *path, mode_t mode) {
#ifdef TME_TEST_HOOKS
  if (temporary_hook_named) return false;
#endif
#ifdef O_TMPFILE
  size_t folder = folder_of(path);
  char *name = mem_alloc(folder + 2), at[40];
  if (!name) return false;
  memcpy(name, path, folder);
  memcpy(name + folder, ".", 2);
  t->fd = fd_apart(open(name, O_TMPFILE | O_WRONLY | O_CLOEXEC, mode));
  mem_free(name);
  if (t->fd < 0) return false;
  descriptor_path(t->fd, at);
  if (access(at, F_OK) == 0) return true; /* without /proc it could never get a name */
  close(t->fd);
  t->fd = -1;
#else
  (void)t, (void)path, (void)mode;
#endif
  return false;
}

static bool open_named(temporary *t, const char *path, mode_t mode) {
  for (int i = 0; i < 16; i++) {
    if (!make_name(t, path)) return false;
    t->fd = fd_apart(open(t->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    if (t->fd >= 0) return true;
    int errnum = errno;
    forget_name(t);
    errno = errnum;
    if (errnum != EEXIST && errnum != EINTR) return false;
  }
  return false;
}

bool temporary_open(temporary *t, const char *path, mode_t mode, bool nameless) {
  *t = (temporary){.fd = -1, .slot = -1};
  sweep(path, folder_of(path));
  if (!(nameless && open_nameless(t, path, mode)) && !open_named(t, path, mode)) return false;
  (void)flock(t->fd, LOCK_EX | LOCK_NB);
  return true;
}

/* Closing a descriptor says what could not be written, on some systems for the first time. A file without a name is
 * gone with its last one, so that there another is closed. */
bool temporary_finish(temporary *t) {
  int fd = t->name ? t->fd : dup(t->fd);
  if (t->name) t->fd = -1;
  return fd >= 0 && close(fd) == 0;
}

/* Beside an existing file it needs a name for a moment. */
static bool give_name(temporary *t, const char *path) {
  char at[40];
  descriptor_path(t->fd, at);
  if (linkat(AT_FDCWD, at, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0) return true;
  if (errno != EEXIST) return false;
  for (int i = 0; i < 16; i++) {
    if (!make_name(t, path)) return false;
    if (linkat(AT_FDCWD, at, AT_FDCWD, t->name, AT_SYMLINK_FOLLOW) == 0) return rename(t->name, path) == 0;
    int errnum = errno;
    forget_name(t);
    errno = errnum;
    if (errnum != EEXIST) return false;
  }
  return false;
}

bool temporary_put(temporary *t, const char *path) {
  if (!(t->name ? rename(t->name, path) == 0 : give_name(t, path))) return false;
  forget_name(t); /* there is no file of that name */
  temporary_drop(t);
  return true;
}

void temporary_drop(temporary *t) {
  if (t->name) unlink(t->name);
  forget_name(t);
  if (t->fd >= 0) close(t->fd);
  t->fd = -1;
}
