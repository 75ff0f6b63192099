/* The way of a kernel: key -> memory, or disk, or compiler -> loader -> entry. Only the last needs LLVM, which is opened
 * at the first kernel that no cache has. */
#include "backend/cpu/jit.h"
#include "backend/cpu/code.h"
#include "base/caches.h"
#include "base/later.h"
#include "base/module.h"
#include "base/lru.h"
#include "emit/emit.h"
#include "engine/engine.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What objects depend on besides kernel and target, TME_LLVM_VERSION and TME_EMITTER_ID, comes from the build. */

/* Long maps are compiled in two tiers: at once with one vector at a time, in half of the time, and in full, on a thread of
 * its own, when they have run for about as long as that takes. A process that found all its code opens no compiler for
 * the second. */
enum { FINAL, QUICK, ASKED, ENDED /* and not told yet */ };
enum { WORTH_FULL_NS = 3000000, PATIENCE_MS = 50 /* to write for later processes what was asked for in this one */ };

typedef struct full_tier {
  kernel *kernel;
  jit_kernel *code; /* NULL before ENDED, and after it if `why` says so */
  double ms;
  error why;
} full_tier;

struct jit_kernel {
  atomic_int refs;
  code *code;
  _Atomic(kernel_fn *) entry; /* of code, or of full->code */
  atomic_int tier;
  atomic_ullong worked_ns;
  full_tier *full; /* NULL if there is one tier, or its code was found */
};

struct jit {
  tme_engine *engine;
  emit_target target;
  lower_target lower;
  pthread_mutex_t lock; /* guards all below */
  code_arena *arena;
  lru *cache;
  later *later; /* kernels to be compiled in full; has a lock of its own */
  bool disk_tried;
  disk_cache *disk;
  bool module_tried;
  const emit_module *module;
  char why[512]; /* the compiler cannot be used */
  bool announced;
  double compile_ms;
  uint64_t compilations;
};

#ifdef TME_TEST_HOOKS
static atomic_int planted;
void jit_plant_failure(int where) { atomic_store(&planted, where); }
int jit_planted_failure(void) { return atomic_load(&planted); }
#define PLANTED(where) (atomic_load(&planted) == (where))
#else
#define PLANTED(where) false
#endif

/* ---- kernels ---------------------------------------------------------------------------------------------------------- */

kernel_fn *jit_entry(const jit_kernel *k) { return atomic_load_explicit(&k->entry, memory_order_acquire); }

bool jit_is_quick(const jit_kernel *k) {
  int tier = atomic_load(&k->tier);
  return tier == QUICK || tier == ASKED;
}

static void full_free(full_tier *f) {
  if (!f) return;
  kernel_free(f->kernel);
  jit_release(f->code);
  mem_free(f);
}

void jit_release(jit_kernel *k) {
  if (k && atomic_fetch_sub(&k->refs, 1) == 1) {
    code_free(k->code);
    full_free(k->full);
    mem_free(k);
  }
}

static void drop_kernel(void *user, void *value) {
  (void)user;
  jit_release(value);
}

static jit_kernel *load_object(jit *j, const uint8_t *bytes, size_t size, const char *name, error *e) {
  if (PLANTED(JIT_FAIL_LOAD)) {
    fail(e, TME_ERR_JIT, "loading compiled code: planted failure");
    return NULL;
  }
  jit_kernel *k = mem_calloc(1, sizeof *k);
  if (!k) {
    fail_memory(e, "loading compiled code", sizeof *k);
    return NULL;
  }
  pthread_mutex_lock(&j->lock);
  if (!j->arena) j->arena = code_arena_new(e);
  if (j->arena) k->code = code_load(j->arena, bytes, size, "kernel", e);
  pthread_mutex_unlock(&j->lock);
  if (!k->code) {
    mem_free(k);
    return NULL;
  }
  atomic_init(&k->refs, 1);
  kernel_fn *entry;
  memcpy(&entry, &(void *){code_entry(k->code)}, sizeof entry);
  atomic_init(&k->entry, entry);
  if (engine_config_of(j->engine)->perf_map)
    code_perf_map(k->code, name, NULL); /* a profiler's comfort: its failure is none of ours */
  return k;
}

/* ---- the compiler's module --------------------------------------------------------------------------------------------- */

