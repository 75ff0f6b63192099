/* The backends without a compiler: "reference", one plain loop per operation, and "nojit", the same with CBLAS and
 * LAPACK. A prepared region is the graph and what to let go of when; views cost nothing. */
#include "backend/backend.h"
#include "backend/reference/fft_plan.h"
#include "backend/reference/reference.h"
#include <string.h>

typedef struct reference {
  backend base;
  bool libraries;
  atomic_ullong kernels;
} reference;

struct executable {
  const graph *g;
  graph *own;                    /* g, if operations without a kernel were decomposed for it; else NULL */
  int *last;                     /* per node: the last one that reads it; n for roots */
  _Atomic(struct value *) spare; /* memory of an earlier run */
};

/* A node's value while the region runs. */
typedef struct value {
  ref_array a;
  buffer *buf; /* a reference; NULL for literals */
  buffer *more[OP_MAX_OUTPUTS - 1];
  uint64_t literal[2];
} value;

static const char *supports(backend *b, const graph *g, int i) {
  (void)b;
  (void)g;
  (void)i;
  return NULL;
}

static void free_executable(backend *b, executable *x) {
  (void)b;
  mem_free(atomic_load(&x->spare));
  mem_free(x->last);
  graph_free(x->own);
  mem_free(x);
}

static bool lacks(int op) { return op < OP_PUBLIC_COUNT && !reference_has(op); }

/* The graph that is run: `region`, or what it is decomposed to. */
static const graph *choose_graph(executable *x, const graph *region, error *e) {
  bool whole = true;
  for (int i = 0; i < region->n; i++) whole &= !lacks(graph_get(region, i)->op);
  if (whole) return region;
  x->own = pass_decompose(region, lacks, e);
  return x->own;
}

static executable *prepare(backend *b, const graph *region, error *e) {
  executable *x = mem_calloc(1, sizeof *x);
  const graph *g = x ? choose_graph(x, region, e) : NULL;
  if (g) x->last = mem_calloc((size_t)g->n, sizeof *x->last);
  if (!g || !x->last) {
    if (!x || g) fail_memory(e, "plan", (size_t)region->n * sizeof(int));
    if (x) free_executable(b, x);
    return NULL;
  }
  x->g = g;
  for (int i = 0; i < g->n; i++) {
    x->last[i] = i;
    for (int k = 0; k < graph_get(g, i)->nin; k++)
      if (graph_in(g, i, k) >= 0) x->last[graph_in(g, i, k)] = i;
  }
  for (int r = 0; r < g->nroots; r++) x->last[g->root[r]] = g->n;
  return x;
}

typedef struct run_state {
  reference *ref;
  const executable *x;
  const graph *g;
  run_args *a;
  value *v;
  error *err;
} run_state;

static void release(value *v) {
  buffer_release(v->buf);
  for (int i = 0; i < COUNT(v->more); i++) buffer_release(v->more[i]);
  v->buf = NULL;
  memset(v->more, 0, sizeof v->more);
}

static void make_leaf(run_state *r, int i) {
  const array_view *in = &r->a->in[graph_get(r->g, i)->leaf];
  value *v = &r->v[i];
  v->buf = buffer_retain(in->buf);
  v->a.data = (char *)in->buf->data + in->offset * (int64_t)tme_dtype_size(in->dtype);
  memcpy(v->a.strides, in->strides, sizeof v->a.strides);
}

/* Arguments come as kernels take them: narrow floats as f32. */
static void make_literal(run_state *r, int i) {
  const g_node *n = graph_get(r->g, i);
  value *v = &r->v[i];
  tme_dtype t = n->type.dtype;
  uint64_t bits[2] = {n->bits[0], n->bits[1]};
  if (n->leaf >= 0) {
    memcpy(bits, &r->a->args[2 * n->leaf], sizeof bits);
    literal_convert(dtype_wide(t), t, bits);
  }
  v->a.data = (char *)v->literal;
  literal_store(t, bits, v->a.data);
}

static buffer *new_buffer(run_state *r, int of, const op_type *t) {
  size_t bytes = (size_t)type_size(t) * tme_dtype_size(t->dtype);
  buffer *b = pool_get(r->ref->base.context->pool, bytes);
  if (!b) fail_memory(r->err, graph_written(r->g, of), bytes);
  return b;
}

