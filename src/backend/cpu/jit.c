/* The way of a kernel: key -> memory, or disk, or compiler -> loader -> entry. Only the last needs LLVM, which is opened
 * at the first kernel that no cache has. */
#include "backend/cpu/jit.h"
#include "backend/cpu/code.h"
#include "base/background.h"
#include "base/caches.h"
#include "base/fork.h"
#include "base/module.h"
#include "base/room.h"
#include "cache/flight.h"
#include "cache/lru.h"
#include "emit/emit.h"
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What objects depend on besides kernel and target, TME_LLVM_VERSION and TME_EMITTER_ID, comes from the build. */

/* Long maps are compiled in two tiers: at once with one vector at a time, in half of the time, and in full, on a thread of
 * its own, when they have run for about as long as that takes. A process that found all its code opens no compiler for
 * the second. */
enum { FINAL, QUICK, ASKED, ENDED /* and not told yet */ };
enum { MODULE_ROOM = 192 << 20, COMPILATION_ROOM = 64 << 20 };
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
  context *context;
  emit_target target;
  cpu_target cpu; /* what kernels are lowered for */
  lock lock;      /* guards all below */
  code_arena *arena;
  lru *cache;
  flights compiling;
  background *background; /* kernels to be compiled in full; has a lock of its own */
  bool disk_tried;
  disk_cache *disk;
  error no_disk; /* why it is not there */
  bool module_tried;
  const emit_module *module;
  char why[512];                    /* the compiler cannot be used */
  bool asked, announced, disk_told; /* the compiler was needed; that and no_disk were logged */
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
  lock_take(&j->lock);
  k->code = code_load(j->arena, bytes, size, "kernel", e);
  lock_give(&j->lock);
  if (!k->code) {
    mem_free(k);
    return NULL;
  }
  atomic_init(&k->refs, 1);
  kernel_fn *entry;
  memcpy(&entry, &(void *){code_entry(k->code)}, sizeof entry);
  atomic_init(&k->entry, entry);
  if (j->context->config.perf_map)
    code_perf_map(k->code, name, NULL); /* a profiler's comfort: its failure is none of ours */
  return k;
}

/* ---- the compiler's module --------------------------------------------------------------------------------------------- */

