/* An engine's beginning and end. Opening one is cheap: no thread is started and no compiler opened. */
#include "base/threads.h"
#include "cache/disk_cache.h"
#include "run/async.h"
#include "run/engine.h"
#include "run/plan.h"
#include "run/trace.h"
#include <stdio.h>
#include <string.h>

static void end(context *c) {
  tme_engine *e = (tme_engine *)(void *)c;
  async_end(e);
  for (int i = 0; i < COUNT(e->runs); i++) run_free(atomic_load(&e->runs[i]));
  lru_free(e->plans);
  for (int i = 0; i < e->backends.n; i++) e->backends.at[i]->close(e->backends.at[i]);
  lock_end(&e->graph);
  lock_end(&e->async_lock);
  context_close(c);
  mem_free(e);
}

static tme_engine *open_engine(const tme_options *o, error *err) {
  tme_engine *e = mem_calloc(1, sizeof *e);
  if (!e) {
    fail_memory(err, "engine", sizeof *e);
    return NULL;
  }
  context *c = &e->context;
  if (context_open(c, o, end, err) != TME_OK) {
    mem_free(e);
    return NULL;
  }
  lock_init(&e->graph, LOCK_GRAPH);
  lock_init(&e->async_lock, LOCK_INNER);
  e->plans = lru_new(c->config.cache_bytes, c->config.plan_entries, plan_release, NULL, err);
  if (!e->plans || backends_open(e, err) != TME_OK) {
    end(c);
    return NULL;
  }
  context_log(c, TME_LOG_INFO, "tme %s: device %s, backend %s, precision %s, %d thread%s", TME_VERSION,
              engine_main(e)->device, engine_main(e)->name, c->config.precision, threads_count(c->threads),
              PLURAL(threads_count(c->threads)));
  return e;
}

tme_engine *tme_engine_open(const tme_options *o, char *why, size_t why_size) {
  error err = {.code = TME_OK};
  tme_engine *e = open_engine(o, &err);
  if (why && why_size) snprintf(why, why_size, "%s", e ? "" : err.text);
  return e;
}

tme_engine *tme_engine_new(const tme_options *o) { return tme_engine_open(o, NULL, 0); }

void tme_engine_free(tme_engine *e) {
  if (e) context_release(&e->context);
}

tme_dtype tme_engine_default_dtype(tme_engine *e) { return e ? e->context.config.default_dtype : TME_DTYPE_NONE; }
const char *tme_engine_cache_dir(tme_engine *e) { return e ? e->context.config.cache_dir : ""; }
int tme_engine_threads(tme_engine *e) { return e ? threads_count(e->context.threads) : 0; }

void tme_seed(tme_engine *e, uint64_t seed) {
  if (e) keys_seed(&e->context.keys, seed);
}

void tme_engine_trim(tme_engine *e) {
  if (e) pool_trim(e->context.pool);
}

tme_status tme_engine_check_cache(tme_engine *e, char *why, size_t why_size) {
  error err = {.code = TME_OK};
  if (!e)
    fail(&err, TME_ERR_ARGUMENT, "there is no engine");
  else if (*e->context.config.cache_dir)
    disk_cache_close(disk_cache_open(e->context.config.cache_dir, e->context.config.disk_bytes, &err));
  if (why && why_size) snprintf(why, why_size, "%s", err.text);
  return err.code;
}

/* Whatever backend the engine has: what another one left is removed too. */
static void clear_disk(tme_engine *e, error *err) {
  disk_cache *d = *e->context.config.cache_dir
                      ? disk_cache_open(e->context.config.cache_dir, e->context.config.disk_bytes, err)
                      : NULL;
  if (d) disk_cache_clear(d, err);
  disk_cache_close(d);
}

tme_status tme_engine_clear_cache(tme_engine *e, bool disk) {
  if (!e || context_is_logging(&e->context)) return TME_ERR_ARGUMENT;
  lock_take(&e->graph);
  lru_clear(e->plans);
  lock_give(&e->graph);
  for (int i = 0; i < e->backends.n; i++)
    if (e->backends.at[i]->clear_cache) e->backends.at[i]->clear_cache(e->backends.at[i]);
  error why = {.code = TME_OK};
  if (disk) clear_disk(e, &why);
  if (why.code != TME_OK) context_log(&e->context, TME_LOG_WARNING, "%s", why.text);
  return why.code;
}
