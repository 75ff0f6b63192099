/* Running sums, products and extremes along an axis.
 *
 * A row is cut into chunks of 512 elements. Within one, the results are those of its own elements so far; what came before, the
 * carry, is combined with each. So the order depends on the place in the row alone, rounding errors grow with the length of a
 * chunk and their number, and the chunks of few long rows are spread over threads. Several neighbouring rows are run through
 * together: the columns of a matrix, in vectors where they lie side by side. */
#include "backend/reference/expr_scalar.h"
#include "backend/reference/iter.h"
#include <math.h>
#include <string.h>

enum { CHUNK = 512, COLUMNS = 64, WIDEST = 16, WORTH = 1 << 14 /* elements that are worth a task */ };

/* Where elements of one array lie: from one to the next of a row, and from one row to the next. */
typedef struct place {
  char *data;
  int64_t along, next; /* in elements */
} place;

/* Sums and products are made in 64 bits, wider floats and complex ones; `to->data` is NULL where the last sums alone are wanted. */
typedef struct scan {
  size_t size; /* of what is carried */
  void (*start)(void *acc, int columns);
  void (*run)(void *local, const void *carry, place from, place to, int64_t n, int columns);
  void (*join)(void *carry, const void *local, int columns); /* into `carry`, which comes before */
  void (*store)(place to, const void *acc, int columns);
} scan;

#define PLAIN(x) (x)
#define SUM(a, b) ((a) + (b))
#define PRODUCT(a, b) ((a) * (b))
#define LESS(a, b) ((b) < (a) ? (b) : (a))
#define MORE(a, b) ((b) > (a) ? (b) : (a))
#define LESS_OR_NAN(a, b) ((b) < (a) || (b) != (b) ? (b) : (a))
#define MORE_OR_NAN(a, b) ((b) > (a) || (b) != (b) ? (b) : (a))

static uint8_t nonzero(uint8_t x) { return x != 0; }
static c128 widen_c64(c64 a) { return (c128){(double)a.re, (double)a.im}; }
static c128 widen_c128(c128 a) { return a; }
static c64 narrow_c64(c128 a) { return (c64){(float)a.re, (float)a.im}; }
static c128 narrow_c128(c128 a) { return a; }
static c128 sum_c128(c128 a, c128 b) { return (c128){a.re + b.re, a.im + b.im}; }
static c128 product_c128(c128 a, c128 b) { return (c128){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }

/* log(sum(exp(x))) as the largest x, and the sum of exp(x - largest). */
typedef struct logsum {
  double most, sum;
} logsum;

static logsum logsum_of(double x) { return (logsum){x, 1}; }
static double logsum_value(logsum a) { return a.most + log(a.sum); }
static logsum logsum_both(logsum a, logsum b) {
  double most = MORE_OR_NAN(a.most, b.most);
  double x = a.most == most ? a.sum : a.sum * exp(a.most - most),
         y = b.most == most ? b.sum : b.sum * exp(b.most - most);
  return (logsum){most, x + y};
}

/* One kind of one dtype, name_scan: ELEMENT is the type in memory, ACC that of the sums. */
#define SCAN(name, ELEMENT, ACC, LOAD, STORE, NEUTRAL, COMBINE)                                                        \
  static void name##_start(void *acc, int columns) {                                                                   \
    ACC *a = acc;                                                                                                      \
    for (int j = 0; j < columns; j++) a[j] = NEUTRAL;                                                                  \
  }                                                                                                                    \
  static void name##_step(ACC *restrict sum, const ACC *restrict before, const ELEMENT *restrict x, int64_t from,      \
                          ELEMENT *restrict y, int64_t to, int columns) {                                              \
    for (int j = 0; j < columns; j++) {                                                                                \
      sum[j] = COMBINE(sum[j], LOAD(x[j * from]));                                                                     \
      y[j * to] = STORE(COMBINE(before[j], sum[j]));                                                                   \
    }                                                                                                                  \
  }                                                                                                                    \
  static void name##_run(void *local, const void *carry, place from, place to, int64_t n, int columns) {               \
    ACC *sum = local;                                                                                                  \
    const ELEMENT *x = (const ELEMENT *)(const void *)from.data;                                                       \
    ELEMENT *y = (ELEMENT *)(void *)to.data;                                                                           \
    for (int64_t i = 0; i < n; i++, x += from.along) {                                                                 \
      if (!y)                                                                                                          \
        for (int j = 0; j < columns; j++) sum[j] = COMBINE(sum[j], LOAD(x[j * from.next]));                            \
      else if (from.next == 1 && to.next == 1)                                                                         \
        name##_step(sum, carry, x, 1, y, 1, columns);                                                                  \
      else                                                                                                             \
        name##_step(sum, carry, x, from.next, y, to.next, columns);                                                    \
      if (y) y += to.along;                                                                                            \
    }                                                                                                                  \
  }                                                                                                                    \
  static void name##_join(void *carry, const void *local, int columns) {                                               \
    ACC *a = carry;                                                                                                    \
    const ACC *b = local;                                                                                              \
    for (int j = 0; j < columns; j++) a[j] = COMBINE(a[j], b[j]);                                                      \
  }                                                                                                                    \
  static void name##_store(place to, const void *acc, int columns) {                                                   \
    const ACC *a = acc;                                                                                                \
    ELEMENT *y = (ELEMENT *)(void *)to.data;                                                                           \
    for (int j = 0; j < columns; j++) y[j * to.next] = STORE(a[j]);                                                    \
  }                                                                                                                    \
  static const scan name##_scan = {sizeof(ACC), name##_start, name##_run, name##_join, name##_store};

