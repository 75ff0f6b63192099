#include "base/pointers.h"

/* Where the key is, or would be. */
static int find(const pointer_map *m, const void *key) {
  uint64_t hash = (uint64_t)(uintptr_t)key * 0x9e3779b97f4a7c15u; /* 2^64 / the golden ratio: Fibonacci hashing */
  int mask = m->cap - 1, at = (int)(hash >> 32) & mask;
  while (m->key[at] && m->key[at] != key) at = (at + 1) & mask;
  return at;
}

static bool make_room(pointer_map *m) {
  if (2 * (m->n + 1) <= m->cap) return true;
  if (m->cap > INT32_MAX / 2) return false;
  pointer_map more = {.cap = m->cap ? 2 * m->cap : 16};
  more.key = mem_calloc((size_t)more.cap, sizeof *more.key);
  more.value = mem_alloc((size_t)more.cap * sizeof *more.value);
  bool ok = more.key && more.value;
  for (int i = 0; i < m->cap && ok; i++)
    if (m->key[i]) {
      int at = find(&more, m->key[i]);
      more.key[at] = m->key[i];
      more.value[at] = m->value[i];
      more.n++;
    }
  pointer_map_free(ok ? m : &more);
  if (ok) *m = more;
  return ok;
}

bool pointer_map_add(pointer_map *m, const void *key, int value) {
  if (!make_room(m)) return false;
  int at = find(m, key);
  if (m->key[at]) return true;
  m->key[at] = key;
  m->value[at] = value;
  m->n++;
  return true;
}

int pointer_map_get(const pointer_map *m, const void *key) {
  if (!m->n) return -1;
  int at = find(m, key);
  return m->key[at] ? m->value[at] : -1;
}

void pointer_map_free(pointer_map *m) {
  mem_free(m->key);
  mem_free(m->value);
  *m = (pointer_map){0};
}
