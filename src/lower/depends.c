#include "lower/depends.h"

enum { MOST_SEARCHED = 4096 }; /* nodes: the way from a value to a group farther away is not looked for */

bool depends_init(depends *d, const graph *g, const fusion *f) {
  size_t n = (size_t)g->n + 1;
  *d = (depends){.g = g, .f = f};
  d->top = mem_alloc(n * sizeof *d->top);
  d->known = mem_calloc(n, sizeof *d->known);
  d->queue = mem_alloc(n * sizeof *d->queue);
  if (!d->top || !d->known || !d->queue) return false;
  for (int i = 0; i < g->n; i++) d->top[i] = i;
  return true;
}

void depends_free(depends *d) {
  mem_free(d->top);
  mem_free(d->known);
  mem_free(d->queue);
}

void depends_start(depends *d, int gr) {
  d->group = gr;
  d->epoch++;
}

/* Queues what must be looked through to tell whether node i depends on the group. True if it is known that it does. */
static bool look(depends *d, int i, int *queued) {
  if (i < 0 || d->known[i] == 2 * d->epoch) return false;
  int other = d->f->group_of[i];
  if (other == d->group || d->known[i] == 2 * d->epoch + 1) return true;
  if (d->top[i] < d->f->groups[d->group].seed) return false;
  const group *whole = other >= 0 ? &d->f->groups[other] : NULL;
  for (int k = 0; k < (whole ? whole->nmembers : 1); k++) {
    int member = whole ? whole->member[k] : i;
    d->known[member] = 2 * d->epoch;
    d->queue[(*queued)++] = member;
  }
  return false;
}

bool depends_on(depends *d, int i) {
  int queued = 0;
  bool found = look(d, i, &queued);
  for (int at = 0; at < queued && !found; at++) {
    int node = d->queue[at];
    for (int k = 0; k < d->g->node[node].nin && !found; k++) found = look(d, graph_in(d->g, node, k), &queued);
    found |= queued > MOST_SEARCHED;
  }
  if (!found) return false;
  for (int at = 0; at < queued; at++) d->known[d->queue[at]] = 0;
  d->known[i] = 2 * d->epoch + 1;
  return true;
}

/* Node i, or the whole group that it is a member of, is computed after a node with the number `top`. */
static void lift(depends *d, int i, int top, int *queued) {
  if (d->top[i] >= top) return;
  const group *whole = d->f->group_of[i] >= 0 ? &d->f->groups[d->f->group_of[i]] : NULL;
  for (int k = 0; k < (whole ? whole->nmembers : 1); k++) {
    int member = whole ? whole->member[k] : i;
    if (d->top[member] >= top) continue;
    d->top[member] = top;
    d->queue[(*queued)++] = member;
  }
}

void depends_end(depends *d) {
  const group *G = &d->f->groups[d->group];
  int top = 0, queued = 0;
  for (int k = 0; k < G->nmembers; k++)
    if (d->top[G->member[k]] > top) top = d->top[G->member[k]];
  for (int k = 0; k < G->nmembers; k++) lift(d, G->member[k], top, &queued);
  for (int at = 0; at < queued; at++)
    for (int k = d->f->users_of[d->queue[at]]; k < d->f->users_of[d->queue[at] + 1]; k++)
      lift(d, d->f->users[k], top, &queued);
}
