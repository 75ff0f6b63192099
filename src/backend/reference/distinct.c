#include "backend/reference/distinct.h"
#include "backend/reference/sort_radix.h"

tme_status distinct_make(distinct *d, const char *op, const ref_array *x, const ref_array *y, threads *t, error *e) {
  /* Of each element the sort's room, its place, its key of at most 16 bytes, and whether a group begins. */
  enum { BYTES = 2 * sizeof(keyed) + sizeof(int64_t) + sizeof(wide_key) + 1 };
  tme_dtype dtype = x->type.dtype;
  size_t first = (size_t)type_size(&x->type), second = y ? (size_t)type_size(&y->type) : 0, n, bytes;
  radix r;
  bool fits = add_size(first, second, &n) && mul_size(n, BYTES, &bytes);
  size_t counts = radix_bytes(&r, t, fits ? (int64_t)n : 0);
  fits = fits && add_size(bytes, counts, &bytes);
  char *memory = fits ? mem_alloc(bytes) : NULL;
  if (!memory) return fail_memory(e, op, fits ? bytes : SIZE_MAX);
  r.count = (int64_t *)(void *)memory;
  d->memory = memory;
  d->n = (int64_t)n;
  char *room = memory + counts, *keys = room + n * 2 * sizeof(keyed);
  d->place = (int64_t *)(void *)(keys + n * sizeof(wide_key));
  d->begins = (uint8_t *)(d->place + n);
  keys_of_array(t, x, keys);
  if (y) keys_of_array(t, y, keys + first * keys_size(dtype));
  sort_places(dtype, keys, d->n, room, &r, d->place, d->begins);
  return TME_OK;
}

void distinct_free(distinct *d) { mem_free(d->memory); }
