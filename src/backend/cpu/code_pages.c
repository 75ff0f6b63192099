#include "backend/cpu/code_pages.h"
#include "base/fd.h"
#include "base/fork.h"
#include "base/lock.h"
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

enum { BLOCK_BYTES = 4 << 20 }; /* address space; memory is used as pages are filled */

/* A block is one memfd, mapped executable and never writable: pages are filled by pwrite, so there is no writable alias
 * and a full memory is an error, not a signal. Where that is refused it is anonymous memory, a run of whose pages is
 * made writable while it is filled, before anything in it can be called. */
struct page_block {
  page_block *next;
  uint8_t *address;
  size_t pages, used;
  int fd;      /* -1: anonymous, or sealed */
  bool sealed; /* nothing is filled any more */
  dev_t dev;
  ino_t ino;
  unsigned forks; /* fork_count() when it was made */
  bool taken[];
};

struct code_pages {
  lock lock;
  page_block *blocks;
  size_t page;
  bool no_memfd; /* it was refused before */
};

#ifdef TME_TEST_HOOKS
static atomic_bool refuse_memfd;
void pages_refuse_memfd(bool yes) { atomic_store(&refuse_memfd, yes); }
static bool memfd_refused(void) { return atomic_load(&refuse_memfd); }
#else
static bool memfd_refused(void) { return false; }
#endif

code_pages *pages_new(error *e) {
  long page = sysconf(_SC_PAGESIZE);
  if (page <= 0 || page > BLOCK_BYTES) {
    fail(e, TME_ERR_JIT, "code: unknown page size");
    return NULL;
  }
  code_pages *p = mem_calloc(1, sizeof *p);
  if (!p) {
    fail_memory(e, "code", sizeof *p);
    return NULL;
  }
  p->page = (size_t)page;
  lock_init(&p->lock, LOCK_INNER);
  return p;
}

static void unmap_block(const code_pages *p, page_block *b) {
  munmap(b->address, b->pages * p->page);
  if (b->fd >= 0) close(b->fd);
  mem_free(b);
}

void pages_free(code_pages *p) {
  if (!p) return;
  for (page_block *b = p->blocks, *next; b; b = next) {
    next = b->next;
    unmap_block(p, b);
  }
  lock_end(&p->lock);
  mem_free(p);
}

/* A file longer than the process's limit would raise SIGXFSZ. */
static bool file_may_hold(size_t bytes) {
  struct rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit) == 0 && (limit.rlim_cur == RLIM_INFINITY || bytes <= limit.rlim_cur);
}

static bool map_memfd(page_block *b, size_t bytes) {
  if (memfd_refused() || !file_may_hold(bytes)) return false;
  int fd = fd_apart(memfd_create("tme-code", MFD_CLOEXEC | MFD_EXEC));
  if (fd < 0 && errno == EINVAL) fd = fd_apart(memfd_create("tme-code", MFD_CLOEXEC)); /* before Linux 6.3 */
  if (fd < 0) return false;
  struct stat st;
  void *p = MAP_FAILED;
  if (ftruncate(fd, (off_t)bytes) == 0 && fstat(fd, &st) == 0)
    p = mmap(NULL, bytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED) {
    close(fd);
    return false;
  }
  b->address = p;
  b->fd = fd;
  b->dev = st.st_dev;
  b->ino = st.st_ino;
  return true;
}

static bool map_anonymous(page_block *b, size_t bytes) {
  void *p = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return false;
  b->address = p;
  b->fd = -1;
  return true;
}

static page_block *new_block(code_pages *p, size_t pages, error *e) {
  size_t usual = BLOCK_BYTES / p->page;
  if (pages < usual) pages = usual;
  page_block *b = mem_calloc(1, sizeof *b + pages * sizeof b->taken[0]);
  if (!b) {
    fail_memory(e, "code", sizeof *b + pages);
    return NULL;
  }
  b->pages = pages;
  b->forks = fork_count();
  if (!p->no_memfd) p->no_memfd = !map_memfd(b, pages * p->page);
  if (p->no_memfd && !map_anonymous(b, pages * p->page)) {
    fail(e, TME_ERR_MEMORY, "code: no memory for %zu bytes: %s", pages * p->page, strerror(errno));
    mem_free(b);
    return NULL;
  }
  b->next = p->blocks;
  p->blocks = b;
  return b;
}