#define AS_u8(x) ((uint8_t)(x))
#define AS_u16(x) ((uint16_t)(x))
#define AS_u32(x) ((uint32_t)(x))
#define AS_u64(x) ((uint64_t)(x))
#define AS_i8(x) ((int8_t)(x))
#define AS_i16(x) ((int16_t)(x))
#define AS_i32(x) ((int32_t)(x))
#define AS_i64(x) ((int64_t)(x))
#define AS_f32(x) ((float)(x))
#define AS_f64(x) (x)
#define FROM_f32(x) ((double)(x))
#define FROM_f64(x) (x)

#define MAKE_BOOL(id, element, most)                                                                                   \
  SCAN(min_##id, element, element, nonzero, PLAIN, 1, LESS)                                                            \
  SCAN(max_##id, element, element, nonzero, PLAIN, 0, MORE)
#define MAKE_SUMS_OF_INTEGERS(id, element)                                                                             \
  SCAN(sum_##id, element, uint64_t, AS_u64, AS_##id, 0, SUM)                                                           \
  SCAN(prod_##id, element, uint64_t, AS_u64, AS_##id, 1, PRODUCT)
#define MAKE_UNSIGNED(id, element, most)                                                                               \
  MAKE_SUMS_OF_INTEGERS(id, element)                                                                                   \
  SCAN(min_##id, element, element, PLAIN, PLAIN, most, LESS)                                                           \
  SCAN(max_##id, element, element, PLAIN, PLAIN, 0, MORE)
#define MAKE_SIGNED(id, element, most)                                                                                 \
  MAKE_SUMS_OF_INTEGERS(id, element)                                                                                   \
  SCAN(min_##id, element, element, PLAIN, PLAIN, most, LESS)                                                           \
  SCAN(max_##id, element, element, PLAIN, PLAIN, -(most)-1, MORE)
#define MAKE_FLOAT(id, element, most)                                                                                  \
  SCAN(sum_##id, element, double, FROM_##id, AS_##id, 0, SUM)                                                          \
  SCAN(prod_##id, element, double, FROM_##id, AS_##id, 1, PRODUCT)                                                     \
  SCAN(min_##id, element, element, PLAIN, PLAIN, (element)INFINITY, LESS_OR_NAN)                                       \
  SCAN(max_##id, element, element, PLAIN, PLAIN, -(element)INFINITY, MORE_OR_NAN)                                      \
  static logsum load_##id(element x) { return logsum_of((double)x); }                                                  \
  static element store_##id(logsum a) { return (element)logsum_value(a); }                                             \
  SCAN(log_##id, element, logsum, load_##id, store_##id, ((logsum){-(double)INFINITY, 0}), logsum_both)
#define MAKE_NARROW(id, element, most)                                                                                 \
  SCAN(sum_##id, element, float, id##_to_f32, id##_from_f32, 0, SUM)                                                   \
  SCAN(prod_##id, element, float, id##_to_f32, id##_from_f32, 1, PRODUCT)                                              \
  SCAN(min_##id, element, float, id##_to_f32, id##_from_f32, INFINITY, LESS_OR_NAN)                                    \
  SCAN(max_##id, element, float, id##_to_f32, id##_from_f32, -INFINITY, MORE_OR_NAN)                                   \
  static logsum load_##id(element x) { return logsum_of((double)id##_to_f32(x)); }                                     \
  static element store_##id(logsum a) { return id##_from_f32((float)logsum_value(a)); }                                \
  SCAN(log_##id, element, logsum, load_##id, store_##id, ((logsum){-(double)INFINITY, 0}), logsum_both)
#define MAKE_COMPLEX(id, element, most)                                                                                \
  SCAN(sum_##id, element, c128, widen_##id, narrow_##id, ((c128){0, 0}), sum_c128)                                     \
  SCAN(prod_##id, element, c128, widen_##id, narrow_##id, ((c128){1, 0}), product_c128)
#define DTYPE(ID, id, name, kind, element, held, digits, most, ...) MAKE_##kind(id, element, most)
#include "base/dtypes.def"

/* NULL where there is none. */
static const scan *choose(int op, tme_dtype t) {
  static const struct {
    const scan *sum, *prod, *min, *max, *log;
  } of[TME_DTYPE_COUNT] = {
#define OF_BOOL(id)                                                                                                    \
  { NULL, NULL, &min_##id##_scan, &max_##id##_scan, NULL }
#define OF_UNSIGNED(id)                                                                                                \
  { &sum_##id##_scan, &prod_##id##_scan, &min_##id##_scan, &max_##id##_scan, NULL }
#define OF_SIGNED OF_UNSIGNED
#define OF_FLOAT(id)                                                                                                   \
  { &sum_##id##_scan, &prod_##id##_scan, &min_##id##_scan, &max_##id##_scan, &log_##id##_scan }
#define OF_NARROW OF_FLOAT
#define OF_COMPLEX(id)                                                                                                 \
  { &sum_##id##_scan, &prod_##id##_scan, NULL, NULL, NULL }
#define DTYPE(ID, id, name, kind, ...) [TME_##ID] = OF_##kind(id),
#include "base/dtypes.def"
  };
  switch (op) {
  case OP_cumsum:
  case OP_cumulative_sum: return of[t].sum;
  case OP_cumprod:
  case OP_cumulative_prod: return of[t].prod;
  case OP_cummin: return of[t].min;
  case OP_cummax: return of[t].max;
  default: return of[t].log;
  }
}

typedef union columns_of {
  char bytes[COLUMNS * WIDEST];
  c128 z[COLUMNS];
  uint64_t u[COLUMNS];
} columns_of;

/* All rows: `others` are the axes but the scanned one and that of the columns. */
typedef struct walk {
  const scan *scan;
  place x, out; /* of the first row, in the order in which it is run through */
  int64_t n;    /* elements of a row */
  int64_t
      given; /* of its results that come of elements; with `shift`, the results stand one place later, behind a neutral one */
  int shift, rank;
  int64_t columns, groups; /* columns, and how many tasks they are */
  int together;
  int64_t shape[TME_MAX_RANK], x_stride[TME_MAX_RANK], out_stride[TME_MAX_RANK];
  int64_t size;         /* bytes of an element */
  int64_t chunks, task; /* of one long task */
  char *carries;
} walk;

/* Where the rows of a task begin; how many they are. */
static int rows_of(const walk *w, int64_t task, place *x, place *out) {
  int64_t first = task % w->groups * w->together, rest = task / w->groups;
  int64_t from = first * w->x.next, to = first * w->out.next;
  for (int d = w->rank - 1; d >= 0; d--) {
    from += rest % w->shape[d] * w->x_stride[d];
    to += rest % w->shape[d] * w->out_stride[d];
    rest /= w->shape[d];
  }
  *x = w->x;
  *out = w->out;
  x->data += from * w->size;
  out->data += to * w->size;
  return (int)(w->columns - first < w->together ? w->columns - first : w->together);
}

/* Chunk k of some rows, and what it ends with; results where there is room. */
static void one_chunk(const walk *w, int64_t k, place x, place out, bool results, void *local, const void *carry,
                      int columns) {
  int64_t begin = k * CHUNK, n = w->n - begin < CHUNK ? w->n - begin : CHUNK;
  int64_t wanted = w->given - begin < n ? w->given - begin : n;
  if (wanted < 0 || !results) wanted = 0;
  x.data += begin * x.along * w->size;
  out.data += (begin + w->shift) * out.along * w->size;
  w->scan->start(local, columns);
  w->scan->run(local, carry, x, out, wanted, columns);
  x.data += wanted * x.along * w->size;
  out.data = NULL;
  w->scan->run(local, carry, x, out, n - wanted, columns);
}

static void whole_rows(void *user, int thread, int64_t t0, int64_t t1) {
  const walk *w = user;
  columns_of local, carry;
  (void)thread;
  for (int64_t t = t0; t < t1; t++) {
    place x, out;
    int columns = rows_of(w, t, &x, &out);
    w->scan->start(&carry, columns);
    if (w->shift) w->scan->store(out, &carry, columns);
    for (int64_t k = 0; k * CHUNK < w->n; k++) {
      one_chunk(w, k, x, out, true, &local, &carry, columns);
      w->scan->join(&carry, &local, columns);
    }
  }
}

static char *carry_of(const walk *w, int64_t k) { return w->carries + (size_t)k * (size_t)w->together * w->scan->size; }

static void chunk_ends(void *user, int thread, int64_t t0, int64_t t1) {
  const walk *w = user;
  (void)thread;
  place x, out;
  int columns = rows_of(w, w->task, &x, &out);
  for (int64_t k = t0; k < t1; k++) one_chunk(w, k, x, out, false, carry_of(w, k), NULL, columns);
}

static void chunk_results(void *user, int thread, int64_t t0, int64_t t1) {
  const walk *w = user;
  columns_of local;
  (void)thread;
  place x, out;
  int columns = rows_of(w, w->task, &x, &out);
  for (int64_t k = t0; k < t1; k++) one_chunk(w, k, x, out, true, &local, carry_of(w, k), columns);
}

/* Few long rows: first what each chunk ends with, then what comes before it, then its results. */
static tme_status long_rows(walk *w, int64_t tasks, threads *t, error *e) {
  w->chunks = (w->n + CHUNK - 1) / CHUNK;
  size_t bytes = (size_t)w->chunks * (size_t)w->together * w->scan->size;
  int64_t grain = 1 + WORTH / (CHUNK * w->together);
  w->carries = mem_alloc(bytes);
  if (!w->carries) return fail_memory(e, "scan", bytes);
  for (w->task = 0; w->task < tasks; w->task++) {
    place x, out;
    columns_of before, end;
    int columns = rows_of(w, w->task, &x, &out);
    size_t size = (size_t)columns * w->scan->size;
    threads_for(t, w->chunks, grain, chunk_ends, w);
    w->scan->start(&before, columns);
    if (w->shift) w->scan->store(out, &before, columns);
    for (int64_t k = 0; k < w->chunks; k++) {
      memcpy(&end, carry_of(w, k), size);
      memcpy(carry_of(w, k), &before, size);
      w->scan->join(&before, &end, columns);
    }
    threads_for(t, w->chunks, grain, chunk_results, w);
  }
  mem_free(w->carries);
  return TME_OK;
}

/* Along one axis of an array of one dimension or more. */
static tme_status along(const ref_call *c, const ref_array *x, const ref_array *out, int axis, error *e) {
  const scan_attrs *a = &c->attrs->scan;
  bool standard = c->op == OP_cumulative_sum || c->op == OP_cumulative_prod, reverse = !standard && a->reverse;
  int rank = x->type.rank, across = axis == rank - 1 ? rank - 2 : rank - 1; /* -1: there are no columns */
  int64_t n = x->type.shape[axis], results = out->type.shape[axis];
  walk w = {.scan = choose(c->op, out->type.dtype), .n = n, .size = (int64_t)tme_dtype_size(out->type.dtype)};
  if (!w.scan)
    return fail(e, TME_ERR_UNSUPPORTED, "%s: no kernel for %s", op_name(c->op), tme_dtype_name(out->type.dtype));
  if (!type_size(&out->type)) return TME_OK;
  w.shift = standard ? a->include_initial : !a->inclusive;
  w.given = results - w.shift;
  w.columns = across < 0 ? 1 : x->type.shape[across];
  w.x = (place){x->data, x->strides[axis], across < 0 ? 0 : x->strides[across]};
  w.out = (place){out->data, out->strides[axis], across < 0 ? 0 : out->strides[across]};
  if (reverse) {
    w.x.data += (n - 1) * w.x.along * w.size;
    w.out.data += (results - 1) * w.out.along * w.size;
    w.x.along = -w.x.along;
    w.out.along = -w.out.along;
  }
  /* Rows side by side as many as fill vectors; others, which share no lines of the cache, as many as hide the
   * latency of their sums. */
  w.together = axis == rank - 1 ? 4 : COLUMNS;
  if (w.columns < w.together) w.together = (int)w.columns;
  w.groups = (w.columns + w.together - 1) / w.together;
  int64_t tasks = w.groups;
  for (int d = 0; d < rank; d++) {
    if (d == axis || d == across) continue;
    w.shape[w.rank] = x->type.shape[d];
    w.x_stride[w.rank] = x->strides[d];
    w.out_stride[w.rank++] = out->strides[d];
    tasks *= x->type.shape[d];
  }
  if (c->threads && tasks < 2 * threads_count(c->threads) && n >= 16 * CHUNK && threads_count(c->threads) > 1)
    return long_rows(&w, tasks, c->threads, e);
  threads_for(c->threads, tasks, 1 + WORTH / (n * w.together + 1), whole_rows, &w);
  return TME_OK;
}

tme_status ref_scan(ref_call *c, error *e) {
  const ref_array *x = c->in[0], *out = &c->out[0];
  uint32_t mask = c->attrs->scan.axes.mask;
  if (mask && !(mask & (mask - 1))) {
    int axis = 0;
    while (!(mask >> axis & 1)) axis++;
    return along(c, x, out, axis, e);
  }
  /* All elements as one row. */
  ref_array row = {.type = out->type, .strides = {1}, .data = x->data};
  size_t size = tme_dtype_size(row.type.dtype), bytes = size * (size_t)row.type.shape[0];
  bool copied = !strides_contiguous(&x->type, x->strides);
  if (copied) {
    int64_t rows[TME_MAX_RANK];
    row.data = mem_alloc(bytes);
    if (!row.data) return fail_memory(e, op_name(c->op), bytes);
    type_strides(&x->type, rows);
    copy_strided(x->type.rank, x->type.shape, size, x->data, x->strides, row.data, rows);
  }
  tme_status s = along(c, &row, out, 0, e);
  if (copied) mem_free(row.data);
  return s;
}
