/* From an object file in memory to code that runs, and back to pages that are free. No LLVM, no linker. */
#ifndef TME_CODE_H
#define TME_CODE_H

#include "base/base.h"

typedef struct code_arena code_arena; /* executable memory, W^X: writable and executable are two mappings */
typedef struct code code;             /* one loaded object */

/* NULL with the reason on failure. Reserves memory lazily. */
code_arena *code_arena_new(error *e);
void code_arena_free(code_arena *a); /* after all its code */

/* Loads the allocated sections of a relocatable ELF64 object (x86-64 or AArch64, whatever the host is), applies its
 * relocations, and finds `symbol`. The object is hostile input: every size and offset is checked, only a short list of
 * relocations within its own sections is allowed, no undefined symbol, exactly one global function. No fork may come
 * meanwhile: hold a lock of base/lock.h where other threads may fork. */
code *code_load(code_arena *a, const uint8_t *object, size_t size, const char *symbol, error *e);
void *code_entry(const code *c);
size_t code_size(const code *c); /* bytes of executable memory */
void code_free(code *c);         /* its pages may be used again */

/* TME_PERF_MAP=1: adds the code to a perf map, opened O_EXCL|O_NOFOLLOW on first use. */
tme_status code_perf_map(const code *c, const char *name, error *e);

#endif