/* The lock is held. */
static const emit_module *open_module(jit *j) {
  if (j->module_tried) return j->module;
  j->module_tried = true;
  char path[4096];
  if (PLANTED(JIT_FAIL_OPEN)) {
    snprintf(j->why, sizeof j->why, "the compiler's module could not be opened: planted failure");
    j->module_tried = false;
    return NULL;
  }
  if (!module_path("libtme-llvm.so", path, sizeof path)) {
    snprintf(j->why, sizeof j->why, "the folder of the library is not known, so its compiler module cannot be found");
    return NULL;
  }
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = dlerror();
    snprintf(j->why, sizeof j->why, "no compiler: %s", reason ? reason : "libtme-llvm.so could not be opened");
    return NULL;
  }
  const emit_module *m = dlsym(handle, "tme_llvm_module");
  if (!m || m->version != EMIT_MODULE_VERSION) {
    snprintf(j->why, sizeof j->why, "%.400s is not the module of this version of the library", path);
    dlclose(handle);
    return NULL;
  }
  j->module = m; /* never closed: LLVM registers things for the life of the process */
  return m;
}

static const emit_module *compiler(jit *j, error *e) {
  pthread_mutex_lock(&j->lock);
  const emit_module *m = open_module(j);
  bool announce = !j->announced;
  j->announced = true;
  char why[sizeof j->why];
  memcpy(why, j->why, sizeof why);
  pthread_mutex_unlock(&j->lock);
  if (announce && m)
    engine_log(j->engine, TME_LOG_INFO, "JIT: LLVM %s compiles for %s", m->llvm_version, j->target.cpu);
  else if (announce)
    engine_log(j->engine, TME_LOG_WARNING, "JIT: %s; kernels that no cache has are computed without JIT", why);
  if (!m) fail(e, TME_ERR_JIT, "%s", why);
  return m;
}

/* LLVM takes itself down as the process ends: nobody may be compiling then. What was set up by a whole compilation is
 * taken down after this was. */
static atomic_bool compiled_before;
static pthread_once_t once_compiled = PTHREAD_ONCE_INIT;

static void after_first(void) { atomic_store(&compiled_before, atexit(later_end_all) == 0); }

static jit_kernel *compile(jit *j, const emit_module *m, const kernel *k, emit_object *object, double *ms, error *e) {
  if (PLANTED(JIT_FAIL_COMPILE)) {
    fail(e, TME_ERR_JIT, "%s: planted failure of the compiler", k->name);
    return NULL;
  }
  double begin = now_ms();
  tme_status status = m->compile(k, &j->target, object, e);
  *ms = now_ms() - begin;
  if (status != TME_OK) return NULL;
  pthread_mutex_lock(&j->lock);
  j->compile_ms += *ms;
  j->compilations++;
  pthread_mutex_unlock(&j->lock);
  pthread_once(&once_compiled, after_first);
  return load_object(j, object->bytes, object->size, k->name, e);
}

static void tell_compiled(jit *j, const char *name, double ms, size_t bytes) {
  if (engine_debug(j->engine, 1))
    engine_log(j->engine, TME_LOG_DEBUG, "JIT: %s compiled in %.2f ms, %zu bytes", name, ms, bytes);
}

/* ---- the caches --------------------------------------------------------------------------------------------------------- */

disk_cache *jit_disk(jit *j) {
  pthread_mutex_lock(&j->lock);
  if (!j->disk_tried) {
    const engine_config *c = engine_config_of(j->engine);
    error why = {0};
    j->disk_tried = true;
    if (c->cache_dir[0] && c->disk_bytes) {
      j->disk = disk_cache_open(c->cache_dir, c->disk_bytes, &why);
      if (!j->disk) engine_log(j->engine, TME_LOG_WARNING, "JIT: no cache on disk: %s", why.text);
    }
  }
  disk_cache *d = j->disk;
  pthread_mutex_unlock(&j->lock);
  return d;
}

void jit_key(const jit *j, text *key) {
  text_add(key, "tme %s llvm %s emitter %s\n%s\n%s\n%s\n", TME_VERSION, TME_LLVM_VERSION, TME_EMITTER_ID,
           j->target.triple, j->target.cpu, j->target.features);
}

