#include "backend/cpu/code.h"
#include "base/fd.h"
#include "base/lock.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* perf knows one map for a process, by its number, so it is shared by all engines. It is never an existing file: in a
 * folder that everybody may write to, that may be somebody's trap. */
static lock guard;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int map = -1;
static pid_t owner; /* a child of fork() needs its own */

static void begin(void) { lock_init(&guard, LOCK_INNER); }

static bool write_line(int fd, const char *s, size_t n) {
  ssize_t put;
  do put = write(fd, s, n);
  while (put < 0 && errno == EINTR);
  return put == (ssize_t)n;
}

tme_status code_perf_map(const code *c, const char *name, error *e) {
  char path[64], line[256];
  int n = snprintf(line, sizeof line - 1, "%lx %zx %s", (unsigned long)(uintptr_t)code_entry(c), code_size(c), name);
  if (n < 0) return fail(e, TME_ERR_IO, "perf map: bad name");
  size_t length = strlen(line);
  for (size_t i = 0; i < length; i++)
    if ((unsigned char)line[i] < ' ') line[i] = '_';
  line[length++] = '\n';
  tme_status s = TME_OK;
  pthread_once(&once, begin);
  lock_take(&guard);
  pid_t self = getpid();
  snprintf(path, sizeof path, "/tmp/perf-%ld.map", (long)self);
  if (map >= 0 && owner != self) {
    close(map);
    map = -1;
  }
  if (map < 0) {
    map = fd_apart(open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_APPEND | O_CLOEXEC, 0600));
    owner = self;
  }
  if (map < 0 || !write_line(map, line, length)) s = fail(e, TME_ERR_IO, "%s: %s", path, strerror(errno));
  lock_give(&guard);
  return s;
}
