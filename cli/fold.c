/* Arithmetic of plain numbers, before any array: `shape=(2*3, 4)`, `scale=1/8`. As in Python, but a whole number that
 * leaves 64 bits becomes a floating one, and division of whole numbers by zero gives 0 as everywhere in the engine. */
#include "eval.h"
#include <math.h>

static value of_bool(bool b) { return (value){VALUE_BOOL, {.b = b}}; }
static value of_int(int64_t i) { return (value){VALUE_INT, {.i = i}}; }
static value of_float(double f) { return (value){VALUE_FLOAT, {.f = f}}; }
static double as_float(const value *v) {
  return v->kind == VALUE_FLOAT ? v->u.f : v->kind == VALUE_BOOL ? (double)v->u.b : (double)v->u.i;
}
static int64_t as_int(const value *v) { return v->kind == VALUE_BOOL ? (int64_t)v->u.b : v->u.i; }
static bool truth(const value *v) { return as_float(v) != 0; }

static int64_t floor_divide(int64_t a, int64_t b) {
  if (b == 0) return 0;
  if (b == -1) return (int64_t)(0 - (uint64_t)a); /* the smallest one wraps */
  int64_t q = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

static int64_t shift_left(int64_t a, int64_t b) { return b < 0 || b > 63 ? 0 : (int64_t)((uint64_t)a << b); }
static int64_t shift_right(int64_t a, int64_t b) { return b < 0 || b > 63 ? (a < 0 ? -1 : 0) : a >> b; }

static bool power(int64_t a, int64_t b, int64_t *out) {
  int64_t r = 1;
  for (; b > 0; b >>= 1) {
    if (b & 1 && __builtin_mul_overflow(r, a, &r)) return false;
    if (b > 1 && __builtin_mul_overflow(a, a, &a)) return false;
  }
  *out = r;
  return true;
}

static bool fold_ints(operator_id op, int64_t a, int64_t b, value *out) {
  int64_t r = 0;
  bool fits = true;
  switch (op) {
  case OPERATOR_ADD: fits = !__builtin_add_overflow(a, b, &r); break;
  case OPERATOR_SUB: fits = !__builtin_sub_overflow(a, b, &r); break;
  case OPERATOR_MUL: fits = !__builtin_mul_overflow(a, b, &r); break;
  case OPERATOR_POW: fits = b >= 0 && power(a, b, &r); break;
  case OPERATOR_FLOORDIV: r = floor_divide(a, b); break;
  case OPERATOR_MOD: r = b == 0 || b == -1 ? 0 : a - b * floor_divide(a, b); break;
  case OPERATOR_BITAND: r = a & b; break;
  case OPERATOR_BITOR: r = a | b; break;
  case OPERATOR_BITXOR: r = a ^ b; break;
  case OPERATOR_SHL: r = shift_left(a, b); break;
  case OPERATOR_SHR: r = shift_right(a, b); break;
  case OPERATOR_EQ: *out = of_bool(a == b); return true;
  case OPERATOR_NE: *out = of_bool(a != b); return true;
  case OPERATOR_LT: *out = of_bool(a < b); return true;
  case OPERATOR_LE: *out = of_bool(a <= b); return true;
  case OPERATOR_GT: *out = of_bool(a > b); return true;
  case OPERATOR_GE: *out = of_bool(a >= b); return true;
  default: return false;
  }
  if (fits) *out = of_int(r);
  return fits;
}

/* The engine's definitions (src/backend/reference/scalar_real.inc): the quotient follows from the exact remainder. */
static double float_modulo(double a, double b) {
  double r = fmod(a, b);
  if (r != 0 && (r < 0) != (b < 0)) r += b;
  return r == 0 ? copysign(0, b) : r;
}

static double float_floor_divide(double a, double b) {
  if (b == 0) return a / b;
  double r = fmod(a, b), q = (a - r) / b;
  if (r != 0 && (r < 0) != (b < 0)) q -= 1;
  if (q == 0) return copysign(0, a / b);
  double whole = floor(q);
  return q - whole > 0.5 ? whole + 1 : whole;
}

static bool fold_floats(operator_id op, double a, double b, value *out) {
  switch (op) {
  case OPERATOR_ADD: *out = of_float(a + b); return true;
  case OPERATOR_SUB: *out = of_float(a - b); return true;
  case OPERATOR_MUL: *out = of_float(a * b); return true;
  case OPERATOR_DIV: *out = of_float(a / b); return true;
  case OPERATOR_POW: *out = of_float(pow(a, b)); return true;
  case OPERATOR_FLOORDIV: *out = of_float(float_floor_divide(a, b)); return true;
  case OPERATOR_MOD: *out = of_float(float_modulo(a, b)); return true;
  case OPERATOR_EQ: *out = of_bool(a == b); return true;
  case OPERATOR_NE: *out = of_bool(a != b); return true;
  case OPERATOR_LT: *out = of_bool(a < b); return true;
  case OPERATOR_LE: *out = of_bool(a <= b); return true;
  case OPERATOR_GT: *out = of_bool(a > b); return true;
  case OPERATOR_GE: *out = of_bool(a >= b); return true;
  default: return false;
  }
}

bool fold_binary(operator_id op, const value *a, const value *b, value *out) {
  if (op == OPERATOR_AND || op == OPERATOR_OR) {
    *out = of_bool(op == OPERATOR_AND ? truth(a) && truth(b) : truth(a) || truth(b));
    return true;
  }
  bool bits = op == OPERATOR_BITAND || op == OPERATOR_BITOR || op == OPERATOR_BITXOR;
  if (bits && a->kind == VALUE_BOOL && b->kind == VALUE_BOOL) {
    value r;
    fold_ints(op, as_int(a), as_int(b), &r);
    *out = of_bool(r.u.i != 0);
    return true;
  }
  bool ints = a->kind != VALUE_FLOAT && b->kind != VALUE_FLOAT;
  if (ints && fold_ints(op, as_int(a), as_int(b), out)) return true;
  return fold_floats(op, as_float(a), as_float(b), out);
}

bool fold_unary(operator_id op, const value *a, value *out) {
  bool whole = a->kind != VALUE_FLOAT;
  int64_t r;
  switch (op) {
  case OPERATOR_ADD: *out = whole ? of_int(as_int(a)) : *a; return true;
  case OPERATOR_SUB:
    *out = whole && !__builtin_sub_overflow(0, as_int(a), &r) ? of_int(r) : of_float(-as_float(a));
    return true;
  case OPERATOR_NOT: *out = of_bool(!truth(a)); return true;
  case OPERATOR_INVERT:
    if (a->kind == VALUE_BOOL) *out = of_bool(!a->u.b);
    if (a->kind == VALUE_INT) *out = of_int(~a->u.i);
    return whole;
  default: return false;
  }
}
