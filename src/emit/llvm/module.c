/* The module's one entry: a kernel in, an object or a text out. */
#include "emitter.h"
#include <llvm-c/Analysis.h>
#include <llvm-c/ErrorHandling.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <llvm/Config/llvm-config.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* ---- once a process ---------------------------------------------------------------------------------------------- */

/* LLVM ends the process when its fatal-error handler returns. Jumping out leaks what it held and may leave its locks
 * taken, so the module refuses every later call. */
static _Thread_local jmp_buf *escape;
static _Thread_local char fatal_reason[200];
static atomic_bool broken;

static void on_fatal_error(const char *reason) {
  if (!escape) return;
  snprintf(fatal_reason, sizeof fatal_reason, "%s", reason);
  atomic_store(&broken, true);
  longjmp(*escape, 1);
}

/* Likewise where it, or its C++ library, gets no memory. C has no names for these two functions. */
void install_bad_alloc_handler(void (*handler)(void *user, const char *reason, bool diagnose),
                               void *user) __asm__("_ZN4llvm31install_bad_alloc_error_handlerEPFvPvPKcbES0_");
static void on_bad_alloc(void *user, const char *reason, bool diagnose) {
  (void)user, (void)diagnose;
  on_fatal_error(reason);
}

#ifdef TME_OWN_CXX /* else operator new is the whole process's */
void (*set_new_handler(void (*handler)(void)))(void) __asm__("_ZSt15set_new_handlerPFvvE");
static void on_no_memory(void) {
  on_fatal_error("out of memory");
  set_new_handler(NULL); /* nobody to jump to: the next attempt ends the process */
}
#endif

static void set_up(void) {
  /* These cost half of the time of code generation and gain nothing on loops that are written out already. */
  static const char *const options[] = {"tme",
                                        "-disable-lsr",
                                        "-disable-post-ra",
                                        "-enable-misched=false",
                                        "-disable-machine-licm",
                                        "-disable-machine-cse"};
  LLVMInitializeNativeTarget();
  LLVMInitializeNativeAsmPrinter();
  LLVMParseCommandLineOptions(COUNT(options), options, NULL);
  LLVMInstallFatalErrorHandler(on_fatal_error);
  install_bad_alloc_handler(on_bad_alloc, NULL);
#ifdef TME_OWN_CXX
  set_new_handler(on_no_memory);
#endif
}

static void on_diagnostic(LLVMDiagnosticInfoRef info, void *user) {
  emitter *e = user;
  if (LLVMGetDiagInfoSeverity(info) != LLVMDSError) return;
  char *why = LLVMGetDiagInfoDescription(info);
  em_fail(e, "%s", why);
  LLVMDisposeMessage(why);
}

/* ---- the target -------------------------------------------------------------------------------------------------- */

static bool has(const emit_target *t, const char *name) {
  size_t n = strlen(name);
  for (const char *p = strstr(t->features, name); p; p = strstr(p + 1, name)) {
    bool starts = p > t->features && p[-1] == '+' && (p - 1 == t->features || p[-2] == ',');
    if (starts && (p[n] == ',' || !p[n])) return true;
  }
  return false;
}

static features find_features(const emit_target *t) {
  features f = {.x86 = !t->triple[0] || strncmp(t->triple, "x86_64", 6) == 0};
#if !defined(__x86_64__)
  f.x86 = strncmp(t->triple, "x86_64", 6) == 0;
#endif
  if (!f.x86) return (features){.fma = true, .half = true, .round = true};
  f.avx512 = has(t, "avx512f") && has(t, "avx512vl") && has(t, "avx512dq");
  f.avx512bw = f.avx512 && has(t, "avx512bw");
  f.bf16 = f.avx512 && has(t, "avx512bf16");
  f.avx2 = f.avx512 || has(t, "avx2");
  f.avx = f.avx2 || has(t, "avx");
  f.sse41 = f.avx || has(t, "sse4.1");
  f.fma = has(t, "fma");
  f.half = has(t, "f16c");
  f.round = f.sse41;
  return f;
}

/* A name that this LLVM knows: with another one it would print a warning. The features are listed in any case. */
static const char *processor(const emit_target *t, bool x86) {
  static const struct {
    const char *name;
    int since;
  } known[] = {{"x86-64", 0},         {"x86-64-v2", 0},      {"x86-64-v3", 0},      {"x86-64-v4", 0},
               {"haswell", 0},        {"broadwell", 0},      {"skylake", 0},        {"skylake-avx512", 0},
               {"cascadelake", 0},    {"cooperlake", 0},     {"icelake-client", 0}, {"icelake-server", 0},
               {"tigerlake", 0},      {"rocketlake", 0},     {"alderlake", 0},      {"sapphirerapids", 0},
               {"emeraldrapids", 16}, {"graniterapids", 16}, {"diamondrapids", 20}, {"znver1", 0},
               {"znver2", 0},         {"znver3", 0},         {"znver4", 16},        {"znver5", 20}};
  if (!x86) return "generic";
  for (int i = 0; i < COUNT(known); i++) {
    if (strcmp(t->cpu, known[i].name) == 0 && LLVM_VERSION_MAJOR >= known[i].since) return known[i].name;
  }
  return "x86-64";
}

