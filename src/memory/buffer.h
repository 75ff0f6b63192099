/* Memory that arrays live in: reference-counted blocks from the pool, or the caller's memory, or a mapped file. */
#ifndef TME_BUFFER_H
#define TME_BUFFER_H

#include "memory/event.h"

typedef struct pool pool;
typedef struct buffer buffer;

struct buffer {
  atomic_int refs;
  void *data;             /* on the host, or the handle of a device's memory: see `device` */
  size_t bytes;           /* that may be used */
  struct backend *device; /* NULL: host memory */
  event *ready;           /* a reference: when the elements, and `failure`, may be read; NULL: now. Set by who makes the
                             buffer, before others know it; of a device's memory alone */
  pool *pool;             /* owner of the block; NULL: `release` gives it back */
  void (*release)(void *user);
  void *user;
  bool drawn;            /* a key from the engine's stream: context/keys.h */
  buffer *next;          /* the pool's free list */
  const char *failure;   /* a numerical failure found while computing it (static text), or NULL */
  const char *failed_op; /* in which operation (static text) */
  int64_t failed_matrix; /* and which matrix of the batch */
};

/* A host block of at least `bytes`, aligned to 64 bytes, contents undefined. NULL when out of memory. */
buffer *pool_get(pool *p, size_t bytes);
/* Keeps a new block for a request that will come, unless one is kept already or nothing may be kept beside what is: where
 * it begins, or NULL. It may be taken, and given back to the system, at any time. */
void *pool_expect(pool *p, size_t bytes);
/* Has the system find and clear the pages [start, start + bytes) of a block, as the first write to them would: what they
 * hold stays, and what is no memory any more is left alone. (Linux from 5.14 on; else nothing.) */
void pool_populate(void *start, size_t bytes);
/* The caller's memory. NULL when out of memory (release is then not called). */
buffer *buffer_wrap(const void *data, size_t bytes, void (*release)(void *), void *user);
buffer *buffer_retain(buffer *b);
void buffer_release(buffer *b); /* NULL is allowed; also before it is ready: the device keeps what it works on */

/* Whether nothing works on it any more. */
static inline bool buffer_is_ready(const buffer *b) { return !b->ready || b->ready->done(b->ready); }
/* Waits until it is ready. The reason if what was to fill it failed. */
static inline tme_status buffer_wait(const buffer *b, error *e) {
  return b->ready ? b->ready->wait(b->ready, e) : TME_OK;
}

/* What is computed from numbers that failed has failed. */
static inline void buffer_inherit(buffer *to, const buffer *from) {
  if (to->failure || !from->failure) return;
  to->failure = from->failure;
  to->failed_op = from->failed_op;
  to->failed_matrix = from->failed_matrix;
}

/* Keeps at most `keep` bytes of freed blocks. Beyond `limit` bytes in use, large blocks are refused: beyond the memory
 * there is, the system would end the process instead of saying no. */
pool *pool_new(size_t keep, size_t limit, error *e);
/* Ends when the last buffer from it is gone. */
void pool_free(pool *p);
void pool_trim(pool *p); /* gives all kept blocks back to the system */

typedef struct pool_stats {
  uint64_t used, kept, peak, hits, misses; /* bytes in use, kept, most in use; requests answered from kept blocks */
} pool_stats;
void pool_get_stats(pool *p, pool_stats *out);

#endif
