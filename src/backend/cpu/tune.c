/* Timing the ways to make a product. A choice on disk is an entry of the cache of kernels with a key of its own, so that it
 * is trusted no more than those; and whatever it says, results are right. */
#include "backend/cpu/tune.h"
#include "backend/cpu/run.h"
#include "base/threads.h"
#include "cache/disk_cache.h"
#include "cache/flight.h"
#include <string.h>

enum { FEWEST_RUNS = 2, MOST_RUNS = 10 };
#define ENOUGH_MS 5.0
#define WORTH_IT 0.97 /* of the time of the usual way: less is noise */

struct tuner {
  backend *b;
  jit *j;
  lock lock; /* of what follows */
  flights timing;
  tuned_products known;
};

#ifdef TME_TEST_HOOKS
static atomic_int planted = -1;
void tuner_plant_choice(int choice) { atomic_store(&planted, choice); }
#endif

/* ---- one way of one product ------------------------------------------------------------------------------------------ */

/* A leaf of `rows` x `columns` matrices, perhaps transposed, converted. */
static int operand(graph *g, int number, const product_class *c, int64_t rows, int64_t columns, tme_dtype from,
                   bool transposed) {
  op_type t = {.dtype = from, .rank = 3, .shape = {c->batches, rows, columns}};
  int64_t strides[TME_MAX_RANK] = {rows * columns, transposed ? 1 : columns, transposed ? rows : 1};
  return graph_cast(g, graph_leaf(g, &t, strides, number), (tme_dtype)c->dtype);
}

static graph *product_graph(const product_class *c) {
  graph *g = graph_new(1);
  if (!g) return NULL;
  int x = operand(g, 0, c, c->M, c->K, (tme_dtype)c->left_dtype, false);
  int y = operand(g, 1, c, c->K, c->N, (tme_dtype)c->right_dtype, c->transposed);
  g->root[0] = graph_bin(g, OP_matmul, x, y);
  if (g->root[0] >= 0) return g;
  graph_free(g);
  return NULL;
}

/* Zeros as the leaf says. */
static bool view_of(tuner *t, const graph *g, int leaf, array_view *v) {
  const g_node *n = &g->node[leaf];
  *v = (array_view){.dtype = n->type.dtype, .rank = n->type.rank};
  memcpy(v->shape, n->type.shape, sizeof v->shape);
  memcpy(v->strides, graph_strides(g, leaf), sizeof *v->strides * (size_t)v->rank);
  size_t bytes = (size_t)type_size(&n->type) * tme_dtype_size(n->type.dtype);
  v->buf = pool_get(t->b->context->pool, bytes);
  if (v->buf) memset(v->buf->data, 0, bytes);
  return v->buf != NULL;
}

/* Milliseconds, or -1. The first run fetches code and memory. */
static double time_runs(tuner *t, executable *x, const array_view in[2], error *e) {
  double best = -1, all = 0;
  for (int i = 0; i <= MOST_RUNS && (i <= FEWEST_RUNS || all < ENOUGH_MS); i++) {
    array_view out = {.buf = NULL};
    run_args a = {.in = in, .out = &out};
    double begin = now_ms();
    if (run_program(t->b->context, x, &a, e) != TME_OK) return -1;
    double ms = now_ms() - begin;
    buffer_release(out.buf);
    all += ms;
    if (i > 0 && (best < 0 || ms < best)) best = ms;
  }
  return best;
}

static double time_choice(tuner *t, const graph *g, const array_view in[2], const product_class *c, int choice,
                          error *e) {
  tuned_product one = {*c, choice};
  tuned_products only = {&one, 1, 1};
  cpu_target target = *jit_target(t->j);
  target.tuned = &only;
  program *p = program_lower(g, &target.base, e);
  executable *x = p ? executable_load(t->b, p, e) : NULL;
  double ms = x ? time_runs(t, x, in, e) : -1;
  executable_free(x);
  return ms;
}

