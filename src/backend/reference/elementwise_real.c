/* Elementwise loops of f32 and f64. 16-bit floats go through those of f32. */
#include "backend/reference/elementwise.h"
#include "backend/reference/expr_scalar.h"

#define TAKE_NUM(make, name, e) make(name, SCALAR, SCALAR, e)
#define TAKE_REAL(make, name, e) make(name, SCALAR, SCALAR, e)
#define TAKE_FLOAT(make, name, e) make(name, SCALAR, SCALAR, e)
#define TAKE_FLOATC(make, name, e) make(name, SCALAR, SCALAR, e)
#define TAKE_PART(make, name, e) make(name, SCALAR, SCALAR, e)
#define TAKE_PAIR(make, name, e) make(name, SCALAR, COMPLEX, e)
#define TAKE_EXPONENT(make, name, e) make(name, SCALAR, int32_t, e)
#define TAKE_COUNT(make, name, e)
#define TAKE_CMP(make, name, e) make(name, SCALAR, uint8_t, e)
#define TAKE_ORDER(make, name, e) make(name, SCALAR, uint8_t, e)
#define TAKE_LOGIC(make, name, e)
#define TAKE_FLAG(make, name, e) make(name, SCALAR, uint8_t, e)
#define TAKE_RFLAG(make, name, e) make(name, SCALAR, uint8_t, e)
#define TAKE_BITS(make, name, e)
#define TAKE_INT(make, name, e)
#define TAKE_WHERE(make, name, e) make(name, uint8_t, SCALAR, e)

#define SCALAR float
#define COMPLEX c64
#define S(name) name##_f32
#define M(name) name##f
#define LOOPS ew_f32
#include "backend/reference/scalar_real.inc"
#include "backend/reference/elementwise_loops.inc"
#undef SCALAR
#undef COMPLEX
#undef S
#undef M
#undef LOOPS

#define SCALAR double
#define COMPLEX c128
#define S(name) name##_f64
#define M(name) name
#define LOOPS ew_f64
#include "backend/reference/scalar_real.inc"
#include "backend/reference/elementwise_loops.inc"
