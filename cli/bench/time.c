/* A row of the table: everybody takes turns. */
#include "bench/bench.h"
#include "bench/service.h"
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { PLAIN = 0, JIT = 1, FIRST_PEER = 2, CONTESTANTS = FIRST_PEER + BENCH_PEERS };

typedef struct contestant {
  double ms[BENCH_SAMPLES];
  double about; /* a call, before all turns */
  int n, turns, batch;
  bool active;
} contestant;

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Threads of some libraries wait for more work without sleeping: OpenBLAS 2^26 cycles, others less. */
typedef struct pace {
  int rounds;
  double turn_ms;
  int settle_us; /* after a library's turn */
  bool again;    /* the limits are measured once more */
  tme_dtype dtype;
  double others;
} pace;

/* The value below which that share of the sorted samples lies. */
static double quantile(const double *sorted, int n, double share) {
  double at = share * (n - 1);
  int below = (int)at;
  double next = sorted[below + 1 < n ? below + 1 : below];
  return sorted[below] + (at - below) * (next - sorted[below]);
}

timing summary(double *samples, int n) {
  timing t = {.ms = (double)NAN, .low = (double)NAN, .high = (double)NAN, .samples = n};
  if (n == 0) return t;
  qsort(samples, (size_t)n, sizeof *samples, ascending);
  t.low = quantile(samples, n, 0.25);
  t.ms = quantile(samples, n, 0.5);
  t.high = quantile(samples, n, 0.75);
  return t;
}

/* The first calls, which compile. Of plain C, one that outlasts all turns together is counted itself and ends the matter:
 * false. */
static bool own_begin(own *o, const bench *b, double all_ms, contestant *s) {
  double first = own_calls(o, b->c, 1);
  if (first < 0) return false;
  if (first > all_ms && o->engine == b->before) {
    s->ms[s->n++] = first;
    return false;
  }
  double second = own_calls(o, b->c, 1);
  if (second < 0) return false;
  s->about = second;
  s->batch = batch_of(second);
  return true;
}

/* Calls for so long; false after the message. */
static bool own_turn(own *o, const cli *c, double turn_ms, contestant *s) {
  double ms = own_calls(o, c, s->batch), end = clock_ms() + turn_ms;
  if (ms >= 0 && ms < (double)BENCH_LONG_MS) ms = own_calls(o, c, s->batch);
  for (; ms >= 0 && s->n < BENCH_SAMPLES; ms = own_calls(o, c, s->batch)) {
    s->ms[s->n++] = ms;
    if (clock_ms() >= end) return true;
  }
  return ms >= 0;
}

/* Who is that much slower than the engine is known well enough, and would hold up everybody. */
static bool far_behind(const contestant *s, const contestant *jit) {
  enum { TURNS = 5, FACTOR = 5 };
  return s->turns >= TURNS && s->n > 0 && jit->n > 0 && s->ms[s->n - 1] > (double)FACTOR * jit->ms[jit->n - 1];
}

static void take_turns(bench *b, own *engines, contestant *all, const pace *p) {
  enum { ENOUGH = 5, PATIENCE_MS = 60000 };
  const bench_case *k = engines[JIT].k;
  double late = clock_ms() + (double)PATIENCE_MS;
  for (int round = 0; round < p->rounds && (round < ENOUGH || clock_ms() < late); round++) {
    for (int i = 0; i < FIRST_PEER + b->table.npeers; i++) {
      contestant *s = &all[i];
      if (!s->active) continue;
      worker *peer = i < FIRST_PEER ? NULL : &b->table.peers[i - FIRST_PEER];
      const char *name = peer ? peer->name : i == JIT ? "tme" : b->table.plain;
      progress("%s %s: %s, turn %d of %d", k->op, k->shape, name, round + 1, p->rounds);
      s->turns++;
      if (!peer) {
        s->active = own_turn(&engines[i], b->c, p->turn_ms, s);
      } else {
        s->n = worker_run(peer, b->c, p->turn_ms, s->ms, s->n);
        usleep((useconds_t)p->settle_us);
      }
      if (i != JIT && far_behind(s, &all[JIT])) s->active = false;
    }
    if (p->again) limits_again(&b->table.limits, k, p->dtype, p->others);
  }
  progress_end();
}

