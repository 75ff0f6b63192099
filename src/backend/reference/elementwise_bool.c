/* Elementwise loops of bool. Any byte but 0 is true. */
#include "backend/reference/elementwise.h"
#include "backend/reference/expr_scalar.h"

#define TAKE_NUM(make, name, e)
#define TAKE_REAL(make, name, e)
#define TAKE_FLOAT(make, name, e)
#define TAKE_FLOATC(make, name, e)
#define TAKE_PART(make, name, e)
#define TAKE_PAIR(make, name, e)
#define TAKE_EXPONENT(make, name, e)
#define TAKE_COUNT(make, name, e)
#define TAKE_CMP(make, name, e) make(name, uint8_t, uint8_t, e)
#define TAKE_ORDER(make, name, e) make(name, uint8_t, uint8_t, e)
#define TAKE_LOGIC(make, name, e) make(name, uint8_t, uint8_t, e)
#define TAKE_FLAG(make, name, e)
#define TAKE_RFLAG(make, name, e)
#define TAKE_BITS(make, name, e) make(name, uint8_t, uint8_t, e)
#define TAKE_INT(make, name, e)
#define TAKE_WHERE(make, name, e) make(name, uint8_t, uint8_t, e)

#define SCALAR uint8_t
#define S(name) name##_bool
#define LOOPS ew_b8

static inline bool eq_bool(bool a, bool b) { return a == b; }
static inline bool ne_bool(bool a, bool b) { return a != b; }
static inline bool lt_bool(bool a, bool b) { return a < b; }
static inline bool le_bool(bool a, bool b) { return a <= b; }
static inline bool gt_bool(bool a, bool b) { return a > b; }
static inline bool ge_bool(bool a, bool b) { return a >= b; }
static inline bool and_bool(bool a, bool b) { return a && b; }
static inline bool or_bool(bool a, bool b) { return a || b; }
static inline bool xor_bool(bool a, bool b) { return a != b; }
static inline bool not_bool(bool a) { return !a; }
static inline bool select_bool(bool p, bool a, bool b) { return p ? a : b; }

#include "backend/reference/elementwise_loops.inc"
