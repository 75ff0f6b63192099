#include "base/base.h"
#include <string.h>

static uint32_t bits_of_f32(float f) {
  uint32_t b;
  memcpy(&b, &f, sizeof b);
  return b;
}

static float f32_of_bits(uint32_t b) {
  float f;
  memcpy(&f, &b, sizeof f);
  return f;
}

/* v / 2^shift to the nearest integer, ties to even; 0 < shift < 64. */
static uint64_t shift_round(uint64_t v, int shift) {
  return (v + (((uint64_t)1 << (shift - 1)) - 1) + ((v >> shift) & 1)) >> shift;
}

/* A double to a format of 16 bits with so many exponent and mantissa bits. */
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

float f16_to_f32(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, a = h & 0x7fff;
  if (a > 0x7c00) return f32_of_bits(sign | 0x7fc00000 | a << 13);
  if (a == 0x7c00) return f32_of_bits(sign | 0x7f800000);
  if (a >= 0x400) return f32_of_bits(sign | ((a << 13) + ((uint32_t)112 << 23)));
  return f32_of_bits(sign | bits_of_f32((float)a * 0x1p-24f));
}

uint16_t f16_from_f32(float f) {
  uint32_t b = bits_of_f32(f), a = b & INT32_MAX;
  if (a >= 0x38800000 && a < 0x477ff000) /* normal as f16, and not rounded up to infinity */
    return (uint16_t)(b >> 31 << 15 | ((a + 0xfff + ((a >> 13) & 1) - ((uint32_t)112 << 23)) >> 13));
  return narrow((double)f, 5, 10);
}

uint16_t f16_from_f64(double d) { return narrow(d, 5, 10); }

float bf16_to_f32(uint16_t h) { return f32_of_bits((uint32_t)h << 16); }

uint16_t bf16_from_f32(float f) {
  uint32_t b = bits_of_f32(f);
  if ((b & INT32_MAX) > 0x7f800000) return (uint16_t)(b >> 16 | 0x40);
  return (uint16_t)((b + 0x7fff + ((b >> 16) & 1)) >> 16);
}

uint16_t bf16_from_f64(double d) { return narrow(d, 8, 7); }

/* Beyond 2^53 the low 11 bits become one bit that tells whether they were 0. */
double int_to_odd(int64_t v) {
  if (v >= -((int64_t)1 << 53) && v <= (int64_t)1 << 53) return (double)v;
  return (double)((v & ~(int64_t)0x7ff) | (v & 0x7ff ? 0x800 : 0));
}

double uint_to_odd(uint64_t v) {
  if (v <= (uint64_t)1 << 53) return (double)v;
  return (double)((v & ~(uint64_t)0x7ff) | (v & 0x7ff ? 0x800 : 0));
}