bool measure_row(bench *b, const bench_case *k, bench_row *row) {
  own engines[2] = {{0}, {0}};
  contestant *all = calloc(CONTESTANTS, sizeof *all);
  tme_dtype dtype = k->dtype == TME_DTYPE_NONE ? b->dtype : k->dtype;
  *row = (bench_row){.k = k, .dtype = dtype, .error = (double)NAN, .limit_ms = (double)NAN};
  progress("%s %s: inputs", k->op, k->shape);
  bool ok = all && own_prepare(&engines[JIT], b->c, cli_engine(b->c), k, dtype) && own_compile(&engines[JIT], b->c);
  double others = ok ? own_operations(&engines[JIT], b->c) : -1;
  ok = ok && others >= 0;
  row->others = others;
  if (ok && b->plain)
    ok = own_prepare(&engines[PLAIN], b->c, b->before, k, dtype) && own_compile(&engines[PLAIN], b->c);
  if (ok) {
    all[PLAIN].active = b->plain;
    all[JIT].active = true;
    for (int i = 0; i < b->table.npeers; i++) {
      progress("%s %s: %s", k->op, k->shape, b->table.peers[i].name);
      all[FIRST_PEER + i].active = worker_prepare(&b->table.peers[i], b->c, k, dtype);
    }
    pace p = {b->quick ? 3 : 21, b->quick ? 15 : 20, 40000, true, dtype, others};
    for (int i = PLAIN; i <= JIT; i++)
      if (all[i].active) all[i].active = own_begin(&engines[i], b, p.turn_ms * p.rounds, &all[i]);
    take_turns(b, engines, all, &p);
    row->limit_ms = limits_of(&b->table.limits, k, dtype, others, &row->limit);
    ok = all[JIT].n > 0 && (!b->plain || all[PLAIN].n > 0);
    row->plain = summary(all[PLAIN].ms, all[PLAIN].n);
    row->jit = summary(all[JIT].ms, all[JIT].n);
    for (int i = 0; i < b->table.npeers; i++) row->peer[i] = summary(all[FIRST_PEER + i].ms, all[FIRST_PEER + i].n);
    ok = ok && own_hash(&engines[JIT], b->c, row->hash);
    progress("%s %s: error", k->op, k->shape);
    double error = ok ? own_error(&engines[JIT], b->c, b->reference) : -1;
    if (error >= 0) row->error = error;
    ok = ok && error >= 0;
  }
  progress_end();
  own_free(&engines[PLAIN]);
  own_free(&engines[JIT]);
  free(all);
  return ok;
}

/* Who is known to be that much slower has no turns: the best peer is another one, or the ratio as good as known. */
static bool prepare_peer(bench *b, worker *peer, const bench_case *k, contestant *s, double mine) {
  enum { FACTOR = 6 };
  progress("%.60s: %s", k->text, peer->name);
  *peer->said = '\0';
  if (!worker_prepare(peer, b->c, k, TME_F32)) return false;
  if (!(peer->about_ms > FACTOR * mine)) return true;
  s->ms[s->n++] = peer->about_ms;
  return false;
}

bool measure_workload(bench *b, const bench_case *k, bench_row *row) {
  own engines[2] = {{0}, {0}}, *mine = &engines[JIT];
  contestant *all = calloc(CONTESTANTS, sizeof *all);
  pace p = {.rounds = b->quick ? 2 : 5, .turn_ms = b->quick ? 2 : 6, .settle_us = b->quick ? 0 : 15000};
  *row = (bench_row){.k = k, .dtype = TME_F32, .error = (double)NAN, .limit_ms = (double)NAN};
  progress("%.60s: inputs", k->text);
  bool ok = all && own_prepare(mine, b->c, cli_engine(b->c), k, TME_F32) && own_compile(mine, b->c) &&
            own_difference(mine, b->c, &row->error);
  if (ok && !(row->error <= k->tolerance)) {
    complain(b->c, "%s: its values differ from NumPy's by %.1e", k->text, row->error);
    ok = false;
  }
  if (ok && own_begin(mine, b, 0, &all[JIT])) {
    all[JIT].active = true;
    for (int i = 0; i < b->table.npeers; i++)
      all[FIRST_PEER + i].active = prepare_peer(b, &b->table.peers[i], k, &all[FIRST_PEER + i], all[JIT].about);
    take_turns(b, engines, all, &p);
    row->jit = summary(all[JIT].ms, all[JIT].n);
    for (int i = 0; i < b->table.npeers; i++) row->peer[i] = summary(all[FIRST_PEER + i].ms, all[FIRST_PEER + i].n);
    ok = all[JIT].n > 0;
  }
  progress_end();
  own_free(mine);
  free(all);
  return ok;
}

bool hash_row(bench *b, const bench_case *k, bench_row *row) {
  own o = {0};
  *row = (bench_row){.k = k, .dtype = k->dtype == TME_DTYPE_NONE ? b->dtype : k->dtype};
  row->plain = row->jit = summary(NULL, 0);
  row->error = row->limit_ms = (double)NAN;
  progress("%s %s: hash", k->op, k->shape);
  bool ok =
      own_prepare(&o, b->c, cli_engine(b->c), k, row->dtype) && own_compile(&o, b->c) && own_hash(&o, b->c, row->hash);
  progress_end();
  own_free(&o);
  return ok;
}
