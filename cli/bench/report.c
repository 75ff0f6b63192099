#include "bench/report.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Four digits that count: 0.000394, 0.0123, 1.23, 123. */
static void print_ms(int width, double ms) {
  if (isnan(ms))
    printf(" %*s", width, "-");
  else
    printf(" %*.*f", width, ms < 0.01 ? 6 : ms < 0.1 ? 4 : ms < 10 ? 3 : ms < 100 ? 2 : 0, ms);
}

static void print_factor(int width, double factor) {
  if (isnan(factor))
    printf(" %*s", width, "-");
  else
    printf(" %*.*fx", width - 1, factor < 10 ? 2 : factor < 100 ? 1 : 0, factor);
}

static int column(const char *name) {
  int n = (int)strlen(name);
  return n > 10 ? n : 10;
}

double bench_bytes(const bench_row *r) { return r->k->elements * (double)tme_dtype_size(r->dtype); }

double best_peer(const bench_table *t, const bench_row *r, int *peer) {
  *peer = -1;
  for (int i = 0; i < t->npeers; i++)
    if (!t->peers[i].routine && isfinite(r->peer[i].ms) && (*peer < 0 || r->peer[i].ms < r->peer[*peer].ms)) *peer = i;
  return *peer < 0 ? (double)NAN : r->peer[*peer].ms;
}

double limit_share(const bench_row *r, const char **why) {
  double share = r->limit_ms / r->jit.ms;
  *why = share > 1.1
             ? "the call was faster than the limit by more than 10 %, so that the limit was measured too low: others "
               "used the machine"
             : NULL;
  return *why ? (double)NAN : share;
}

static void print_limits(const bench_limits *l) {
  static const char *const levels[LEVELS] = {"L2", "L3", "memory"};
  printf("limits, one thread / %d thread%s: f32 %.1f / %.1f GFLOP/s, f64 %.1f / %.1f", l->threads, PLURAL(l->threads),
         l->f32[0], l->f32[1], l->f64[0], l->f64[1]);
  if (l->bf16[1] > 0) printf(", bf16 %.1f / %.1f", l->bf16[0], l->bf16[1]);
  printf(", functions %.1f / %.1f Gop/s", l->mix[0], l->mix[1]);
  printf("\nlimits, %d thread%s, read / copied (both ways): ", l->threads, PLURAL(l->threads));
  for (int i = 0; i < LEVELS; i++) printf("%s%s %.1f / %.1f", i ? ", " : "", levels[i], l->read[i], l->copy[i]);
  printf(" GB/s\n");
}

void report_limits(const bench_table *t) {
  const char *why = NULL;
  for (int i = 0; i < t->nrows && !why; i++) limit_share(&t->rows[i], &why);
  if (why) printf("unclear: %s\n", why);
  print_limits(&t->limits);
}

void report_header(const bench_table *t) {
  printf("%-17s %-16s %-9s %10s %10s %8s %9s", "op", "shape", "dtype", t->plain, "jit", "factor", "error");
  for (int i = 0; i < t->npeers; i++) printf(" %*s", column(t->peers[i].name), t->peers[i].name);
  printf(" %7s  %s\n", "limit", t->npeers ? "best peer (ms)" : "(ms)");
}

void report_row(const bench_table *t, const bench_row *r) {
  int best;
  double ms = best_peer(t, r, &best);
  printf("%-17s %-16s %-9s", r->k->op, r->k->shape, tme_dtype_name(r->dtype));
  print_ms(10, r->plain.ms);
  print_ms(10, r->jit.ms);
  print_factor(8, r->plain.ms / r->jit.ms);
  if (isnan(r->error))
    printf(" %9s", "-");
  else
    printf(" %9.1e", r->error);
  for (int i = 0; i < t->npeers; i++) print_ms(column(t->peers[i].name), r->peer[i].ms);
  const char *why;
  double share = limit_share(r, &why);
  if (isnan(share))
    printf(" %7s ", why ? "unclear" : "-");
  else
    printf(" %6.0f%% ", 100 * share);
  if (best >= 0) {
    print_factor(6, ms / r->jit.ms);
    printf(" %s", t->peers[best].name);
  }
  putchar('\n');
  fflush(stdout);
}

