/* Numbers of a few bits in blocks, as GGUF has them: what a block says, and its numbers. */
#ifndef TME_GGUF_BLOCKS_H
#define TME_GGUF_BLOCKS_H

#include "base/base.h"

typedef struct gguf_type {
  const char *name;
  uint32_t code;
  tme_dtype dtype;                                   /* of its elements, or of what a block gives */
  int elements, bytes;                               /* of a block; 1 and the dtype's size where there are no blocks */
  void (*numbers)(const uint8_t *block, float *out); /* NULL: the elements lie there as they are */
  int bits; /* of the affine form in groups of a block: scale * q + bias with q as MLX packs it; 0: there is none */
} gguf_type;

/* NULL if there is none that is known. */
const gguf_type *gguf_type_find(uint32_t code);
/* The one whose elements lie there as they are; NULL if GGUF has no such dtype. */
const gguf_type *gguf_type_of(tme_dtype t);

/* A block with an affine form: its numbers packed as words, and scale and bias as float16. False if the bias is too large. */
bool gguf_affine(const gguf_type *t, const uint8_t *block, uint32_t *words, uint16_t *scale, uint16_t *bias);
/* Back to a block. False if scale and bias are none that it has. */
bool gguf_block(const gguf_type *t, const uint32_t *words, uint16_t scale, uint16_t bias, uint8_t *block);

#endif
