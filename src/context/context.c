#include "context/context.h"
#include "base/threads.h"

static tme_status open_parts(context *c, error *e) {
  c->threads = threads_new(c->config.threads, e);
  if (!c->threads) return e->code;
  c->pool = pool_new(c->config.pool_bytes, c->config.memory, e);
  if (!c->pool) return e->code;
  if (c->config.profile) c->profile = profile_new(c->config.profile, e);
  return c->config.profile && !c->profile ? e->code : TME_OK;
}

tme_status context_open(context *c, const tme_options *o, void (*end)(context *c), error *e) {
  *c = (context){.end = end};
  tme_status s = config_resolve(&c->config, o, e);
  if (s != TME_OK) return s;
  atomic_init(&c->refs, 1);
  lock_init(&c->log_lock, LOCK_USERS);
  lock_init(&c->keys.lock, LOCK_INNER);
  s = open_parts(c, e);
  if (s != TME_OK) context_close(c);
  return s;
}

void context_close(context *c) {
  threads_free(c->threads);
  pool_free(c->pool);
  error why = {.code = TME_OK};
  if (profile_free(c->profile, &why) != TME_OK) context_log(c, TME_LOG_WARNING, "%s", why.text);
  lock_end(&c->log_lock);
  lock_end(&c->keys.lock);
  config_free(&c->config);
}
