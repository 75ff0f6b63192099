/* Every value once more by the reference: first where a NaN comes from, then kernel by kernel whether it agrees. */
#include "backend/cpu/check.h"
#include "base/convert.h"
#include "ir/rewrite.h"
#include <math.h>
#include <stdatomic.h>
#include <string.h>

struct checker {
  context *context;
  backend *b;
  executable *x;
  graph *g;      /* the program's graph with every computed value as a root */
  int *root_of;  /* per node of the program: its root, -1 */
  array_view *v; /* per root */
  uint8_t *seen; /* per slot: compared already */
};

/* Element i, of a complex dtype its part 0 or 1. */
static double element(const array_view *v, const char *data, int64_t i, int part) {
  tme_dtype t = dtype_real(v->dtype);
  double x;
  convert_run(t, data + i * (int64_t)tme_dtype_size(v->dtype) + part * (int64_t)tme_dtype_size(t), 1, TME_F64, &x, 1,
              1);
  return x;
}

static bool is_floating(tme_dtype t) { return dtype_is_float(dtype_real(t)); }

static int64_t count(const array_view *v) {
  int64_t n = 1;
  for (int d = 0; d < v->rank; d++) n *= v->shape[d];
  return n;
}

static const char *data_of(const array_view *v) {
  return (const char *)v->buf->data + v->offset * (int64_t)tme_dtype_size(v->dtype);
}

/* Row-major as the reference makes its results; views of inputs are not looked at. */
static bool plain(const array_view *v) {
  int64_t stride = 1;
  for (int d = v->rank - 1; d >= 0; d--) {
    if (v->shape[d] != 1 && v->strides[d] != stride) return false;
    stride *= v->shape[d];
  }
  return true;
}

static bool has_nan(const array_view *v) {
  if (!is_floating(v->dtype) || !plain(v)) return false;
  int64_t n = count(v);
  for (int64_t i = 0; i < n; i++)
    for (int w = 0; w < (dtype_is_complex(v->dtype) ? 2 : 1); w++)
      if (isnan(element(v, data_of(v), i, w))) return true;
  return false;
}

static void report_first_nan(checker *c, const program *p, const run_args *a) {
  for (int i = 0; i < p->g->nleaves; i++)
    if (has_nan(&a->in[i])) return; /* it came with the operands */
  for (int i = 0; i < p->g->n; i++) {
    if (c->root_of[i] < 0 || !has_nan(&c->v[c->root_of[i]])) continue;
    char shape[SHAPE_TEXT];
    type_shape_text(&p->g->node[i].type, shape);
    context_log(c->context, TME_LOG_WARNING, "check: the first NaN was made by %s %s (%%%d of the graph)",
                op_name(p->g->node[i].op), shape, i);
    return;
  }
}

/* A backend is told what its roots are, and says where they lie. */
static void describe_roots(checker *c) {
  for (int i = 0; i < c->g->nroots; i++) {
    const op_type *t = &c->g->node[c->g->root[i]].type;
    c->v[i].dtype = t->dtype;
    c->v[i].rank = t->rank;
    memcpy(c->v[i].shape, t->shape, sizeof t->shape);
    type_strides(t, c->v[i].strides);
  }
}

/* Products of 16-bit floats have operands that were converted already: the reference takes them as they came. */
static void narrow_operands(graph *r, const g_node *n, int *in) {
  for (int k = 0; k < n->nin && n->op == OP_matmul; k++) in[k] = graph_cast(r, in[k], n->type.dtype);
}

/* The chunks of a split product are summed in a wider dtype, and rounded once: the reference does it in two steps. */
static int copy_node(graph *r, const graph *g, int i, int *in, void *unused) {
  (void)unused;
  const g_node *n = &g->node[i];
  narrow_operands(r, n, in);
  tme_dtype t = n->type.dtype, wide = t;
  if ((n->op == OP_sum || n->op == OP_add) && in[0] >= 0) wide = r->node[in[0]].type.dtype;
  if (n->op == OP_sum && dtype_is_int(wide)) wide = dtype_is_signed(wide) ? TME_I64 : TME_U64; /* it has no others */
  if (tme_dtype_size(wide) <= tme_dtype_size(t)) return graph_copy_node(r, g, i, in);
  g_node sum = *n;
  sum.type.dtype = wide;
  int operands[2] = {-1, -1};
  for (int k = 0; k < n->nin && k < 2; k++) operands[k] = graph_cast(r, in[k], wide);
  int x = graph_copy(r, &sum, operands, graph_attrs(g, i));
  return x < 0 ? x : graph_cast(r, x, t);
}

