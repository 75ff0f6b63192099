#include "base/base.h"
#include <stdlib.h>
#include <string.h>

#ifdef TME_TEST_HOOKS
#include <stdatomic.h>

static atomic_long live, count;
static atomic_long fail_countdown; /* allocations until the failing one; 0: none, and < 0 once it has passed */
static atomic_bool fail_always;

void mem_fail_at(long k, bool forever) {
  atomic_store(&fail_always, forever);
  atomic_store(&fail_countdown, k);
}

long mem_live(void) { return atomic_load(&live); }
long mem_count(void) { return atomic_load(&count); }

static bool refuse(void) {
  atomic_fetch_add(&count, 1);
  long k = atomic_load(&fail_countdown);
  while (k > 0 && !atomic_compare_exchange_weak(&fail_countdown, &k, k == 1 ? -1 : k - 1)) {
  }
  return k == 1 || (k < 0 && atomic_load(&fail_always));
}

static void track(long change) { atomic_fetch_add(&live, change); }
#else
static bool refuse(void) { return false; }
static void track(long change) { (void)change; }
#endif

void *mem_alloc(size_t bytes) {
  void *p = refuse() ? NULL : malloc(bytes ? bytes : 1);
  if (p) track(1);
  return p;
}

void *mem_calloc(size_t n, size_t size) {
  size_t bytes;
  void *p = refuse() || !mul_size(n, size, &bytes) ? NULL : calloc(1, bytes ? bytes : 1);
  if (p) track(1);
  return p;
}

void *mem_realloc(void *p, size_t bytes) {
  void *q = refuse() ? NULL : realloc(p, bytes ? bytes : 1);
  if (q && !p) track(1);
  return q;
}

void mem_free(void *p) {
  if (p) track(-1);
  free(p);
}

char *mem_strdup(const char *s) {
  size_t n = strlen(s) + 1;
  char *copy = mem_alloc(n);
  if (copy) memcpy(copy, s, n);
  return copy;
}