void report_hash(const bench_row *r) {
  printf("%s %s %s %s\n", r->hash, r->k->op, r->k->shape, tme_dtype_name(r->dtype));
  fflush(stdout);
}

/* JSON has no NaN. */
static json_t *real(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static json_t *spread(const timing *t) {
  return json_pack("{s:f, s:f, s:f, s:i}", "ms", t->ms, "q1", t->low, "q3", t->high, "samples", t->samples);
}

static json_t *levels_json(const double *gbs) {
  return json_pack("{s:o, s:o, s:o}", "L2", real(gbs[LEVEL_L2]), "L3", real(gbs[LEVEL_L3]), "memory",
                   real(gbs[LEVEL_MEMORY]));
}

/* One thread, all threads. */
static json_t *pair(const double *gflops) { return json_pack("[o, o]", real(gflops[0]), real(gflops[1])); }

static json_t *machine_json(const bench_limits *l) {
  return json_pack("{s:i, s:{s:o, s:o, s:o}, s:o, s:o, s:o}", "threads", l->threads, "gflops", "float32", pair(l->f32),
                   "float64", pair(l->f64), "bfloat16", l->bf16[1] > 0 ? pair(l->bf16) : json_null(), "functions_gops",
                   pair(l->mix), "read_gbs", levels_json(l->read), "copy_gbs", levels_json(l->copy));
}

static json_t *row_json(const bench_table *t, const bench_row *r) {
  json_t *peers = json_object(), *spreads = json_object();
  int best;
  double ms = best_peer(t, r, &best);
  if (r->plain.samples) json_object_set_new(spreads, "nojit", spread(&r->plain));
  if (r->jit.samples) json_object_set_new(spreads, "jit", spread(&r->jit));
  for (int k = 0; k < t->npeers; k++) {
    if (!r->peer[k].samples) continue;
    json_object_set_new(peers, t->peers[k].name, json_real(r->peer[k].ms));
    json_object_set_new(spreads, t->peers[k].name, spread(&r->peer[k]));
  }
  json_t *o = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:s?, s:o, s:o}", "op", r->k->op, "shape", r->k->shape, "dtype",
                        tme_dtype_name(r->dtype), "ms_nojit", real(r->plain.ms), "ms_jit", real(r->jit.ms), "factor",
                        real(r->plain.ms / r->jit.ms), "hash", *r->hash ? r->hash : NULL, "max_rel_error",
                        real(r->error), "peers", peers);
  const char *why;
  double share = limit_share(r, &why);
  json_t *more =
      json_pack("{s:o, s:o, s:o, s:o, s:s?, s:o, s:s?, s:s?, s:o, s:o}", "spread", spreads, "operations",
                json_integer((json_int_t)r->k->operations), "bytes", json_integer((json_int_t)bench_bytes(r)),
                "limit_ms", real(why ? (double)NAN : r->limit_ms), "limit", r->limit, "limit_share", real(share),
                "limit_note", why, "best_peer", best < 0 ? NULL : t->peers[best].name, "vs_best_peer",
                real(ms / r->jit.ms), "machine", t->limits.threads ? machine_json(&t->limits) : json_null());
  bool ok = o && more && json_object_update(o, more) == 0;
  json_decref(more);
  if (ok) return o;
  json_decref(o);
  return NULL;
}

bool report_json(const bench_table *t) {
  json_t *list = json_array();
  for (int i = 0; i < t->nrows; i++) {
    json_t *o = row_json(t, &t->rows[i]);
    if (!o || json_array_append_new(list, o) != 0) {
      json_decref(list);
      return false;
    }
  }
  bool ok = list && write_json(list);
  json_decref(list);
  return ok;
}