/* 0, 1, 2, ... along an axis. */
static tme_status make_iota(run_state *r, int i) {
  const g_node *n = graph_get(r->g, i);
  value *v = &r->v[i];
  size_t size = tme_dtype_size(n->type.dtype);
  v->buf = new_buffer(r, i, &n->type);
  if (!v->buf) return r->err->code;
  v->a.data = v->buf->data;
  type_strides(&n->type, v->a.strides);
  int64_t total = type_size(&n->type), step = v->a.strides[n->leaf], extent = n->type.shape[n->leaf];
  memset(v->a.data, 0, (size_t)total * size);
  for (int64_t k = 0; k < total; k++) {
    uint64_t bits[2];
    literal_bits(n->type.dtype, (double)(k / step % extent), bits);
    memcpy(v->a.data + (size_t)k * size, &bits[0], dtype_is_complex(n->type.dtype) ? size / 2 : size);
  }
  return TME_OK;
}

static void make_pick(run_state *r, int i) {
  const g_node *n = graph_get(r->g, i);
  value *v = &r->v[i], *from = &r->v[graph_in(r->g, i, 0)];
  buffer *b = n->leaf ? from->more[n->leaf - 1] : from->buf;
  v->buf = buffer_retain(b);
  v->a.data = b->data;
  type_strides(&n->type, v->a.strides);
}

/* Another value of the same bits, in the same memory. */
static void make_barrier(run_state *r, int i) {
  value *v = &r->v[i], *from = &r->v[graph_in(r->g, i, 0)];
  *v = *from;
  memset(v->more, 0, sizeof v->more);
  if (v->buf)
    buffer_retain(v->buf);
  else
    v->a.data = (char *)v->literal;
}

static bool make_view(run_state *r, int i) {
  const g_node *n = graph_get(r->g, i);
  if (!op_is_view(n->op)) return false;
  value *v = &r->v[i], *from = &r->v[graph_in(r->g, i, 0)];
  ref_array out;
  /* Literals live in the table of values: their views are computed. */
  if (!from->buf || !reference_view(n->op, &from->a, graph_attrs(r->g, i), &n->type, &out)) return false;
  v->a = out;
  v->buf = buffer_retain(from->buf);
  return true;
}

/* A numerical failure stays with everything that is computed from it. */
static void note_failure(run_state *r, int i, const ref_call *c) {
  const g_node *n = graph_get(r->g, i);
  value *v = &r->v[i];
  for (int o = 0; o < n->outputs; o++) {
    buffer *b = o ? v->more[o - 1] : v->buf;
    b->failure = c->failure;
    b->failed_op = op_name(n->op);
    b->failed_matrix = c->failed_matrix;
    for (int k = 0; k < n->nin; k++) {
      int x = graph_in(r->g, i, k);
      if (x >= 0 && r->v[x].buf) buffer_inherit(b, r->v[x].buf);
    }
  }
}

static tme_status compute_into(run_state *r, int i, const ref_array **in) {
  const g_node *n = graph_get(r->g, i);
  value *v = &r->v[i];
  ref_array out[OP_MAX_OUTPUTS];
  for (int k = 0; k < n->nin; k++) in[k] = graph_in(r->g, i, k) < 0 ? NULL : &r->v[graph_in(r->g, i, k)].a;
  for (int o = 0; o < n->outputs; o++) {
    out[o].type = *graph_output(r->g, i, o);
    buffer *b = new_buffer(r, i, &out[o].type);
    if (!b) return r->err->code;
    *(o ? &v->more[o - 1] : &v->buf) = b;
    out[o].data = b->data;
    type_strides(&out[o].type, out[o].strides);
  }
  v->a = out[0];
  ref_call c = {.op = n->op,
                .nin = n->nin,
                .in = in,
                .attrs = graph_attrs(r->g, i),
                .out = out,
                .nout = n->outputs,
                .libraries = r->ref->libraries,
                .threads = r->ref->base.context->threads};
  tme_status s = reference_run(&c, r->err);
  if (s == TME_OK) note_failure(r, i, &c);
  atomic_fetch_add_explicit(&r->ref->kernels, 1, memory_order_relaxed);
  return s;
}

