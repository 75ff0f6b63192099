/* From the words of a signature back to a graph, for the compiler. */
#include "run/trace.h"
#include <string.h>

typedef struct reader {
  const signature *s;
  int at;
  graph *g;
  int *value; /* number of a value -> node of the graph */
  int values, calls;
} reader;

static uint64_t next(reader *r) { return r->at < r->s->n ? r->s->words[r->at++] : 0; }

static int read_leaf(reader *r, uint64_t head) {
  op_type t = {.dtype = (tme_dtype)(head >> 16 & 0xff), .rank = (int)(head >> 24 & 0xff)};
  int64_t strides[TME_MAX_RANK];
  for (int d = 0; d < t.rank; d++) t.shape[d] = (int64_t)next(r);
  if (head >> 32 & 1)
    type_strides(&t, strides);
  else
    for (int d = 0; d < t.rank; d++) strides[d] = (int64_t)next(r);
  return graph_leaf(r->g, &t, strides, r->g->nleaves);
}

static int read_literal(reader *r, uint64_t head) {
  tme_dtype t = (tme_dtype)(head >> 16 & 0xff);
  int code = (int)(head >> 24 & 0xff);
  if (code == LITERAL_ARG) return graph_literal_arg(r->g, t, r->g->nargs);
  return graph_number(r->g, t, literal_special[code]);
}

/* Two numbers to a word, as nodes of the graph. */
static void read_values(reader *r, int *in, int n) {
  uint64_t w = 0;
  for (int i = 0; i < n; i++) {
    w = i % 2 ? w >> 32 : next(r);
    uint32_t v = (uint32_t)w;
    in[i] = v == NO_VALUE ? -1 : r->value[v];
  }
}

static int read_public(reader *r, int op, const int *in, int nin) {
  const op_def *d = op_get(op);
  op_attrs a;
  memset(&a, 0, d->attrs_size);
  int taken = d->family == FAMILY_elementwise ? 0 : attrs_read(d, r->s->words + r->at, r->s->n - r->at, &a);
  if (taken < 0) return -1;
  r->at += taken;
  return graph_op(r->g, op, in, nin, &a);
}

static int read_call(reader *r, const int *in, int nin) {
  next(r); /* its number, by which signatures differ */
  return graph_call(r->g, r->s->call[r->calls++], in, nin);
}

static int read_op(reader *r, uint64_t head) {
  int op = (int)(head & 0xffff), nin = (int)(head >> 32), few[8];
  int *in = nin <= COUNT(few) ? few : mem_calloc((size_t)nin, sizeof *in);
  if (!in) {
    r->g->failed = true;
    return -1;
  }
  read_values(r, in, nin);
  int x, before = r->g->n;
  if (op == OP_call)
    x = read_call(r, in, nin);
  else if (op == OP_barrier)
    x = graph_barrier(r->g, in[0]);
  else
    x = read_public(r, op, in, nin);
  graph_set_device(r->g, before, (int)(head >> 16 & 0xff));
  if (in != few) mem_free(in);
  return x;
}

static int read_pick(reader *r, uint64_t head) {
  graph *g = r->g;
  int x = r->value[head >> 32], output = (int)(head >> 16 & 0xffff);
  if (x < 0) return -1;
  op_type type = *graph_output(g, x, output);
  return graph_pick(g, x, output, &type);
}

static bool read_all(reader *r) {
  for (;;) {
    uint64_t head = next(r);
    int op = (int)(head & 0xffff), x;
    if (op == SIG_ROOTS) {
      read_values(r, r->g->root, r->g->nroots);
      return true;
    }
    if (op == OP_leaf)
      x = read_leaf(r, head);
    else if (op == OP_literal)
      x = read_literal(r, head);
    else if (op == OP_pick)
      x = read_pick(r, head);
    else
      x = read_op(r, head);
    if (x < 0) return false;
    r->value[r->values++] = x;
  }
}

graph *signature_graph(const signature *s, tme_dtype default_float, error *e) {
  reader r = {.s = s, .g = graph_new(s->nroots), .value = mem_calloc((size_t)s->n, sizeof *r.value)};
  bool ok = false;
  if (r.g && r.value) {
    r.g->default_float = default_float;
    ok = read_all(&r);
    if (!ok && r.g->err.code != TME_OK) fail(e, r.g->err.code, "%s", r.g->err.text);
  }
  mem_free(r.value);
  if (ok) return r.g;
  fail_memory(e, "plan", (size_t)s->n * sizeof *s->words);
  graph_free(r.g);
  return NULL;
}