/* All that decides the object: nothing else may. */
static bool make_key(const jit *j, const kernel *k, text *key) {
  jit_key(j, key);
  kernel_bytes(k, key);
  return !key->failed;
}

static void keep(jit *j, const text *key, jit_kernel *k, size_t size) {
  atomic_fetch_add(&k->refs, 1); /* the cache's reference */
  pthread_mutex_lock(&j->lock);
  if (lru_put(j->cache, key->s, key->len, k, size, NULL) != TME_OK)
    atomic_fetch_sub(&k->refs, 1); /* not kept: it lives as long as its plan */
  pthread_mutex_unlock(&j->lock);
}

static jit_kernel *from_disk(jit *j, const text *key, const char *name) {
  disk_cache *d = jit_disk(j);
  uint8_t *bytes = NULL;
  size_t size = 0;
  if (!d || !disk_cache_get(d, key->s, key->len, &bytes, &size)) return NULL;
  jit_kernel *k = load_object(j, bytes, size, name, NULL);
  mem_free(bytes);
  return k;
}

/* Compiles, and keeps the object on disk; `unkept` says why not. */
static jit_kernel *compile_to_disk(jit *j, const emit_module *m, const kernel *k, const text *key, double *ms,
                                   error *unkept, error *e) {
  emit_object object = {0};
  jit_kernel *r = compile(j, m, k, &object, ms, e);
  disk_cache *d = r ? jit_disk(j) : NULL;
  if (d) disk_cache_put(d, key->s, key->len, object.bytes, object.size, unkept);
  m->free_bytes(object.bytes);
  return r;
}

static jit_kernel *compile_now(jit *j, const kernel *k, const text *key, error *e) {
  error unkept = {0};
  double ms;
  const emit_module *m = compiler(j, e);
  jit_kernel *r = m ? compile_to_disk(j, m, k, key, &ms, &unkept, e) : NULL;
  if (unkept.code != TME_OK) engine_log(j->engine, TME_LOG_INFO, "JIT: %s", unkept.text);
  if (r) tell_compiled(j, k->name, ms, code_size(r->code));
  return r;
}

/* The kernel in full, to be compiled later; NULL if there is no memory for it, and the first tier stays. */
static full_tier *full_new(const kernel *k) {
  full_tier *f = mem_calloc(1, sizeof *f);
  if (f) f->kernel = kernel_full(k);
  if (f && f->kernel) return f;
  full_free(f);
  return NULL;
}

/* From disk in full, if an earlier process came that far; else as it is, with the full kernel for later. */
static jit_kernel *find_or_compile(jit *j, const kernel *k, const text *key, jit_origin *from, error *e) {
  full_tier *full = k->full_unroll ? full_new(k) : NULL;
  text full_key = {0};
  jit_kernel *r = full && make_key(j, full->kernel, &full_key) ? from_disk(j, &full_key, k->name) : NULL;
  bool quick = full && !r;
  text_free(&full_key);
  if (!r) r = from_disk(j, key, k->name);
  *from = r ? JIT_ON_DISK : JIT_COMPILED;
  if (!r) r = compile_now(j, k, key, e);
  if (r && quick) {
    r->full = full;
    atomic_init(&r->tier, QUICK);
  } else {
    full_free(full);
  }
  return r;
}

jit_kernel *jit_get(jit *j, const kernel *k, jit_origin *from, error *e) {
  text key = {0};
  *from = JIT_IN_MEMORY;
  if (!make_key(j, k, &key)) {
    text_free(&key);
    fail_memory(e, k->name, key.cap);
    return NULL;
  }
  pthread_mutex_lock(&j->lock);
  jit_kernel *r = lru_get(j->cache, key.s, key.len);
  if (r) atomic_fetch_add(&r->refs, 1);
  pthread_mutex_unlock(&j->lock);
  if (!r) {
    r = find_or_compile(j, k, &key, from, e);
    size_t tiers = r && r->full ? 1 + (size_t)k->full_unroll : 1; /* the second is about so many times as long */
    if (r) keep(j, &key, r, tiers * code_size(r->code));
  }
  text_free(&key);
  return r;
}

