/* Rows of an array as contiguous f32 or f64: what statistics, softmax and norms work on. */
#ifndef TME_REF_ROWS_H
#define TME_REF_ROWS_H

#include "backend/reference/iter.h"

/* f32 for 16-bit floats and f32, f64 for f64. */
tme_dtype rows_dtype(tme_dtype t);

typedef struct rows rows;
struct rows {
  const ref_array *x;
  uint32_t axes;       /* the dimensions that make up a row, of x */
  ref_array *out;      /* of the shape of x, or contiguous with one element per row */
  bool whole;          /* the former */
  int64_t part, parts; /* complex numbers: which part of an element this pass sees, of 2; else 0 of 1 */
  void (*f32)(const rows *r, float *v, int64_t n); /* changes v; one result: v[0] */
  void (*f64)(const rows *r, double *v, int64_t n);
  const void *user;
  void *spare; /* room for one more row */
};

/* Calls the function of the dtype on each row and stores the n (or one) results. */
tme_status rows_run(rows *r, error *e);

/* Sums in the order of ref_reduce. */
float row_sum_f32(const float *x, int64_t n);
double row_sum_f64(const double *x, int64_t n);
/* Takes the mean away, and then what its rounding left. */
void row_centre_f32(float *x, int64_t n);
void row_centre_f64(double *x, int64_t n);
/* NaN if there is one; -infinity of nothing. */
float row_max_f32(const float *x, int64_t n);
double row_max_f64(const double *x, int64_t n);

#endif
