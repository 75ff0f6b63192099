/* Index expressions: integers over the loop variables, kept in one canonical form as they are made.
 *
 * A sum is a list of terms factor * base, where a base is an axis, a quotient or a remainder; terms are sorted, equal
 * bases merged, the constant comes last. Equal expressions so get the same number, and an expression that is affine in
 * an axis looks affine. All identities hold for floor semantics and are exact over the integers. */
#include "kernel/kernel_util.h"
#include <stdlib.h>

enum { MAX_TERMS = 64 };

typedef struct ix_term {
  int base;
  int64_t f;
} ix_term;

typedef struct ix_sum {
  ix_term t[MAX_TERMS];
  int n;
  int64_t c;
  bool over; /* too many terms or an overflow: no longer the sum */
} ix_sum;

/* ---- intervals; INT64_MIN and INT64_MAX stand for no bound ------------------------------------------------------- */

typedef struct range {
  int64_t lo, hi;
} range;

static bool unbounded(int64_t v) { return v == INT64_MIN || v == INT64_MAX; }

static int64_t sat_mul(int64_t a, int64_t b) {
  int64_t r;
  if (a == 0 || b == 0) return 0;
  if (unbounded(a) || unbounded(b) || __builtin_mul_overflow(a, b, &r))
    return (a < 0) == (b < 0) ? INT64_MAX : INT64_MIN;
  return r;
}

static int64_t sat_add(int64_t a, int64_t b) {
  int64_t r;
  if (unbounded(a)) return a;
  if (unbounded(b)) return b;
  if (__builtin_add_overflow(a, b, &r)) return a < 0 ? INT64_MIN : INT64_MAX;
  return r;
}

static int64_t floor_div(int64_t a, int64_t n) {
  if (unbounded(a)) return a;
  return a / n - (a % n < 0);
}

static int64_t floor_mod(int64_t a, int64_t n) { return a % n < 0 ? a % n + n : a % n; }

static range range_mul(range r, int64_t f) {
  int64_t x = sat_mul(r.lo, f), y = sat_mul(r.hi, f);
  return f < 0 ? (range){y, x} : (range){x, y};
}

static range range_add(range a, range b) { return (range){sat_add(a.lo, b.lo), sat_add(a.hi, b.hi)}; }

static range range_div(range r, int64_t n) { return (range){floor_div(r.lo, n), floor_div(r.hi, n)}; }

/* One quotient for the whole range: it stays in one period of n. */
static bool one_period(range r, int64_t n) {
  return !unbounded(r.lo) && !unbounded(r.hi) && floor_div(r.lo, n) == floor_div(r.hi, n);
}

static range range_mod(range r, int64_t n) {
  return one_period(r, n) ? (range){floor_mod(r.lo, n), floor_mod(r.hi, n)} : (range){0, n - 1};
}

static range range_axis(const kernel *k, int axis) {
  int64_t n = k->axes[axis].extent;
  return (range){0, n >= AXIS_UNBOUNDED ? INT64_MAX : n > 0 ? n - 1 : 0};
}

static range range_of(const kernel *k, int ix) { return (range){k->ix[ix].lo, k->ix[ix].hi}; }

/* ---- sums -------------------------------------------------------------------------------------------------------- */

static void sum_put(ix_sum *s, int base, int64_t f) {
  for (int i = 0; i < s->n; i++) {
    if (s->t[i].base != base) continue;
    if (__builtin_add_overflow(s->t[i].f, f, &s->t[i].f)) s->over = true;
    if (!s->t[i].f) s->t[i] = s->t[--s->n];
    return;
  }
  if (s->n == MAX_TERMS)
    s->over = true;
  else if (f)
    s->t[s->n++] = (ix_term){base, f};
}

/* Adds f times an expression. */
static void sum_collect(const kernel *k, ix_sum *s, int ix, int64_t f) {
  const k_ix *x = &k->ix[ix];
  int64_t v;
  switch (x->op) {
  case IX_CONST:
    if (__builtin_mul_overflow(f, x->c, &v) || __builtin_add_overflow(s->c, v, &s->c)) s->over = true;
    break;
  case IX_ADD:
    sum_collect(k, s, x->a, f);
    sum_collect(k, s, x->b, f);
    break;
  case IX_MUL:
    if (__builtin_mul_overflow(f, x->c, &v))
      s->over = true;
    else
      sum_collect(k, s, x->a, v);
    break;
  default: sum_put(s, ix, f);
  }
}

