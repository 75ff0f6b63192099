/* What a sweep gave: how the ratios are distributed, by kind, and the worst. */
#include "bench/report.h"
#include "bench/sweep.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The best peer's time over the engine's; NAN: there is none. */
static double ratio_of(const sweep *w, const workload *x, int *peer) {
  double best = best_peer(&w->b->table, &x->row, peer);
  return x->failed ? (double)NAN : best / x->row.jit.ms;
}

typedef struct group {
  const char *kind; /* NULL: all */
  int workloads, compared, ahead;
  double mean, least; /* the mean is geometric */
  timing spread;
} group;

/* False: out of memory. */
static bool gather(const sweep *w, const char *kind, group *g) {
  double *ratios = malloc(((size_t)w->n + 1) * sizeof *ratios), logs = 0;
  *g = (group){.kind = kind, .least = (double)INFINITY};
  if (!ratios) return false;
  for (int i = 0, peer; i < w->n; i++) {
    const workload *x = w->all[i];
    if (kind && strcmp(x->k.op, kind) != 0) continue;
    g->workloads++;
    double ratio = ratio_of(w, x, &peer);
    if (!isfinite(ratio)) continue;
    ratios[g->compared++] = ratio;
    g->ahead += ratio >= 1;
    logs += log(ratio);
    if (ratio < g->least) g->least = ratio;
  }
  g->mean = exp(logs / g->compared);
  g->spread = summary(ratios, g->compared);
  free(ratios);
  return true;
}

static int by_mean(const void *a, const void *b) {
  double x = ((const group *)a)->mean, y = ((const group *)b)->mean;
  return isnan(x) || isnan(y) ? isnan(x) - isnan(y) : (x > y) - (x < y);
}

/* The kinds that were drawn, the worst first; NULL: out of memory. */
static group *gather_kinds(const sweep *w, int *n) {
  group *kinds = calloc((size_t)w->n + 1, sizeof *kinds);
  *n = 0;
  for (int i = 0; kinds && i < w->n; i++) {
    int k = 0;
    while (k < *n && strcmp(kinds[k].kind, w->all[i]->k.op) != 0) k++;
    if (k < *n) continue;
    if (!gather(w, w->all[i]->k.op, &kinds[(*n)++])) {
      free(kinds);
      return NULL;
    }
  }
  if (kinds) qsort(kinds, (size_t)*n, sizeof *kinds, by_mean);
  return kinds;
}

static double share(const group *g) { return (double)g->ahead / g->compared; }

static void print_distribution(const sweep *w, const group *all) {
  enum { WIDTH = 60 };
  static const double bounds[] = {0, 0.25, 0.5, 0.8, 1, 1.25, 2, 4, (double)INFINITY};
  for (size_t k = 0; k + 1 < sizeof bounds / sizeof *bounds; k++) {
    int n = 0, peer;
    for (int i = 0; i < w->n; i++) {
      double ratio = ratio_of(w, w->all[i], &peer);
      n += ratio >= bounds[k] && ratio < bounds[k + 1];
    }
    if (isinf(bounds[k + 1]))
      printf("  %4.2f and more %4d  ", bounds[k], n);
    else
      printf("  %4.2f to %4.2f  %4d  ", bounds[k], bounds[k + 1], n);
    for (int i = 0; i < (WIDTH * n + all->compared - 1) / all->compared; i++) putchar('#');
    putchar('\n');
  }
}

static bool print_kinds(const sweep *w) {
  int n;
  group *kinds = gather_kinds(w, &n);
  if (!kinds) return false;
  printf("\n%-27s %4s %15s %7s %11s\n", "kind", "n", "geometric mean", "least", "at least 1");
  for (int i = 0; i < n; i++) {
    const group *g = &kinds[i];
    if (g->compared)
      printf("%-27s %4d %15.2f %7.2f %10.0f%%\n", g->kind, g->compared, g->mean, g->least, 100 * share(g));
    else
      printf("%-27s %4d %15s %7s %11s\n", g->kind, 0, "-", "-", "-");
  }
  free(kinds);
  return true;
}

typedef struct placed {
  double ratio;
  int peer;
  const workload *x;
} placed;

static int by_ratio(const void *a, const void *b) {
  double x = ((const placed *)a)->ratio, y = ((const placed *)b)->ratio;
  return (x > y) - (x < y);
}

