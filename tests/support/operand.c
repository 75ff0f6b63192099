/* Operands between trapping pages, in every layout, filled with ordinary and special values. */
#include "support/matrix.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

uint64_t next_random(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static double uniform(uint64_t *state) { return (double)(next_random(state) >> 11) * 0x1p-53; }

/* ---- elements -------------------------------------------------------------------------------------------------------- */

void element_value(tme_dtype t, const void *p, double v[2]) {
  uint64_t bits[2] = {0, 0};
  size_t size = tme_dtype_size(t);
  memcpy(&bits[0], p, dtype_is_complex(t) ? size / 2 : size);
  if (dtype_is_complex(t)) memcpy(&bits[1], (const char *)p + size / 2, size / 2);
  literal_value(t, bits, v);
}

void element_set(tme_dtype t, void *p, double re, double im) {
  uint64_t bits[2];
  size_t size = tme_dtype_size(t), part = dtype_is_complex(t) ? size / 2 : size;
  literal_bits(t, re, bits);
  memcpy(p, bits, part);
  if (!dtype_is_complex(t)) return;
  literal_bits(t, im, bits);
  memcpy((char *)p + part, bits, part);
}

double dtype_epsilon(tme_dtype t) { return dtype_real(t) == TME_F64 ? DBL_EPSILON : (double)FLT_EPSILON; }

/* The bits of floating numbers as integers in the same order. */
static int64_t ordered(tme_dtype t, const void *p) {
  uint64_t bits = 0, sign = (uint64_t)1 << (8 * tme_dtype_size(t) - 1);
  memcpy(&bits, p, tme_dtype_size(t));
  return bits & sign ? -(int64_t)(bits & ~sign) : (int64_t)bits;
}

double element_ulps(tme_dtype t, const void *a, const void *b) {
  /* As whole numbers: a double does not tell neighbouring bits of f64 apart. */
  int64_t x = ordered(t, a), y = ordered(t, b);
  return (double)(x > y ? (uint64_t)x - (uint64_t)y : (uint64_t)y - (uint64_t)x);
}

/* ---- layouts --------------------------------------------------------------------------------------------------------- */

int64_t operand_size(const operand *o) {
  int64_t n = 1;
  for (int d = 0; d < o->rank; d++) n *= o->shape[d];
  return n;
}

const char *operand_at(const operand *o, int64_t i) {
  const char *p = o->data;
  for (int d = o->rank - 1; d >= 0; d--) {
    p += i % o->shape[d] * o->strides[d];
    i /= o->shape[d];
  }
  return p;
}

/* Strides in elements: the axes from the last of `order` outwards, `step` between elements, `gap` after each row. */
static void pack(const operand *o, const int *order, int64_t step, int64_t gap, int64_t *strides) {
  int64_t next = step;
  for (int k = o->rank - 1; k >= 0; k--) {
    strides[order[k]] = next;
    next *= o->shape[order[k]] > 1 ? o->shape[order[k]] : 1;
    next += gap;
  }
}

static void place(operand *o, uint64_t seed, int64_t *strides) {
  int order[TME_MAX_RANK];
  for (int d = 0; d < o->rank; d++) {
    order[d] = d;
    if (o->layout == LAYOUT_TRANSPOSED) order[d] = o->rank - 1 - d;
    if (o->layout == LAYOUT_MIXED) order[d] = (d + 1) % o->rank;
  }
  bool gaps = o->layout == LAYOUT_STEPS || o->layout == LAYOUT_MIXED;
  pack(o, order, gaps ? 2 + (int64_t)(seed & 1) : 1, gaps ? 3 : 0, strides);
  for (int d = 0; d < o->rank; d++) {
    if (o->layout == LAYOUT_NEGATIVE || (o->layout == LAYOUT_MIXED && (d & 1))) strides[d] = -strides[d];
    if (o->layout == LAYOUT_BROADCAST && d == (int)(seed % (unsigned)o->rank)) strides[d] = 0;
  }
}

static void map_pages(operand *o, bool at_end) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (o->bytes + page - 1) / page * page;
  char *p = mmap(NULL, inner + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED || (inner && mprotect(p + page, inner, PROT_READ | PROT_WRITE))) abort();
  o->pages = p;
  o->data = p + page + (at_end ? inner - o->bytes : 0);
}

void operand_free(operand *o) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (o->bytes + page - 1) / page * page;
  if (o->pages) munmap(o->pages, inner + 2 * page);
  o->pages = NULL;
}

/* ---- values ---------------------------------------------------------------------------------------------------------- */

/* What breaks arithmetic: of floats, then of integers (the last four are of the dtype). */
static const double float_specials[] = {0,         -0.0, 1,    -1,   0.5,  -0.5,  2,     -3,    1.5,    2.5, INFINITY,
                                        -INFINITY, NAN,  1e-5, -1e5, 7.25, -0.75, 0.999, 1e300, -1e300, 127, 1e-300};
static const double int_specials[] = {0, 1, -1, 2, -2, 3, 7, 8, 15, 16, 31, 32, 63, 64, 65, 100, -100};

static double float_special(tme_dtype t, int64_t i) {
  int n = COUNT(float_specials);
  double tiny = dtype_get(t)->least, huge = dtype_get(t)->most;
  /* the least number, the least normal one, the largest one, with both signs */
  double extremes[] = {tiny, -tiny, 1 / huge, -1 / huge, huge, -huge};
  i %= n + COUNT(extremes);
  return i < n ? float_specials[i] : extremes[i - n];
}

