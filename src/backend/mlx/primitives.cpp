#include "backend/mlx/primitives.h"

#include <cmath>
#include <cstring>

namespace tme_mlx {

mx::Dtype dtype_of(tme_dtype t) {
  switch (t) {
  case TME_BOOL: return mx::bool_;
  case TME_U8: return mx::uint8;
  case TME_U16: return mx::uint16;
  case TME_U32: return mx::uint32;
  case TME_U64: return mx::uint64;
  case TME_I8: return mx::int8;
  case TME_I16: return mx::int16;
  case TME_I32: return mx::int32;
  case TME_I64: return mx::int64;
  case TME_F16: return mx::float16;
  case TME_BF16: return mx::bfloat16;
  case TME_F32: return mx::float32;
  case TME_F64: return mx::float64;
  case TME_C64: return mx::complex64;
  default: break;
  }
  static const char *const lacks[] = {
#define DTYPE(ID, id, name, ...) "MLX has no " name,
#include "base/dtypes.def"
  };
  throw declined{t >= 0 && t < TME_DTYPE_COUNT ? lacks[t] : "no dtype"};
}

mx::Shape shape_of(const op_type &t) {
  mx::Shape s;
  for (int d = 0; d < t.rank; d++) s.push_back(static_cast<mx::ShapeElem>(t.shape[d]));
  return s;
}

// ---- constants -------------------------------------------------------------------------------------------------------

array constant(tme_dtype t, double v) {
  if (t == TME_C64) return array(std::complex<float>(static_cast<float>(v), 0), mx::complex64);
  if (t == TME_U64) return array(static_cast<uint64_t>(v), mx::uint64);
  if (is_int(t)) return array(static_cast<int64_t>(v), dtype_of(t));
  if (t == TME_BOOL) return array(v != 0);
  return array(v, dtype_of(t));
}

template <typename T> static T from_bits(uint64_t bits) {
  T v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}

array literal(tme_dtype t, const uint64_t bits[2]) {
  switch (t) {
  case TME_F16: return array(from_bits<mx::float16_t>(bits[0]), mx::float16);
  case TME_BF16: return array(from_bits<mx::bfloat16_t>(bits[0]), mx::bfloat16);
  case TME_F32: return array(from_bits<float>(bits[0]), mx::float32);
  case TME_F64: return array(from_bits<double>(bits[0]), mx::float64);
  case TME_C64: return array(std::complex<float>(from_bits<float>(bits[0]), from_bits<float>(bits[1])), mx::complex64);
  case TME_BOOL: return array(bits[0] != 0);
  default: return array(from_bits<int64_t>(bits[0]), dtype_of(t));
  }
}

array p_number(const context &c, double v) { return constant(c.type, v); }

array saturated(tme_dtype t, double v) {
  if (t == TME_C64 && std::isnan(v)) return array(std::complex<float>(NAN, NAN), mx::complex64);
  if (!is_int(t)) return constant(t, v);
  int bits = static_cast<int>(8 * mx::size_of(dtype_of(t)));
  uint64_t most = ~uint64_t{0} >> (is_signed(t) ? 65 - bits : 64 - bits), least = is_signed(t) ? ~most : 0;
  double above = std::ldexp(1, is_signed(t) ? bits - 1 : bits);
  uint64_t value[2] = {0, 0};
  if (std::isnan(v))
    value[0] = 0;
  else if (v >= above)
    value[0] = most;
  else if (is_signed(t))
    value[0] = v < -above ? least : static_cast<uint64_t>(static_cast<int64_t>(v));
  else if (v > 0)
    value[0] = static_cast<uint64_t>(v);
  return literal(t, value);
}

array value_of(tme_dtype t, const op_number &n) {
  if (n.kind == NUMBER_FLOAT) return saturated(t, n.v.f);
  const uint64_t bits[2] = {n.v.u, 0};
  if (is_int(t)) return literal(t, bits);
  return constant(t, n.kind == NUMBER_UINT ? static_cast<double>(n.v.u) : static_cast<double>(n.v.i));
}

// ---- arithmetic ------------------------------------------------------------------------------------------------------

array p_fma_once() { throw declined{"MLX has no fused multiply-add"}; }

array p_neg(const context &c, const array &x) {
  return is_int(c.type) && !is_signed(c.type) ? mx::subtract(p_number(c, 0), x) : mx::negative(x);
}

array p_abs(const context &c, const array &x) {
  if (c.type == TME_C64) return mx::abs(x);
  return is_float(c.type) || is_signed(c.type) ? mx::abs(x) : x;
}

// MLX gives 0 for NaN and for -0.
array p_sign(const context &c, const array &x) {
  if (is_int(c.type)) return mx::sign(x);
  array zero = p_number(c, 0);
  if (is_complex(c.type)) return mx::where(mx::equal(x, zero), x, mx::divide(x, mx::astype(mx::abs(x), mx::complex64)));
  return mx::where(mx::greater(x, zero), p_number(c, 1),
                   mx::where(mx::less(x, zero), p_number(c, -1), mx::add(x, zero)));
}

namespace {

struct division {
  array quotient, remainder; // rounded down; the remainder has the sign of the divisor
};

// Of integers: by zero both are 0. The divisor is put right first, for the processor traps at 0 and at the smallest
// number over -1.
division divide_down(const context &c, const array &x, const array &y) {
  array zero = p_number(c, 0), one = p_number(c, 1);
  array by_zero = mx::equal(y, zero), odd = by_zero;
  if (is_signed(c.type)) odd = mx::logical_or(odd, mx::equal(y, p_number(c, -1)));
  array safe = mx::where(odd, one, y);
  array q = mx::floor_divide(x, safe); // of integers MLX's rounds towards zero
  array r = mx::subtract(x, mx::multiply(q, safe));
  if (is_signed(c.type)) {
    array differ = mx::not_equal(mx::less(r, zero), mx::less(safe, zero));
    array wrong = mx::logical_and(mx::not_equal(r, zero), differ);
    q = mx::where(wrong, mx::subtract(q, one), q);
    r = mx::where(wrong, mx::add(r, safe), r);
    q = mx::where(mx::equal(y, p_number(c, -1)), mx::negative(x), q);
  }
  return {mx::where(by_zero, zero, q), mx::where(by_zero, zero, r)};
}

// MLX's remainder of floats has the sign of the divisor, but a zero has that of the dividend.
array float_mod(const context &c, const array &x, const array &y) {
  array r = mx::remainder(x, y), zero = p_number(c, 0);
  return mx::where(mx::equal(r, zero), p_copysign(c, mx::zeros_like(r), y), r);
}

} // namespace

array p_floordiv(const context &c, const array &x, const array &y) {
  if (is_int(c.type)) return divide_down(c, x, y).quotient;
  array zero = p_number(c, 0), ratio = mx::divide(x, y);
  // Halved where the difference could overflow.
  double large = c.type == TME_F64 ? 0x1p1000 : 0x1p100;
  array half = mx::where(mx::greater(mx::abs(x), p_number(c, large)), p_number(c, 0.5), p_number(c, 1));
  array multiple = mx::subtract(mx::multiply(x, half), mx::multiply(float_mod(c, x, y), half));
  array q = mx::divide(multiple, mx::multiply(y, half));
  array whole = mx::floor(q);
  whole = mx::where(mx::greater(mx::subtract(q, whole), p_number(c, 0.5)), mx::add(whole, p_number(c, 1)), whole);
  array nothing = p_copysign(c, mx::zeros_like(ratio), ratio);
  array v = mx::where(mx::equal(q, zero), nothing, whole);
  array below = mx::logical_and(mx::not_equal(x, zero), mx::not_equal(mx::less(x, zero), mx::less(y, zero)));
  array small = mx::logical_and(mx::isinf(y), mx::isfinite(x));
  v = mx::where(small, mx::where(below, p_number(c, -1), nothing), v);
  return mx::where(mx::equal(y, zero), ratio, v);
}

array p_mod(const context &c, const array &x, const array &y) {
  return is_int(c.type) ? divide_down(c, x, y).remainder : float_mod(c, x, y);
}

// A negative exponent of an integer gives 0 in MLX whatever the base.
array p_pow(const context &c, const array &x, const array &y) {
  if (is_complex(c.type)) throw declined{"MLX's power of complex numbers has its own cases at 0 and infinity"};
  array v = mx::power(x, y);
  if (!is_signed(c.type)) return v;
  array zero = p_number(c, 0), one = p_number(c, 1), minus = p_number(c, -1);
  array odd = mx::not_equal(mx::bitwise_and(y, one), zero);
  array of_minus = mx::where(mx::equal(x, minus), mx::where(odd, minus, one), zero);
  return mx::where(mx::less(y, zero), mx::where(mx::equal(x, one), one, of_minus), v);
}

// Where f64 is at hand f32 is computed in it.
static bool has_wide(const context &c) { return c.type == TME_F32 && !c.gpu; }

array p_cbrt(const context &c, const array &x) {
  bool wide = has_wide(c);
  context w = {wide ? TME_F64 : c.type, c.gpu, false};
  array a = wide ? mx::astype(x, mx::float64) : x, m = mx::abs(a);
  array y = mx::power(m, p_number(w, 1.0 / 3));
  if (!wide) { // one step of Newton's method
    array off = mx::subtract(y, mx::divide(m, mx::multiply(y, y)));
    y = mx::subtract(y, mx::divide(off, p_number(w, 3)));
  }
  y = mx::where(mx::logical_or(mx::equal(m, p_number(w, 0)), mx::isinf(m)), m, y);
  y = mx::where(mx::less(a, p_number(w, 0)), mx::negative(y), mx::where(mx::equal(a, p_number(w, 0)), a, y));
  return wide ? mx::astype(y, mx::float32) : y;
}

array p_hypot(const context &c, const array &x, const array &y) {
  array infinite = mx::logical_or(mx::isinf(x), mx::isinf(y)), inf = p_number(c, INFINITY);
  if (has_wide(c)) {
    array a = mx::astype(x, mx::float64), b = mx::astype(y, mx::float64);
    array r = mx::sqrt(mx::add(mx::multiply(a, a), mx::multiply(b, b)));
    return mx::where(infinite, inf, mx::astype(r, mx::float32));
  }
  array a = mx::abs(x), b = mx::abs(y), most = mx::maximum(a, b), least = mx::minimum(a, b);
  array safe = mx::where(mx::equal(most, p_number(c, 0)), p_number(c, 1), most);
  array ratio = mx::divide(least, safe);
  array r = mx::multiply(most, mx::sqrt(mx::add(p_number(c, 1), mx::multiply(ratio, ratio))));
  return mx::where(infinite, inf, r);
}

array p_round(const context &c, array (*f)(const array &, mx::StreamOrDevice), const array &x) {
  if (is_complex(c.type)) throw declined{"MLX has no such function of complex numbers"};
  return is_int(c.type) ? x : f(x, {});
}

// ---- functions -------------------------------------------------------------------------------------------------------

array p_function(const context &c, array (*f)(const array &, mx::StreamOrDevice), const array &x, bool of_complex) {
  if (is_complex(c.type) && !of_complex) throw declined{"MLX has no such function of complex numbers"};
  return f(x, {});
}

// MLX's own exp, sin, cos and erf on the CPU are polynomials in f32, of f64 operands too.
array p_exp(const context &c, const array &x) {
  if (c.type != TME_F64) return mx::exp(x);
  // expm1 is the C library's. Positive arguments alone, where adding 1 is harmless.
  array m = mx::add(mx::expm1(mx::abs(x)), p_number(c, 1));
  return mx::where(mx::less(x, p_number(c, 0)), mx::divide(p_number(c, 1), m), m);
}

array p_sincos(const context &c, const array &x, bool sine) {
  if (c.type == TME_F64) throw declined{"MLX computes sines of f64 in f32"};
  if (!sine) return mx::cos(x);
  return is_complex(c.type) ? mx::sin(x) : mx::where(mx::equal(x, p_number(c, 0)), x, mx::sin(x)); // -0 stays
}

array p_erf(const context &c, const array &x) {
  if (c.type == TME_F64) throw declined{"MLX computes erf of f64 in f32"};
  return mx::where(mx::equal(x, p_number(c, 0)), x, mx::erf(x)); // MLX's erf(0) is -0
}

array p_gate(const context &c, const array &x, const array &e, const array &root) {
  array tail = mx::multiply(mx::multiply(mx::maximum(x, p_number(c, -1024)), root), root);
  return mx::where(mx::greater(e, p_number(c, 0x1p64)), tail, mx::divide(x, mx::add(p_number(c, 1), e)));
}

array p_erfc(const context &, const array &) { throw declined{"MLX has no erfc, and 1 - erf loses its tail"}; }

array p_declined(const char *why) { throw declined{why}; }

// ---- comparisons, logic, bits ----------------------------------------------------------------------------------------

array p_compare(const context &, array (*f)(const array &, const array &, mx::StreamOrDevice), const array &x,
                const array &y) {
  // Booleans are compared as numbers.
  if (x.dtype() != mx::bool_) return f(x, y, {});
  return f(mx::astype(x, mx::uint8), mx::astype(y, mx::uint8), {});
}

// Logic within expressions is of booleans, whatever the operands.
array p_and(const context &, const array &x, const array &y) {
  return x.dtype() == mx::bool_ ? mx::logical_and(x, y) : mx::bitwise_and(x, y);
}

array p_or(const context &, const array &x, const array &y) {
  return x.dtype() == mx::bool_ ? mx::logical_or(x, y) : mx::bitwise_or(x, y);
}

array p_not(const context &, const array &x) {
  return x.dtype() == mx::bool_ ? mx::logical_not(x) : mx::bitwise_invert(x);
}

// The processor takes the count modulo the width.
array p_shift(const context &c, const array &x, const array &y, bool left) {
  array zero = p_number(c, 0), width = p_number(c, static_cast<double>(8 * x.itemsize()));
  array inside = mx::less(y, width);
  if (is_signed(c.type)) inside = mx::logical_and(inside, mx::greater_equal(y, zero));
  array n = mx::where(inside, y, zero);
  if (left) return mx::where(inside, mx::left_shift(x, n), zero);
  array rest = is_signed(c.type) ? mx::where(mx::less(x, zero), p_number(c, -1), zero) : zero;
  return mx::where(inside, mx::right_shift(x, n), rest);
}

// ---- bits of floats --------------------------------------------------------------------------------------------------

namespace {

tme_dtype bits_type(tme_dtype t) { return t == TME_F64 ? TME_I64 : is_half(t) ? TME_I16 : TME_I32; }

array bits_of(const context &c, const array &x) { return mx::view(x, dtype_of(bits_type(c.type))); }

array sign_bit(const context &c) {
  tme_dtype t = bits_type(c.type);
  uint64_t bits[2] = {t == TME_I64 ? uint64_t{1} << 63 : t == TME_I32 ? 0xffffffff80000000u : 0xffffffffffff8000u, 0};
  return literal(t, bits);
}

} // namespace

array p_copysign(const context &c, const array &x, const array &y) {
  array sign = mx::bitwise_and(bits_of(c, y), sign_bit(c));
  array rest = mx::bitwise_and(bits_of(c, x), mx::bitwise_invert(sign_bit(c)));
  return mx::view(mx::bitwise_or(rest, sign), dtype_of(c.type));
}

// Neighbouring floats of one sign have neighbouring bits.
array p_nextafter(const context &c, const array &x, const array &y) {
  tme_dtype i = bits_type(c.type);
  array zero = p_number(c, 0);
  array away = mx::equal(mx::less(x, y), mx::greater(x, zero));
  array step = mx::where(away, constant(i, 1), constant(i, -1));
  array moved = mx::view(mx::add(bits_of(c, x), step), dtype_of(c.type));
  array least = p_copysign(c, mx::view(mx::full(y.shape(), constant(i, 1)), dtype_of(c.type)), y);
  array v = mx::where(mx::equal(x, y), y, mx::where(mx::equal(x, zero), least, moved));
  return mx::where(mx::logical_or(mx::isnan(x), mx::isnan(y)), mx::add(x, y), v);
}

array p_signbit(const context &c, const array &x) {
  if (is_float(c.type)) return mx::less(bits_of(c, x), constant(bits_type(c.type), 0));
  return is_signed(c.type) ? mx::less(x, p_number(c, 0)) : mx::zeros(x.shape(), mx::bool_);
}

array p_isinf(const context &c, const array &x) {
  if (is_complex(c.type)) return mx::logical_or(mx::isinf(mx::real(x)), mx::isinf(mx::imag(x)));
  return is_float(c.type) ? mx::isinf(x) : mx::zeros(x.shape(), mx::bool_);
}

array p_isfinite(const context &c, const array &x) {
  if (is_complex(c.type)) return mx::logical_and(mx::isfinite(mx::real(x)), mx::isfinite(mx::imag(x)));
  return is_float(c.type) ? mx::isfinite(x) : mx::ones(x.shape(), mx::bool_);
}

array p_part(const context &c, const array &x, bool imaginary) {
  if (is_complex(c.type)) return imaginary ? mx::imag(x) : mx::real(x);
  return imaginary ? mx::zeros_like(x) : x;
}

array p_conj(const context &c, const array &x) { return is_complex(c.type) ? mx::conjugate(x) : x; }

// The parts side by side, looked at as one number: re + im * i would make NaN of infinities.
array p_pair(const context &c, const array &re, const array &im) {
  if (c.type != TME_F32) throw declined{"MLX has no complex128"};
  return mx::squeeze(mx::view(mx::stack(mx::broadcast_arrays({re, im}), -1), mx::complex64), -1);
}

// ---- conversions -----------------------------------------------------------------------------------------------------

namespace {

// What lies beyond the integers' range is undefined in C++, so only what lies within is converted.
array float_to_int(const array &x, tme_dtype from, tme_dtype to, bool gpu) {
  tme_dtype t = is_half(from) ? TME_F32 : from;
  context c = {t, gpu, false};
  array v = is_half(from) ? mx::astype(x, mx::float32) : x;
  int bits = static_cast<int>(8 * size_of(dtype_of(to)));
  double above = std::ldexp(1, is_signed(to) ? bits - 1 : bits), below = is_signed(to) ? -above : 0;
  array high = mx::greater_equal(v, p_number(c, above));
  array low = is_signed(to) ? mx::less(v, p_number(c, below)) : mx::less_equal(v, p_number(c, -1));
  array bad = mx::logical_or(mx::logical_or(high, low), mx::isnan(v));
  array y = mx::astype(mx::trunc(mx::where(bad, p_number(c, 0), v)), dtype_of(to));
  uint64_t most[2] = {is_signed(to) ? (uint64_t{1} << (bits - 1)) - 1 : ~uint64_t{0} >> (64 - bits), 0};
  uint64_t least[2] = {is_signed(to) ? ~most[0] : 0, 0};
  return mx::where(high, literal(to, most), mx::where(low, literal(to, least), y));
}

} // namespace

array cast(const array &x, tme_dtype from, tme_dtype to, bool gpu) {
  if (from == to) return x;
  mx::Dtype t = dtype_of(to);
  if (to == TME_BOOL) return mx::not_equal(x, constant(from, 0));
  if (is_complex(from)) return cast(mx::real(x), TME_F32, to, gpu);
  if (is_float(from) && is_int(to)) return float_to_int(x, from, to, gpu);
  bool wide =
      from == TME_F64 || ((from == TME_I32 || from == TME_U32) && to != TME_F32) || from == TME_I64 || from == TME_U64;
  if (is_half(to) && wide) throw declined{"MLX converts to 16-bit floats through f32, which rounds twice"};
  if (to == TME_C64) return mx::astype(cast(x, from, TME_F32, gpu), t);
  return mx::astype(x, t);
}

} // namespace tme_mlx
