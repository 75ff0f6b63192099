#include "base/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int fd_apart(int fd) {
  if (fd < 0 || fd > STDERR_FILENO) return fd;
  int apart = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), why = errno;
  close(fd);
  errno = why;
  return apart;
}

FILE *fd_reader(const char *path) {
  int fd = fd_apart(open(path, O_RDONLY | O_CLOEXEC));
  FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
  if (f || fd < 0) return f;
  int why = errno;
  close(fd);
  errno = why;
  return NULL;
}