/* ---- making expressions ------------------------------------------------------------------------------------------ */

static int make(kernel *k, ix_op op, int a, int b, int64_t c) {
  if (k->failed || ((op == IX_ADD || op == IX_MUL || op == IX_DIV || op == IX_MOD) && a < 0) || (op == IX_ADD && b < 0))
    return refuse(k);
  for (int i = 0; i < k->nix; i++) {
    const k_ix *x = &k->ix[i];
    if (x->op == op && x->a == a && x->b == b && x->c == c) return i;
  }
  range r = {c, c};
  switch (op) {
  case IX_CONST: break;
  case IX_AXIS: r = range_axis(k, a); break;
  case IX_ADD: r = range_add(range_of(k, a), range_of(k, b)); break;
  case IX_MUL: r = range_mul(range_of(k, a), c); break;
  case IX_DIV: r = range_div(range_of(k, a), c); break;
  case IX_MOD: r = range_mod(range_of(k, a), c); break;
  }
  int i = kernel_grow(k, &k->ix, &k->nix, 2, sizeof *k->ix);
  if (i >= 0) k->ix[i] = (k_ix){.op = (uint8_t)op, .a = a, .b = b, .c = c, .lo = r.lo, .hi = r.hi};
  return i;
}

static int by_factor(const void *pa, const void *pb) {
  const ix_term *a = pa, *b = pb;
  /* negated absolute values: INT64_MIN has no positive counterpart */
  int64_t fa = a->f > 0 ? -a->f : a->f, fb = b->f > 0 ? -b->f : b->f;
  if (fa != fb) return fa < fb ? -1 : 1;
  return (a->base > b->base) - (a->base < b->base);
}

/* Puts digits together: with d = x / n,
 *   d * nk + (x % n) * k         = x * k
 *   (d % m) * nk + (x % n) * k   = (x % nm) * k
 * True if a pair was found; the sum is then shorter. */
static bool sum_join(kernel *k, ix_sum *s) {
  for (int i = 0; i < s->n; i++) {
    k_ix rem = k->ix[s->t[i].base];
    int64_t f = s->t[i].f, nf, nm;
    if (rem.op != IX_MOD || __builtin_mul_overflow(f, rem.c, &nf)) continue;
    int d = ix_div(k, rem.a, rem.c);
    if (d < 0 || k->ix[d].op == IX_CONST) continue;
    for (int j = 0; j < s->n; j++) {
      if (j == i || s->t[j].f != nf) continue;
      k_ix high = k->ix[s->t[j].base];
      int whole = -1;
      if (s->t[j].base == d)
        whole = rem.a;
      else if (high.op == IX_MOD && high.a == d && !__builtin_mul_overflow(high.c, rem.c, &nm))
        whole = ix_mod(k, rem.a, nm);
      if (whole < 0) continue;
      int lower = i < j ? i : j, upper = i < j ? j : i;
      s->t[upper] = s->t[--s->n];
      s->t[lower] = s->t[--s->n];
      sum_collect(k, s, whole, f);
      return true;
    }
  }
  return false;
}

static int sum_make(kernel *k, ix_sum *s) {
  while (!s->over && sum_join(k, s)) {
  }
  if (s->over) return refuse(k);
  qsort(s->t, (size_t)s->n, sizeof *s->t, by_factor);
  int r = -1;
  for (int i = 0; i < s->n; i++) {
    int t = s->t[i].f == 1 ? s->t[i].base : make(k, IX_MUL, s->t[i].base, -1, s->t[i].f);
    r = i ? make(k, IX_ADD, r, t, 0) : t;
  }
  if (s->n && !s->c) return r;
  int c = make(k, IX_CONST, -1, -1, s->c);
  return s->n ? make(k, IX_ADD, r, c, 0) : c;
}

static bool bad(const kernel *k, int a) { return !k || k->failed || a < 0 || a >= k->nix; }

int ix_const(kernel *k, int64_t c) { return k ? make(k, IX_CONST, -1, -1, c) : -1; }

