#include "backend/reference/fft_plan.h"
#include "backend/reference/fft_rows.h"
#include "base/lock.h"
#include "base/smooth.h"
#include "cache/lru.h"
#include <math.h>
#include <string.h>

/* Up to here a transform is not taken apart; up to there what columns are turned by is one table. */
enum { FFT_SMALL = 32, FFT_ONE_TABLE = 1 << 15, ALIGNMENT = 64 };

/* The sine and cosine of an angle of at most pi / 4, which is taken in two parts: what its roundings lose is made good. */
c128 fft_root(int64_t k, int64_t n) {
  static const double high = 0x1.921fb54442d18p-1, low = 0x1.1a62633145c07p-55; /* pi / 4 */
  int64_t eighths = 8 * k;
  bool below = eighths <= 4 * n;
  if (!below) eighths = 8 * n - eighths;
  bool left = eighths > 2 * n;
  if (left) eighths = 4 * n - eighths;
  bool steep = eighths > n;
  if (steep) eighths = 2 * n - eighths;
  double all = (double)n, q = (double)eighths / all, lost = fma(-q, all, (double)eighths) / all;
  double angle = high * q, rest = fma(high, q, -angle) + (low * q + high * lost);
  double c0 = cos(angle), s0 = sin(angle), c1 = c0 - rest * s0, s1 = s0 + rest * c0;
  double c = steep ? s1 : c1, s = steep ? c1 : s1;
  return (c128){left ? -c : c, below ? -s : s};
}

/* ---- how a length is taken apart ------------------------------------------------------------------------------------------ */

/* What a stage costs for each number: instructions of loads, stores, sums and products. */
static double factor_cost(int r) {
  switch (r) {
  case 2: return 9;
  case 3: return 13.5;
  case 4: return 12.5;
  case 5: return 18;
  case 8: return 20;
  default: return 2 * r + 14;
  }
}

static bool is_known(int r) { return r <= 5 || r == 8; }

/* Fours and eights first, then the odd primes. False if one of those is too large. */
static bool factorize(int64_t n, fft_stages *f) {
  f->n = n;
  f->factors = 0;
  int twos = 0;
  for (; n % 2 == 0; n /= 2) twos++;
  while (twos) {
    int bits = twos == 3 || twos >= 5 ? 3 : twos == 1 ? 1 : 2;
    f->factor[f->factors++] = 1 << bits;
    twos -= bits;
  }
  for (int r = 3; r <= FFT_MOST_FACTOR && n > 1; r += 2)
    for (; n % r == 0; n /= r) f->factor[f->factors++] = r;
  return n == 1;
}

static double stages_cost(int64_t n) {
  fft_stages f;
  if (!factorize(n, &f)) return INFINITY;
  double cost = 0;
  for (int i = 0; i < f.factors; i++) cost += factor_cost(f.factor[i]);
  /* Two buffers of n vectors leave the first cache, and the second. */
  return cost * (n > 4096 ? 1.6 : n > 256 ? 1.15 : 1);
}

/* Rows of the matrix. Lanes beyond its edges are wasted. */
static int64_t choose_rows(int64_t n, int lanes) {
  double best = INFINITY;
  int64_t rows = 1;
  for (int64_t d = 2; d <= n / d; d++) {
    if (n % d) continue;
    for (int turn = 0; turn < 2; turn++) {
      int64_t a = turn ? n / d : d, b = n / a;
      double wide_a = (double)(ceil_div(a, lanes) * lanes), wide_b = (double)(ceil_div(b, lanes) * lanes);
      double cost = wide_b * (double)a * stages_cost(a) + wide_a * (double)b * stages_cost(b) + 20 * wide_a * wide_b;
      if (cost < best) {
        best = cost;
        rows = a;
      }
    }
  }
  return rows;
}

/* ---- tables ----------------------------------------------------------------------------------------------------------------- */

/* Counts what the tables take before there is memory for them, then hands it out. */
typedef struct tables {
  char *memory; /* NULL: counting */
  size_t used;
  bool wide;
} tables;

static void *take(tables *t, int64_t numbers) {
  size_t bytes = (size_t)numbers * (t->wide ? sizeof(c128) : sizeof(c64));
  void *at = t->memory ? t->memory + t->used : NULL;
  t->used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  return at;
}

static void put(const tables *t, void *table, int64_t i, c128 v) {
  if (t->wide)
    ((c128 *)table)[i] = v;
  else
    ((c64 *)table)[i] = (c64){(float)v.re, (float)v.im};
}

