/* Radix sort from the least significant digit (Knuth, volume 3, 5.2.5), over those bits alone in which keys differ. */
#include "backend/reference/sort_radix.h"
#include <string.h>

enum {
  FEW = 48,    /* keys are inserted one by one */
  MANY = 8192, /* from here on digits are wide */
  BITS_OF_FEW = 8,
  BITS = 11,
  RADIX = 1 << BITS,
  PARALLEL_FROM = 1 << 15, /* keys of a line are worth a second thread */
  MOST_BLOCKS = 64,
  MOST_DIGITS = 64 / BITS_OF_FEW + 2 /* in threes */
};

/* Bits of a key. */
typedef struct digit {
  int shift;
  uint64_t mask;
} digit;

size_t radix_bytes(radix *r, threads *t, int64_t n) {
  int blocks = t && n >= PARALLEL_FROM ? threads_count(t) : 1;
  r->threads = t;
  r->blocks = blocks < MOST_BLOCKS ? blocks : MOST_BLOCKS;
  return (size_t)(r->blocks > 3 ? r->blocks : 3) * RADIX * sizeof *r->count;
}

/* The digits, of at most so many bits, that have the bits in which keys differ; behind them such of which all keys have the same. */
static int digits_of(uint64_t differing, int most, digit d[static MOST_DIGITS]) {
  int n = 0;
  while (differing) {
    int low = __builtin_ctzll(differing), left = 64 - __builtin_clzll(differing) - low,
        digits = (left + most - 1) / most;
    int width = (left + digits - 1) / digits;
    d[n++] = (digit){low, ((uint64_t)1 << width) - 1};
    differing &= ~(d[n - 1].mask << low);
  }
  for (int k = n; k < MOST_DIGITS; k++) d[k] = (digit){0, 0};
  return n;
}

/* Counts to places: of all blocks' elements with digit 0, block by block, then with digit 1, ... */
static void add_up(int64_t *count, int blocks, int64_t digits) {
  int64_t sum = 0;
  for (int64_t d = 0; d < digits; d++)
    for (int b = 0; b < blocks; b++) {
      int64_t n = count[b * RADIX + d];
      count[b * RADIX + d] = sum;
      sum += n;
    }
}

#define GLUE_(a, b) a##b
#define GLUE(a, b) GLUE_(a, b)

#define NAME keys_32
#define ELEMENT uint32_t
#define KEY(e) ((uint64_t)(e))
#include "backend/reference/sort_radix.inc"

#define NAME keys_64
#define ELEMENT uint64_t
#define KEY(e) (e)
#include "backend/reference/sort_radix.inc"

/* A key of 32 bits above its place. */
#define NAME packed
#define ELEMENT uint64_t
#define KEY(e) ((e) >> 32)
#define PACKED(key, place) ((uint64_t)(key) << 32 | (uint64_t)(place))
static uint64_t *sort_packed(uint64_t *a, uint64_t *spare, int64_t n, const radix *r);
#include "backend/reference/sort_radix.inc"

#define NAME keyed
#define ELEMENT keyed
#define KEY(e) ((e).key)
#include "backend/reference/sort_radix.inc"

bool sort_places_bytes(int64_t n, size_t *bytes) { return mul_size((size_t)n, 2 * sizeof(keyed), bytes); }

static void places_packed(const uint32_t *keys, int64_t n, uint64_t *room, const radix *r, int64_t *place,
                          uint8_t *begins) {
  for (int64_t i = 0; i < n; i++) room[i] = PACKED(keys[i], i);
  const uint64_t *sorted = sort_packed(room, room + n, n, r);
  for (int64_t i = 0; i < n; i++) place[i] = (int64_t)(sorted[i] & UINT32_MAX);
  for (int64_t i = 1; i < n && begins; i++) begins[i] = sorted[i] >> 32 != sorted[i - 1] >> 32;
}

static void places_keyed(tme_dtype t, const void *keys, int64_t n, keyed *room, const radix *r, int64_t *place,
                         uint8_t *begins) {
  const uint32_t *narrow = keys;
  const uint64_t *middle = keys;
  const wide_key *wide = keys;
  size_t size = keys_size(t);
  for (int64_t i = 0; i < n; i++)
    room[i] = (keyed){size == 4 ? narrow[i] : size == 8 ? middle[i] : wide[i].low, (uint64_t)i};
  keyed *sorted = sort_keyed(room, room + n, n, r);
  if (size == sizeof *wide) {
    for (int64_t i = 0; i < n; i++) sorted[i].key = wide[sorted[i].place].high;
    sorted = sort_keyed(sorted, sorted == room ? room + n : room, n, r);
  }
  for (int64_t i = 0; i < n; i++) place[i] = (int64_t)sorted[i].place;
  for (int64_t i = 1; i < n && begins; i++)
    begins[i] =
        sorted[i].key != sorted[i - 1].key || (size == sizeof *wide && wide[place[i]].low != wide[place[i - 1]].low);
}

void sort_places(tme_dtype t, const void *keys, int64_t n, void *room, const radix *r, int64_t *place,
                 uint8_t *begins) {
  if (keys_size(t) == sizeof(uint32_t) && n <= UINT32_MAX)
    places_packed(keys, n, room, r, place, begins);
  else
    places_keyed(t, keys, n, room, r, place, begins);
  if (!begins || !n) return;
  begins[0] = 1;
  for (int64_t i = n - 1; i >= 0 && key_is_nan(t, keys, place[i]); i--) begins[i] = 1;
}

/* Digit by digit from the most significant one, the keys that have it: a tenth of the work of a sort. */
#define SELECT(bits)                                                                                                   \
  uint##bits##_t select_key_##bits(uint##bits##_t *a, uint##bits##_t *spare, int64_t n, int64_t rank,                  \
                                   int64_t *below) {                                                                   \
    *below = 0;                                                                                                        \
    for (;;) {                                                                                                         \
      uint##bits##_t differing = 0;                                                                                    \
      for (int64_t i = 1; i < n && n > FEW; i++) differing |= a[i] ^ a[0];                                             \
      if (n <= FEW || !differing) break;                                                                               \
      int high = 64 - __builtin_clzll(differing), shift = high > BITS ? high - BITS : 0;                               \
      int64_t count[RADIX] = {0}, at = 0, kept = 0;                                                                    \
      for (int64_t i = 0; i < n; i++) count[a[i] >> shift & (RADIX - 1)]++;                                            \
      while (rank >= count[at]) {                                                                                      \
        *below += count[at];                                                                                           \
        rank -= count[at++];                                                                                           \
      }                                                                                                                \
      for (int64_t i = 0; i < n; i++) {                                                                                \
        spare[kept] = a[i];                                                                                            \
        kept += (int64_t)(a[i] >> shift & (RADIX - 1)) == at;                                                          \
      }                                                                                                                \
      uint##bits##_t *other = a;                                                                                       \
      a = spare;                                                                                                       \
      spare = other;                                                                                                   \
      n = kept;                                                                                                        \
    }                                                                                                                  \
    if (n <= FEW) {                                                                                                    \
      insert_keys_##bits(a, n);                                                                                        \
      for (int64_t i = 0; i < n && a[i] < a[rank]; i++) ++*below;                                                      \
    }                                                                                                                  \
    return a[rank];                                                                                                    \
  }
SELECT(32)
SELECT(64)
