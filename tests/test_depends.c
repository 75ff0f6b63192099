/* What depends on a group of nodes: looked for where it may be, and by marking all that does. */
#include "lower/depends.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { NODES = 60, GROUPS = 12, GRAPHS = 400 };

static unsigned below(unsigned *seed, unsigned n) {
  *seed = *seed * 1664525u + 1013904223u;
  return (*seed >> 8) % n;
}

/* Sums of two values each, most of them made shortly before. */
static graph *random_graph(unsigned *seed) {
  graph *g = graph_new(1);
  assert_non_null(g);
  graph_leaf(g, &(op_type){.dtype = TME_F32, .rank = 1, .shape = {2}}, (int64_t[]){1}, 0);
  while (g->n < NODES) {
    unsigned n = (unsigned)g->n, near = n < 6 ? n : 6;
    int x = (int)(n - 1 - below(seed, near)), y = (int)below(seed, below(seed, 3) ? near : n);
    graph_bin(g, OP_add, x, below(seed, 3) ? (int)n - 1 - y % (int)near : y);
  }
  return g;
}

/* A fusion without groups, with lists of users. */
static void set_up(fusion *f, const graph *g) {
  memset(f, 0, sizeof *f);
  f->n = g->n;
  f->groups = calloc(GROUPS, sizeof *f->groups);
  f->members = calloc(NODES, sizeof *f->members);
  f->group_of = calloc(NODES, sizeof *f->group_of);
  f->users_of = calloc(NODES + 1, sizeof *f->users_of);
  f->users = calloc(2 * NODES, sizeof *f->users);
  assert_true(f->groups && f->members && f->group_of && f->users_of && f->users);
  int n = 0;
  for (int i = 0; i < g->n; i++) {
    f->group_of[i] = -1;
    f->users_of[i] = n;
    for (int j = i + 1; j < g->n; j++)
      for (int k = 0; k < g->node[j].nin; k++)
        if (graph_in(g, j, k) == i) f->users[n++] = j;
  }
  f->users_of[g->n] = n;
}

static void tear_down(fusion *f) {
  free(f->groups);
  free(f->members);
  free(f->group_of);
  free(f->users_of);
  free(f->users);
}

/* All that depends on the group, members included: until nothing changes. */
static void mark(const graph *g, const fusion *f, int gr, bool *after) {
  memset(after, 0, NODES * sizeof *after);
  for (bool changed = true; changed;) {
    changed = false;
    for (int i = 0; i < g->n; i++) {
      bool d = f->group_of[i] == gr;
      for (int k = 0; k < g->node[i].nin; k++) d |= after[graph_in(g, i, k)];
      for (int j = 0; j < g->n; j++) d |= f->group_of[i] >= 0 && f->group_of[j] == f->group_of[i] && after[j];
      changed |= d && !after[i];
      after[i] |= d;
    }
  }
}

static void check(const graph *g, const fusion *f, depends *d, int gr, unsigned *seed) {
  bool want[NODES];
  mark(g, f, gr, want);
  depends_start(d, gr);
  for (int k = 0; k < 2 * NODES; k++) { /* in any order, and again */
    int i = (int)below(seed, NODES);
    if (f->group_of[i] != gr && depends_on(d, i) != want[i])
      fail_msg("group %d from node %d on: node %d %s on it", gr, f->groups[gr].seed, i,
               want[i] ? "depends" : "does not depend");
  }
}

static void as_marked(void **state) {
  (void)state;
  unsigned seed = 1;
  for (int n = 0; n < GRAPHS; n++) {
    graph *g = random_graph(&seed);
    fusion f;
    depends d;
    set_up(&f, g);
    assert_true(depends_init(&d, g, &f));
    int members = 0;
    for (int i = 1; i < g->n && f.ngroups < GROUPS; i++) {
      if (f.group_of[i] >= 0 || below(&seed, 3)) continue;
      int gr = f.ngroups++;
      group *G = &f.groups[gr];
      *G = (group){.kind = GROUP_MAP, .seed = i, .member = f.members + members};
      for (int j = i; j < g->n; j++) {
        if (f.group_of[j] >= 0 || (j > i && below(&seed, j < i + 8 ? 3 : 20))) continue;
        f.group_of[j] = gr;
        G->member[G->nmembers++] = j;
        if (j == i || !below(&seed, 3)) check(g, &f, &d, gr, &seed);
      }
      members += G->nmembers;
      check(g, &f, &d, gr, &seed);
      depends_end(&d);
    }
    depends_free(&d);
    tear_down(&f);
    graph_free(g);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(as_marked)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
