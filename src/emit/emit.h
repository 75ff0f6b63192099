/* Emitters: a kernel description to code. */
#ifndef TME_EMIT_H
#define TME_EMIT_H

#include "kernel/kernel.h"

/* The processor that code is made for. */
typedef struct emit_target {
  char triple[64];     /* "x86_64-unknown-linux-gnu"; "" for the host */
  char cpu[64];        /* LLVM's name of the processor: "znver4" */
  char features[2048]; /* "+avx2,+fma,..." ; as LLVM writes them */
  int vector_bytes;    /* widest vector that pays: 64 AVX-512, 32 AVX2, 16 others */
} emit_target;

/* Machine code as a relocatable object in memory, with one function "kernel" of type kernel_fn and no undefined symbol. */
typedef struct emit_object {
  uint8_t *bytes; /* malloc'ed by the module; freed with table->free_bytes */
  size_t size;
} emit_object;

/* The compiler lives in a module of its own (libtme-llvm.so), which exports one symbol, `tme_llvm_module`, of this type.
 * Thread-safe: every call uses a context of its own. */
#define EMIT_MODULE_VERSION 2
typedef struct emit_module {
  uint32_t version;         /* EMIT_MODULE_VERSION */
  const char *emitter;      /* TME_EMITTER_ID, of the sources that give kernels their meaning */
  const char *llvm_version; /* "19.1.7" */
  /* Code for `t`; TME_ERR_JIT with the reason on failure. */
  tme_status (*compile)(const kernel *k, const emit_target *t, emit_object *out, error *e);
  /* Appends the assembler text (or, with `ir`, LLVM's IR). */
  tme_status (*disassemble)(const kernel *k, const emit_target *t, bool ir, text *out, error *e);
  void (*free_bytes)(uint8_t *bytes);
} emit_module;

/* The host, found without LLVM (cpuid, getauxval), so that a warm process needs no compiler to know its cache keys. */
void emit_host_target(emit_target *t);

/* The kernel as C, for people to read. */
void emit_c(const kernel *k, text *out);

#endif
