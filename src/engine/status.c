/* Figures, and the JIT's state. */
#include "backend/libraries.h"
#include "run/engine.h"
#include <stdio.h>

void tme_engine_stats(tme_engine *e, tme_stats *out) {
  if (!out) return;
  *out = (tme_stats){0};
  if (!e || context_is_logging(&e->context)) return;
  pool_stats p;
  pool_get_stats(e->context.pool, &p);
  out->pool_bytes_used = p.used;
  out->pool_bytes_kept = p.kept;
  out->pool_peak = p.peak;
  out->pool_hits = p.hits;
  out->pool_misses = p.misses;
  lock_take(&e->graph);
  lru_stats plans = lru_stats_of(e->plans);
  lock_give(&e->graph);
  out->plan_entries = plans.entries;
  out->plan_hits = plans.hits;
  out->plan_misses = plans.misses;
  out->plan_evictions = plans.evictions;
  out->evaluations = atomic_load(&e->evaluations);
  out->fallbacks = atomic_load(&e->fallbacks);
  out->failures = atomic_load(&e->failures);
  if (e->main->stats) e->main->stats(e->main, out);
  if (e->context.fallback != e->main && e->context.fallback->stats)
    e->context.fallback->stats(e->context.fallback, out);
}

bool tme_engine_has_jit(tme_engine *e) { return e && e->main->has_jit && e->main->has_jit(e->main); }

void tme_engine_status(tme_engine *e, tme_jit_status *out) {
  if (!out) return;
  *out = (tme_jit_status){.state = TME_JIT_DISABLED};
  if (!e) {
    snprintf(out->reason, sizeof out->reason, "there is no engine");
    return;
  }
  if (context_is_logging(&e->context)) {
    out->state = TME_JIT_FAILED;
    snprintf(out->reason, sizeof out->reason, "asked by the engine's own log callback");
    return;
  }
  snprintf(out->device, sizeof out->device, "%s", e->main->device);
  snprintf(out->precision, sizeof out->precision, "%s", e->context.config.precision);
  snprintf(out->backend, sizeof out->backend, "%s", e->main->name);
  snprintf(out->wanted, sizeof out->wanted, "%s", e->wish.wanted);
  snprintf(out->got, sizeof out->got, "%s", e->wish.got);
  snprintf(out->wanted_reason, sizeof out->wanted_reason, "%s", e->wish.reason);
  if (e->main->status)
    e->main->status(e->main, out);
  else
    snprintf(out->reason, sizeof out->reason, "%s", *e->main_why ? e->main_why : "this backend does not compile");
  tme_engine_stats(e, &out->stats);
}

const char *tme_blas(const char **warning) {
  const libraries *l = libraries_use();
  const char *name = l ? l->name : "";
  if (warning) *warning = l ? l->slow : "";
  if (l) libraries_leave();
  return name;
}
