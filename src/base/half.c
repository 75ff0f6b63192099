/* Narrow floats by their bits. */
#include "base/base.h"
#include <string.h>

/* v / 2^shift to the nearest integer, ties to even; 0 < shift < 64. */
static uint64_t shift_round(uint64_t v, int shift) {
  return (v + (((uint64_t)1 << (shift - 1)) - 1) + ((v >> shift) & 1)) >> shift;
}

/* A double to a format of at most 16 bits, the sign the highest of 16, with so many exponent and mantissa bits. */
static uint16_t narrow(double d, int exponent_bits, int mantissa_bits) {
  uint64_t b;
  memcpy(&b, &d, sizeof b);
  uint64_t sign = b >> 63 << 15, a = b & INT64_MAX;
  uint64_t inf = ((uint64_t)1 << (exponent_bits + mantissa_bits)) - ((uint64_t)1 << mantissa_bits);
  int drop = 52 - mantissa_bits, exponent = (int)(a >> 52);
  int rebias = 1023 - ((1 << (exponent_bits - 1)) - 1);
  if (a > (uint64_t)0x7ff << 52) { /* NaN: quiet, with what fits of the payload */
    uint64_t payload = (a >> drop) & (((uint64_t)1 << mantissa_bits) - 1);
    return (uint16_t)(sign | inf | (uint64_t)1 << (mantissa_bits - 1) | payload);
  }
  uint64_t r;
  if (exponent > rebias) {
    r = shift_round(a, drop) - ((uint64_t)rebias << mantissa_bits);
    if (r > inf) r = inf;
  } else { /* subnormal in the result: a multiple of its smallest number */
    int shift = drop + 1 + rebias - exponent;
    uint64_t m = (a & (((uint64_t)1 << 52) - 1)) | (uint64_t)1 << 52;
    r = shift > 53 ? 0 : shift_round(m, shift);
  }
  return (uint16_t)(sign | r);
}

uint16_t f16_from_f64(double d) { return narrow(d, 5, 10); }

uint16_t bf16_from_f64(double d) { return narrow(d, 8, 7); }

/* As one of more exponents, which go on where those of e4m3 end. */
uint8_t f8e4m3_from_f64(double d) {
  int bits = narrow(d * 0x1p-8, 5, 3), a = bits & 0x7fff;
  return (uint8_t)((bits >> 8 & 0x80) | (a < 0x7f ? a : 0x7f));
}

uint8_t f8e5m2_from_f64(double d) {
  int bits = narrow(d, 5, 2);
  return (uint8_t)((bits >> 8 & 0x80) | (bits & 0x7f));
}

/* Beyond 2^53 the low 11 bits become one bit that tells whether they were 0. */
double int_to_odd(int64_t v) {
  if (v >= -((int64_t)1 << 53) && v <= (int64_t)1 << 53) return (double)v;
  return (double)((v & ~(int64_t)0x7ff) | (v & 0x7ff ? 0x800 : 0));
}

double uint_to_odd(uint64_t v) {
  if (v <= (uint64_t)1 << 53) return (double)v;
  return (double)((v & ~(uint64_t)0x7ff) | (v & 0x7ff ? 0x800 : 0));
}