/* The descriptor may be another file by now, in a program that closes all it does not know. */
static bool is_open(const page_block *b) {
  struct stat st;
  return fstat(b->fd, &st) == 0 && st.st_dev == b->dev && st.st_ino == b->ino;
}

/* A memfd is shared with every process forked since: a page freed here may still run there, so none is filled again, and
 * the descriptor and what lies behind the last page in use are given back. */
static void seal(const code_pages *p, page_block *b) {
  size_t pages = b->pages;
  while (pages > 1 && !b->taken[pages - 1]) pages--;
  if (pages < b->pages) munmap(b->address + pages * p->page, (b->pages - pages) * p->page);
  b->pages = pages;
  if (is_open(b)) close(b->fd);
  b->fd = -1;
  b->sealed = true;
}

static bool may_fill(const code_pages *p, page_block *b) {
  if (b->fd >= 0 && (b->forks != fork_count() || !is_open(b))) seal(p, b);
  return !b->sealed;
}

/* Seals the blocks that may not be filled, and drops those of them that hold nothing. */
static void drop_sealed(code_pages *p) {
  for (page_block **at = &p->blocks, *b; (b = *at);) {
    if (may_fill(p, b) || b->used) {
      at = &b->next;
    } else {
      *at = b->next;
      unmap_block(p, b);
    }
  }
}

/* The first of `count` free pages in a row, or b->pages. */
static size_t find_run(const page_block *b, size_t count) {
  if (b->pages - b->used < count) return b->pages;
  for (size_t i = 0, run = 0; i < b->pages; i++) {
    run = b->taken[i] ? 0 : run + 1;
    if (run == count) return i + 1 - count;
  }
  return b->pages;
}

tme_status pages_take(code_pages *p, size_t bytes, page_run *out, error *e) {
  size_t count = (bytes - 1) / p->page + 1, first = 0;
  lock_take(&p->lock);
  drop_sealed(p);
  page_block *b = p->blocks;
  for (; b; b = b->next)
    if (!b->sealed && (first = find_run(b, count)) < b->pages) break;
  if (!b) {
    first = 0;
    b = new_block(p, count, e);
  }
  if (b) {
    memset(b->taken + first, true, count);
    b->used += count;
    *out = (page_run){b, b->address + first * p->page, first, count, count * p->page};
  }
  lock_give(&p->lock);
  return b ? TME_OK : TME_ERR_MEMORY;
}

static bool write_all(int fd, const uint8_t *bytes, size_t n, off_t at) {
  while (n) {
    ssize_t put = pwrite(fd, bytes, n, at);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    bytes += put;
    n -= (size_t)put;
    at += put;
  }
  return true;
}

tme_status pages_fill(const page_run *r, const void *code, size_t bytes, error *e) {
  if (bytes > r->bytes) return fail(e, TME_ERR_ARGUMENT, "code: larger than its pages");
  bool ok;
  if (r->block->fd >= 0) {
    ok = write_all(r->block->fd, code, bytes, (off_t)(r->address - r->block->address));
  } else {
    ok = mprotect(r->address, r->bytes, PROT_READ | PROT_WRITE) == 0;
    if (ok) memcpy(r->address, code, bytes);
    ok = ok && mprotect(r->address, r->bytes, PROT_READ | PROT_EXEC) == 0;
  }
  if (!ok) return fail(e, TME_ERR_JIT, "code: cannot make %zu bytes executable: %s", bytes, strerror(errno));
  __builtin___clear_cache((char *)r->address, (char *)r->address + bytes);
  return TME_OK;
}

void pages_give(code_pages *p, const page_run *r) {
  lock_take(&p->lock);
  page_block *b = r->block;
  memset(b->taken + r->first, false, r->count);
  b->used -= r->count;
  bool last = p->blocks == b && !b->next;
  if (b->used == 0 && (!last || !may_fill(p, b))) {
    page_block **at = &p->blocks;
    while (*at != b) at = &(*at)->next;
    *at = b->next;
    unmap_block(p, b);
  }
  lock_give(&p->lock);
}
