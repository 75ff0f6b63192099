/* Hashes of random programs and of what they give, the same in every run and on every machine with the same bits. */
#include "support/graphs.h"
#include <math.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* By name: the numbers of dtypes and operations are those of a version. */
static void add_text(XXH64_state_t *h, const char *name) { XXH64_update(h, name, strlen(name) + 1); }

static void add_number(XXH64_state_t *h, int64_t n) { XXH64_update(h, &n, sizeof n); }

static void add_type(XXH64_state_t *h, const tme_array *a) {
  add_text(h, tme_dtype_name(tme_array_dtype(a)));
  add_number(h, tme_array_rank(a));
  XXH64_update(h, tme_array_shape(a), (size_t)tme_array_rank(a) * sizeof(int64_t));
}

/* The bits of a computed NaN are the code generator's choice. */
static void add_element(XXH64_state_t *h, tme_dtype t, const char *element) {
  char bits[16];
  size_t size = tme_dtype_size(t);
  memcpy(bits, element, size);
  if (dtype_is_float(dtype_real(t))) {
    double v[2];
    element_value(t, element, v);
    if (isnan(v[0]) || isnan(v[1]))
      element_set(t, bits, isnan(v[0]) ? (double)NAN : v[0], isnan(v[1]) ? (double)NAN : v[1]);
  }
  XXH64_update(h, bits, size);
}

uint64_t graph_hash_program(const random_graph *g, tme_array *const *v) {
  XXH64_state_t h;
  XXH64_reset(&h, 0);
  for (int i = 0; i < g->n; i++) {
    const graph_node *n = &g->node[i];
    const operand *o = &n->c.in[0];
    add_text(&h, n->leaf ? "leaf" : op_name(n->c.op));
    add_type(&h, v[i]);
    for (int64_t k = 0; n->leaf && k < operand_size(o); k++) add_element(&h, o->dtype, operand_at(o, k));
    for (int k = 0; !n->leaf && k < n->c.nin; k++) add_number(&h, n->src[k]);
    add_number(&h, n->root);
  }
  return XXH64_digest(&h);
}

bool graph_hash_roots(const random_graph *g, tme_scope *s, tme_array **v, uint64_t *hash) {
  XXH64_state_t h;
  XXH64_reset(&h, 0);
  for (int i = 0; i < g->n; i++) {
    if (!g->node[i].root) continue;
    tme_dtype t = tme_array_dtype(v[i]);
    const char *elements = tme_data(s, v[i]);
    if (!elements) return false;
    add_type(&h, v[i]);
    for (int64_t k = 0; k < tme_array_size(v[i]); k++) add_element(&h, t, elements + (size_t)k * tme_dtype_size(t));
  }
  *hash = XXH64_digest(&h);
  return true;
}