static LLVMTargetMachineRef make_machine(emitter *e, const kernel *k, const emit_target *t) {
  char *triple = t->triple[0] ? LLVMCreateMessage(t->triple) : LLVMGetDefaultTargetTriple(), *why = NULL;
  LLVMTargetRef target;
  LLVMTargetMachineRef tm = NULL;
  LLVMCodeGenOptLevel level = k->opt > 1   ? LLVMCodeGenLevelDefault
                              : k->opt > 0 ? LLVMCodeGenLevelLess
                                           : LLVMCodeGenLevelNone;
  if (LLVMGetTargetFromTriple(triple, &target, &why)) {
    em_fail(e, "%s", why ? why : "unknown target");
    LLVMDisposeMessage(why);
  } else {
    tm = LLVMCreateTargetMachine(target, triple, processor(t, e->has.x86), t->features, level, LLVMRelocPIC,
                                 LLVMCodeModelSmall);
    if (!tm) em_fail(e, "no code generator for %s", triple);
  }
  LLVMSetTarget(e->mod, triple);
  LLVMDisposeMessage(triple);
  return tm;
}

/* ---- the function ------------------------------------------------------------------------------------------------ */

static void make_types(emitter *e) {
  LLVMContextRef c = e->ctx;
  e->i1 = LLVMInt1TypeInContext(c);
  e->i8 = LLVMInt8TypeInContext(c);
  e->i16 = LLVMInt16TypeInContext(c);
  e->i32 = LLVMInt32TypeInContext(c);
  e->i64 = LLVMInt64TypeInContext(c);
  e->f16 = LLVMHalfTypeInContext(c);
  e->f32 = LLVMFloatTypeInContext(c);
  e->f64 = LLVMDoubleTypeInContext(c);
  e->ptr = LLVMPointerTypeInContext(c, 0);
}

static void add_attribute(emitter *e, const char *name) {
  unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));
  LLVMAddAttributeAtIndex(e->fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                          LLVMCreateEnumAttribute(e->ctx, kind, 0));
}

static void add_text_attribute(emitter *e, const char *name, const char *value) {
  LLVMAttributeRef a = LLVMCreateStringAttribute(e->ctx, name, (unsigned)strlen(name), value, (unsigned)strlen(value));
  LLVMAddAttributeAtIndex(e->fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex, a);
}

/* Accesses may be switched off: by guards, or as rows of a block beyond the end. */
static bool switches_off(const kernel *k) {
  for (int i = 0; i < k->nacc; i++) {
    if (k->acc[i].guard >= 0) return true;
  }
  for (int i = 0; i < k->naxes; i++) {
    if (axis_is_side_by_side(k, i)) return true;
  }
  return false;
}

static void make_function(emitter *e) {
  const kernel *k = e->k;
  LLVMTypeRef params[] = {e->ptr, e->ptr, e->ptr, e->ptr, e->i64, e->i64};
  LLVMTypeRef t = LLVMFunctionType(LLVMVoidTypeInContext(e->ctx), params, 6, false);
  e->fn = LLVMAddFunction(e->mod, "kernel", t);
  add_attribute(e, "nounwind");
  if (e->target->vector_bytes >= 64) /* some processors are tuned for half of their width */
    add_text_attribute(e, "prefer-vector-width", "512");
  LLVMPositionBuilderAtEnd(e->b, LLVMAppendBasicBlockInContext(e->ctx, e->fn, ""));
  e->args = LLVMGetParam(e->fn, 1);
  e->libm = LLVMGetParam(e->fn, 3);
  e->t0 = LLVMGetParam(e->fn, 4);
  e->t1 = LLVMGetParam(e->fn, 5);
  if (switches_off(k)) {
    LLVMTypeRef zeros = em_vector(e->i64, 2);
    e->nothing = LLVMBuildAlloca(e->b, zeros, "");
    e->sink = LLVMBuildAlloca(e->b, e->i64, "");
    LLVMBuildStore(e->b, LLVMConstNull(zeros), e->nothing);
  }
  int64_t scratch = 0;
  for (int i = 0; i < k->nbufs; i++) {
    const k_buf *buf = &k->bufs[i];
    if (buf->role == BUF_SCRATCH) {
      LLVMValueRef at = em_int(e, scratch);
      e->buffers[i] = LLVMBuildGEP2(e->b, e->i8, LLVMGetParam(e->fn, 2), &at, 1, "");
      scratch += (buf->hi * (int64_t)tme_dtype_size((tme_dtype)buf->dtype) + 63) / 64 * 64;
    } else {
      LLVMValueRef at = em_int(e, i), slot = LLVMBuildGEP2(e->b, e->ptr, LLVMGetParam(e->fn, 0), &at, 1, "");
      e->buffers[i] = LLVMBuildLoad2(e->b, e->ptr, slot, "");
    }
  }
  emit_kernel(e);
  if (e->streamed && e->has.x86) em_call(e, "llvm.x86.sse.sfence", NULL, 0, NULL, 0); /* before who reads is told */
  LLVMBuildRetVoid(e->b);
}

