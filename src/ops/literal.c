/* Numbers inside nodes: their bits. */
#include "ops/ops.h"
#include <math.h>
#include <string.h>

static uint64_t bits_of(double v) {
  uint64_t b;
  memcpy(&b, &v, sizeof b);
  return b;
}

static uint64_t bits_of_single(float v) {
  uint32_t b;
  memcpy(&b, &v, sizeof b);
  return b;
}

/* To an integer of `bits` bits: saturates, NaN to 0. */
static uint64_t to_int(double v, bool is_signed, int bits) {
  if (isnan(v)) return 0;
  uint64_t mask = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1, max = is_signed ? mask >> 1 : mask;
  if (v >= ldexp(1, is_signed ? bits - 1 : bits)) return max;
  if (!is_signed) return v <= 0 ? 0 : (uint64_t)v;
  if (v <= -ldexp(1, bits - 1)) return max + 1;
  return (uint64_t)(int64_t)v & mask;
}

void literal_bits(tme_dtype t, double v, uint64_t bits[2]) {
  bits[0] = bits[1] = 0;
  switch (t) {
  case TME_BOOL: bits[0] = v != 0; break;
  case TME_F16: bits[0] = f16_from_f64(v); break;
  case TME_BF16: bits[0] = bf16_from_f64(v); break;
  case TME_F32:
  case TME_C64: bits[0] = bits_of_single((float)v); break;
  case TME_F64:
  case TME_C128: bits[0] = bits_of(v); break;
  default: bits[0] = to_int(v, dtype_is_signed(t), (int)(8 * tme_dtype_size(t))); break;
  }
}

static double real_value(tme_dtype t, uint64_t bits) {
  uint32_t b32 = (uint32_t)bits;
  float single;
  double d;
  switch (t) {
  case TME_F16: return (double)f16_to_f32((uint16_t)bits);
  case TME_BF16: return (double)bf16_to_f32((uint16_t)bits);
  case TME_F32: memcpy(&single, &b32, sizeof single); return (double)single;
  case TME_F64: memcpy(&d, &bits, sizeof d); return d;
  case TME_I8: return (int8_t)bits;
  case TME_I16: return (int16_t)bits;
  case TME_I32: return (int32_t)bits;
  case TME_I64: return (double)(int64_t)bits;
  default: return (double)bits;
  }
}

void literal_value(tme_dtype t, const uint64_t bits[2], double v[2]) {
  v[0] = real_value(dtype_real(t), bits[0]);
  v[1] = dtype_is_complex(t) ? real_value(dtype_real(t), bits[1]) : 0;
}