static void set_special(tme_dtype t, char *p, int64_t i) {
  if (t == TME_BOOL) {
    element_set(t, p, (double)(i & 1), 0);
  } else if (dtype_is_int(t)) {
    int n = COUNT(int_specials);
    bool is_signed = dtype_is_signed(t);
    uint64_t all = UINT64_MAX, least = (uint64_t)1 << (8 * tme_dtype_size(t) - 1);
    uint64_t extremes[] = {least - 1, least, least + 1, is_signed ? least - 2 : all};
    i %= n + COUNT(extremes);
    uint64_t v = i < n ? (uint64_t)(int64_t)int_specials[i] : extremes[i - n];
    memcpy(p, &v, tme_dtype_size(t)); /* little-endian, as all machines that tme runs on */
  } else {
    element_set(t, p, float_special(t, i), float_special(t, i * 7 + 3));
  }
}

static int special_count(tme_dtype t) {
  if (t == TME_BOOL) return 2;
  return dtype_is_int(t) ? COUNT(int_specials) + 4 : COUNT(float_specials) + 6;
}

static double draw(const operand *o, uint64_t *state) {
  double lo = o->lo, hi = o->hi, u = uniform(state);
  if (lo > 0 && hi / lo > 1000) return lo * pow(hi / lo, u);
  return lo + (hi - lo) * u;
}

static void set_drawn(const operand *o, char *p, uint64_t *state) {
  tme_dtype t = o->dtype;
  double re = draw(o, state);
  if (t == TME_BOOL)
    re = (double)(next_random(state) & 1);
  else if (o->fill == FILL_INDEX)
    re = o->lo + (double)(next_random(state) % (uint64_t)(o->hi - o->lo));
  else if (dtype_is_int(t))
    re = nearbyint(re < 0 && !dtype_is_signed(t) ? -re : re);
  element_set(t, p, re, dtype_is_complex(t) ? draw(o, state) : 0);
}

/* Element i of a stack of matrices. */
static void set_dominant(const operand *o, int64_t i, char *p, uint64_t *state) {
  int64_t rows = o->shape[o->rank - 2], columns = o->shape[o->rank - 1];
  double v[2];
  set_drawn(o, p, state);
  if (i % (rows * columns) / columns != i % columns) return;
  element_value(o->dtype, p, v);
  element_set(o->dtype, p, v[0] + 2 * (double)(rows > columns ? rows : columns) * fmax(fabs(o->lo), fabs(o->hi)), v[1]);
}

static void set_class(const operand *o, char *p, uint64_t *state) {
  static const double classes[] = {NAN, INFINITY, -INFINITY, 0, -0.0, 0, -0.0};
  uint64_t at = next_random(state) % 300;
  if (at < COUNT(classes) && dtype_is_float(dtype_real(o->dtype)))
    element_set(o->dtype, p, classes[at], 0);
  else
    set_drawn(o, p, state);
}

static void fill_all(operand *o, uint64_t seed, int which) {
  int64_t n = operand_size(o), ordinary = o->fill == FILL_MIXED ? n / 3 : n;
  int64_t turn = 1;
  for (int k = 0; k < which; k++) turn *= special_count(o->dtype);
  uint64_t state = seed + (uint64_t)which * 0x632be59bd9b4e019u;
  for (int64_t i = 0; i < n; i++) {
    char *p = (char *)(uintptr_t)operand_at(o, i);
    if (o->fill == FILL_CLASSES)
      set_class(o, p, &state);
    else if (o->fill == FILL_DOMINANT)
      set_dominant(o, i, p, &state);
    else if (i < ordinary)
      set_drawn(o, p, &state);
    else
      set_special(o->dtype, p, (i - ordinary) / turn + (which ? i - ordinary : 0));
  }
}

static void protect(operand *o) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (o->bytes + page - 1) / page * page;
  if (inner && mprotect((char *)o->pages + page, inner, PROT_READ)) abort();
}

void operand_make(operand *o, uint64_t seed, int which) {
  int64_t strides[TME_MAX_RANK], low = 0, high = 0, size = (int64_t)tme_dtype_size(o->dtype);
  place(o, seed >> 8, strides);
  for (int d = 0; d < o->rank; d++) {
    o->strides[d] = strides[d] * size;
    int64_t reach = strides[d] * (o->shape[d] > 0 ? o->shape[d] - 1 : 0);
    *(reach < 0 ? &low : &high) += reach;
  }
  o->bytes = operand_size(o) ? (size_t)((high - low + 1) * size) : 0;
  map_pages(o, seed & 1);
  memset(o->data, 0x5a, o->bytes);
  o->data -= o->bytes ? low * size : 0;
  fill_all(o, seed, which);
  protect(o);
}

void operand_copy(operand *o, const void *rows) {
  o->layout = LAYOUT_ROWS;
  o->bytes = (size_t)operand_size(o) * tme_dtype_size(o->dtype);
  int64_t next = (int64_t)tme_dtype_size(o->dtype);
  for (int d = o->rank - 1; d >= 0; next *= o->shape[d--]) o->strides[d] = next;
  map_pages(o, true);
  if (o->bytes) memcpy(o->data, rows, o->bytes);
  protect(o);
}
