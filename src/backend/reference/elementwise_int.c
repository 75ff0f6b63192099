/* Elementwise loops of integers. */
#include "backend/reference/elementwise.h"
#include "backend/reference/expr_scalar.h"

#define TAKE_NUM(make, name, e) make(name, SCALAR, SCALAR, e)
#define TAKE_REAL(make, name, e) make(name, SCALAR, SCALAR, e)
#define TAKE_FLOAT(make, name, e)
#define TAKE_FLOATC(make, name, e)
#define TAKE_PART(make, name, e) make(name, SCALAR, SCALAR, e)
#define TAKE_PAIR(make, name, e)
#define TAKE_EXPONENT(make, name, e)
#define TAKE_COUNT(make, name, e) make(name, SCALAR, uint8_t, e)
#define TAKE_CMP(make, name, e) make(name, SCALAR, uint8_t, e)
#define TAKE_ORDER(make, name, e) make(name, SCALAR, uint8_t, e)
#define TAKE_LOGIC(make, name, e)
#define TAKE_FLAG(make, name, e) make(name, SCALAR, uint8_t, e)
#define TAKE_RFLAG(make, name, e) make(name, SCALAR, uint8_t, e)
#define TAKE_BITS(make, name, e) make(name, SCALAR, SCALAR, e)
#define TAKE_INT(make, name, e) make(name, SCALAR, SCALAR, e)
#define TAKE_WHERE(make, name, e) make(name, uint8_t, SCALAR, e)

#define INT_SIGNED 0
#define SCALAR uint8_t
#define S(name) name##_u8
#define LOOPS ew_u8
#include "backend/reference/scalar_int.inc"
#include "backend/reference/elementwise_loops.inc"
#undef SCALAR
#undef S
#undef LOOPS
#define SCALAR uint16_t
#define S(name) name##_u16
#define LOOPS ew_u16
#include "backend/reference/scalar_int.inc"
#include "backend/reference/elementwise_loops.inc"
#undef SCALAR
#undef S
#undef LOOPS
#define SCALAR uint32_t
#define S(name) name##_u32
#define LOOPS ew_u32
#include "backend/reference/scalar_int.inc"
#include "backend/reference/elementwise_loops.inc"
#undef SCALAR
#undef S
#undef LOOPS
#define SCALAR uint64_t
#define S(name) name##_u64
#define LOOPS ew_u64
#include "backend/reference/scalar_int.inc"
#include "backend/reference/elementwise_loops.inc"
#undef SCALAR
#undef S
#undef LOOPS
#undef INT_SIGNED

#define INT_SIGNED 1
#define SCALAR int8_t
#define S(name) name##_i8
#define LOOPS ew_i8
#include "backend/reference/scalar_int.inc"
#include "backend/reference/elementwise_loops.inc"
#undef SCALAR
#undef S
#undef LOOPS
#define SCALAR int16_t
#define S(name) name##_i16
#define LOOPS ew_i16
#include "backend/reference/scalar_int.inc"
#include "backend/reference/elementwise_loops.inc"
#undef SCALAR
#undef S
#undef LOOPS
#define SCALAR int32_t
#define S(name) name##_i32
#define LOOPS ew_i32
#include "backend/reference/scalar_int.inc"
#include "backend/reference/elementwise_loops.inc"
#undef SCALAR
#undef S
#undef LOOPS
#define SCALAR int64_t
#define S(name) name##_i64
#define LOOPS ew_i64
#include "backend/reference/scalar_int.inc"
#include "backend/reference/elementwise_loops.inc"
#undef SCALAR
#undef S
#undef LOOPS
#undef INT_SIGNED
