#include "bench.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>

/* Three digits that count: 0.0123, 1.23, 123. */
static void print_ms(int width, double ms) {
  if (isnan(ms))
    printf(" %*s", width, "-");
  else
    printf(" %*.*f", width, ms < 0.1 ? 4 : ms < 10 ? 3 : ms < 100 ? 2 : 0, ms);
}

void report_header(const bench_table *t) {
  printf("%-11s %-12s %-9s %10s %10s %8s %9s", "op", "shape", "dtype", t->plain, "jit", "factor", "error");
  for (int i = 0; i < t->npeers; i++) printf(" %10s", t->peers[i]);
  printf("   (ms)\n");
}

void report_row(const bench_table *t, const bench_row *r) {
  printf("%-11s %-12s %-9s", r->k->op, r->k->shape, tme_dtype_name(r->dtype));
  print_ms(10, r->ms_plain);
  print_ms(10, r->ms_jit);
  double factor = r->ms_plain / r->ms_jit;
  if (isnan(factor))
    printf(" %8s", "-");
  else
    printf(" %7.*fx", factor < 10 ? 2 : factor < 100 ? 1 : 0, factor);
  if (isnan(r->error))
    printf(" %9s", "-");
  else
    printf(" %9.1e", r->error);
  for (int i = 0; i < t->npeers; i++) print_ms(10, r->ms_peer[i]);
  putchar('\n');
  fflush(stdout);
}

/* JSON has no NaN. */
static json_t *real(double x) { return isfinite(x) ? json_real(x) : json_null(); }

bool report_json(const bench_table *t) {
  json_t *list = json_array();
  for (int i = 0; i < t->nrows; i++) {
    const bench_row *r = &t->rows[i];
    json_t *peers = json_object();
    for (int k = 0; k < t->npeers; k++)
      if (isfinite(r->ms_peer[k])) json_object_set_new(peers, t->peers[k], json_real(r->ms_peer[k]));
    json_t *o = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "op", r->k->op, "shape", r->k->shape, "dtype",
                          tme_dtype_name(r->dtype), "ms_nojit", real(r->ms_plain), "ms_jit", real(r->ms_jit), "factor",
                          real(r->ms_plain / r->ms_jit), "max_rel_error", real(r->error), "peers", peers);
    if (!o || json_array_append_new(list, o) != 0) {
      json_decref(list);
      return false;
    }
  }
  bool ok = list && json_dumpf(list, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) == 0;
  putchar('\n');
  json_decref(list);
  return ok;
}