/* On the thread of j->later, which tells nobody: jit_worked does. */
static void compile_full(void *user, void *item) {
  jit *j = user;
  jit_kernel *k = item;
  full_tier *f = k->full;
  text key = {0};
  error unkept = {0};
  pthread_mutex_lock(&j->lock);
  const emit_module *m = open_module(j); /* the process has, if not this engine */
  pthread_mutex_unlock(&j->lock);
  if (!make_key(j, f->kernel, &key))
    fail_memory(&f->why, f->kernel->name, key.cap);
  else if (!m)
    fail(&f->why, TME_ERR_JIT, "no compiler");
  else
    f->code = compile_to_disk(j, m, f->kernel, &key, &f->ms, &unkept, &f->why);
  if (f->code) {
    if (unkept.code != TME_OK) f->why = unkept;
    atomic_store_explicit(&k->entry, jit_entry(f->code), memory_order_release);
  }
  atomic_store(&k->tier, ENDED);
  text_free(&key);
  jit_release(k);
}

static void tell_full(jit *j, const full_tier *f) {
  if (f->code) tell_compiled(j, f->kernel->name, f->ms, code_size(f->code->code));
  if (f->why.code == TME_OK) return;
  engine_log(j->engine, TME_LOG_INFO, "JIT: %s%s%s", f->code ? "" : f->kernel->name,
             f->code ? "" : " stays as it was compiled first: ", f->why.text);
}

void jit_worked(jit *j, jit_kernel *k, double ns) {
  int tier = atomic_load_explicit(&k->tier, memory_order_relaxed);
  if (tier == ENDED && atomic_compare_exchange_strong(&k->tier, &tier, FINAL)) tell_full(j, k->full);
  if (tier != QUICK || !atomic_load_explicit(&compiled_before, memory_order_relaxed)) return;
  uint64_t more = ns < (double)WORTH_FULL_NS ? (uint64_t)ns : WORTH_FULL_NS;
  if (atomic_fetch_add(&k->worked_ns, more) + more < WORTH_FULL_NS) return;
  if (!atomic_compare_exchange_strong(&k->tier, &tier, ASKED)) return;
  atomic_fetch_add(&k->refs, 1);
  later_add(j->later, k);
}

void jit_clear(jit *j) {
  pthread_mutex_lock(&j->lock);
  lru_clear(j->cache);
  pthread_mutex_unlock(&j->lock);
}

void jit_stats(jit *j, tme_stats *out) {
  disk_stats d = {0};
  pthread_mutex_lock(&j->lock);
  lru_stats s = lru_stats_of(j->cache);
  if (j->disk) disk_cache_stats(j->disk, &d);
  out->compile_ms += j->compile_ms;
  out->compilations += j->compilations;
  pthread_mutex_unlock(&j->lock);
  out->entries += s.entries;
  out->hits += s.hits;
  out->misses += s.misses;
  out->evictions += s.evictions;
  out->bytes += s.bytes;
  out->disk_hits += d.hits;
  out->disk_misses += d.misses;
}

/* ---- life ---------------------------------------------------------------------------------------------------------------- */

jit *jit_new(tme_engine *e, error *err) {
  jit *j = mem_calloc(1, sizeof *j);
  if (!j) {
    fail_memory(err, "jit", sizeof *j);
    return NULL;
  }
  j->engine = e;
  pthread_mutex_init(&j->lock, NULL);
  j->cache = lru_new(engine_config_of(e)->cache_bytes, 0, drop_kernel, NULL, err);
  j->later = later_new(compile_full, drop_kernel, j, err);
  if (!j->cache || !j->later) {
    jit_free(j);
    return NULL;
  }
  emit_host_target(&j->target);
  j->lower.vector_bytes = j->target.vector_bytes;
  j->lower.registers = j->target.vector_bytes == 64 || !strncmp(j->target.triple, "aarch64", 7) ? 32 : 16;
  j->lower.l1 = cache_host(1);
  j->lower.l2 = cache_host(2);
  j->lower.last_level = cache_last_level();
  j->lower.dot_i16 = j->target.vector_bytes >= 32;
  /* Where they are faster than multiply-adds of f32: twice as fast on Zen 4 and 5, half as fast on Emerald Rapids. */
  bool zen = !strncmp(j->target.cpu, "znver", 5);
  j->lower.dot_bf16 = zen && j->target.vector_bytes == 64 && strstr(j->target.features, "+avx512bf16") != NULL;
  return j;
}

