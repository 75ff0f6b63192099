/* The reference kernels: one plain C loop per operation, over strided arrays, with no dependency. The oracle of the
 * tests and the path that answers when there is no JIT. */
#ifndef TME_REFERENCE_H
#define TME_REFERENCE_H

#include "base/threads.h"
#include "ops/views.h"

/* A strided array in host memory. */
typedef struct ref_array {
  op_type type;
  int64_t strides[TME_MAX_RANK]; /* in elements */
  char *data;                    /* of element 0, ..., 0; need not be aligned to more than the element */
} ref_array;

typedef struct ref_call {
  int op;
  int nin;
  const ref_array *const *in; /* NULL for an absent optional array */
  const op_attrs *attrs;      /* normalised */
  ref_array *out;             /* row-major, contiguous */
  int nout;
  bool libraries;      /* may use CBLAS and LAPACK ("nojit") */
  threads *threads;    /* for what is worth spreading; NULL: there are none */
  const char *failure; /* set (static text) on a numerical failure: that matrix holds NaN */
  int64_t failed_matrix;
} ref_call;

/* Whether there is a kernel; what has none is decomposed. */
bool reference_has(int op);
/* Computes an operation that has one (views too, as copies). Inputs have the dtypes that op_infer asked for. */
tme_status reference_run(ref_call *c, error *e);

/* If the operation's result is a strided view of its first input, describes it (data, strides, type) without copying;
 * false if it must be computed (a reshape that does not fit the strides, pad, concatenate). */
bool reference_view(int op, const ref_array *in, const op_attrs *attrs, const op_type *type, ref_array *out);

/* The indices as int64, row-major, 0 <= index < extent, for the caller to free. NULL after an error, which names the operation:
 * one is out of range, or there is no memory. */
int64_t *reference_indices(const char *op, const ref_array *indices, int64_t extent, int axis, error *e);
/* take's check: every index of any integer dtype lies in [-extent, extent), else an error that names it. */
tme_status reference_check_indices(const ref_array *indices, int64_t extent, int axis, error *e);

/* One per family that has a kernel. */
typedef tme_status ref_fn(ref_call *c, error *e);
#define REFERENCE_YES(name) ref_fn ref_##name;
#define REFERENCE_NO(name)
#define FAMILY(name, class, reference, decomposes, checks, mlx, derivative, batching) REFERENCE_##reference(name)
#include "ops/families.def"
#undef REFERENCE_YES
#undef REFERENCE_NO

#endif
