/* An engine's beginning and end. Opening one is cheap: no thread is started and no compiler opened. */
#include "compile/disk_cache.h"
#include "engine/inside.h"
#include "run/async.h"
#include "run/plan.h"
#include "run/trace.h"
#include <stdio.h>
#include <string.h>

const engine_config *engine_config_of(const tme_engine *e) { return &e->config; }
threads *engine_threads(tme_engine *e) { return e->threads; }
pool *engine_pool(tme_engine *e) { return e->pool; }
backend *engine_fallback(tme_engine *e) { return e->fallback; }

static tme_status open_parts(tme_engine *e, error *err) {
  e->threads = threads_new(e->config.threads, err);
  if (!e->threads) return err->code;
  e->pool = pool_new(e->config.pool_bytes, e->config.memory, err);
  if (!e->pool) return err->code;
  e->plans = lru_new(e->config.cache_bytes, e->config.plan_entries, plan_release, NULL, err);
  if (!e->plans) return err->code;
  if (e->config.profile) {
    e->profile = profile_new(e->config.profile, err);
    if (!e->profile) return err->code;
  }
  return backends_open(e, err);
}

static void end(tme_engine *e) {
  async_end(e);
  for (int i = 0; i < COUNT(e->runs); i++) run_free(atomic_load(&e->runs[i]));
  lru_free(e->plans);
  if (e->main && e->main != e->fallback) e->main->close(e->main);
  if (e->fallback) e->fallback->close(e->fallback);
  threads_free(e->threads);
  pool_free(e->pool);
  error why = {.code = TME_OK};
  if (profile_free(e->profile, &why) != TME_OK) engine_log(e, TME_LOG_WARNING, "%s", why.text);
  lock_end(&e->graph);
  lock_end(&e->log_lock);
  lock_end(&e->async_lock);
  config_free(&e->config);
  mem_free(e);
}

static tme_engine *open_engine(const tme_options *o, error *err) {
  tme_engine *e = mem_calloc(1, sizeof *e);
  if (!e) {
    fail_memory(err, "engine", sizeof *e);
    return NULL;
  }
  if (config_resolve(&e->config, o, err) != TME_OK) {
    mem_free(e);
    return NULL;
  }
  atomic_init(&e->refs, 1);
  lock_init(&e->graph, LOCK_GRAPH);
  lock_init(&e->log_lock, LOCK_USERS);
  lock_init(&e->async_lock, LOCK_INNER);
  if (open_parts(e, err) != TME_OK) {
    end(e);
    return NULL;
  }
  engine_log(e, TME_LOG_INFO, "tme %s: device %s, backend %s, precision %s, %d thread%s", TME_VERSION, e->main->device,
             e->main->name, e->config.precision, threads_count(e->threads), PLURAL(threads_count(e->threads)));
  return e;
}

tme_engine *tme_engine_open(const tme_options *o, char *why, size_t why_size) {
  error err = {.code = TME_OK};
  tme_engine *e = open_engine(o, &err);
  if (why && why_size) snprintf(why, why_size, "%s", e ? "" : err.text);
  return e;
}

tme_engine *tme_engine_new(const tme_options *o) { return tme_engine_open(o, NULL, 0); }

tme_engine *engine_retain(tme_engine *e) {
  atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
  return e;
}

void engine_release(tme_engine *e) {
  if (atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) == 1) end(e);
}

void tme_engine_free(tme_engine *e) {
  if (e) engine_release(e);
}

tme_dtype tme_engine_default_dtype(tme_engine *e) { return e ? e->config.default_dtype : TME_DTYPE_NONE; }
const char *tme_engine_cache_dir(tme_engine *e) { return e ? e->config.cache_dir : ""; }
int tme_engine_threads(tme_engine *e) { return e ? threads_count(e->threads) : 0; }

void tme_engine_trim(tme_engine *e) {
  if (e) pool_trim(e->pool);
}

tme_status tme_engine_check_cache(tme_engine *e, char *why, size_t why_size) {
  error err = {.code = TME_OK};
  if (!e)
    fail(&err, TME_ERR_ARGUMENT, "there is no engine");
  else if (*e->config.cache_dir)
    disk_cache_close(disk_cache_open(e->config.cache_dir, e->config.disk_bytes, &err));
  if (why && why_size) snprintf(why, why_size, "%s", err.text);
  return err.code;
}

/* Whatever backend the engine has: what another one left is removed too. */
static void clear_disk(tme_engine *e, error *err) {
  disk_cache *d = *e->config.cache_dir ? disk_cache_open(e->config.cache_dir, e->config.disk_bytes, err) : NULL;
  if (d) disk_cache_clear(d, err);
  disk_cache_close(d);
}

tme_status tme_engine_clear_cache(tme_engine *e, bool disk) {
  if (!e || engine_is_logging(e)) return TME_ERR_ARGUMENT;
  lock_take(&e->graph);
  lru_clear(e->plans);
  lock_give(&e->graph);
  if (e->main->clear_cache) e->main->clear_cache(e->main);
  error why = {.code = TME_OK};
  if (disk) clear_disk(e, &why);
  if (why.code != TME_OK) engine_log(e, TME_LOG_WARNING, "%s", why.text);
  return why.code;
}