/* The lock is held, and fork_hold(). */
static const emit_module *open_module(jit *j) {
  if (j->module_tried) return j->module;
  j->module_tried = true;
  char path[4096];
  if (PLANTED(JIT_FAIL_OPEN)) {
    snprintf(j->why, sizeof j->why, "the compiler's module could not be opened: planted failure");
    j->module_tried = false;
    return NULL;
  }
  if (!room_for(MODULE_ROOM)) {
    snprintf(j->why, sizeof j->why, "the limit of the address space leaves no room for the compiler");
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
  if (!m || m->version != EMIT_MODULE_VERSION || strcmp(m->emitter, TME_EMITTER_ID) != 0) {
    snprintf(j->why, sizeof j->why, "%.400s is not the module of this version of the library", path);
    dlclose(handle);
    return NULL;
  }
  j->module = m; /* never closed: LLVM registers things for the life of the process */
  return m;
}

/* Once the process is ending nothing is compiled. */
static bool may_compile(error *e) {
  if (fork_hold()) return true;
  fail(e, TME_ERR_JIT, "the process is ending");
  return false;
}

static const emit_module *compiler(jit *j, error *e) {
  if (!may_compile(e)) return NULL;
  lock_take(&j->lock);
  const emit_module *m = open_module(j);
  j->asked = true;
  if (!m) fail(e, TME_ERR_JIT, "%s", j->why);
  lock_give(&j->lock);
  fork_release();
  return m;
}

/* What was found out about compiler and disk, once. Not while other threads wait for this one: the callback may wait for
 * them. */
static void announce(jit *j) {
  lock_take(&j->lock);
  const emit_module *m = j->module;
  error no_disk = j->disk_told ? (error){0} : j->no_disk;
  bool first = j->asked && !j->announced;
  j->announced = j->asked;
  j->disk_told = j->disk_tried;
  char why[sizeof j->why];
  memcpy(why, j->why, sizeof why);
  lock_give(&j->lock);
  if (no_disk.code != TME_OK) context_log(j->context, TME_LOG_WARNING, "JIT: no cache on disk: %s", no_disk.text);
  if (first && m)
    context_log(j->context, TME_LOG_INFO, "JIT: LLVM %s compiles for %s", m->llvm_version, j->target.cpu);
  else if (first)
    context_log(j->context, TME_LOG_WARNING, "JIT: %s; kernels that no cache has are computed without JIT", why);
}

static atomic_uint compilations; /* of the process */

/* LLVM ends the process where it gets no memory. Whatever else takes it meanwhile, most kernels need a tenth of this. */
static tme_status check_room(const kernel *k, error *e) {
  if (room_for(COMPILATION_ROOM * (size_t)fork_holders())) return TME_OK;
  return fail(e, TME_ERR_MEMORY, "%s: the limit of the address space leaves no room to compile it", k->name);
}

/* In fork_hold(). At the end of the process files that were begun are written to their end, and a shared LLVM takes itself
 * down: nobody may be compiling by then. */
static tme_status compile_object(const jit *j, const emit_module *m, const kernel *k, emit_object *object, error *e) {
  tme_status s = check_room(k, e);
  if (s == TME_OK) s = m->compile(k, &j->target, object, e);
  fork_expect_end(&compilations);
  return s;
}

static jit_kernel *compile(jit *j, const emit_module *m, const kernel *k, emit_object *object, double *ms, error *e) {
  if (PLANTED(JIT_FAIL_COMPILE)) {
    fail(e, TME_ERR_JIT, "%s: planted failure of the compiler", k->name);
    return NULL;
  }
  if (!may_compile(e)) return NULL;
  double begin = now_ms();
  tme_status status = compile_object(j, m, k, object, e);
  *ms = now_ms() - begin;
  fork_release();
  if (status != TME_OK) return NULL;
  lock_take(&j->lock);
  j->compile_ms += *ms;
  j->compilations++;
  lock_give(&j->lock);
  return load_object(j, object->bytes, object->size, k->name, e);
}

static void tell_compiled(jit *j, const char *name, double ms, size_t bytes) {
  if (context_debug(j->context, 1))
    context_log(j->context, TME_LOG_DEBUG, "JIT: %s compiled in %.2f ms, %zu bytes", name, ms, bytes);
}

/* ---- the caches --------------------------------------------------------------------------------------------------------- */

static void open_disk(jit *j) {
  const engine_config *c = &j->context->config;
  error why = {0};
  disk_cache *d = c->cache_dir[0] && c->disk_bytes ? disk_cache_open(c->cache_dir, c->disk_bytes, &why) : NULL;
  lock_take(&j->lock);
  bool first = !j->disk_tried;
  if (first) {
    j->disk_tried = true;
    j->disk = d;
    j->no_disk = why;
  }
  lock_give(&j->lock);
  if (!first) disk_cache_close(d);
}

/* It stays what it is from the first opening on. */
static disk_cache *disk_of(jit *j) {
  lock_take(&j->lock);
  bool tried = j->disk_tried;
  lock_give(&j->lock);
  if (!tried) open_disk(j);
  return j->disk;
}

disk_cache *jit_disk(jit *j) {
  disk_cache *d = disk_of(j);
  announce(j);
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

/* The lock is held. */
static void keep(jit *j, const text *key, jit_kernel *k, size_t size) {
  atomic_fetch_add(&k->refs, 1); /* the cache's reference */
  if (lru_put(j->cache, key->s, key->len, k, size, NULL) != TME_OK)
    atomic_fetch_sub(&k->refs, 1); /* not kept: it lives as long as its plan */
}

static jit_kernel *from_disk(jit *j, const text *key, const char *name) {
  disk_cache *d = disk_of(j);
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
  disk_cache *d = r ? disk_of(j) : NULL;
  if (d) disk_cache_put(d, key->s, key->len, object.bytes, object.size, unkept);
  m->free_bytes(object.bytes);
  return r;
}

/* What a compilation is to be told of. */
typedef struct news {
  error unkept;
  double ms;
} news;

static jit_kernel *compile_now(jit *j, const kernel *k, const text *key, news *n, error *e) {
  const emit_module *m = compiler(j, e);
  return m ? compile_to_disk(j, m, k, key, &n->ms, &n->unkept, e) : NULL;
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
static jit_kernel *find_or_compile(jit *j, const kernel *k, const text *key, jit_origin *from, news *n, error *e) {
  full_tier *full = k->full_unroll ? full_new(k) : NULL;
  text full_key = {0};
  jit_kernel *r = full && make_key(j, full->kernel, &full_key) ? from_disk(j, &full_key, k->name) : NULL;
  bool quick = full && !r;
  text_free(&full_key);
  if (!r) r = from_disk(j, key, k->name);
  *from = r ? JIT_ON_DISK : JIT_COMPILED;
  if (!r) r = compile_now(j, k, key, n, e);
  if (r && quick) {
    r->full = full;
    atomic_init(&r->tier, QUICK);
  } else {
    full_free(full);
  }
  return r;
}

/* For this thread and all that wait for the same. */
static jit_kernel *make(jit *j, const kernel *k, const text *key, flight *f, jit_origin *from, error *e) {
  error why = {0};
  news n = {0};
  jit_kernel *r = find_or_compile(j, k, key, from, &n, &why);
  size_t tiers = r && r->full ? 1 + (size_t)k->full_unroll : 1; /* the second is about so many times as long */
  lock_take(&j->lock);
  if (r) keep(j, key, r, tiers * code_size(r->code));
  int others = flight_land(&j->compiling, &j->lock, f, r, &why);
  if (r) atomic_fetch_add(&r->refs, others);
  lock_give(&j->lock);
  announce(j);
  if (n.unkept.code != TME_OK) context_log(j->context, TME_LOG_INFO, "JIT: %s", n.unkept.text);
  if (r && *from == JIT_COMPILED) tell_compiled(j, k->name, n.ms, code_size(r->code));
  if (!r) fail(e, why.code, "%s", why.text);
  return r;
}

jit_kernel *jit_get(jit *j, const kernel *k, jit_origin *from, error *e) {
  text key = {0};
  flight *f;
  void *others = NULL;
  *from = JIT_IN_MEMORY;
  if (!make_key(j, k, &key)) {
    text_free(&key);
    fail_memory(e, k->name, key.cap);
    return NULL;
  }
  lock_take(&j->lock);
  jit_kernel *r = lru_get(j->cache, key.s, key.len);
  if (r) atomic_fetch_add(&r->refs, 1);
  bool mine = !r && flight_begin(&j->compiling, &j->lock, key.s, key.len, &f, &others, e);
  lock_give(&j->lock);
  if (!r) r = mine ? make(j, k, &key, f, from, e) : others;
  text_free(&key);
  return r;
}

/* On the thread of j->background, which tells nobody: jit_worked does. */
static void compile_full(void *user, void *item) {
  jit *j = user;
  jit_kernel *k = item;
  full_tier *f = k->full;
  text key = {0};
  error unkept = {0};
  lock_take(&j->lock);
  const emit_module *m = open_module(j); /* the process has, if not this engine */
  lock_give(&j->lock);
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
  context_log(j->context, TME_LOG_INFO, "JIT: %s%s%s", f->code ? "" : f->kernel->name,
              f->code ? "" : " stays as it was compiled first: ", f->why.text);
}

void jit_worked(jit *j, jit_kernel *k, double ns) {
  int tier = atomic_load_explicit(&k->tier, memory_order_relaxed);
  if (tier == ENDED && atomic_compare_exchange_strong(&k->tier, &tier, FINAL)) tell_full(j, k->full);
  if (tier != QUICK || !atomic_load_explicit(&compilations, memory_order_relaxed)) return;
  uint64_t more = ns < (double)WORTH_FULL_NS ? (uint64_t)ns : WORTH_FULL_NS;
  if (atomic_fetch_add(&k->worked_ns, more) + more < WORTH_FULL_NS) return;
  if (!atomic_compare_exchange_strong(&k->tier, &tier, ASKED)) return;
  atomic_fetch_add(&k->refs, 1);
  background_add(j->background, k);
}

void jit_clear(jit *j) {
  lock_take(&j->lock);
  lru_clear(j->cache);
  lock_give(&j->lock);
}

void jit_stats(jit *j, tme_stats *out) {
  disk_stats d = {0};
  lock_take(&j->lock);
  lru_stats s = lru_stats_of(j->cache);
  if (j->disk) disk_cache_stats(j->disk, &d);
  out->compile_ms += j->compile_ms;
  out->compilations += j->compilations;
  lock_give(&j->lock);
  out->entries += s.entries;
  out->hits += s.hits;
  out->misses += s.misses;
  out->evictions += s.evictions;
  out->bytes += s.bytes;
  out->disk_hits += d.hits;
  out->disk_misses += d.misses;
}

/* ---- life ---------------------------------------------------------------------------------------------------------------- */

jit *jit_new(context *c, error *e) {
  jit *j = mem_calloc(1, sizeof *j);
  if (!j) {
    fail_memory(e, "jit", sizeof *j);
    return NULL;
  }
  j->context = c;
  lock_init(&j->lock, LOCK_CODE);
  j->arena = code_arena_new(e);
  j->cache = lru_new(c->config.cache_bytes, 0, drop_kernel, NULL, e);
  j->background = background_new(compile_full, drop_kernel, j, e);
  if (!j->arena || !j->cache || !j->background) {
    jit_free(j);
    return NULL;
  }
  emit_host_target(&j->target);
  j->cpu = (cpu_target){.base = CPU_LOWERING};
  j->cpu.vector_bytes = j->target.vector_bytes;
  j->cpu.registers = j->target.vector_bytes == 64 || !strncmp(j->target.triple, "aarch64", 7) ? 32 : 16;
  j->cpu.l1 = cache_host(1);
  j->cpu.l2 = cache_host(2);
  j->cpu.last_level = cache_last_level();
  j->cpu.dot_i16 = j->target.vector_bytes >= 32;
  /* Where they are faster than multiply-adds of f32: twice as fast on Zen 4 and 5, half as fast on Emerald Rapids. */
  bool zen = !strncmp(j->target.cpu, "znver", 5);
  j->cpu.dot_bf16 = zen && j->target.vector_bytes == 64 && strstr(j->target.features, "+avx512bf16") != NULL;
  return j;
}

void jit_free(jit *j) {
  if (!j) return;
  background_free(j->background, PATIENCE_MS);
  lru_free(j->cache);
  code_arena_free(j->arena);
  disk_cache_close(j->disk);
  lock_end(&j->lock);
  mem_free(j);
}

const cpu_target *jit_target(const jit *j) { return &j->cpu; }

bool jit_usable(jit *j) {
  lock_take(&j->lock);
  bool usable = !j->module_tried || j->module;
  lock_give(&j->lock);
  return usable;
}

tme_status jit_disassemble(jit *j, const kernel *k, bool ir, text *out, error *e) {
  const emit_module *m = compiler(j, e);
  announce(j);
  if (!m || !may_compile(e)) return TME_ERR_JIT;
  tme_status s = check_room(k, e);
  if (s == TME_OK) s = m->disassemble(k, &j->target, ir, out, e);
  fork_release();
  return s;
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
  announce(j);
  lock_take(&j->lock);
  out->compiler_present = j->module != NULL;
  lock_give(&j->lock);
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
