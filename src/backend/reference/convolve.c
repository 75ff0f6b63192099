/* convolve, correlate: sums of products, blocks of results side by side. */
#include "backend/reference/reference.h"
#include "base/convert.h"
#include <string.h>

/* BLOCK results at once; at most TERMS products before they go into the sum, so that its error stays bounded. */
enum { BLOCK = 64, TERMS = 512 };

typedef struct convolution {
  const void *x, *y; /* contiguous, y the shorter one */
  void *out;
  int64_t n, m, first, count; /* results first, first + 1, ... of all n + m - 1 */
} convolution;

/* Results whose terms all exist are summed in blocks, others one by one. Both add in the same order. */
#define REAL_CONVOLUTION(name, T)                                                                                      \
  static void some_##name(const convolution *c, int64_t k, int width, T *out) {                                        \
    const T *x = c->x, *y = c->y;                                                                                      \
    int64_t low = k - c->n + 1 > 0 ? k - c->n + 1 : 0, high = k + 1 < c->m ? k + 1 : c->m;                             \
    T total[BLOCK] = {0};                                                                                              \
    for (int64_t from = low; from < high; from += TERMS) {                                                             \
      T sum[BLOCK] = {0};                                                                                              \
      int64_t to = from + TERMS < high ? from + TERMS : high;                                                          \
      for (int64_t j = from; j < to; j++) {                                                                            \
        const T *at = x + k - j;                                                                                       \
        if (width == BLOCK)                                                                                            \
          for (int i = 0; i < BLOCK; i++) sum[i] += at[i] * y[j];                                                      \
        else                                                                                                           \
          sum[0] += at[0] * y[j];                                                                                      \
      }                                                                                                                \
      for (int i = 0; i < width; i++) total[i] += sum[i];                                                              \
    }                                                                                                                  \
    memcpy(out, total, (size_t)width * sizeof *out);                                                                   \
  }                                                                                                                    \
  static void run_##name(void *user, int thread, int64_t t0, int64_t t1) {                                             \
    const convolution *c = user;                                                                                       \
    (void)thread;                                                                                                      \
    int64_t end = t1 * BLOCK < c->count ? t1 * BLOCK : c->count;                                                       \
    for (int64_t i = t0 * BLOCK; i < end;) {                                                                           \
      int64_t k = c->first + i;                                                                                        \
      int width = k >= c->m - 1 && k + BLOCK <= c->n && i + BLOCK <= end ? BLOCK : 1;                                  \
      some_##name(c, k, width, (T *)c->out + i);                                                                       \
      i += width;                                                                                                      \
    }                                                                                                                  \
  }
#define COMPLEX_CONVOLUTION(name, T, R)                                                                                \
  static void run_##name(void *user, int thread, int64_t t0, int64_t t1) {                                             \
    const convolution *c = user;                                                                                       \
    const T *x = c->x, *y = c->y;                                                                                      \
    (void)thread;                                                                                                      \
    int64_t end = t1 * BLOCK < c->count ? t1 * BLOCK : c->count;                                                       \
    for (int64_t i = t0 * BLOCK; i < end; i++) {                                                                       \
      int64_t k = c->first + i, low = k - c->n + 1 > 0 ? k - c->n + 1 : 0, high = k + 1 < c->m ? k + 1 : c->m;         \
      T total = {0, 0};                                                                                                \
      for (int64_t from = low; from < high; from += TERMS) {                                                           \
        R re = 0, im = 0;                                                                                              \
        for (int64_t j = from; j < high && j < from + TERMS; j++) {                                                    \
          T a = x[k - j], b = y[j];                                                                                    \
          re += a.re * b.re - a.im * b.im;                                                                             \
          im += a.re * b.im + a.im * b.re;                                                                             \
        }                                                                                                              \
        total.re += re;                                                                                                \
        total.im += im;                                                                                                \
      }                                                                                                                \
      ((T *)c->out)[i] = total;                                                                                        \
    }                                                                                                                  \
  }
REAL_CONVOLUTION(u64, uint64_t)
REAL_CONVOLUTION(f32, float)
REAL_CONVOLUTION(f64, double)
COMPLEX_CONVOLUTION(c64, c64, float)
COMPLEX_CONVOLUTION(c128, c128, double)

static threads_fn *loop_of(tme_dtype wide) {
  switch (wide) {
  case TME_F32: return run_f32;
  case TME_F64: return run_f64;
  case TME_C64: return run_c64;
  case TME_C128: return run_c128;
  default: return run_u64; /* wraps alike with a sign and without one */
  }
}

/* Contiguous numbers of the dtype that is computed in; backwards and conjugated for correlate. */
static void gather(const ref_array *a, tme_dtype wide, bool backwards, char *to) {
  int64_t n = a->type.shape[0], step = a->strides[0];
  const char *from = a->data;
  if (backwards) {
    from += (n - 1) * step * (int64_t)tme_dtype_size(a->type.dtype);
    step = -step;
  }
  convert_run(a->type.dtype, from, step, wide, to, 1, n);
  for (int64_t i = 0; backwards && i < n; i++) {
    if (wide == TME_C64) ((c64 *)(void *)to)[i].im *= -1;
    if (wide == TME_C128) ((c128 *)(void *)to)[i].im *= -1;
  }
}

tme_status ref_convolve(ref_call *c, error *e) {
  const ref_array *x = c->in[0], *y = c->in[1], *out = &c->out[0];
  tme_dtype t = out->type.dtype, wide = dtype_is_int(t) ? TME_U64 : dtype_wide(t);
  int64_t n = x->type.shape[0], m = y->type.shape[0], longer = n > m ? n : m, shorter = n + m - longer;
  size_t size = tme_dtype_size(wide), bytes = (size_t)(n + m + out->type.shape[0]) * size;
  char *memory = mem_alloc(bytes);
  if (!memory) return fail_memory(e, op_name(c->op), bytes);
  char *xs = memory, *ys = xs + (size_t)n * size;
  bool swapped = n < m, correlate = c->op == OP_correlate;
  gather(x, wide, false, xs);
  gather(y, wide, correlate, ys);
  int mode = c->attrs->convolve.mode;
  convolution k = {.x = swapped ? ys : xs,
                   .y = swapped ? xs : ys,
                   .out = ys + (size_t)m * size,
                   .n = longer,
                   .m = shorter,
                   .count = out->type.shape[0]};
  /* The middle of an even number of terms: of correlate counted from the other side, if the second vector is the longer one. */
  if (mode == CONVOLVE_MODE_SAME) k.first = correlate && swapped ? shorter / 2 : (shorter - 1) / 2;
  if (mode == CONVOLVE_MODE_VALID) k.first = shorter - 1;
  int64_t grain = (1 << 16) / (BLOCK * shorter) + 1;
  threads_for(c->threads, ceil_div(k.count, BLOCK), grain, loop_of(wide), &k);
  convert_run(wide, k.out, 1, t, out->data, 1, k.count);
  mem_free(memory);
  return TME_OK;
}
