/* Numbers before they have a dtype, and their bits once they have one. */
#include "base/convert.h"
#include "ops/ops.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ------------------------------------------------------------------------------------------------------- */

op_number number_of_int(int64_t v) { return (op_number){NUMBER_INT, {.i = v}}; }
op_number number_of_uint(uint64_t v) {
  return v <= INT64_MAX ? number_of_int((int64_t)v) : (op_number){NUMBER_UINT, {.u = v}};
}

uint64_t number_wrapped(const op_number *n) {
  op_number whole;
  if (n->kind != NUMBER_FLOAT) return n->v.u;
  return number_whole(n, &whole) ? whole.v.u : 0;
}

bool number_whole(const op_number *n, op_number *out) {
  *out = n->kind == NUMBER_NONE ? number_of_int(0) : *n;
  if (n->kind != NUMBER_FLOAT) return true;
  double f = n->v.f;
  if (!(f >= -0x1p63 && f < 0x1p64) || f != trunc(f)) return false;
  *out = f < 0x1p63 ? number_of_int((int64_t)f) : number_of_uint((uint64_t)f);
  return true;
}

static bool fits_int(const op_number *n, tme_dtype t) {
  op_number whole;
  if (!number_whole(n, &whole)) return false;
  int bits = (int)(8 * tme_dtype_size(t));
  bool negative = whole.kind == NUMBER_INT && whole.v.i < 0;
  if (negative) return dtype_is_signed(t) && whole.v.i >= -(INT64_MAX >> (64 - bits)) - 1;
  return whole.v.u <= (dtype_is_signed(t) ? UINT64_MAX >> 1 : UINT64_MAX) >> (64 - bits);
}

bool number_fits(const op_number *n, tme_dtype t) {
  if (t == TME_BOOL) return number_value(n) == 0 || number_value(n) == 1;
  if (dtype_is_int(t)) return fits_int(n, t);
  uint64_t bits[2];
  double v[2];
  number_bits(n, t, bits);
  literal_value(t, bits, v);
  return isfinite(v[0]) || !isfinite(number_value(n));
}

static int order(bool below, bool above) { return above - below; }

int number_compare(const op_number *a, const op_number *b) {
  op_number x, y;
  if (isnan(number_value(a)) || isnan(number_value(b))) return 2;
  if (a->kind == NUMBER_FLOAT && b->kind == NUMBER_FLOAT) return order(a->v.f<b->v.f, a->v.f> b->v.f);
  if (number_whole(a, &x) && number_whole(b, &y)) {
    if (x.kind != y.kind) return x.kind == NUMBER_UINT ? 1 : -1;
    return x.kind == NUMBER_UINT ? order(x.v.u<y.v.u, x.v.u> y.v.u) : order(x.v.i<y.v.i, x.v.i> y.v.i);
  }
  /* One is a fraction, or beyond 64 bits: rounding the other one changes nothing. */
  return order(number_value(a) < number_value(b), number_value(a) > number_value(b));
}

void number_text(const op_number *n, char out[static 32]) {
  if (n->kind == NUMBER_INT) snprintf(out, 32, "%" PRId64, n->v.i);
  if (n->kind == NUMBER_UINT) snprintf(out, 32, "%" PRIu64, n->v.u);
  if (n->kind == NUMBER_NONE) snprintf(out, 32, "none");
  for (int digits = 6; n->kind == NUMBER_FLOAT && digits <= 17; digits++) {
    snprintf(out, 32, "%.*g", digits, n->v.f);
    if (!(strtod(out, NULL) != n->v.f)) break;
  }
}

tme_status number_misfit(const char *op, const op_number *n, tme_dtype t, error *e) {
  char given[32];
  op_number whole;
  double v = number_value(n);
  number_text(n, given);
  bool fraction = (dtype_is_int(t) || t == TME_BOOL) && fabs(v) < 0x1p63 && !number_whole(n, &whole);
  return fail(e, TME_ERR_ARGUMENT, "%s: %s does not fit in %s%s", op, given, tme_dtype_name(t),
              fraction ? ", which holds whole numbers alone" : "");
}

/* ---- bits ---------------------------------------------------------------------------------------------------------- */

static void convert(tme_dtype from, const void *v, tme_dtype t, uint64_t bits[2]) {
  bits[0] = bits[1] = 0;
  convert_run(from, v, 1, dtype_real(t), bits, 1, 1);
}

void literal_bits(tme_dtype t, double v, uint64_t bits[2]) { convert(TME_F64, &v, t, bits); }

void number_bits(const op_number *n, tme_dtype t, uint64_t bits[2]) {
  convert(n->kind == NUMBER_FLOAT ? TME_F64 : n->kind == NUMBER_UINT ? TME_U64 : TME_I64, &n->v, t, bits);
}

void literal_store(tme_dtype t, const uint64_t bits[2], void *to) {
  size_t size = tme_dtype_size(t), half = dtype_is_complex(t) ? size / 2 : size;
  memcpy(to, &bits[0], half);
  if (half < size) memcpy((char *)to + half, &bits[1], half);
}

void literal_value(tme_dtype t, const uint64_t bits[2], double v[2]) {
  v[0] = v[1] = 0;
  for (int part = 0; part <= dtype_is_complex(t); part++)
    convert_run(dtype_real(t), &bits[part], 1, TME_F64, &v[part], 1, 1);
}

void literal_convert(tme_dtype from, tme_dtype to, uint64_t bits[2]) {
  uint64_t given = bits[0];
  if (from != to) convert(from, &given, to, bits);
}
