#include "cache/disk_files.h"
#include "base/fd.h"
#include "base/grow.h"
#include <limits.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { TEMPORARY_LIVES = 3600 }; /* seconds */

static bool make_folder(const char *path) {
  if (mkdir(path, 0700) == 0 || errno == EEXIST) return true;
  int why = errno;
  bool there = access(path, F_OK) == 0;
  errno = why;
  return there;
}

/* mkdir -p; false with errno, and `path` cut behind what cannot be made. */
static bool make_folders(char *path) {
  for (char *p = path + 1; *p; p++) {
    if (*p != '/') continue;
    *p = 0;
    if (!make_folder(path)) return false;
    *p = '/';
  }
  return make_folder(path);
}

int disk_folder_open(const char *path, error *e) {
  size_t length = strlen(path);
  char *copy = mem_strdup(path);
  if (!copy) {
    fail_memory(e, "disk cache", length + 1);
    return -1;
  }
  while (length > 1 && copy[length - 1] == '/') copy[--length] = 0; /* a slash at the end would follow a link */
  int fd = -1;
  bool made = true;
  if (length == 0) {
    errno = ENOENT;
  } else {
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    fd = fd_apart(open(copy, flags));
    if (fd < 0 && errno == ENOENT) {
      made = make_folders(copy);
      if (made) fd = fd_apart(open(copy, flags));
    }
  }
  int failure = errno;
  struct stat st;
  if (!made) {
    fail(e, TME_ERR_IO, "disk cache: the folder %s cannot be made: %s: %s", path, copy,
         failure == ENOENT ? "no folder can be made there" : strerror(failure));
  } else if (fd < 0 && failure == ENOTDIR) {
    fail(e, TME_ERR_IO, "disk cache: %s is no directory, or something on the way to it is none", path);
  } else if (fd < 0 || fstat(fd, &st) != 0) {
    fail(e, TME_ERR_IO, "disk cache: %s: %s", path, strerror(fd < 0 ? failure : errno));
  } else if (st.st_uid != geteuid()) {
    fail(e, TME_ERR_IO, "disk cache: %s belongs to another user", path);
  } else if (st.st_mode & (S_IWGRP | S_IWOTH)) {
    fail(e, TME_ERR_IO, "disk cache: other users may write to %s (mode %o, should be 700)", path,
         (unsigned)st.st_mode & 0777);
  } else if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) != 0) {
    fail(e, TME_ERR_IO, "disk cache: %s is not writable: %s", path, strerror(errno));
  } else {
    mem_free(copy);
    return fd;
  }
  mem_free(copy);
  if (fd >= 0) close(fd);
  return -1;
}

void disk_file_name(char out[FILE_NAME_SIZE], hash128 h) {
  static const char digits[] = "0123456789abcdef";
  for (int i = 0; i < 32; i++) out[i] = digits[((i < 16 ? h.hi : h.lo) >> (60 - 4 * (i % 16))) & 15];
  memcpy(out + 32, ".tme", 5);
}

static bool is_name(const char *s) { return strspn(s, "0123456789abcdef") == 32 && !strcmp(s + 32, ".tme"); }
static bool is_temporary(const char *s) { return strspn(s, "0123456789abcdef") == 32 && !strcmp(s + 32, ".tmp"); }

static bool push(disk_file **files, size_t *n, int *cap, const char *name, const struct stat *st) {
  if (*n >= INT_MAX || !grow(files, cap, (int)*n + 1, sizeof **files)) return false;
  disk_file *f = &(*files)[(*n)++];
  *f = (disk_file){.size = (uint64_t)st->st_size, .used_s = st->st_mtim.tv_sec, .used_ns = st->st_mtim.tv_nsec};
  memcpy(f->name, name, FILE_NAME_SIZE);
  return true;
}

