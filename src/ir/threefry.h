/* Random bits as operations on integers, and the numbers between 0 and 1 that are made of them. */
#ifndef TME_IR_THREEFRY_H
#define TME_IR_THREEFRY_H

#include "ir/graph.h"

/* The two words of a block, or of one block for each of n elements: uint32. -1 and -1 after a failure. */
typedef struct g_block {
  int hi, lo;
} g_block;

/* Whether blocks are the first or the second of their elements: counters from 0 or from 2^63 on. */
typedef enum g_stream { FIRST_BLOCKS, SECOND_BLOCKS } g_stream;

/* Element i of a vector of n: the block of counter i. The key is two uint32. */
g_block graph_blocks(graph *g, int key, int64_t n, g_stream stream);
/* The block of a counter of two uint32 values of one shape. */
g_block graph_threefry(graph *g, int key, g_block counter);

int graph_bits32(graph *g, g_block b); /* uint32: hi ^ lo */
int graph_bits64(graph *g, g_block b); /* uint64: hi << 32 | lo */
/* In [0, 1), as many bits as numbers of dtype t have digits; of 16-bit floats the values are f32. */
int graph_unit(graph *g, g_block b, tme_dtype t);
/* In (-1, 1) and never 0, of t = f32 or f64: 32 or 53 bits with a sign, so that what is near 0 is finely divided. */
int graph_signed_unit(graph *g, g_block b, tme_dtype t);

#endif
