/* Blocks of host memory that are kept when they are freed: fresh pages cost more than the arithmetic on them. */
#include "base/lock.h"
#include "memory/buffer.h"
#include <sys/mman.h>

/* Sizes are 2^k * (4, 5, 6, 7) / 4, and multiples of 64: four steps per power of two. */
enum { CLASSES = 4 * 58, ALIGN = 64 };
static const size_t large = (size_t)1 << 20, huge = (size_t)2 << 20;

typedef struct free_list {
  buffer *first;
  uint64_t used_at; /* when the class was asked for last */
} free_list;

struct pool {
  atomic_size_t refs; /* the owner's, and one per buffer in use */
  lock lock;
  size_t keep, limit;
  uint64_t clock;
  pool_stats stats;
  free_list list[CLASSES];
};

/* The class of a size and the bytes of its blocks; -1 if it is too large. */
static int class_of(size_t bytes, size_t *block) {
  if (bytes > SIZE_MAX / 4) return -1;
  bytes = bytes ? (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1) : ALIGN;
  int top = 63 - __builtin_clzll(bytes);
  size_t step = (size_t)1 << (top - 2), up = (bytes + step - 1) & ~(step - 1);
  if (up >> (top + 1)) {
    top++;
    step <<= 1;
  }
  *block = up;
  return 4 * (top - 6) + (int)((up >> (top - 2)) & 3);
}

/* A multiple of every page size in use. */
static size_t mapped_size(size_t bytes) { return (bytes + 65535) & ~(size_t)65535; }

static buffer *block_new(size_t bytes) {
  bool mapped = bytes >= large;
  size_t own = mapped ? sizeof(buffer) : sizeof(buffer) + ALIGN + bytes;
  buffer *b = mem_alloc(own);
  if (!b) return NULL;
  *b = (buffer){.bytes = bytes};
  if (!mapped) {
    b->data = (void *)(((uintptr_t)(b + 1) + ALIGN - 1) & ~(uintptr_t)(ALIGN - 1));
    return b;
  }
  /* Aligned to huge pages: what lies before and behind is given back at once. */
  size_t want = mapped_size(bytes);
  char *p = mmap(NULL, want + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) {
    mem_free(b);
    return NULL;
  }
  char *start = (char *)(((uintptr_t)p + huge - 1) & ~(uintptr_t)(huge - 1));
  if (start > p) munmap(p, (size_t)(start - p));
  if (start < p + huge) munmap(start + want, (size_t)(p + huge - start));
#ifdef MADV_HUGEPAGE
  if (bytes >= huge) madvise(start, want, MADV_HUGEPAGE);
#endif
  b->data = start;
  return b;
}

static void block_free(buffer *b) {
  if (b->bytes >= large) munmap(b->data, mapped_size(b->bytes));
  mem_free(b);
}

pool *pool_new(size_t keep, size_t limit, error *e) {
  pool *p = mem_calloc(1, sizeof *p);
  if (!p) {
    fail_memory(e, "pool", sizeof *p);
    return NULL;
  }
  atomic_init(&p->refs, 1);
  p->keep = keep;
  p->limit = limit;
  lock_init(&p->lock, LOCK_INNER);
  return p;
}

static void drop(pool *p) {
  if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1) return;
  pool_trim(p);
  lock_end(&p->lock);
  mem_free(p);
}

void pool_free(pool *p) {
  if (p) drop(p);
}

static void count_use(pool *p, buffer *b) {
  p->stats.used += b->bytes;
  if (p->stats.used > p->stats.peak) p->stats.peak = p->stats.used;
}

buffer *pool_get(pool *p, size_t bytes) {
  size_t size;
  int c = class_of(bytes, &size);
  if (c < 0 || c >= CLASSES) return NULL;
  lock_take(&p->lock);
  buffer *b = p->list[c].first;
  p->list[c].used_at = ++p->clock;
  if (b) {
    p->list[c].first = b->next;
    p->stats.kept -= size;
    p->stats.hits++;
    count_use(p, b);
  }
  bool refused = !b && size >= large && (size > p->limit || p->stats.used > p->limit - size);
  lock_give(&p->lock);
  if (refused) return NULL;
  if (!b) {
    b = block_new(size);
    if (!b) {
      /* What is kept in other sizes may be what is missing. */
      pool_trim(p);
      b = block_new(size);
    }
    if (!b) return NULL;
    lock_take(&p->lock);
    p->stats.misses++;
    count_use(p, b);
    lock_give(&p->lock);
  }
  atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
  atomic_init(&b->refs, 1);
  b->pool = p;
  b->ready = NULL;
  b->next = NULL;
  b->drawn = false;
  b->failure = b->failed_op = NULL;
  b->failed_matrix = 0;
  return b;
}

