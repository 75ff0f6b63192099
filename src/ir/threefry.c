#include "ir/threefry.h"
#include "base/threefry.h"

static const g_block failed = {-1, -1};

static int word(graph *g, uint32_t v) {
  uint64_t bits[2] = {v, 0};
  return graph_literal(g, TME_U32, bits);
}

static int add(graph *g, int x, int y) { return graph_bin(g, OP_add, x, y); }
static int exclusive_or(graph *g, int x, int y) { return graph_bin(g, OP_bitwise_xor, x, y); }
static int left(graph *g, int x, int n) { return graph_bin(g, OP_left_shift, x, word(g, (uint32_t)n)); }
static int right(graph *g, int x, int n) { return graph_bin(g, OP_right_shift, x, word(g, (uint32_t)n)); }

static int rotate(graph *g, int x, int n) { return graph_bin(g, OP_bitwise_or, left(g, x, n), right(g, x, 32 - n)); }

static int word_of_key(graph *g, int key, int64_t i) {
  op_attrs at = {.view = {.start = {1, {i}}, .stop = {1, {i + 1}}, .step = {1, {1}}}};
  return graph_reshape(g, graph_op(g, OP_slice, &key, 1, &at), 0, at.view.start.v);
}

g_block graph_threefry(graph *g, int key, g_block counter) {
  int k[3] = {word_of_key(g, key, 0), word_of_key(g, key, 1)};
  k[2] = exclusive_or(g, exclusive_or(g, k[0], k[1]), word(g, THREEFRY_PARITY));
  int x = add(g, counter.hi, k[0]), y = add(g, counter.lo, k[1]);
  for (int r = 0; r < THREEFRY_ROUNDS; r++) {
    x = add(g, x, y);
    y = exclusive_or(g, rotate(g, y, threefry_rotations[r % 8]), x);
    if (r % 4 != 3) continue;
    int n = r / 4 + 1;
    x = add(g, x, k[n % 3]);
    y = add(g, y, add(g, k[(n + 1) % 3], word(g, (uint32_t)n)));
  }
  return x < 0 || y < 0 ? failed : (g_block){x, y};
}

g_block graph_blocks(graph *g, int key, int64_t n, g_stream stream) {
  uint32_t first = stream == SECOND_BLOCKS ? UINT32_C(1) << 31 : 0;
  g_block counter = {word(g, first), -1};
  if (n <= INT64_C(1) << 32) {
    counter.lo = graph_iota(g, TME_U32, 1, &n, 0);
  } else {
    int i = graph_iota(g, TME_I64, 1, &n, 0);
    int high = graph_bin(g, OP_right_shift, i, graph_number(g, TME_I64, 32));
    counter.lo = graph_cast(g, i, TME_U32);
    counter.hi = add(g, graph_cast(g, high, TME_U32), counter.hi);
  }
  return graph_threefry(g, key, counter);
}

int graph_bits32(graph *g, g_block b) { return exclusive_or(g, b.hi, b.lo); }

int graph_bits64(graph *g, g_block b) {
  int high = graph_bin(g, OP_left_shift, graph_cast(g, b.hi, TME_U64), graph_number(g, TME_U64, 32));
  return graph_bin(g, OP_bitwise_or, high, graph_cast(g, b.lo, TME_U64));
}

/* As a float, by way of int32, which processors convert fast. */
static int as_float(graph *g, int x, tme_dtype t) { return graph_cast(g, graph_cast(g, x, TME_I32), t); }
static int scaled(graph *g, int x, tme_dtype t, double by) {
  return graph_bin(g, OP_multiply, x, graph_number(g, t, by));
}

static int joined(graph *g, int high, double by, int low) {
  int in[3] = {high, graph_number(g, TME_F64, by), low};
  return graph_op(g, OP_fma, in, 3, NULL);
}

int graph_unit(graph *g, g_block b, tme_dtype t) {
  if (t == TME_F64) {
    int high = as_float(g, right(g, b.hi, 5), t), low = as_float(g, right(g, b.lo, 6), t);
    return scaled(g, joined(g, high, 0x1p26, low), t, 0x1p-53);
  }
  int digits = dtype_get(t)->digits;
  return scaled(g, as_float(g, right(g, graph_bits32(g, b), 32 - digits), TME_F32), TME_F32, 1.0 / (1 << digits));
}

int graph_signed_unit(graph *g, g_block b, tme_dtype t) {
  if (t == TME_F64) {
    int low = graph_bin(g, OP_bitwise_or, right(g, b.lo, 10), word(g, 1));
    return scaled(g, joined(g, as_float(g, b.hi, t), 0x1p22, as_float(g, low, t)), t, 0x1p-53);
  }
  return scaled(g, as_float(g, graph_bin(g, OP_bitwise_or, graph_bits32(g, b), word(g, 1)), t), t, 0x1p-31);
}
