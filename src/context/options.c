/* Options, overriding TME_*, overriding the defaults. A variable that an option overrides is not looked at. */
#include "base/env.h"
#include "base/fd.h"
#include "context/context.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const precisions[] = {"float16", "bfloat16", "float32", "float64", "mixed"};
static const tme_dtype precision_dtypes[] = {TME_F16, TME_BF16, TME_F32, TME_F64, TME_F32};
static const char *const devices[] = {"auto", "cpu", "cuda", "gpu", "mlx"};
static const char *const backends[] = {"auto", "cpu", "mlx", "nojit", "reference",
#ifdef TME_TEST_HOOKS
                                       "mock"
#endif
};
static const char *const levels[] = {"error", "warning", "info", "debug"}; /* from TME_LOG_ERROR on */

void tme_options_init(tme_options *o) {
  if (!o) return;
  *o = (tme_options){.struct_size = sizeof *o};
}

/* One of the words, from the option or the variable; the first word where neither is given. A '!' behind it sets *must,
 * where that is asked for. */
static tme_status choose(const char *option, const char *value, const char *variable, const char *const *words, int n,
                         int *out, bool *must, error *e) {
  bool given = value && *value;
  if (!given) value = env_get(variable);
  *out = 0;
  if (!value) return TME_OK;
  size_t len = strlen(value);
  bool exclaimed = must && len > 1 && value[len - 1] == '!';
  if (exclaimed) {
    *must = true;
    len--;
  }
  for (; *out < n; ++*out)
    if (strlen(words[*out]) == len && !memcmp(value, words[*out], len)) return TME_OK;
  if (!given) return env_choice(variable, words, n, out, e);
  char list[200] = "";
  for (int i = 0; i < n; i++) {
    size_t used = strlen(list);
    snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", words[i]);
  }
  return fail(e, TME_ERR_ARGUMENT, "engine: %s '%.64s' is unknown, expected one of %s", option, value, list);
}

static tme_status size_of(size_t value, const char *variable, size_t fallback, size_t *out, error *e) {
  int64_t v = -1;
  if (!value) {
    tme_status s = env_int(variable, 0, INT64_MAX, true, &v, e);
    if (s != TME_OK) return s;
  }
  *out = value ? value : v >= 0 ? (size_t)v : fallback;
  return TME_OK;
}

/* A number in a file of the cgroup file system; 0 if there is none ("max"). */
static size_t read_size(const char *path) {
  FILE *f = fd_reader(path);
  if (!f) return 0;
  unsigned long long v = 0;
  if (fscanf(f, "%20llu", &v) != 1) v = 0;
  fclose(f);
  return v < SIZE_MAX ? (size_t)v : 0;
}

/* The memory that this process may use: the machine's, or its cgroup's limit. */
static size_t memory_limit(void) {
  long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  size_t memory = pages > 0 && page > 0 ? (size_t)pages * (size_t)page : (size_t)1 << 32;
  size_t limit = read_size("/sys/fs/cgroup/memory.max");
  if (!limit) limit = read_size("/sys/fs/cgroup/memory/memory.limit_in_bytes");
  return limit && limit < memory ? limit : memory;
}

/* $XDG_CACHE_HOME/tme, ~/.cache/tme, or "". */
static char *default_dir(void) {
  const char *base = env_get("XDG_CACHE_HOME"), *rest = "/tme";
  if (!base || *base != '/') {
    base = env_get("HOME");
    rest = "/.cache/tme";
  }
  if (!base || *base != '/') return mem_strdup("");
  text t = {0};
  text_add(&t, "%s%s", base, rest);
  if (!t.failed) return t.s;
  text_free(&t);
  return NULL;
}

/* Also by the short names of the dtypes: "f32". */
static tme_status choose_precision(const char *option, int *out, error *e) {
  const char *name = option && *option ? option : env_get("TME_PRECISION");
  tme_dtype t = name ? tme_dtype_parse(name) : TME_DTYPE_NONE;
  for (*out = 0; *out < COUNT(precisions); ++*out)
    if (t == precision_dtypes[*out] && t != TME_DTYPE_NONE) return TME_OK;
  return choose("precision", option, "TME_PRECISION", precisions, COUNT(precisions), out, NULL, e);
}

static tme_status choose_words(engine_config *c, const tme_options *o, error *e) {
  int precision, device, which;
  int64_t strict = 0;
  tme_status s = choose_precision(o->precision, &precision, e);
  if (s == TME_OK && !o->strict) s = env_int("TME_STRICT", 0, 1, false, &strict, e);
  c->must_device = c->must_backend = o->strict ? o->strict > 0 : strict != 0;
  if (s == TME_OK) s = choose("device", o->device, "TME_DEVICE", devices, COUNT(devices), &device, &c->must_device, e);
  if (s == TME_OK)
    s = choose("backend", o->backend, "TME_BACKEND", backends, COUNT(backends), &which, &c->must_backend, e);
  if (s != TME_OK) return s;
  c->default_dtype = precision_dtypes[precision];
  snprintf(c->precision, sizeof c->precision, "%s", precisions[precision]);
  c->untyped = o->untyped > 0;
  c->untyped_dtype = c->untyped ? TME_F64 : c->default_dtype;
  c->mixed = !strcmp(c->precision, "mixed");
  snprintf(c->device, sizeof c->device, "%s", devices[device]);
  snprintf(c->backend, sizeof c->backend, "%s", backends[which]);
  return TME_OK;
}