static tme_status compute(run_state *r, int i) {
  const g_node *n = graph_get(r->g, i);
  const ref_array *few[8];
  const ref_array **in = n->nin <= COUNT(few) ? few : mem_calloc((size_t)n->nin, sizeof *in);
  if (!in) return fail_memory(r->err, op_name(n->op), (size_t)n->nin * sizeof *in);
  double t = profile_begin(r->ref->base.context);
  tme_status s = compute_into(r, i, in);
  profile_end(r->ref->base.context, t, r->ref->base.name, op_name(n->op),
              s == TME_OK ? (uint64_t)type_size(&n->type) * tme_dtype_size(n->type.dtype) : 0);
  if (in != few) mem_free(in);
  return s;
}

static tme_status step(run_state *r, int i) {
  const g_node *n = graph_get(r->g, i);
  r->v[i].a.type = n->type;
  switch (n->op) {
  case OP_leaf: make_leaf(r, i); return TME_OK;
  case OP_literal: make_literal(r, i); return TME_OK;
  case OP_iota: return make_iota(r, i);
  case OP_pick: make_pick(r, i); return TME_OK;
  case OP_barrier: make_barrier(r, i); return TME_OK;
  default: break;
  }
  if (stop_wanted(r->a->stop)) return fail(r->err, TME_ERR_CANCELLED, "eval: cancelled");
  return make_view(r, i) ? TME_OK : compute(r, i);
}

static tme_status give_root(run_state *r, int k) {
  value *v = &r->v[r->g->root[k]];
  array_view *out = &r->a->out[k];
  if (!v->buf) {
    /* A literal. */
    v->buf = new_buffer(r, r->g->root[k], &v->a.type);
    if (!v->buf) return r->err->code;
    memcpy(v->buf->data, v->a.data, tme_dtype_size(v->a.type.dtype));
    v->a.data = v->buf->data;
  }
  out->buf = buffer_retain(v->buf);
  out->offset = (v->a.data - (char *)v->buf->data) / (int64_t)tme_dtype_size(out->dtype);
  memcpy(out->strides, v->a.strides, sizeof out->strides);
  return TME_OK;
}

static tme_status run(backend *b, executable *x, run_args *a, error *e) {
  const graph *g = x->g;
  run_state r = {.ref = (reference *)b->state, .x = x, .g = g, .a = a, .err = e};
  r.v = atomic_exchange(&x->spare, NULL);
  if (!r.v) r.v = mem_calloc((size_t)g->n, sizeof *r.v);
  if (!r.v) return fail_memory(e, "eval", (size_t)g->n * sizeof *r.v);
  tme_status s = TME_OK;
  int i = 0, given = 0;
  for (; i < g->n && s == TME_OK; i++) {
    s = step(&r, i);
    for (int k = 0; k < graph_get(g, i)->nin; k++) {
      int in = graph_in(g, i, k);
      if (in >= 0 && x->last[in] == i) release(&r.v[in]);
    }
    if (x->last[i] == i) release(&r.v[i]);
  }
  for (; given < g->nroots && s == TME_OK; given += s == TME_OK) s = give_root(&r, given);
  if (s != TME_OK)
    for (int k = 0; k < given; k++) buffer_release(a->out[k].buf);
  while (i-- > 0) release(&r.v[i]);
  mem_free(atomic_exchange(&x->spare, r.v));
  return s;
}

static void describe(backend *b, const graph *region, const executable *x, unsigned flags, text *out) {
  (void)x;
  if (flags & TME_EXPLAIN_PASSES) graph_print(region, out);
  text_add(out, "  one plain loop per operation%s, nothing is fused; views are not copied\n",
           ((const reference *)b->state)->libraries ? ", CBLAS and LAPACK where present" : "");
}

static void stats(backend *b, tme_stats *out) { out->kernels_run += atomic_load(&((reference *)b->state)->kernels); }

static void close_backend(backend *b) {
  fft_plans_leave();
  mem_free(b->state);
}

backend *backend_reference_new(context *c, bool libraries, error *e) {
  reference *r = mem_calloc(1, sizeof *r);
  if (!r) {
    fail_memory(e, "engine", sizeof *r);
    return NULL;
  }
  fft_plans_use();
  r->libraries = libraries;
  r->base = (backend){.version = BACKEND_VERSION,
                      .name = libraries ? "nojit" : "reference",
                      .device = "cpu",
                      .host_memory = true,
                      .state = r,
                      .context = c,
                      .close = close_backend,
                      .supports = supports,
                      .prepare = prepare,
                      .free_executable = free_executable,
                      .run = run,
                      .describe = describe,
                      .stats = stats};
  return &r->base;
}