/* Under the lock. */
static void keep(pool *p, int class, buffer *b) {
  b->next = p->list[class].first;
  p->list[class].first = b;
  p->stats.kept += b->bytes;
}

void *pool_expect(pool *p, size_t bytes) {
  size_t size;
  int c = class_of(bytes, &size);
  if (c < 0 || c >= CLASSES) return NULL;
  lock_take(&p->lock);
  const pool_stats *now = &p->stats;
  bool room = size <= p->limit && now->used <= p->limit - size && size <= p->keep && now->kept <= p->keep - size;
  buffer *b = room && !p->list[c].first ? block_new(size) : NULL;
  void *start = b ? b->data : NULL;
  if (b) keep(p, c, b);
  lock_give(&p->lock);
  return start;
}

void pool_populate(void *start, size_t bytes) {
#ifdef MADV_POPULATE_WRITE
  madvise(start, bytes, MADV_POPULATE_WRITE);
#else
  (void)start;
  (void)bytes;
#endif
}

/* Takes blocks of the sizes that were not asked for for longest, until `bytes` more may be kept. Under the lock. */
static buffer *make_room(pool *p, size_t bytes) {
  buffer *out = NULL;
  while (p->stats.kept > p->keep - bytes) {
    free_list *oldest = NULL;
    for (int c = 0; c < CLASSES; c++)
      if (p->list[c].first && (!oldest || p->list[c].used_at < oldest->used_at)) oldest = &p->list[c];
    if (!oldest) break;
    buffer *b = oldest->first;
    oldest->first = b->next;
    p->stats.kept -= b->bytes;
    b->next = out;
    out = b;
  }
  return out;
}

static void free_blocks(buffer *b) {
  while (b) {
    buffer *next = b->next;
    block_free(b);
    b = next;
  }
}

static void give_back(pool *p, buffer *b) {
  size_t size;
  int c = class_of(b->bytes, &size);
  lock_take(&p->lock);
  p->stats.used -= b->bytes;
  buffer *out = b->bytes <= p->keep ? make_room(p, b->bytes) : NULL;
  if (b->bytes <= p->keep) {
    keep(p, c, b);
  } else {
    b->next = NULL;
    out = b;
  }
  lock_give(&p->lock);
  free_blocks(out);
  drop(p);
}

void pool_trim(pool *p) {
  if (!p) return;
  buffer *out = NULL;
  lock_take(&p->lock);
  for (int c = 0; c < CLASSES; c++)
    while (p->list[c].first) {
      buffer *b = p->list[c].first;
      p->list[c].first = b->next;
      b->next = out;
      out = b;
    }
  p->stats.kept = 0;
  lock_give(&p->lock);
  free_blocks(out);
}

void pool_get_stats(pool *p, pool_stats *out) {
  lock_take(&p->lock);
  *out = p->stats;
  lock_give(&p->lock);
}

/* ---- buffers ----------------------------------------------------------------------------------------------------- */

static union {
  uint64_t word[2];
  void *p;
} no_bytes;

buffer *buffer_wrap(const void *data, size_t bytes, void (*release)(void *), void *user) {
  buffer *b = mem_alloc(sizeof *b);
  if (!b) return NULL;
  *b = (buffer){.bytes = bytes, .release = release, .user = user};
  /* Never written through: const only ends here. */
  b->data = data ? (void *)(uintptr_t)data : &no_bytes;
  atomic_init(&b->refs, 1);
  return b;
}

buffer *buffer_retain(buffer *b) {
  atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
  return b;
}

void buffer_release(buffer *b) {
  if (!b || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1) return;
  event_release(b->ready);
  if (b->pool) {
    give_back(b->pool, b);
  } else {
    if (b->release) b->release(b->user);
    mem_free(b);
  }
}
