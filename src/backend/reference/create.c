/* Arrays out of nothing. */
#include "backend/reference/iter.h"
#include "base/convert.h"
#include <string.h>

static void fill(const ref_array *out, const op_number *v) {
  int64_t none[TME_MAX_RANK] = {0};
  uint64_t bits[2];
  char value[16];
  number_bits(v, out->type.dtype, bits);
  literal_store(out->type.dtype, bits, value);
  copy_strided(out->type.rank, out->type.shape, tme_dtype_size(out->type.dtype), value, none, out->data, out->strides);
}

/* start + i * step: of integers in int64, else in f64. */
static void arange(const ref_array *out, const create_attrs *a) {
  tme_dtype t = out->type.dtype;
  char *to = out->data;
  bool ints = dtype_is_int(t);
  for (int64_t i = 0; i < out->type.shape[0]; i++, to += tme_dtype_size(t)) {
    double f = (double)i * number_value(&a->step) + number_value(&a->start);
    uint64_t n = ints ? (uint64_t)i * number_wrapped(&a->step) + number_wrapped(&a->start) : 0;
    convert_run(ints ? TME_I64 : TME_F64, ints ? (const char *)&n : (const char *)&f, 1, t, to, 1, 1);
  }
}

static void linspace(const ref_array *out, const create_attrs *a) {
  tme_dtype t = out->type.dtype;
  int64_t n = a->num, parts = a->endpoint ? n - 1 : n;
  double start = number_value(&a->start), stop = number_value(&a->stop);
  double step = parts > 0 ? (stop - start) / (double)parts : 0;
  char *to = out->data;
  for (int64_t i = 0; i < n; i++, to += tme_dtype_size(t)) {
    double f = a->endpoint && n > 1 && i == n - 1 ? stop : (double)i * step + start;
    convert_run(TME_F64, (const char *)&f, 1, t, to, 1, 1);
  }
}

static void eye(const ref_array *out, const create_attrs *a) {
  int64_t rows = a->rows, columns = a->columns, k = a->k;
  size_t size = tme_dtype_size(out->type.dtype);
  op_number zero = number_of_int(0);
  uint64_t one[2];
  char value[16];
  literal_bits(out->type.dtype, 1, one);
  literal_store(out->type.dtype, one, value);
  fill(out, &zero);
  for (int64_t i = k < 0 ? -k : 0; i < rows && i + k < columns; i++)
    memcpy(out->data + (size_t)(i * columns + i + k) * size, value, size);
}

tme_status ref_create(ref_call *c, error *e) {
  (void)e;
  const ref_array *out = &c->out[0];
  switch (c->op) {
  case OP_arange: arange(out, &c->attrs->create); break;
  case OP_linspace: linspace(out, &c->attrs->create); break;
  case OP_eye: eye(out, &c->attrs->create); break;
  case OP_full: fill(out, &c->attrs->create.value); break;
  default: {
    op_number v = number_of_int(c->op == OP_ones);
    fill(out, &v);
  }
  }
  return TME_OK;
}
