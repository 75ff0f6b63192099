/* Kernels built by hand, for tests of the emitters and of what runs them. */
#ifndef TME_KERNEL_SAMPLES_H
#define TME_KERNEL_SAMPLES_H

#include "kernel/kernel.h"
#include "emit/emit.h"

/* out[i] = f(in[i]) as one vector axis of tasks; `f` emits the value from the operands' numbers. */
typedef int sample_fn(kernel *k, const int *operands);
kernel *sample_map(const emit_target *t, int n_in, const tme_dtype *in, tme_dtype out, int64_t n, int unroll,
                   sample_fn *f);
/* The same with the extent in args[0]. */
kernel *sample_map_symbolic(const emit_target *t, tme_dtype type, sample_fn *f);
/* f32 rows x columns; three passes over a row, exp through the C library. */
kernel *sample_softmax(const emit_target *t, int64_t rows, int64_t columns);
/* out[c] = sum over r of a[r][c]. */
kernel *sample_sum_rows(const emit_target *t, tme_dtype type, int64_t rows, int64_t columns, int unroll);
/* out[r] = reduction over c of a[r][c], starting from `init`. */
kernel *sample_reduce(const emit_target *t, tme_dtype type, k_op op, double init, int64_t rows, int64_t columns,
                      int unroll);
/* f32 c = a b, tiles of mr rows by nv vectors; edges are sections of their own. */
kernel *sample_matmul(const emit_target *t, int64_t m, int64_t n, int64_t k, int mr, int nv);
/* The same of pairs of 16-bit numbers: a and b are uint32, c is f32 or i32. */
kernel *sample_dots(const emit_target *t, k_op dot, int64_t m, int64_t n, int64_t k, int mr, int nv);
/* out[i] = a[start + i * step] for i < n, of a buffer with elements [lo, hi). */
kernel *sample_strided(const emit_target *t, tme_dtype type, int64_t n, int64_t start, int64_t step);
/* out[start + i * step] = a[i]. */
kernel *sample_scatter(const emit_target *t, tme_dtype type, int64_t n, int64_t start, int64_t step);
/* rows x columns from memory where the elements of a column are `unit` (1 or -1) apart and those of a row `far`, in tiles,
 * `side` rows at a time; guarded: the last column is not read. */
kernel *sample_transpose(const emit_target *t, tme_dtype type, int64_t rows, int64_t columns, int side, int64_t tile,
                         int64_t far, int unit, bool guarded);
/* out has `pad` zeros before and after the n elements of a. */
kernel *sample_pad(const emit_target *t, tme_dtype type, int64_t n, int64_t pad);
/* Rows of a with `pad` rows of zeros before and after, plus a column of which the same holds; the column itself goes
 * unpadded into a second output. */
kernel *sample_pad_rows(const emit_target *t, tme_dtype type, int64_t rows, int64_t columns, int64_t pad);
/* out[i] = a[i] + a[i] and sums[p] = the sum of chunk p; the last chunk of i is shorter. */
kernel *sample_split(const emit_target *t, tme_dtype type, int64_t n, int64_t chunk, int unroll);
/* out[r] = the sum over c of a[r][c], or with `down` that of a[c][r], in blocks of so many c. */
kernel *sample_blocks(const emit_target *t, tme_dtype type, int64_t rows, int64_t columns, int64_t block, int unroll,
                      bool down);
/* out[r] = 3 + the sum over c >= first of a[r][c], `unroll` vectors at a time; 0: one number after the other. */
kernel *sample_rest(const emit_target *t, tme_dtype type, int64_t rows, int64_t columns, int64_t first, int unroll);
/* out[i] = a[(i % columns) * rows + i / columns]: the reshape of a transpose. */
kernel *sample_reshape(const emit_target *t, tme_dtype type, int64_t rows, int64_t columns, bool row_tasks);
/* out[i][j] = table[index[i]][j]. */
kernel *sample_take_rows(const emit_target *t, tme_dtype type, int64_t n, int64_t rows, int64_t columns);
/* out[i] = table[index[i]]. */
kernel *sample_take(const emit_target *t, tme_dtype type, int64_t n, int64_t size);
/* out[r][c] = a[r][c] - min over c, the row kept in scratch memory. */
kernel *sample_scratch(const emit_target *t, int64_t rows, int64_t columns);
/* A chain of 13 operations on f32: the fast tanh form of gelu. */
kernel *sample_chain(const emit_target *t, int64_t n);

int sample_lanes(const emit_target *t, tme_dtype type);

#endif