/* ---- from a kernel to bytes -------------------------------------------------------------------------------------- */

enum { OBJECT, ASSEMBLY, IR };

static void finish_module(emitter *e, LLVMTargetMachineRef tm, int what, LLVMMemoryBufferRef *out, char **ir) {
  /* What is invalid would end the process in the code generator. */
  char *wrong = NULL;
  if (LLVMVerifyModule(e->mod, LLVMReturnStatusAction, &wrong)) em_fail(e, "invalid IR: %s", wrong);
  LLVMDisposeMessage(wrong);
  if (e->failed) return;
  if (what == IR) {
    *ir = LLVMPrintModuleToString(e->mod);
    return;
  }
  char *why = NULL;
  LLVMCodeGenFileType type = what == OBJECT ? LLVMObjectFile : LLVMAssemblyFile;
  if (LLVMTargetMachineEmitToMemoryBuffer(tm, e->mod, type, &why, out)) {
    em_fail(e, "%s", why ? why : "code generation failed");
    LLVMDisposeMessage(why);
  }
}

static void generate(emitter *e, int what, LLVMMemoryBufferRef *out, char **ir) {
  e->has = find_features(e->target);
  e->ctx = LLVMContextCreate();
  LLVMContextSetDiagnosticHandler(e->ctx, on_diagnostic, e);
  e->mod = LLVMModuleCreateWithNameInContext("kernel", e->ctx);
  e->b = LLVMCreateBuilderInContext(e->ctx);
  make_types(e);
  LLVMTargetMachineRef tm = make_machine(e, e->k, e->target);
  if (tm) {
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(tm);
    LLVMSetModuleDataLayout(e->mod, layout);
    LLVMDisposeTargetData(layout);
    if (plan(e) == TME_OK)
      make_function(e);
    else
      e->failed = true;
    if (!e->failed) finish_module(e, tm, what, out, ir);
    LLVMDisposeTargetMachine(tm);
  }
  LLVMDisposeBuilder(e->b);
  LLVMDisposeModule(e->mod);
  LLVMContextDispose(e->ctx);
}

static void generate_guarded(emitter *e, int what, LLVMMemoryBufferRef *out, char **ir) {
  jmp_buf here;
  escape = &here;
  if (setjmp(here) == 0)
    generate(e, what, out, ir);
  else
    em_fail(e, "LLVM: %s", fatal_reason);
  escape = NULL;
}

static tme_status emit_to(const kernel *k, const emit_target *t, int what, LLVMMemoryBufferRef *out, char **ir,
                          error *err) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  error own = {0};
  if (kernel_verify(k, &own) != TME_OK) return fail(err, TME_ERR_JIT, "%s", own.text);
  if (atomic_load(&broken)) return fail(err, TME_ERR_JIT, "LLVM failed in an earlier compilation");
  pthread_once(&once, set_up);
  emitter *e = mem_calloc(1, sizeof *e);
  if (!e) return fail_memory(err, "emitter", sizeof *e);
  e->k = k;
  e->target = t;
  e->err = &own;
  generate_guarded(e, what, out, ir);
  plan_free(e);
  mem_free(e);
  return own.code == TME_OK ? TME_OK : fail(err, own.code, "%s", own.text);
}

static tme_status compile(const kernel *k, const emit_target *t, emit_object *out, error *err) {
  LLVMMemoryBufferRef buffer = NULL;
  *out = (emit_object){0};
  tme_status st = emit_to(k, t, OBJECT, &buffer, NULL, err);
  if (st == TME_OK) {
    out->size = LLVMGetBufferSize(buffer);
    out->bytes = mem_alloc(out->size);
    if (out->bytes)
      memcpy(out->bytes, LLVMGetBufferStart(buffer), out->size);
    else
      st = fail_memory(err, "object", out->size);
  }
  if (buffer) LLVMDisposeMemoryBuffer(buffer);
  return st;
}

static tme_status disassemble(const kernel *k, const emit_target *t, bool ir, text *out, error *err) {
  LLVMMemoryBufferRef buffer = NULL;
  char *s = NULL;
  tme_status st = emit_to(k, t, ir ? IR : ASSEMBLY, &buffer, &s, err);
  if (s) {
    text_bytes(out, s, strlen(s));
    LLVMDisposeMessage(s);
  }
  if (buffer) {
    text_bytes(out, LLVMGetBufferStart(buffer), LLVMGetBufferSize(buffer));
    LLVMDisposeMemoryBuffer(buffer);
  }
  return st == TME_OK && out->failed ? fail_memory(err, "assembly", out->len) : st;
}

static void free_bytes(uint8_t *bytes) { mem_free(bytes); }

TME_API extern const emit_module tme_llvm_module;
const emit_module tme_llvm_module = {
    .version = EMIT_MODULE_VERSION,
    .emitter = TME_EMITTER_ID,
    .llvm_version = LLVM_VERSION_STRING,
    .compile = compile,
    .disassemble = disassemble,
    .free_bytes = free_bytes,
};