/* As lane l of the i-th vector of complex numbers. */
static void put_lane(const tables *t, void *table, int64_t i, int lanes, int64_t l, c128 v) {
  if (t->wide) {
    ((double *)table)[2 * i * lanes + l] = v.re;
    ((double *)table)[(2 * i + 1) * lanes + l] = v.im;
  } else {
    ((float *)table)[2 * i * lanes + l] = (float)v.re;
    ((float *)table)[(2 * i + 1) * lanes + l] = (float)v.im;
  }
}

static void stage_tables(fft_stages *f, tables *t) {
  int64_t n = f->n;
  for (int i = 0; i < f->factors; i++) {
    int r = f->factor[i];
    int64_t m = n / r;
    void *roots = take(t, m * (r - 1) + (is_known(r) ? 0 : r));
    f->roots[i] = roots;
    f->rest[i] = m;
    for (int64_t p = 0; p < m && roots; p++)
      for (int k = 1; k < r; k++) put(t, roots, p * (r - 1) + k - 1, fft_root(p * k % n, n));
    for (int k = 0; k < r && roots && !is_known(r); k++) put(t, roots, m * (r - 1) + k, fft_root(k, r));
    n = m;
  }
}

static void turn_tables(fft_plan *p, tables *t) {
  int64_t rows = p->outer.n, columns = p->inner.n, n = p->n, lanes = p->lanes, groups = ceil_div(columns, lanes);
  if (rows == 1) return;
  if (n <= FFT_ONE_TABLE) {
    void *turn = take(t, groups * rows * lanes);
    p->turn = turn;
    for (int64_t i = 0; i < groups * rows && turn; i++)
      for (int64_t l = 0; l < lanes; l++)
        put_lane(t, turn, i, p->lanes, l, fft_root((i / rows * lanes + l) * (i % rows) % n, n));
    return;
  }
  void *group = take(t, groups * rows), *within = take(t, rows * lanes);
  p->turn_group = group;
  p->turn_within = within;
  for (int64_t i = 0; i < groups * rows && group; i++) put(t, group, i, fft_root(i / rows * lanes * (i % rows) % n, n));
  for (int64_t i = 0; i < rows && within; i++)
    for (int64_t l = 0; l < lanes; l++) put_lane(t, within, i, p->lanes, l, fft_root(i * l % n, n));
}

/* exp(i pi k^2 / n) of k < n, conjugated. */
static c128 chirp(int64_t k, int64_t n) {
  __extension__ typedef unsigned __int128 wide_square;
  return fft_root((int64_t)((wide_square)k * (wide_square)k % (wide_square)(2 * n)), 2 * n);
}

static void chirp_tables(fft_plan *p, tables *t) {
  if (!p->convolution) return;
  int64_t n = p->n, m = p->convolution->n;
  void *own = take(t, n), *spectrum = take(t, m);
  p->chirp = own;
  p->spectrum = spectrum;
  for (int64_t k = 0; k < n && own; k++) put(t, own, k, chirp(k, n));
}

static void half_tables(fft_plan *p, tables *t) {
  if (!p->half) return;
  void *roots = take(t, p->n / 4 + 1);
  p->half_roots = roots;
  for (int64_t k = 0; k <= p->n / 4 && roots; k++) put(t, roots, k, fft_root(k, p->n));
}

static void all_tables(fft_plan *p, tables *t) {
  stage_tables(&p->outer, t);
  stage_tables(&p->inner, t);
  turn_tables(p, t);
  chirp_tables(p, t);
  half_tables(p, t);
}

/* The transform of the chirp around 0, over the length. */
static tme_status chirp_spectrum(fft_plan *p, error *e) {
  fft_plan *c = p->convolution;
  tables t = {.wide = p->wide};
  int64_t n = p->n, m = c->n;
  size_t number = p->wide ? sizeof(c128) : sizeof(c64), work = fft_row_work(c, 1), bytes = (size_t)m * number;
  char *around = mem_calloc(1, bytes + work + ALIGNMENT);
  if (!around) return fail_memory(e, "fft", bytes + work);
  char *aligned = around + (ALIGNMENT - (uintptr_t)around % ALIGNMENT) % ALIGNMENT;
  for (int64_t k = 0; k < n; k++) {
    c128 v = chirp(k, n);
    v.im = -v.im;
    put(&t, aligned + work, k, v);
    if (k) put(&t, aligned + work, m - k, v);
  }
  fft_row(c, NULL, aligned + work, m, false, 1 / (double)m, (void *)(uintptr_t)p->spectrum, aligned);
  mem_free(around);
  return TME_OK;
}