static bool print_worst(const sweep *w) {
  enum { WORST = 20 };
  placed *all = calloc((size_t)w->n + 1, sizeof *all);
  int n = 0;
  if (!all) return false;
  for (int i = 0; i < w->n; i++) {
    placed p = {.x = w->all[i]};
    p.ratio = ratio_of(w, p.x, &p.peer);
    if (isfinite(p.ratio)) all[n++] = p;
  }
  qsort(all, (size_t)n, sizeof *all, by_ratio);
  if (n > WORST) n = WORST;
  printf("\nthe worst %d\n%6s %9s %9s  %-12s %4s  %s\n", n, "ratio", "tme ms", "peer ms", "peer", "no.", "workload");
  for (const placed *p = all; p < all + n; p++) {
    printf("%6.2f %9.4f %9.4f  %-12s %4ld  %s\n", p->ratio, p->x->row.jit.ms, p->x->row.peer[p->peer].ms,
           w->b->table.peers[p->peer].name, p->x->index, p->x->label);
  }
  free(all);
  return true;
}

static void print_left_out(const sweep *w) {
  const char *before = "\nleft out where they lack something or differ: ";
  bool some = false;
  for (int p = 0; p < w->b->table.npeers; p++) {
    const char *name = w->b->table.peers[p].name;
    int n = 0;
    for (int i = 0; i < w->n; i++) n += json_object_get(w->all[i]->left_out, name) != NULL;
    if (!n) continue;
    printf("%s%s %d of %d", some ? ", " : before, name, n, w->n);
    some = true;
  }
  if (some) putchar('\n');
}

void report_sweep(const sweep *w) {
  group all;
  bool ok = gather(w, NULL, &all);
  if (ok) {
    printf("%d workload%s of seed %llu in %.0f s, %d compared, %s thread%s: the best peer's time over this engine's\n",
           w->n, PLURAL(w->n), (unsigned long long)w->b->c->seed, w->seconds, all.compared, w->b->threads,
           PLURAL(atoi(w->b->threads)));
    if (all.compared) {
      printf("median %.2f, quartiles %.2f and %.2f, geometric mean %.2f; at least 1: %.0f %%\n\n", all.spread.ms,
             all.spread.low, all.spread.high, all.mean, 100 * share(&all));
      print_distribution(w, &all);
      ok = print_kinds(w) && print_worst(w);
    }
    print_left_out(w);
    if (w->b->failures) printf("\nfailed, as was said: %d\n", w->b->failures);
  }
  if (!ok) complain(w->b->c, "out of memory");
}

/* ---- JSON ----------------------------------------------------------------------------------------------------------*/

static json_t *real(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static json_t *group_json(const group *g) {
  return json_pack("{s:s?, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "kind", g->kind, "workloads", g->workloads,
                   "compared", g->compared, "geometric_mean", real(g->mean), "least", real(g->least), "median",
                   real(g->spread.ms), "q1", real(g->spread.low), "q3", real(g->spread.high), "at_least_1",
                   real(share(g)));
}

static json_t *workload_json(const sweep *w, const workload *x) {
  int peer;
  double ratio = ratio_of(w, x, &peer);
  json_t *peers = json_object();
  for (int i = 0; i < w->b->table.npeers; i++)
    if (x->row.peer[i].samples) json_object_set_new(peers, w->b->table.peers[i].name, json_real(x->row.peer[i].ms));
  return json_pack("{s:I, s:s, s:s, s:O, s:o, s:o, s:s?, s:o, s:o, s:f, s:O}", "index", (json_int_t)x->index, "kind",
                   x->k.op, "text", x->k.text, "inputs", json_object_get(x->drawn, "inputs"), "ms",
                   real(x->row.jit.samples ? x->row.jit.ms : (double)NAN), "peers", peers, "best_peer",
                   isfinite(ratio) ? w->b->table.peers[peer].name : NULL, "vs_best_peer", real(ratio), "error",
                   real(x->row.error), "tolerance", x->k.tolerance, "left_out", x->left_out);
}

bool report_sweep_json(const sweep *w) {
  group all;
  int n = 0;
  bool ok = gather(w, NULL, &all);
  group *kinds = ok ? gather_kinds(w, &n) : NULL;
  json_t *by_kind = json_array(), *workloads = json_array(), *peers = json_object();
  ok = kinds && by_kind && workloads && peers;
  for (int i = 0; ok && i < n; i++) ok = json_array_append_new(by_kind, group_json(&kinds[i])) == 0;
  for (int i = 0; ok && i < w->n; i++) ok = json_array_append_new(workloads, workload_json(w, w->all[i])) == 0;
  for (int i = 0; ok && i < w->b->table.npeers; i++)
    ok = json_object_set_new(peers, w->b->table.peers[i].name, json_string(w->b->table.peers[i].about)) == 0;
  json_t *o = ok ? json_pack("{s:I, s:f, s:i, s:O, s:o, s:O, s:O}", "seed", (json_int_t)w->b->c->seed, "seconds",
                             w->seconds, "threads", atoi(w->b->threads), "peers", peers, "summary", group_json(&all),
                             "kinds", by_kind, "workloads", workloads)
                 : NULL;
  ok = o && write_json(o);
  json_decref(o);
  json_decref(by_kind);
  json_decref(workloads);
  json_decref(peers);
  free(kinds);
  return ok;
}
