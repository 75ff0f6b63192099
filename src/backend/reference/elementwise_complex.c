/* Elementwise loops of complex numbers. */
#include "backend/reference/elementwise.h"
#include "backend/reference/expr_scalar.h"

#define TAKE_NUM(make, name, e) make(name, SCALAR, SCALAR, e)
#define TAKE_REAL(make, name, e)
#define TAKE_FLOAT(make, name, e)
#define TAKE_FLOATC(make, name, e) make(name, SCALAR, SCALAR, e)
#define TAKE_PART(make, name, e) make(name, SCALAR, PART, e)
#define TAKE_PAIR(make, name, e)
#define TAKE_EXPONENT(make, name, e)
#define TAKE_COUNT(make, name, e)
#define TAKE_CMP(make, name, e) make(name, SCALAR, uint8_t, e)
#define TAKE_ORDER(make, name, e)
#define TAKE_LOGIC(make, name, e)
#define TAKE_FLAG(make, name, e) make(name, SCALAR, uint8_t, e)
#define TAKE_RFLAG(make, name, e)
#define TAKE_BITS(make, name, e)
#define TAKE_INT(make, name, e)
#define TAKE_WHERE(make, name, e) make(name, uint8_t, SCALAR, e)

#define SCALAR c64
#define PART float
#define S(name) name##_c64
#define M(name) name##f
#define LOOPS ew_c64
#include "backend/reference/scalar_complex.inc"
#include "backend/reference/elementwise_loops.inc"
#undef SCALAR
#undef PART
#undef S
#undef M
#undef LOOPS

#define SCALAR c128
#define PART double
#define S(name) name##_c128
#define M(name) name
#define LOOPS ew_c128
#include "backend/reference/scalar_complex.inc"
#include "backend/reference/elementwise_loops.inc"
#undef SCALAR
#undef PART
#undef S
#undef M
#undef LOOPS
