#include "cache/lru.h"
#include "base/hash.h"
#include <string.h>

typedef struct entry {
  struct entry *next;          /* in the bucket */
  struct entry *newer, *older; /* in the order of use */
  hash128 hash;
  void *value;
  size_t bytes, key_size;
  uint8_t key[];
} entry;

struct lru {
  entry **buckets;
  size_t mask; /* buckets - 1, a power of two less one */
  entry *newest, *oldest;
  size_t max_bytes, max_entries;
  void (*drop)(void *user, void *value);
  void *user;
  lru_stats stats;
};

enum { FIRST_BUCKETS = 64 };

lru *lru_new(size_t max_bytes, size_t max_entries, void (*drop)(void *user, void *value), void *user, error *e) {
  lru *c = mem_calloc(1, sizeof *c);
  entry **buckets = mem_calloc(FIRST_BUCKETS, sizeof(entry *));
  if (!c || !buckets) {
    fail_memory(e, "cache", sizeof *c + FIRST_BUCKETS * sizeof(entry *));
    mem_free(c);
    mem_free(buckets);
    return NULL;
  }
  *c = (lru){.buckets = buckets,
             .mask = FIRST_BUCKETS - 1,
             .max_bytes = max_bytes,
             .max_entries = max_entries,
             .drop = drop,
             .user = user};
  return c;
}

/* Where the pointer to the entry is, or to be. */
static entry **find(const lru *c, hash128 h, const void *key, size_t n) {
  entry **p = &c->buckets[h.lo & c->mask];
  while (*p && !((*p)->hash.lo == h.lo && (*p)->hash.hi == h.hi && (*p)->key_size == n &&
                 (n == 0 || !memcmp((*p)->key, key, n))))
    p = &(*p)->next;
  return p;
}

static void link_newest(lru *c, entry *x) {
  x->newer = NULL;
  x->older = c->newest;
  *(c->newest ? &c->newest->newer : &c->oldest) = x;
  c->newest = x;
}

static void unlink_order(lru *c, entry *x) {
  *(x->newer ? &x->newer->older : &c->newest) = x->older;
  *(x->older ? &x->older->newer : &c->oldest) = x->newer;
}

static void remove_at(lru *c, entry **p) {
  entry *x = *p;
  *p = x->next;
  unlink_order(c, x);
  c->stats.entries--;
  c->stats.bytes -= x->bytes;
  if (c->drop) c->drop(c->user, x->value);
  mem_free(x);
}

static void remove_oldest(lru *c) {
  entry **p = &c->buckets[c->oldest->hash.lo & c->mask];
  while (*p != c->oldest) p = &(*p)->next;
  remove_at(c, p);
}

/* Twice the buckets. Without the memory for it the chains just get longer. */
static void grow(lru *c) {
  size_t n;
  if (!mul_size(c->mask + 1, 2, &n)) return;
  entry **buckets = mem_calloc(n, sizeof *buckets);
  if (!buckets) return;
  for (size_t i = 0; i <= c->mask; i++)
    for (entry *x = c->buckets[i], *next; x; x = next) {
      next = x->next;
      x->next = buckets[x->hash.lo & (n - 1)];
      buckets[x->hash.lo & (n - 1)] = x;
    }
  mem_free(c->buckets);
  c->buckets = buckets;
  c->mask = n - 1;
}

void *lru_get(lru *c, const void *key, size_t key_size) {
  entry *x = *find(c, hash_bytes(key, key_size), key, key_size);
  if (!x) {
    c->stats.misses++;
    return NULL;
  }
  c->stats.hits++;
  if (x != c->newest) {
    unlink_order(c, x);
    link_newest(c, x);
  }
  return x->value;
}

void *lru_peek(const lru *c, const void *key, size_t key_size) {
  entry *x = *find(c, hash_bytes(key, key_size), key, key_size);
  return x ? x->value : NULL;
}

tme_status lru_put(lru *c, const void *key, size_t key_size, void *value, size_t bytes, error *e) {
  size_t size, total;
  if (!add_size(sizeof(entry), key_size, &size) || !add_size(size, bytes, &total))
    return fail_memory(e, "cache entry", SIZE_MAX);
  entry *x = mem_alloc(size);
  if (!x) return fail_memory(e, "cache entry", size);
  *x = (entry){.hash = hash_bytes(key, key_size), .value = value, .bytes = total, .key_size = key_size};
  if (key_size) memcpy(x->key, key, key_size);
  entry **old = find(c, x->hash, key, key_size);
  if (*old) remove_at(c, old);
  if (c->stats.entries > c->mask) grow(c);
  entry **bucket = &c->buckets[x->hash.lo & c->mask];
  x->next = *bucket;
  *bucket = x;
  link_newest(c, x);
  c->stats.entries++;
  c->stats.bytes += total;
  while (c->oldest && (c->stats.bytes > c->max_bytes || (c->max_entries && c->stats.entries > c->max_entries))) {
    c->stats.evictions++;
    remove_oldest(c);
  }
  return TME_OK;
}

bool lru_remove(lru *c, const void *key, size_t key_size) {
  entry **p = find(c, hash_bytes(key, key_size), key, key_size);
  if (!*p) return false;
  remove_at(c, p);
  return true;
}

void lru_clear(lru *c) {
  while (c->oldest) remove_oldest(c);
}

void lru_free(lru *c) {
  if (!c) return;
  lru_clear(c);
  mem_free(c->buckets);
  mem_free(c);
}

lru_stats lru_stats_of(const lru *c) { return c->stats; }
