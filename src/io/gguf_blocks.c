#include "io/gguf_blocks.h"
#include <math.h>
#include <string.h>

enum { SMALL = 32, LARGE = 256 };

static uint16_t u16_at(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static float f16_at(const uint8_t *p) { return f16_to_f32(u16_at(p)); }

/* ---- blocks of 32: a scale, perhaps a smallest number, and the numbers; of 4 bits the first half lies in the lower ones ---- */

static int nibble(const uint8_t *q, int i) { return i < SMALL / 2 ? q[i] & 15 : q[i - SMALL / 2] >> 4; }

static void numbers_q4_0(const uint8_t *block, float *out) {
  for (int i = 0; i < SMALL; i++) out[i] = (float)(nibble(block + 2, i) - 8) * f16_at(block);
}

static void numbers_q4_1(const uint8_t *block, float *out) {
  for (int i = 0; i < SMALL; i++) out[i] = (float)nibble(block + 4, i) * f16_at(block) + f16_at(block + 2);
}

static void numbers_q8_0(const uint8_t *block, float *out) {
  for (int i = 0; i < SMALL; i++) out[i] = (float)(int8_t)block[2 + i] * f16_at(block);
}

/* ---- blocks of 256, with scales of 6 and 8 bits for parts of them ---------------------------------------------------- */

/* Part j of 8: its scale and the number that is taken off, 6 bits each in 12 bytes. */
static void parts_q4_k(const uint8_t *p, int j, int *scale, int *least) {
  *scale = j < 4 ? p[j] & 63 : (p[j + 4] & 15) | p[j - 4] >> 6 << 4;
  *least = j < 4 ? p[j + 4] & 63 : p[j + 4] >> 4 | p[j] >> 6 << 4;
}

static void numbers_q4_k(const uint8_t *block, float *out) {
  float step = f16_at(block), down = f16_at(block + 2);
  for (int j = 0; j < 8; j++) {
    int scale, least;
    const uint8_t *q = block + 16 + j / 2 * 32;
    parts_q4_k(block + 4, j, &scale, &least);
    float s = step * (float)scale, m = down * (float)least;
    for (int i = 0; i < 32; i++) out[32 * j + i] = s * (float)(j % 2 ? q[i] >> 4 : q[i] & 15) - m;
  }
}

/* 128 bytes with the lower 4 bits, 64 with the upper 2, 16 scales, and the scale of all. */
static void numbers_q6_k(const uint8_t *block, float *out) {
  float step = f16_at(block + 208);
  for (int i = 0; i < LARGE; i++) {
    int half = i / 128, part = i % 128 / 32, l = i % 32;
    int low = block[64 * half + 32 * (part % 2) + l], high = block[128 + 32 * half + l];
    int q = (part < 2 ? low & 15 : low >> 4) | (high >> 2 * part & 3) << 4;
    out[i] = step * (float)(int8_t)block[192 + i / 16] * (float)(q - 32);
  }
}

/* ---- the types --------------------------------------------------------------------------------------------------- */

enum { Q4_0 = 2, Q4_1 = 3, Q8_0 = 8 };

static const gguf_type types[] = {
    {"F32", 0, TME_F32, 1, 4, NULL, 0},
    {"F16", 1, TME_F16, 1, 2, NULL, 0},
    {"Q4_0", Q4_0, TME_F32, SMALL, 18, numbers_q4_0, 4},
    {"Q4_1", Q4_1, TME_F32, SMALL, 20, numbers_q4_1, 4},
    {"Q8_0", Q8_0, TME_F32, SMALL, 34, numbers_q8_0, 8},
    {"Q4_K", 12, TME_F32, LARGE, 144, numbers_q4_k, 0},
    {"Q6_K", 14, TME_F32, LARGE, 210, numbers_q6_k, 0},
    {"I8", 24, TME_I8, 1, 1, NULL, 0},
    {"I16", 25, TME_I16, 1, 2, NULL, 0},
    {"I32", 26, TME_I32, 1, 4, NULL, 0},
    {"I64", 27, TME_I64, 1, 8, NULL, 0},
    {"F64", 28, TME_F64, 1, 8, NULL, 0},
    {"BF16", 30, TME_BF16, 1, 2, NULL, 0},
};

const gguf_type *gguf_type_find(uint32_t code) {
  for (int i = 0; i < COUNT(types); i++)
    if (types[i].code == code) return &types[i];
  return NULL;
}

const gguf_type *gguf_type_of(tme_dtype t) {
  for (int i = 0; i < COUNT(types); i++)
    if (types[i].dtype == t && !types[i].numbers) return &types[i];
  return NULL;
}

/* ---- the affine form ---------------------------------------------------------------------------------------------- */

/* The bias where the format has none of its own: numbers without a sign begin there. */
static uint16_t bias_of(const gguf_type *t, uint16_t scale) {
  return f16_from_f32((t->code == Q4_0 ? -8.0f : -128.0f) * f16_to_f32(scale));
}

bool gguf_affine(const gguf_type *t, const uint8_t *block, uint32_t *words, uint16_t *scale, uint16_t *bias) {
  memset(words, 0, (size_t)t->bits * sizeof *words);
  for (int i = 0; i < SMALL; i++) {
    uint32_t q = t->code == Q8_0 ? block[2 + i] ^ 0x80u : (uint32_t)nibble(block + (t->code == Q4_0 ? 2 : 4), i);
    words[i * t->bits / 32] |= q << i * t->bits % 32;
  }
  *scale = u16_at(block);
  *bias = t->code == Q4_1 ? u16_at(block + 2) : bias_of(t, *scale);
  return t->code == Q4_1 || isfinite(f16_to_f32(*bias)) || !isfinite(f16_to_f32(*scale));
}

bool gguf_block(const gguf_type *t, const uint32_t *words, uint16_t scale, uint16_t bias, uint8_t *block) {
  bool own = t->code == Q4_1;
  if (!own && bias != bias_of(t, scale)) return false;
  uint8_t *q = block;
  memset(block, 0, (size_t)t->bytes);
  *q++ = (uint8_t)scale;
  *q++ = (uint8_t)(scale >> 8);
  if (own) {
    *q++ = (uint8_t)bias;
    *q++ = (uint8_t)(bias >> 8);
  }
  for (int i = 0; i < SMALL; i++) {
    uint32_t v = words[i * t->bits / 32] >> i * t->bits % 32;
    if (t->bits == 8)
      q[i] = (uint8_t)(v ^ 0x80);
    else
      q[i % (SMALL / 2)] |= (uint8_t)((v & 15) << (i < SMALL / 2 ? 0 : 4));
  }
  return true;
}