int ix_axis(kernel *k, int axis) {
  if (!k || axis < 0 || axis >= k->naxes) return refuse(k);
  if (k->axes[axis].extent == 1 && k->axes[axis].sym < 0) return ix_const(k, 0);
  return make(k, IX_AXIS, axis, -1, 0);
}

int ix_add(kernel *k, int a, int b) {
  if (bad(k, a) || bad(k, b)) return refuse(k);
  ix_sum s = {.n = 0};
  sum_collect(k, &s, a, 1);
  sum_collect(k, &s, b, 1);
  return s.over ? make(k, IX_ADD, a, b, 0) : sum_make(k, &s);
}

int ix_mul(kernel *k, int a, int64_t c) {
  if (bad(k, a)) return refuse(k);
  if (!c) return ix_const(k, 0);
  ix_sum s = {.n = 0};
  sum_collect(k, &s, a, c);
  return s.over ? make(k, IX_MUL, a, -1, c) : sum_make(k, &s);
}

static range limited_sum(const kernel *k, const ix_sum *s);

static range limited_base(const kernel *k, int ix) {
  const k_ix *x = &k->ix[ix];
  if (x->op == IX_AXIS) return range_axis(k, x->a);
  ix_sum s = {.n = 0};
  sum_collect(k, &s, x->a, 1);
  if (s.over) return (range){INT64_MIN, INT64_MAX};
  range r = limited_sum(k, &s);
  return x->op == IX_DIV ? range_div(r, x->c) : range_mod(r, x->c);
}

/* The bounds of a sum, also with each limited axis i < L replaced by its last value L - 1 where that is the extreme:
 * for i = 64*o + j, j < N - 64*o the bound N - 1 only shows when o cancels. */
static range limited_sum(const kernel *k, const ix_sum *s) {
  range r = {s->c, s->c};
  for (int i = 0; i < s->n; i++) r = range_add(r, range_mul(limited_base(k, s->t[i].base), s->t[i].f));
  for (int i = 0; i < s->n; i++) {
    const k_ix *x = &k->ix[s->t[i].base];
    int64_t f = s->t[i].f;
    if (x->op != IX_AXIS || k->axes[x->a].limit < 0 || ix_axes(k, k->axes[x->a].limit) >> x->a & 1) continue;
    ix_sum last = *s;
    last.t[i] = last.t[--last.n];
    sum_collect(k, &last, k->axes[x->a].limit, f);
    if (__builtin_sub_overflow(last.c, f, &last.c) || last.over) continue;
    range l = limited_sum(k, &last);
    if (f > 0 && l.hi < r.hi) r.hi = l.hi;
    if (f < 0 && l.lo > r.lo) r.lo = l.lo;
  }
  return r;
}

/* The bounds of an expression where loops end at their limits. */
static range limited_range(const kernel *k, int ix) {
  ix_sum s = {.n = 0};
  sum_collect(k, &s, ix, 1);
  return s.over ? (range){INT64_MIN, INT64_MAX} : limited_sum(k, &s);
}

/* The bounds of what is divided by n: the easy ones where they do. */
static range range_in(const kernel *k, int ix, int64_t n) {
  range r = range_of(k, ix);
  return one_period(r, n) ? r : limited_range(k, ix);
}

/* s = g * high + low with 0 <= low < g, for the largest divisor g > 1 of n with which that works; 0 if there is
 * none. */
static int64_t sum_split(const kernel *k, const ix_sum *s, int64_t n, ix_sum *high, ix_sum *low) {
  int64_t best = 0;
  for (int i = 0; i < s->n; i++) {
    int64_t g = gcd(n, s->t[i].f);
    if (g <= 1 || g <= best) continue;
    ix_sum h = {.c = floor_div(s->c, g)}, l = {.c = floor_mod(s->c, g)};
    for (int j = 0; j < s->n; j++) {
      if (s->t[j].f % g)
        sum_put(&l, s->t[j].base, s->t[j].f);
      else
        sum_put(&h, s->t[j].base, s->t[j].f / g);
    }
    range r = limited_sum(k, &l);
    if (r.lo < 0 || r.hi >= g) continue;
    best = g;
    *high = h;
    *low = l;
  }
  return best;
}

