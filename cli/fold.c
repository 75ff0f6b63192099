/* Arithmetic of plain numbers, before any array: `shape=(2*3, 4)`, `scale=1/8`. As in Python, but a whole number that
 * neither int64 nor uint64 holds becomes a floating one, and division of whole numbers by zero gives 0 as everywhere in the engine. */
#include "eval.h"
#include <math.h>

/* Holds what two numbers of 64 bits give, with and without a sign. */
__extension__ typedef __int128 wide;

static value of_bool(bool b) { return (value){VALUE_BOOL, {.b = b}}; }
static value of_float(double f) { return (value){VALUE_FLOAT, {.f = f}}; }
static bool of_whole(wide v, value *out) {
  *out = v < 0 ? (value){VALUE_INT, {.i = (int64_t)v}} : value_of_uint((uint64_t)v);
  return v >= INT64_MIN && v <= UINT64_MAX;
}
static wide as_whole(const value *v) {
  return v->kind == VALUE_BOOL ? (wide)v->u.b : v->kind == VALUE_UINT ? (wide)v->u.u : (wide)v->u.i;
}
static double as_float(const value *v) { return v->kind == VALUE_FLOAT ? v->u.f : (double)as_whole(v); }
static bool truth(const value *v) { return as_float(v) != 0; }

static wide floor_divide(wide a, wide b) {
  if (b == 0) return 0;
  wide q = a / b;
  return a % b != 0 && (a < 0) != (b < 0) ? q - 1 : q;
}

static wide shift_left(wide a, wide b) { return b < 0 || b > 63 ? 0 : a * ((wide)1 << b); }
static wide shift_right(wide a, wide b) { return b < 0 || b > 63 ? (a < 0 ? -1 : 0) : a >> b; }

static bool power(wide a, wide b, wide *out) {
  wide r = 1;
  for (; b > 0; b >>= 1) {
    if (b & 1 && __builtin_mul_overflow(r, a, &r)) return false;
    if (b > 1 && __builtin_mul_overflow(a, a, &a)) return false;
  }
  *out = r;
  return true;
}

static bool fold_ints(operator_id op, wide a, wide b, value *out) {
  wide r = 0;
  switch (op) {
  case OPERATOR_ADD: return of_whole(a + b, out);
  case OPERATOR_SUB: return of_whole(a - b, out);
  case OPERATOR_MUL: return !__builtin_mul_overflow(a, b, &r) && of_whole(r, out);
  case OPERATOR_POW: return b >= 0 && power(a, b, &r) && of_whole(r, out);
  case OPERATOR_FLOORDIV: return of_whole(floor_divide(a, b), out);
  case OPERATOR_MOD: return of_whole(b == 0 ? 0 : a - b * floor_divide(a, b), out);
  case OPERATOR_BITAND: return of_whole(a & b, out);
  case OPERATOR_BITOR: return of_whole(a | b, out);
  case OPERATOR_BITXOR: return of_whole(a ^ b, out);
  case OPERATOR_SHL:
    if (!of_whole(shift_left(a, b), out)) *out = of_float((double)shift_left(a, b));
    return true;
  case OPERATOR_SHR: return of_whole(shift_right(a, b), out);
  case OPERATOR_EQ: *out = of_bool(a == b); return true;
  case OPERATOR_NE: *out = of_bool(a != b); return true;
  case OPERATOR_LT: *out = of_bool(a < b); return true;
  case OPERATOR_LE: *out = of_bool(a <= b); return true;
  case OPERATOR_GT: *out = of_bool(a > b); return true;
  case OPERATOR_GE: *out = of_bool(a >= b); return true;
  default: return false;
  }
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
    fold_ints(op, as_whole(a), as_whole(b), &r);
    *out = of_bool(r.u.i != 0);
    return true;
  }
  bool ints = a->kind != VALUE_FLOAT && b->kind != VALUE_FLOAT;
  if (ints && fold_ints(op, as_whole(a), as_whole(b), out)) return true;
  return fold_floats(op, as_float(a), as_float(b), out);
}

bool fold_unary(operator_id op, const value *a, value *out) {
  bool whole = a->kind != VALUE_FLOAT;
  switch (op) {
  case OPERATOR_ADD:
    if (!whole || !of_whole(as_whole(a), out)) *out = *a;
    return true;
  case OPERATOR_SUB:
    if (!whole || !of_whole(-as_whole(a), out)) *out = of_float(-as_float(a));
    return true;
  case OPERATOR_NOT: *out = of_bool(!truth(a)); return true;
  case OPERATOR_INVERT:
    if (a->kind == VALUE_BOOL)
      *out = of_bool(!a->u.b);
    else if (whole && !of_whole(~as_whole(a), out))
      *out = of_float((double)~as_whole(a));
    return whole;
  default: return false;
  }
}
