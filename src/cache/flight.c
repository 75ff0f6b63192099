#include "cache/flight.h"
#include "base/fork.h"
#include <string.h>

struct flight {
  flight *next;
  unsigned generation; /* of fork: who does the work may be a thread that only the parent has */
  bool landed;
  int waiting;
  void *result;
  error why;
  size_t size;
  char key[];
};

static flight *find(flight *f, const void *key, size_t n) {
  while (f && !(f->generation == fork_generation() && f->size == n && (n == 0 || !memcmp(f->key, key, n)))) f = f->next;
  return f;
}

static flight *begin(flights *all, const void *key, size_t n) {
  flight *f = mem_alloc(sizeof *f + n);
  if (!f) return NULL;
  *f = (flight){.next = *all, .generation = fork_generation(), .size = n};
  if (n) memcpy(f->key, key, n);
  return *all = f;
}

bool flight_begin(flights *all, lock *guard, const void *key, size_t n, flight **f, void **result, error *e) {
  flight *other = find(*all, key, n);
  if (!other) {
    *f = begin(all, key, n);
    return true;
  }
  other->waiting++;
  while (!other->landed) lock_wait(guard);
  *result = other->result;
  if (!other->result && other->why.code != TME_OK) fail(e, other->why.code, "%s", other->why.text);
  if (--other->waiting == 0) mem_free(other);
  return false;
}

int flight_land(flights *all, lock *guard, flight *f, void *result, const error *why) {
  if (!f) return 0;
  int waiting = f->waiting;
  while (*all != f) all = &(*all)->next;
  *all = f->next;
  f->landed = true;
  f->result = result;
  if (!result && why) f->why = *why;
  if (waiting)
    lock_wake(guard);
  else
    mem_free(f);
  return waiting;
}
