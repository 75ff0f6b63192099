/* The bytes of a file: mapped, or read into memory. */
#include "base/fd.h"
#include "io/formats.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static io_bytes *new_bytes(uint8_t *data, size_t size, bool mapped) {
  io_bytes *b = mem_alloc(sizeof *b);
  if (!b) return NULL;
  atomic_init(&b->refs, 1);
  b->data = data;
  b->size = size;
  b->mapped = mapped;
  return b;
}

io_bytes *io_bytes_new(size_t size) {
  uint8_t *data = mem_alloc(size);
  if (!data) return NULL;
  io_bytes *b = new_bytes(data, size, false);
  if (!b) mem_free(data);
  return b;
}

io_bytes *io_bytes_retain(io_bytes *b) {
  if (b) atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
  return b;
}

void io_bytes_release(io_bytes *b) {
  if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1) return;
  if (b->mapped) {
    munmap(b->data, b->size);
  } else {
    mem_free(b->data);
  }
  mem_free(b);
}

static tme_status read_all(const io_place *at, int fd, size_t size, io_bytes **out) {
  io_bytes *b = io_bytes_new(size);
  if (!b) return io_fail_memory(at, size);
  size_t done = 0;
  while (done < size) {
    size_t want = size - done < (1u << 30) ? size - done : (1u << 30);
    ssize_t n = read(fd, b->data + done, want);
    if (n > 0) {
      done += (size_t)n;
    } else if (n == 0) {
      io_bytes_release(b);
      return io_fail(at, TME_ERR_IO, "the file became shorter while it was read");
    } else if (errno != EINTR) {
      int errnum = errno;
      io_bytes_release(b);
      return io_fail_errno(at, "cannot read", errnum);
    }
  }
  *out = b;
  return TME_OK;
}

static tme_status map_all(const io_place *at, int fd, size_t size, io_bytes **out) {
  void *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (p == MAP_FAILED) return read_all(at, fd, size, out); /* some file systems cannot map */
  *out = new_bytes(p, size, true);
  if (*out) return TME_OK;
  munmap(p, size);
  return io_fail_memory(at, sizeof **out);
}

tme_status io_bytes_open(const io_place *at, bool copy, io_bytes **out) {
  *out = NULL;
  /* Without O_NONBLOCK, opening a pipe that nobody writes to would wait. */
  int fd = fd_apart(open(at->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd < 0) return io_fail_errno(at, "cannot open", errno);
  struct stat st;
  tme_status s;
  if (fstat(fd, &st) != 0) {
    s = io_fail_errno(at, "cannot read", errno);
  } else if (S_ISDIR(st.st_mode)) {
    s = io_fail(at, TME_ERR_IO, "it is a directory, expected a file");
  } else if (!S_ISREG(st.st_mode)) {
    s = io_fail(at, TME_ERR_IO, "it is not a regular file");
  } else if (st.st_size <= 0) {
    s = io_fail(at, TME_ERR_FORMAT, "the file is empty");
  } else if ((uintmax_t)st.st_size > PTRDIFF_MAX) {
    s = io_fail(at, TME_ERR_MEMORY, "the file is larger than the address space");
  } else {
    s = (copy ? read_all : map_all)(at, fd, (size_t)st.st_size, out);
  }
  close(fd);
  return s;
}
