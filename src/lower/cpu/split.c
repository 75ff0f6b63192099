/* Long sums are made in two steps, so that there is work for every thread: of chunks, and of what they give. Where one is cut
 * depends on shape and dtype alone, as the order of a sum must. */
#include "ir/rewrite.h"
#include "lower/cpu/target.h"
#include <string.h>

/* ---- reductions -------------------------------------------------------------------------------------------------- */

/* A reduction with fewer rows than FEW_ROWS, each at least twice MIN_CHUNK long, is cut; and one down few columns, counted
 * in bands of COLUMNS. */
enum { FEW_ROWS = 32, MIN_CHUNK = 8192, MAX_CHUNKS = 64 };
enum { COLUMNS = 1024, FEW_BANDS = 8, MIN_ROWS = 64, MIN_ELEMENTS = 1 << 18, MAX_ROW_CHUNKS = 16 };

static int64_t rows_of(const op_type *t, uint32_t axes) {
  int64_t rows = 1;
  for (int d = 0; d < t->rank; d++)
    if (!(axes >> d & 1)) rows *= t->shape[d];
  return rows;
}

/* A long reduction in two steps: the new node, or REWRITE_KEEP if it is fine as it is. */
static int split_reduction(graph *g, int op, int x, const op_attrs *attrs, const op_type *type) {
  op_type t = g->node[x].type;
  uint32_t axes = attrs->reduce.axes.mask;
  int64_t rows = rows_of(&t, axes), n = rows ? type_size(&t) / rows : 0;
  int last = t.rank - 1;
  while (last > 0 && t.shape[last] == 1) last--;
  bool columns = t.rank > 0 && !(axes >> last & 1) && t.shape[last] >= COLUMNS / 2;
  int64_t most = n / MIN_CHUNK < MAX_CHUNKS ? n / MIN_CHUNK : MAX_CHUNKS;
  if (columns) {
    int64_t bands = rows / t.shape[last] * ((t.shape[last] + COLUMNS - 1) / COLUMNS);
    if (bands >= FEW_BANDS || n < 2 * MIN_ROWS || rows * n < MIN_ELEMENTS) return REWRITE_KEEP;
    most = n / MIN_ROWS < MAX_ROW_CHUNKS ? n / MIN_ROWS : MAX_ROW_CHUNKS;
  } else if (rows >= FEW_ROWS || n < 2 * MIN_CHUNK) {
    return REWRITE_KEEP;
  }
  x = graph_wide(g, x); /* what the chunks give must not be rounded to 16 bits, nor overflow */
  if (rows == 1) {      /* in row-major order, whatever the axes are */
    x = graph_reshape(g, x, 1, &n);
    t.rank = 1;
    t.shape[0] = n;
    axes = 1;
  }
  int axis = 0;
  for (int d = 0; d < t.rank; d++)
    if ((axes >> d & 1) && (!(axes >> axis & 1) || t.shape[d] > t.shape[axis])) axis = d;
  int64_t len = t.shape[axis], chunks = largest_divisor(len, most);
  if (2 * chunks < most && len >= 2 * most) { /* no good divisor: the last chunk is filled up with the neutral value */
    if (op != OP_sum) return REWRITE_KEEP;
    int64_t chunk = ceil_div(len, most);
    op_attrs pad = {.view = {.before.n = t.rank, .after.n = t.rank}};
    pad.view.after.v[axis] = chunk * most - len;
    x = graph_op(g, OP_pad, &x, 1, &pad);
    chunks = most;
    len = chunk * most;
  }
  if (chunks == 1 || t.rank == TME_MAX_RANK) return REWRITE_KEEP;
  int64_t shape[TME_MAX_RANK];
  uint32_t inner = 0;
  for (int d = 0, o = 0; d < t.rank; d++) {
    if (d == axis) {
      shape[o++] = chunks;
      shape[o] = len / chunks;
    } else {
      shape[o] = t.shape[d];
    }
    if (axes >> d & 1) inner |= 1u << o;
    o++;
  }
  x = graph_reshape(g, x, t.rank + 1, shape);
  x = graph_reduce(g, op, x, inner, false);
  int outer = 0; /* where the chunks are now: behind the rows that come before them */
  for (int d = 0; d < axis; d++) outer += !(axes >> d & 1);
  x = graph_cast(g, graph_reduce(g, op, x, 1u << outer, false), type->dtype);
  return graph_reshape(g, x, type->rank, type->shape);
}

/* ---- products ------------------------------------------------------------------------------------------------------ */

/* A product is cut if its result is small beside what is read for it, and if that is MIN_CHUNKS chunks long. A chunk of the
 * right operand is small enough not to be packed, and not so long that few of them keep threads waiting. */