void jit_free(jit *j) {
  if (!j) return;
  later_free(j->later, PATIENCE_MS);
  lru_free(j->cache);
  code_arena_free(j->arena);
  disk_cache_close(j->disk);
  pthread_mutex_destroy(&j->lock);
  mem_free(j);
}

const lower_target *jit_lower_target(const jit *j) { return &j->lower; }

bool jit_usable(jit *j) {
  pthread_mutex_lock(&j->lock);
  bool usable = !j->module_tried || j->module;
  pthread_mutex_unlock(&j->lock);
  return usable;
}

tme_status jit_disassemble(jit *j, const kernel *k, bool ir, text *out, error *e) {
  const emit_module *m = compiler(j, e);
  return m ? m->disassemble(k, &j->target, ir, out, e) : TME_ERR_JIT;
}

/* ---- the self-test ------------------------------------------------------------------------------------------------------- */

/* c = a b of 2x2 matrices, written out by hand: it must not depend on the lowering either. */
static kernel *product_2x2(void) {
  kernel *k = kernel_new("self-test");
  if (!k) return NULL;
  int a = k_buf_add(k, BUF_IN, TME_F32, 0, 4), b = k_buf_add(k, BUF_IN, TME_F32, 0, 4);
  int c = k_buf_add(k, BUF_OUT, TME_F32, 0, 4);
  int row = k_axis_add(k, 2, AXIS_PARALLEL, 1, 1), col = k_axis_add(k, 2, 0, 1, 1),
      inner = k_axis_add(k, 2, AXIS_REDUCE, 1, 1);
  int i = ix_axis(k, row), j = ix_axis(k, col), p = ix_axis(k, inner);
  int rows = k_loop(k, row), cols = k_loop(k, col);
  int acc = k_emit(k, K_ACC, TME_F32, k_const_f(k, TME_F32, 0), K_ADD, -1, 0);
  int sum = k_loop(k, inner);
  int x = k_load(k, k_access_add(k, a, ix_add(k, ix_mul(k, i, 2), p)));
  int y = k_load(k, k_access_add(k, b, ix_add(k, ix_mul(k, p, 2), j)));
  k_emit(k, K_UPDATE, TME_F32, acc, k_bin(k, K_MUL, x, y), -1, 0);
  k_end(k, sum);
  k_store(k, k_access_add(k, c, ix_add(k, ix_mul(k, i, 2), j)), k_emit(k, K_READ, TME_F32, acc, -1, -1, 0));
  k_end(k, cols);
  k_end(k, rows);
  k->opt = 2;
  return k;
}

static bool right_product(const jit_kernel *k) {
  float a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8}, c[4] = {0};
  void *buf[] = {a, b, c};
  jit_entry(k)(buf, NULL, NULL, NULL, 0, 2);
  return c[0] == 19 && c[1] == 22 && c[2] == 43 && c[3] == 50;
}

void jit_self_test(jit *j, tme_jit_status *out) {
  error why = {0};
  snprintf(out->target, sizeof out->target, "%.60s", j->target.cpu);
  kernel *k = product_2x2();
  jit_kernel *made = NULL;
  emit_object object = {0};
  const emit_module *m = NULL;
  double ms;
  if (!k || kernel_finish(k, &why) != TME_OK)
    fail_memory(&why, "self-test", sizeof *k);
  else if ((m = compiler(j, &why)))
    made = compile(j, m, k, &object, &ms, &why);
  if (m) m->free_bytes(object.bytes);
  pthread_mutex_lock(&j->lock);
  out->compiler_present = j->module != NULL;
  pthread_mutex_unlock(&j->lock);
  if (!made) {
    out->state = out->compiler_present ? TME_JIT_FAILED : TME_JIT_DISABLED;
    snprintf(out->reason, sizeof out->reason, "%.500s", why.text);
  } else if (!right_product(made)) {
    out->state = TME_JIT_FAILED;
    snprintf(out->reason, sizeof out->reason, "the compiled 2x2 product gives wrong values");
  } else {
    out->state = TME_JIT_ACTIVE;
  }
  jit_release(made);
  kernel_free(k);
}
