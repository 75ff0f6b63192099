/* What the parts of an engine have in common. */
#ifndef TME_CONTEXT_H
#define TME_CONTEXT_H

#include "context/keys.h"
#include "context/profile.h"
#include "context/stop.h"
#include "memory/buffer.h"

/* The options with the environment and the defaults filled in. */
typedef struct engine_config {
  tme_dtype default_dtype;        /* of floating arrays made without one: f32 for "mixed" */
  tme_dtype untyped_dtype;        /* of untyped floating values: f64, or the default dtype */
  bool untyped;                   /* what is computed from them alone is untyped too */
  bool mixed;                     /* operands of products go to 16 bits, all else is f32 */
  char precision[16];             /* as asked for */
  char device[16];                /* "auto", "cpu", "cuda", "gpu", "mlx" */
  char backend[16];               /* "auto", "cpu", "mlx", "nojit", "reference"; in tests "mock" */
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

/* Options and TME_* to a configuration. The texts belong to the configuration. */
tme_status config_resolve(engine_config *c, const tme_options *o, error *e);
void config_free(engine_config *c);

/* What the parts of an engine share: its options, threads and memory, and where it tells what happens. */
typedef struct context context;
struct context {
  atomic_int refs;
  void (*end)(context *c); /* once the last reference is given back */
  engine_config config;
  struct threads *threads;
  pool *pool;
  profile *profile; /* NULL: off */
  key_stream keys;
  struct backend
      *fallback; /* the engine's last backend, which can do everything: "nojit", or "reference" if asked for */
  lock log_lock;
};

/* Opens all but the fallback; after a failure nothing is left. */
tme_status context_open(context *c, const tme_options *o, void (*end)(context *c), error *e);
void context_close(context *c);
/* An engine begins with its context (src/run/engine.h). */
static inline context *context_of(const tme_engine *e) { return (context *)(uintptr_t)e; }
static inline void context_retain(context *c) { atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed); }
static inline void context_release(context *c) {
  if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) == 1) c->end(c);
}

/* One line through the callback; free of cost when nobody listens at that level. */
void context_log(context *c, tme_log_level level, const char *fmt, ...) TME_PRINTF(3, 4);
bool context_logs(const context *c, tme_log_level level);
/* Whether this thread is in the callback: then locks may be held that an evaluation needs. */
bool context_is_logging(const context *c);
/* True if TME_DEBUG is at least `level`: then it goes out by context_log at TME_LOG_DEBUG. */
static inline bool context_debug(const context *c, int level) { return c->config.debug >= level; }
/* A text of several lines, line by line. */
void context_log_text(context *c, tme_log_level level, const char *lines);

/* double t = profile_begin(c); ...; profile_end(c, t, "kernel", name, bytes); */
static inline double profile_begin(const context *c) { return c->profile ? now_ms() : 0; }
static inline void profile_end(context *c, double begin, const char *category, const char *name, uint64_t bytes) {
  if (c->profile) profile_add(c->profile, category, name, begin, bytes);
}

#endif