bool disk_folder_list(int folder, disk_file **out, size_t *n) {
  int fd = fd_apart(openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)); /* a reading position of its own */
  if (fd < 0) return false;
  DIR *dir = fdopendir(fd);
  if (!dir) {
    close(fd);
    return false;
  }
  disk_file *files = NULL;
  size_t count = 0;
  int cap = 0;
  bool ok = true;
  time_t now = time(NULL);
  while (ok) {
    errno = 0;
    const struct dirent *d = readdir(dir);
    if (!d) {
      ok = errno == 0;
      break;
    }
    struct stat st;
    bool temporary = is_temporary(d->d_name);
    if ((!temporary && !is_name(d->d_name)) || fstatat(folder, d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!temporary)
      ok = push(&files, &count, &cap, d->d_name, &st);
    else if (now - st.st_mtim.tv_sec > TEMPORARY_LIVES)
      (void)unlinkat(folder, d->d_name, 0); /* of a process that died; the next scan tries again */
  }
  closedir(dir);
  if (!ok) {
    mem_free(files);
    return false;
  }
  *out = files;
  *n = count;
  return true;
}

int disk_file_open(int folder, const char *name, size_t max, struct stat *st) {
  /* O_NONBLOCK: a fifo must not hold us up. */
  int fd = fd_apart(openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (fd < 0) {
    bool no_fault_of_its = errno == ENOENT || errno == EMFILE || errno == ENFILE || errno == ENOMEM;
    return no_fault_of_its ? FILE_ABSENT : FILE_REJECTED;
  }
  /* No link at all: it was replaced since, which is as good. */
  if (fstat(fd, st) == 0 && S_ISREG(st->st_mode) && st->st_uid == geteuid() && st->st_nlink <= 1 &&
      !(st->st_mode & (S_IWGRP | S_IWOTH)) && st->st_size > 0 && (uint64_t)st->st_size <= max)
    return fd;
  close(fd);
  return FILE_REJECTED;
}

bool disk_file_read(int fd, uint8_t *out, size_t n) {
  while (n) {
    ssize_t got = read(fd, out, n);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    out += got;
    n -= (size_t)got;
  }
  return true;
}

void disk_file_touch(int fd, const struct stat *st, int seconds) {
  time_t age = time(NULL) - st->st_mtim.tv_sec;
  if (age >= 0 && age <= seconds) return;
  const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}};
  (void)futimens(fd, times); /* on a read-only system the order of deletion matters to nobody */
}

static bool write_all(int fd, const uint8_t *bytes, size_t n) {
  while (n) {
    ssize_t put = write(fd, bytes, n);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    bytes += put;
    n -= (size_t)put;
  }
  return true;
}

/* A name that no other thread or process uses now; O_EXCL decides. */
static void temporary_name(char out[FILE_NAME_SIZE]) {
  static atomic_uint serial;
  struct timespec now = {0};
  (void)clock_gettime(CLOCK_REALTIME, &now);
  const uint64_t seed[] = {(uint64_t)getpid(), (uint64_t)now.tv_sec, (uint64_t)now.tv_nsec,
                           atomic_fetch_add(&serial, 1), (uint64_t)(uintptr_t)&now};
  disk_file_name(out, hash_bytes(seed, sizeof seed));
  memcpy(out + 32, ".tmp", 5);
}

tme_status disk_file_replace(int folder, const char *name, const void *bytes, size_t n, error *e) {
  struct rlimit limit; /* beyond it a write would raise SIGXFSZ */
  if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && n > limit.rlim_cur)
    return fail(e, TME_ERR_IO, "disk cache: %zu bytes are more than the limit of a file's size", n);
  char temporary[FILE_NAME_SIZE];
  int fd = -1;
  for (int tries = 0; fd < 0 && tries < 8; tries++) {
    temporary_name(temporary);
    fd = fd_apart(openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (fd < 0 && errno != EEXIST) break;
  }
  if (fd < 0) return fail(e, TME_ERR_IO, "disk cache: cannot make a file: %s", strerror(errno));
  bool ok = write_all(fd, bytes, n);
  int failure = errno;
  if (close(fd) != 0 && ok) { /* where the disk is full or over quota may come up only now */
    ok = false;
    failure = errno;
  }
  if (ok && renameat(folder, temporary, folder, name) != 0) {
    ok = false;
    failure = errno;
  }
  if (ok) return TME_OK;
  (void)unlinkat(folder, temporary, 0);
  return fail(e, TME_ERR_IO, "disk cache: cannot write a file: %s", strerror(failure));
}