/* The fastest choice; -1 if they could not be timed. */
static int fastest(tuner *t, const product_class *c) {
#ifdef TME_TEST_HOOKS
  if (atomic_load(&planted) >= 0) return atomic_load(&planted) % product_choices(jit_target(t->j)->registers);
#endif
  error why = {0};
  graph *g = product_graph(c);
  array_view in[2] = {{.buf = NULL}, {.buf = NULL}};
  int best = -1, choices = product_choices(jit_target(t->j)->registers);
  double usual = 0, least = 0;
  for (int leaf = 0, i = 0; g && i < g->n; i++)
    if (g->node[i].op == OP_leaf && !view_of(t, g, i, &in[leaf++])) choices = 0;
  for (int i = 0; g && i < choices; i++) {
    double ms = time_choice(t, g, in, c, i, &why);
    if (ms < 0 && i == 0) break;
    if (ms < 0) continue; /* that way is none */
    if (i == 0) usual = least = ms;
    if (i > 0 && (ms >= least || ms >= WORTH_IT * usual)) continue;
    least = ms;
    best = i;
  }
  if (best >= 0)
    context_log(t->b->context, TME_LOG_DEBUG,
                "tune: %lld products %lldx%lldx%lld of %s: way %d, %.4f ms instead of %.4f", (long long)c->batches,
                (long long)c->M, (long long)c->K, (long long)c->N, tme_dtype_name((tme_dtype)c->dtype), best, least,
                usual);
  for (int i = 0; i < 2; i++) buffer_release(in[i].buf);
  graph_free(g);
  return best;
}

/* ---- what is known --------------------------------------------------------------------------------------------------- */

static bool make_key(tuner *t, const product_class *c, text *key) {
  text_add(key, "tune %d threads\n", threads_count(t->b->context->threads));
  jit_key(t->j, key);
  text_bytes(key, (const char *)c, sizeof *c);
  return !key->failed;
}

/* From the disk, or by timing, which is then put there. */
static int find_out(tuner *t, const product_class *c) {
  text key = {0};
  disk_cache *d = make_key(t, c, &key) ? jit_disk(t->j) : NULL;
  uint8_t *value = NULL;
  size_t size = 0;
  int choice = -1;
  if (d && disk_cache_get(d, key.s, key.len, &value, &size) && size == 1) choice = value[0];
  mem_free(value);
  if (choice < 0 || choice >= product_choices(jit_target(t->j)->registers)) {
    choice = fastest(t, c);
    error why = {0};
    if (d && choice >= 0 && disk_cache_put(d, key.s, key.len, &(uint8_t){(uint8_t)choice}, 1, &why) != TME_OK)
      context_log(t->b->context, TME_LOG_INFO, "tune: %s", why.text);
  }
  text_free(&key);
  return choice;
}

/* The usual way where nothing can be found out. Nobody times beside somebody else. */
static int choice_of(tuner *t, const product_class *c) {
  const tuned_product *known;
  flight *f = NULL;
  void *nothing;
  lock_take(&t->lock);
  while (!(known = tuned_find(&t->known, c)) && !flight_begin(&t->timing, &t->lock, NULL, 0, &f, &nothing, NULL))
    continue;
  int choice = known ? known->choice : -1;
  lock_give(&t->lock);
  if (known) return choice;
  choice = find_out(t, c);
  lock_take(&t->lock);
  if (choice >= 0) tuned_add(&t->known, c, choice); /* else it is looked for again */
  flight_land(&t->timing, &t->lock, f, NULL, NULL);
  lock_give(&t->lock);
  return choice < 0 ? 0 : choice;
}

program *tuner_lower(tuner *t, const graph *region, error *e) {
  tuned_products met = {0};
  cpu_target target = *jit_target(t->j);
  target.met = &met;
  program *p = program_lower(region, &target.base, e);
  bool changed = false;
  for (int i = 0; p && i < met.n; i++) {
    met.list[i].choice = choice_of(t, &met.list[i].c);
    changed |= met.list[i].choice != 0;
  }
  if (changed) {
    program_free(p);
    target.tuned = &met;
    target.met = NULL;
    p = program_lower(region, &target.base, e);
  }
  tuned_free(&met);
  return p;
}

/* ---- life ------------------------------------------------------------------------------------------------------------ */

tuner *tuner_new(backend *b, jit *j, error *e) {
  tuner *t = mem_calloc(1, sizeof *t);
  if (!t) {
    fail_memory(e, "tune", sizeof *t);
    return NULL;
  }
  t->b = b;
  t->j = j;
  lock_init(&t->lock, LOCK_INNER);
  return t;
}

void tuner_clear(tuner *t) {
  if (!t) return;
  lock_take(&t->lock);
  tuned_free(&t->known);
  lock_give(&t->lock);
}

void tuner_free(tuner *t) {
  if (!t) return;
  tuned_free(&t->known);
  lock_end(&t->lock);
  mem_free(t);
}
