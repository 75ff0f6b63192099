/* Block by block: elements before the last of the k that are known are put behind them, and all are sorted when there is no more
 * room. Of numbers in any order few are met, once some are known. */
#include "backend/reference/first_keys.h"

enum { BLOCK = 256, PART = 1 << 16, FEW = 1024 /* that are worth finding in each part */ };

/* Where a part keeps what it knows, in its share of the room. */
typedef struct part {
  keyed *found, *spare;
  radix radix;
} part;

static int64_t most_found(const first_keys *f) { return 2 * f->k + BLOCK; }

static part part_at(const first_keys *f, char *room, int64_t i) {
  char *own = room + (size_t)i * f->part_bytes;
  part p = {.found = (keyed *)(void *)own, .spare = (keyed *)(void *)own + most_found(f)};
  radix_bytes(&p.radix, NULL, 0);
  p.radix.count = (int64_t *)(void *)(p.spare + most_found(f));
  return p;
}

size_t first_keys_bytes(first_keys *f, threads *t) {
  radix r;
  size_t counts = radix_bytes(&r, NULL, 0), bytes;
  f->parts = t && f->n >= 2 * PART && f->k <= FEW ? ceil_div(f->n, PART) : 1;
  bool fits = mul_size((size_t)most_found(f), 2 * sizeof(keyed), &bytes) && add_size(bytes, counts, &f->part_bytes) &&
              mul_size(f->part_bytes, (size_t)f->parts, &bytes);
  /* behind the parts what they found, all together */
  size_t all = (size_t)(f->parts > 1 ? f->parts * f->k : 0) * 2 * sizeof(keyed);
  return fits && add_size(bytes, all + counts, &bytes) ? bytes : SIZE_MAX;
}

/* The k first of n; returns how many those are. */
static int64_t keep_first(part *p, int64_t n, int64_t k) {
  keyed *sorted = sort_keyed(p->found, p->spare, n, &p->radix);
  if (sorted != p->found) p->spare = p->found;
  p->found = sorted;
  return n < k ? n : k;
}

#define FILTER(bits)                                                                                                   \
  static int64_t filter_##bits(const uint##bits##_t *keys, int64_t n, int64_t at, uint64_t end, keyed *out) {          \
    int64_t found = 0, any = 0;                                                                                        \
    for (int64_t i = 0; i < n; i++) any |= keys[i] < end;                                                              \
    for (int64_t i = 0; i < n && any; i++)                                                                             \
      if (keys[i] < end) out[found++] = (keyed){keys[i], (uint64_t)(at + i)};                                          \
    return found;                                                                                                      \
  }
FILTER(32)
FILTER(64)

/* Of the elements [from, to): *p->found are the first ones; returns how many. */
static int64_t find_part(const first_keys *f, const char *line, int64_t from, int64_t to, part *p) {
  uint64_t block[BLOCK], end = 0;
  const uint32_t *narrow = (const uint32_t *)(const void *)block;
  bool wide = keys_size(f->dtype) == sizeof *block, full = false;
  int64_t n = 0;
  for (int64_t i = from; i < to; i += BLOCK) {
    int64_t m = to - i < BLOCK ? to - i : BLOCK;
    if (n + m > most_found(f)) { /* then more than k are known */
      n = keep_first(p, n, f->k);
      end = p->found[n - 1].key;
      full = true;
    }
    keys_make(f->dtype, line + i * f->step * (int64_t)tme_dtype_size(f->dtype), f->step, m, f->descending, block);
    keyed *out = p->found + n;
    for (int64_t b = 0; b < m && !full; b++) out[b] = (keyed){wide ? block[b] : narrow[b], (uint64_t)(i + b)};
    n += !full ? m : wide ? filter_64(block, m, i, end, out) : filter_32(narrow, m, i, end, out);
  }
  return keep_first(p, n, f->k);
}

typedef struct job {
  const first_keys *f;
  const char *line;
  char *room;
  keyed *found; /* of all parts, k each: the last one's may be fewer, and have the key after all */
} job;

static void find_parts(void *user, int thread, int64_t t0, int64_t t1) {
  (void)thread;
  const job *j = user;
  const first_keys *f = j->f;
  for (int64_t i = t0; i < t1; i++) {
    part p = part_at(f, j->room, i);
    int64_t from = i * PART, to = from + PART < f->n ? from + PART : f->n, n = find_part(f, j->line, from, to, &p);
    keyed *out = j->found + i * f->k;
    for (int64_t k = 0; k < f->k; k++) out[k] = k < n ? p.found[k] : (keyed){UINT64_MAX, UINT64_MAX};
  }
}

void first_keys_find(const first_keys *f, const char *line, threads *t, void *room, int64_t *place) {
  part p = part_at(f, room, 0);
  if (f->parts == 1) {
    find_part(f, line, 0, f->n, &p);
  } else {
    int64_t n = f->parts * f->k;
    job j = {.f = f,
             .line = line,
             .room = room,
             .found = (keyed *)(void *)((char *)room + (size_t)f->parts * f->part_bytes)};
    threads_for(t, f->parts, 1, find_parts, &j);
    p.found = j.found;
    p.spare = j.found + n;
    p.radix.count = (int64_t *)(void *)(p.spare + n);
    keep_first(&p, n, f->k);
  }
  for (int64_t k = 0; k < f->k; k++) place[k] = (int64_t)p.found[k].place;
}