enum { CHUNK_BYTES = 256 << 10, MOST_CHUNK = 1024, LEAST_CHUNK = 128, MIN_CHUNKS = 4, MOST_RESULT = 64 << 10 };
/* A row times a matrix reads memory more than it computes. Threads then take whole rows of the matrix: in shares of a row
 * that are shorter than a page, the processor reads ahead into the share of another. */
enum { MOST_COLUMNS = 2048, LEAST_BYTES = 1 << 20, ROW_CHUNKS = 8 };

/* The first `count` chunks along one of the last two dimensions as a dimension in front of these. A conversion stays
 * outermost, as products look for it there; the rest is index arithmetic. */
static int in_chunks(graph *g, int x, int axis, int64_t count, int64_t chunk) {
  if (x < 0) return -1;
  op_type t = g->node[x].type;
  if (g->node[x].op == OP_astype) return graph_cast(g, in_chunks(g, graph_in(g, x, 0), axis, count, chunk), t.dtype);
  x = graph_part(g, x, axis, 0, count * chunk);
  bool last = axis == t.rank - 1;
  t.shape[t.rank] = last ? chunk : t.shape[t.rank - 1];
  t.shape[axis] = count;
  if (!last) t.shape[axis + 1] = chunk;
  x = graph_reshape(g, x, t.rank + 1, t.shape);
  if (!last) return x;
  op_attrs turn = {.view = {.axes.n = t.rank + 1}};
  for (int d = 0; d <= t.rank; d++) turn.view.axes.v[d] = d;
  turn.view.axes.v[axis - 1] = axis;
  turn.view.axes.v[axis] = axis - 1;
  return x < 0 ? -1 : graph_op(g, OP_transpose, &x, 1, &turn);
}

/* The same for a product n of a and b. */
static int split_product(graph *g, const g_node *n, int a, int b) {
  op_type ta = g->node[a].type, tb = g->node[b].type, type = n->type;
  int64_t size = (int64_t)tme_dtype_size(ta.dtype), k = ta.shape[ta.rank - 1], row = tb.shape[tb.rank - 1] * size;
  int64_t result = type_size(&type) * size;
  if (!result || result > MOST_RESULT || type.rank == TME_MAX_RANK) return REWRITE_KEEP;
  int64_t chunk = CHUNK_BYTES / row < MOST_CHUNK ? CHUNK_BYTES / row : MOST_CHUNK;
  bool one_row = ta.shape[ta.rank - 2] == 1 && tb.shape[tb.rank - 1] <= MOST_COLUMNS && k * row >= LEAST_BYTES;
  if (one_row) chunk = k / ROW_CHUNKS > LEAST_CHUNK ? k / ROW_CHUNKS : LEAST_CHUNK;
  if (chunk < LEAST_CHUNK || k < MIN_CHUNKS * chunk) return REWRITE_KEEP;
  int64_t even = largest_divisor(k, chunk);
  if (2 * even >= chunk) chunk = even;
  int64_t count = k / chunk, whole = count * chunk;
  int last_a = ta.rank - 1, last_b = tb.rank - 2;
  int x = graph_bin(g, OP_matmul, in_chunks(g, a, last_a, count, chunk), in_chunks(g, b, last_b, count, chunk));
  /* The sums are of the operands' dtype, until the last one is what the product was. */
  type.dtype = whole < k ? ta.dtype : n->type.dtype;
  g_node sum = {.op = OP_sum, .outputs = 1, .nin = 1, .type = type};
  op_attrs over = {.reduce = {.axes = axes_from_mask(1u << (type.rank - 2))}};
  x = x < 0 ? -1 : graph_copy(g, &sum, &x, &over);
  if (whole == k) return x;
  int rest = graph_bin(g, OP_matmul, graph_part(g, a, last_a, whole, k), graph_part(g, b, last_b, whole, k));
  g_node add = {.op = OP_add, .outputs = 1, .nin = 2, .type = n->type};
  return x < 0 || rest < 0 ? -1 : graph_copy(g, &add, (int[]){x, rest}, NULL);
}

/* ---- the pass ------------------------------------------------------------------------------------------------------ */

static int split_node(graph *to, const graph *from, int i, int *in, void *unused) {
  (void)unused;
  const g_node *n = graph_get(from, i);
  switch (op_classify(n->op)) {
  case CLASS_MATMUL: return split_product(to, n, in[0], in[1]);
  case CLASS_REDUCE: return split_reduction(to, n->op, in[0], graph_attrs(from, i), &n->type);
  default: return REWRITE_KEEP;
  }
}

graph *cpu_split(const graph *g, error *e) { return graph_rewrite(g, NULL, split_node, NULL, "split", NULL, e); }
