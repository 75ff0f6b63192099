// The primitives of the expressions in ops.def as operations of MLX, with the semantics of the project: what MLX does
// otherwise is put right here by further operations, or declined.
#ifndef TME_MLX_PRIMITIVES_H
#define TME_MLX_PRIMITIVES_H

#include <mlx/mlx.h>

extern "C" {
#include "backend/mlx/module.h"
}

namespace tme_mlx {

namespace mx = mlx::core;
using mx::array;

// Thrown where an operation is left to the CPU: static text.
struct declined {
  const char *why;
};

mx::Dtype dtype_of(tme_dtype t);
mx::Shape shape_of(const op_type &t);

// What an expression is built in: the dtype of its constants, and whether f64 is at hand.
struct context {
  tme_dtype type; // in which the expression is computed: f32 for 16-bit floats
  bool gpu;
  bool exact; // the row is this one primitive and promises its bits
};

inline bool is_float(tme_dtype t) { return t == TME_F16 || t == TME_BF16 || t == TME_F32 || t == TME_F64; }
inline bool is_complex(tme_dtype t) { return t == TME_C64 || t == TME_C128; }
inline bool is_signed(tme_dtype t) { return t == TME_I8 || t == TME_I16 || t == TME_I32 || t == TME_I64; }
inline bool is_int(tme_dtype t) { return is_signed(t) || t == TME_U8 || t == TME_U16 || t == TME_U32 || t == TME_U64; }
inline bool is_half(tme_dtype t) { return t == TME_F16 || t == TME_BF16; }

array constant(tme_dtype t, double v);
// The same of any number, as astype converts it.
array saturated(tme_dtype t, double v);
array value_of(tme_dtype t, const op_number &n);
// A literal from the bits of its dtype.
array literal(tme_dtype t, const uint64_t bits[2]);
array cast(const array &x, tme_dtype from, tme_dtype to, bool gpu);

array p_number(const context &c, double v);
array p_fma_once();
array p_neg(const context &c, const array &x);
array p_abs(const context &c, const array &x);
array p_sign(const context &c, const array &x);
array p_floordiv(const context &c, const array &x, const array &y);
array p_mod(const context &c, const array &x, const array &y);
array p_pow(const context &c, const array &x, const array &y);
array p_cbrt(const context &c, const array &x);
array p_hypot(const context &c, const array &x, const array &y);
array p_round(const context &c, array (*f)(const array &, mx::StreamOrDevice), const array &x);
array p_exp(const context &c, const array &x);
array p_sincos(const context &c, const array &x, bool sine);
// x / (1 + e): where e is large by its root's reciprocal, twice, and with finite x.
array p_gate(const context &c, const array &x, const array &e, const array &root);
array p_erf(const context &c, const array &x);
array p_erfc(const context &c, const array &x);
array p_declined(const char *why); // throws
array p_and(const context &c, const array &x, const array &y);
array p_or(const context &c, const array &x, const array &y);
array p_not(const context &c, const array &x);
array p_compare(const context &c, array (*f)(const array &, const array &, mx::StreamOrDevice), const array &x,
                const array &y);
array p_shift(const context &c, const array &x, const array &y, bool left);
array p_copysign(const context &c, const array &x, const array &y);
array p_nextafter(const context &c, const array &x, const array &y);
array p_signbit(const context &c, const array &x);
array p_isinf(const context &c, const array &x);
array p_isfinite(const context &c, const array &x);
array p_part(const context &c, const array &x, bool imaginary);
array p_conj(const context &c, const array &x);
array p_pair(const context &c, const array &re, const array &im);
// A function of real or complex numbers, or of real ones alone.
array p_function(const context &c, array (*f)(const array &, mx::StreamOrDevice), const array &x, bool of_complex);

// The elementwise rows (elementwise.cpp): operands of one dtype (WHERE: the first is bool).
array elementwise(int op, bool gpu, tme_dtype operands, const array *in);
bool is_elementwise(int op);

} // namespace tme_mlx

#endif