/* ---- plans -------------------------------------------------------------------------------------------------------------------- */

void fft_plan_release(fft_plan *p) {
  if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) > 1) return;
  fft_plan_release(p->convolution);
  fft_plan_release(p->half);
  mem_free(p);
}

/* What it is made of beside tables. */
static tme_status plan_shape(fft_plan *p, bool real, error *e) {
  fft_stages whole;
  int64_t n = p->n;
  if (real) {
    p->half = fft_plan_get(n / 2, p->wide, false, e);
    return p->half ? TME_OK : e->code;
  }
  if (!factorize(n, &whole)) {
    p->convolution = fft_plan_get(smooth_length(2 * n - 1), p->wide, false, e);
    return p->convolution ? TME_OK : e->code;
  }
  int64_t rows = n <= FFT_SMALL ? 1 : choose_rows(n, p->lanes);
  factorize(rows, &p->outer);
  factorize(n / rows, &p->inner);
  return TME_OK;
}

static fft_plan *plan_new(int64_t n, bool wide, bool real, error *e) {
  if (n > INT64_MAX / 1024) {
    fail_memory(e, "fft", SIZE_MAX);
    return NULL;
  }
  fft_plan shape = {.n = n, .wide = wide, .lanes = wide ? 4 : 8};
  atomic_init(&shape.refs, 1);
  shape.outer.n = shape.inner.n = 1;
  tme_status s = plan_shape(&shape, real, e);
  tables t = {.wide = wide};
  if (s == TME_OK) all_tables(&shape, &t);
  shape.bytes = sizeof shape + ALIGNMENT + t.used;
  fft_plan *p = s == TME_OK ? mem_alloc(shape.bytes) : NULL;
  if (s == TME_OK && !p) s = fail_memory(e, "fft", shape.bytes);
  if (p) {
    *p = shape;
    uintptr_t after = (uintptr_t)(p + 1);
    t.memory = (char *)(p + 1) + (ALIGNMENT - after % ALIGNMENT) % ALIGNMENT;
    t.used = 0;
    all_tables(p, &t);
    if (p->convolution) s = chirp_spectrum(p, e);
  }
  if (s == TME_OK) return p;
  fft_plan_release(shape.convolution);
  fft_plan_release(shape.half);
  mem_free(p);
  return NULL;
}

/* ---- the plans of all engines --------------------------------------------------------------------------------------------------- */

enum { KEPT_BYTES = 64 << 20, KEPT_PLANS = 256 };

static lock guard;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static lru *kept; /* made with the first plan */
static int users;

static void begin(void) { lock_init(&guard, LOCK_INNER); }

static void drop(void *user, void *value) {
  (void)user;
  fft_plan_release(value);
}

void fft_plans_use(void) {
  pthread_once(&once, begin);
  lock_take(&guard);
  users++;
  lock_give(&guard);
}

void fft_plans_leave(void) {
  lock_take(&guard);
  lru *last = --users ? NULL : kept;
  if (last) kept = NULL;
  lock_give(&guard);
  lru_free(last);
}

typedef struct plan_key {
  int64_t n, kind;
} plan_key;

static fft_plan *find(const plan_key *key) {
  lock_take(&guard);
  fft_plan *p = kept ? lru_get(kept, key, sizeof *key) : NULL;
  if (p) atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
  lock_give(&guard);
  return p;
}

/* What is not kept, for want of memory or of users, is made again. */
static void keep(const plan_key *key, fft_plan *p) {
  error ignored = {0};
  lock_take(&guard);
  if (users && !kept) kept = lru_new(KEPT_BYTES, KEPT_PLANS, drop, NULL, &ignored);
  if (users && kept) {
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    if (lru_put(kept, key, sizeof *key, p, p->bytes, &ignored) != TME_OK)
      atomic_fetch_sub_explicit(&p->refs, 1, memory_order_relaxed);
  }
  lock_give(&guard);
}

fft_plan *fft_plan_get(int64_t n, bool wide, bool real, error *e) {
  pthread_once(&once, begin);
  plan_key key = {n, 2 * wide + real};
  fft_plan *p = find(&key);
  if (p) return p;
  p = plan_new(n, wide, real, e);
  if (p) keep(&key, p);
  return p;
}
