/* Narrow floats by bits: no type of C is portable across the supported compilers. Every conversion rounds once, to nearest
 * even. Those with f32 are inlined into loops. */
#ifndef TME_HALF_H
#define TME_HALF_H

#include <stdint.h>
#include <string.h>

uint16_t f16_from_f64(double d);
uint16_t bf16_from_f64(double d);
uint8_t f8e4m3_from_f64(double d);
uint8_t f8e5m2_from_f64(double d);

static inline uint32_t bits_of_f32(float f) {
  uint32_t b;
  memcpy(&b, &f, sizeof b);
  return b;
}

static inline float f32_of_bits(uint32_t b) {
  float f;
  memcpy(&f, &b, sizeof f);
  return f;
}

static inline float f16_to_f32(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, a = h & 0x7fff;
  if (a > 0x7c00) return f32_of_bits(sign | 0x7fc00000 | a << 13);
  if (a == 0x7c00) return f32_of_bits(sign | 0x7f800000);
  if (a >= 0x400) return f32_of_bits(sign | ((a << 13) + ((uint32_t)112 << 23)));
  return f32_of_bits(sign | bits_of_f32((float)a * 0x1p-24f));
}

static inline uint16_t f16_from_f32(float f) {
  uint32_t b = bits_of_f32(f), a = b & INT32_MAX;
  if (a >= 0x38800000 && a < 0x477ff000) /* normal as f16, and not rounded up to infinity */
    return (uint16_t)(b >> 31 << 15 | ((a + 0xfff + ((a >> 13) & 1) - ((uint32_t)112 << 23)) >> 13));
  return f16_from_f64((double)f);
}

static inline float bf16_to_f32(uint16_t h) { return f32_of_bits((uint32_t)h << 16); }

static inline uint16_t bf16_from_f32(float f) {
  uint32_t b = bits_of_f32(f);
  if ((b & INT32_MAX) > 0x7f800000) return (uint16_t)(b >> 16 | 0x40);
  return (uint16_t)((b + 0x7fff + ((b >> 16) & 1)) >> 16);
}

/* Floats of 8 bits, as the OCP specifies them: what e4m3 has no number for is NaN, e5m2 has infinities. */
static inline float f8e4m3_to_f32(uint8_t h) {
  uint32_t sign = (uint32_t)(h & 0x80) << 24, a = h & 0x7f;
  if (a == 0x7f) return f32_of_bits(sign | 0x7fc00000);
  return f32_of_bits(sign | bits_of_f32(f32_of_bits(a << 20) * 0x1p120f));
}

static inline uint8_t f8e4m3_from_f32(float f) { return f8e4m3_from_f64((double)f); }

static inline float f8e5m2_to_f32(uint8_t h) { return f16_to_f32((uint16_t)(h << 8)); }

static inline uint8_t f8e5m2_from_f32(float f) { return f8e5m2_from_f64((double)f); }

#endif
