/* What the other folders see of the engine. */
#ifndef TME_ENGINE_H
#define TME_ENGINE_H

#include "backend/backend.h"
#include "base/threads.h"

/* The options with the environment and the defaults filled in. */
typedef struct engine_config {
  tme_dtype default_dtype;        /* of floating arrays made without one: f32 for "mixed" */
  tme_dtype untyped_dtype;        /* of untyped floating values: f64, or the default dtype */
  bool untyped;                   /* what is computed from them alone is untyped too */
  bool mixed;                     /* operands of products go to 16 bits, all else is f32 */
  char precision[16];             /* as asked for */
  char device[16];                /* "auto", "cpu", "cuda", "gpu", "mlx" */
  char backend[16];               /* "auto", "cpu", "mlx", "nojit", "reference"; in tests "far" */
  bool must_device, must_backend; /* it is an error if they are not there */
  int threads;                    /* 0: the processors allowed */
  size_t memory;                  /* that this process may use */
  size_t pool_bytes, cache_bytes, plan_entries, disk_bytes;
  char *cache_dir; /* "": no cache on disk */
  bool jit;
  const char *jit_off; /* why `jit` is false */
  bool quiet_numeric, check;
  bool tune;                  /* products are timed */
  bool perf_map, mlx_compile; /* TME_PERF_MAP, TME_MLX_COMPILE */
  int debug;                  /* TME_DEBUG: 0 to 5 */
  char *profile;              /* TME_PROFILE: a path, or NULL */
  tme_log_fn *log;
  void *log_user;
  tme_log_level log_level;
} engine_config;

const engine_config *engine_config_of(const tme_engine *e);
/* Never NULL. */
threads *engine_threads(tme_engine *e);
pool *engine_pool(tme_engine *e);
/* The backend that answers when another one fails: "nojit", or the main one where that is "reference". */
backend *engine_fallback(tme_engine *e);

/* One line through the callback; free of cost when nobody listens at that level. */
void engine_log(tme_engine *e, tme_log_level level, const char *fmt, ...) TME_PRINTF(3, 4);
bool engine_logs(const tme_engine *e, tme_log_level level);
/* Whether this thread is in the callback: then locks may be held that an evaluation needs. */
bool engine_is_logging(const tme_engine *e);
/* True if TME_DEBUG is at least `level`: then it goes out by engine_log at TME_LOG_DEBUG. */
static inline bool engine_debug(const tme_engine *e, int level) { return engine_config_of(e)->debug >= level; }
/* A text of several lines, line by line. */
void engine_log_text(tme_engine *e, tme_log_level level, const char *lines);

tme_engine *engine_retain(tme_engine *e);
void engine_release(tme_engine *e);

/* Options and TME_* to a configuration. The texts belong to the configuration. */
tme_status config_resolve(engine_config *c, const tme_options *o, error *e);
void config_free(engine_config *c);

#endif
