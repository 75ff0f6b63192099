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
  for (int i = 0; i < e->backends.n; i++)
    if (e->backends.at[i]->stats) e->backends.at[i]->stats(e->backends.at[i], out);
}

bool tme_engine_has_jit(tme_engine *e) {
  return e && engine_main(e)->has_jit && engine_main(e)->has_jit(engine_main(e));
}

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
  backend *main = engine_main(e);
  snprintf(out->device, sizeof out->device, "%s", main->device);
  snprintf(out->precision, sizeof out->precision, "%s", e->context.config.precision);
  snprintf(out->backend, sizeof out->backend, "%s", main->name);
  snprintf(out->wanted, sizeof out->wanted, "%s", e->wish.wanted);
  snprintf(out->got, sizeof out->got, "%s", e->wish.got);
  snprintf(out->wanted_reason, sizeof out->wanted_reason, "%s", e->wish.reason);
  if (main->status)
    main->status(main, out);
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