static graph *with_all_roots(checker *c, const graph *g) {
  int n = 0;
  for (int i = 0; i < g->n; i++) {
    bool computed = g->node[i].op != OP_leaf && g->node[i].op != OP_literal;
    c->root_of[i] = computed ? n++ : -1;
  }
  graph *r = graph_like(g, n);
  int *map = mem_alloc(((size_t)g->n + 1) * sizeof *map);
  bool ok = r && map && graph_rewrite_nodes(r, g, NULL, copy_node, NULL, map, NULL);
  for (int i = 0; i < g->n && ok; i++)
    if (c->root_of[i] >= 0) r->root[c->root_of[i]] = map[i];
  mem_free(map);
  if (ok) return r;
  graph_free(r);
  return NULL;
}

checker *checker_new(context *shared, const program *p, const run_args *a) {
  checker *c = mem_calloc(1, sizeof *c);
  error why = {0};
  bool ok = c != NULL;
  if (ok) {
    c->context = shared;
    c->b = shared->fallback;
    c->root_of = mem_calloc((size_t)p->g->n + 1, sizeof *c->root_of);
    c->seen = mem_calloc((size_t)p->nslots + 1, 1);
    c->g = c->root_of && c->seen ? with_all_roots(c, p->g) : NULL;
    c->v = c->g ? mem_calloc((size_t)c->g->nroots + 1, sizeof *c->v) : NULL;
    c->x = c->v ? c->b->prepare(c->b, c->g, &why) : NULL;
    if (c->v) describe_roots(c);
    run_args again = {.in = a->in, .args = a->args, .out = c->v};
    ok = c->x && c->b->run(c->b, c->x, &again, &why) == TME_OK;
  }
  if (ok) {
    report_first_nan(c, p, a);
    return c;
  }
  context_log(shared, TME_LOG_WARNING, "check: the reference could not compute the values: %s",
              why.text[0] ? why.text : "out of memory");
  checker_free(c);
  return NULL;
}

void checker_free(checker *c) {
  if (!c) return;
  for (int i = 0; c->v && i < c->g->nroots; i++) buffer_release(c->v[i].buf);
  if (c->x) c->b->free_executable(c->b, c->x);
  mem_free(c->v);
  mem_free(c->root_of);
  mem_free(c->seen);
  graph_free(c->g);
  mem_free(c);
}

/* How far a compiled value may be from the reference's, over the largest value: sums in another order, 16-bit rounding. */
static double tolerance(tme_dtype t) {
  if (dtype_is_narrow(t)) return 4 * tme_dtype_epsilon(t);
  return dtype_real(t) == TME_F64 ? 1e-11 : 1e-4;
}

static void compare(checker *c, const step *s, const g_node *n, const array_view *want, const char *got) {
  int64_t size = count(want);
  const char *ref = data_of(want);
  char shape[SHAPE_TEXT];
  type_shape_text(&n->type, shape);
  if (!is_floating(want->dtype)) {
    if (memcmp(ref, got, (size_t)size * tme_dtype_size(want->dtype)) != 0)
      context_log(c->context, TME_LOG_WARNING, "check: kernel %s: %s %s differs from the reference", s->label,
                  op_name(n->op), shape);
    return;
  }
  double worst = 0, largest = 0;
  int64_t classes = 0;
  for (int64_t i = 0; i < size; i++)
    for (int w = 0; w < (dtype_is_complex(want->dtype) ? 2 : 1); w++) {
      double x = element(want, ref, i, w), y = element(want, got, i, w);
      if (!isfinite(x) || !isfinite(y)) {
        classes += isnan(x) != isnan(y) || (!isnan(x) && x != y);
        continue;
      }
      worst = fmax(worst, fabs(x - y));
      largest = fmax(largest, fabs(x));
    }
  if (classes || worst > tolerance(want->dtype) * largest)
    context_log(c->context, TME_LOG_WARNING,
                "check: kernel %s: %s %s differs from the reference by up to %g (largest value %g), %lld not-finite "
                "values differ",
                s->label, op_name(n->op), shape, worst, largest, (long long)classes);
}

void checker_step(checker *c, const program *p, int i, char *const *data) {
  const step *s = &p->steps[i];
  for (int k = 0; k < s->nbind; k++) {
    if (s->bind[k] < 0) continue;
    const struct slot *made = &p->slots[s->bind[k]];
    if (made->leaf >= 0 || made->node < 0 || c->seen[s->bind[k]] || c->root_of[made->node] < 0) continue;
    c->seen[s->bind[k]] = 1;
    const array_view *want = &c->v[c->root_of[made->node]];
    if (plain(want)) compare(c, s, &p->g->node[made->node], want, data[s->bind[k]]);
  }
}