int ix_div(kernel *k, int a, int64_t n) {
  if (bad(k, a) || n <= 0) return refuse(k);
  if (n == 1) return a;
  range r = range_in(k, a, n);
  if (one_period(r, n)) return ix_const(k, floor_div(r.lo, n));
  k_ix x = k->ix[a];
  int64_t m;
  if (x.op == IX_DIV && !__builtin_mul_overflow(x.c, n, &m)) return ix_div(k, x.a, m);
  if (x.op == IX_MOD && x.c % n == 0) return ix_mod(k, ix_div(k, x.a, n), x.c / n);
  ix_sum s = {.n = 0}, high = {.n = 0}, low;
  sum_collect(k, &s, a, 1);
  if (s.over || unbounded(s.c)) return make(k, IX_DIV, a, -1, n);
  /* (p*n + b) / n = p + b/n, with the b of ix_mod, so that both can be put together again */
  low = (ix_sum){.c = floor_mod(s.c, n)};
  high.c = floor_div(s.c, n);
  for (int i = 0; i < s.n; i++) {
    sum_put(&low, s.t[i].base, s.t[i].f % n);
    sum_put(&high, s.t[i].base, s.t[i].f / n);
  }
  if (high.n || high.c) {
    int rest = ix_div(k, sum_make(k, &low), n);
    return ix_add(k, sum_make(k, &high), rest);
  }
  int64_t g = sum_split(k, &s, n, &high, &low);
  if (g) return ix_div(k, sum_make(k, &high), n / g);
  return make(k, IX_DIV, a, -1, n);
}

int ix_mod(kernel *k, int a, int64_t n) {
  if (bad(k, a) || n <= 0) return refuse(k);
  range r = range_in(k, a, n);
  if (n == 1) return ix_const(k, 0);
  if (one_period(r, n)) {
    int64_t q = floor_div(r.lo, n);
    return q ? ix_add(k, a, ix_const(k, -q * n)) : a;
  }
  k_ix x = k->ix[a];
  if (x.op == IX_MOD && x.c % n == 0) return ix_mod(k, x.a, n);
  ix_sum s = {.n = 0}, rest, high, low;
  sum_collect(k, &s, a, 1);
  if (s.over || unbounded(s.c)) return make(k, IX_MOD, a, -1, n);
  /* whole periods fall away, term by term */
  rest = (ix_sum){.c = floor_mod(s.c, n)};
  bool changed = rest.c != s.c;
  for (int i = 0; i < s.n; i++) {
    sum_put(&rest, s.t[i].base, s.t[i].f % n);
    changed |= s.t[i].f % n != s.t[i].f;
  }
  if (changed) return ix_mod(k, sum_make(k, &rest), n);
  int64_t g = sum_split(k, &s, n, &high, &low);
  if (g) {
    int h = ix_mul(k, ix_mod(k, sum_make(k, &high), n / g), g);
    return ix_add(k, h, sum_make(k, &low));
  }
  return make(k, IX_MOD, a, -1, n);
}

/* ---- questions --------------------------------------------------------------------------------------------------- */

uint64_t ix_axes(const kernel *k, int ix) {
  if (bad(k, ix)) return 0;
  const k_ix *x = &k->ix[ix];
  switch (x->op) {
  case IX_CONST: return 0;
  case IX_AXIS: return (uint64_t)1 << x->a;
  case IX_ADD: return ix_axes(k, x->a) | ix_axes(k, x->b);
  default: return ix_axes(k, x->a);
  }
}

bool ix_affine(const kernel *k, int ix, int axis, int64_t *factor) {
  if (bad(k, ix)) return false;
  const k_ix *x = &k->ix[ix];
  int64_t a, b;
  *factor = 0;
  switch (x->op) {
  case IX_CONST: return true;
  case IX_AXIS: *factor = x->a == axis; return true;
  case IX_ADD:
    return ix_affine(k, x->a, axis, &a) && ix_affine(k, x->b, axis, &b) && !__builtin_add_overflow(a, b, factor);
  case IX_MUL: return ix_affine(k, x->a, axis, &a) && !__builtin_mul_overflow(a, x->c, factor);
  default: return !(ix_axes(k, x->a) >> axis & 1);
  }
}

void ix_range(const kernel *k, int ix, int64_t *lo, int64_t *hi) {
  range r = limited_range(k, ix);
  *lo = r.lo;
  *hi = r.hi;
}