static tme_status choose_sizes(engine_config *c, const tme_options *o, error *e) {
  int64_t n = o->threads;
  if (n < 0 || n > 4096) return fail(e, TME_ERR_ARGUMENT, "engine: threads %d, expected 0 to 4096", o->threads);
  tme_status s = n ? TME_OK : env_int("TME_THREADS", 1, 4096, false, &n, e);
  c->threads = (int)n;
  if (s == TME_OK) s = size_of(o->pool_bytes, "TME_POOL_BYTES", SIZE_MAX, &c->pool_bytes, e);
  c->memory = memory_limit();
  if (c->pool_bytes == SIZE_MAX) c->pool_bytes = c->memory / 4;
  if (s == TME_OK) s = size_of(o->cache_bytes, "TME_CACHE_BYTES", (size_t)64 << 20, &c->cache_bytes, e);
  if (s == TME_OK) s = size_of(o->plan_entries, "TME_PLAN_ENTRIES", 4096, &c->plan_entries, e);
  if (s == TME_OK) s = size_of(o->disk_bytes, "TME_DISK_BYTES", (size_t)256 << 20, &c->disk_bytes, e);
  return s;
}

static tme_status choose_jit(engine_config *c, const tme_options *o, error *e) {
  int64_t on = 1, mlx = 1, tune = 0;
  tme_status s = o->jit ? TME_OK : env_int("TME_JIT", 0, 1, false, &on, e);
  if (s == TME_OK) s = env_int("TME_MLX_COMPILE", 0, 1, false, &mlx, e);
  if (s == TME_OK && !o->tune) s = env_int("TME_TUNE", 0, 1, false, &tune, e);
  c->jit = o->jit ? o->jit > 0 : on != 0;
  c->tune = o->tune ? o->tune > 0 : tune != 0;
  c->mlx_compile = mlx != 0;
  if (!c->jit) c->jit_off = o->jit ? "turned off by the option jit" : "turned off by TME_JIT=0";
  return s;
}

static tme_status choose_reports(engine_config *c, const tme_options *o, error *e) {
  int64_t debug = 0, check = 0, perf_map = 0;
  int level = TME_LOG_WARNING - TME_LOG_ERROR;
  tme_status s = env_int("TME_DEBUG", 0, 5, false, &debug, e);
  if (s == TME_OK) s = env_int("TME_CHECK", 0, 1, false, &check, e);
  if (s == TME_OK) s = env_int("TME_PERF_MAP", 0, 1, false, &perf_map, e);
  if (s == TME_OK && !o->log_level) s = env_choice("TME_LOG", levels, COUNT(levels), &level, e);
  if ((unsigned)o->log_level > TME_LOG_DEBUG)
    s = fail(e, TME_ERR_ARGUMENT, "engine: there is no log level %d", (int)o->log_level);
  if (s != TME_OK) return s;
  c->debug = (int)debug;
  c->check = check != 0;
  c->perf_map = perf_map != 0;
  c->quiet_numeric = o->quiet_numeric != 0;
  c->log = o->log;
  c->log_user = o->log_user;
  c->log_level = debug > 0 ? TME_LOG_DEBUG : o->log_level ? o->log_level : (tme_log_level)(TME_LOG_ERROR + level);
  return TME_OK;
}

static tme_status choose_paths(engine_config *c, const tme_options *o, error *e) {
  const char *dir = o->cache_dir ? o->cache_dir : env_get("TME_CACHE_DIR"), *path = env_get("TME_PROFILE");
  c->cache_dir = dir ? mem_strdup(dir) : default_dir();
  if (!c->cache_dir) return fail_memory(e, "engine", 0);
  if (!path) return TME_OK;
  c->profile = mem_strdup(path);
  return c->profile ? TME_OK : fail_memory(e, "engine", strlen(path));
}

tme_status config_resolve(engine_config *c, const tme_options *given, error *e) {
  tme_options o;
  tme_options_init(&o);
  *c = (engine_config){0};
  if (given) {
    /* Programs that were built with an older header know fewer fields. */
    if (given->struct_size < sizeof given->struct_size)
      return fail(e, TME_ERR_ARGUMENT, "engine: the options were not initialised by tme_options_init");
    memcpy(&o, given, given->struct_size < sizeof o ? given->struct_size : sizeof o);
  }
  tme_status s = choose_words(c, &o, e);
  if (s == TME_OK) s = choose_sizes(c, &o, e);
  if (s == TME_OK) s = choose_jit(c, &o, e);
  if (s == TME_OK) s = choose_reports(c, &o, e);
  if (s == TME_OK) s = choose_paths(c, &o, e);
  if (s != TME_OK) config_free(c);
  return s;
}

void config_free(engine_config *c) {
  mem_free(c->cache_dir);
  mem_free(c->profile);
  c->cache_dir = c->profile = NULL;
}
