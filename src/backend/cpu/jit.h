/* Kernels to machine code, through the cache in memory, the cache on disk, and the compiler's module. */
#ifndef TME_JIT_H
#define TME_JIT_H

#include "backend/backend.h"
#include "cache/disk_cache.h"
#include "lower/cpu/target.h"
#include "lower/program.h"

typedef struct jit jit;
typedef struct jit_kernel jit_kernel; /* compiled, loaded, reference-counted: eviction never unmaps running code */

/* Opens no compiler and no file. */
jit *jit_new(context *c, error *e);
void jit_free(jit *j);

typedef enum jit_origin { JIT_IN_MEMORY, JIT_ON_DISK, JIT_COMPILED } jit_origin;
/* The kernel's code, and where it came from. NULL with the reason. */
jit_kernel *jit_get(jit *j, const kernel *k, jit_origin *from, error *e);
kernel_fn *jit_entry(const jit_kernel *k);
void jit_release(jit_kernel *k); /* NULL is allowed */
/* True while its second tier is not there. */
bool jit_is_quick(const jit_kernel *k);
/* The kernel ran for about so long. When that is worth it, its entry becomes that of the code in full. */
void jit_worked(jit *j, jit_kernel *k, double ns);

const cpu_target *jit_target(const jit *j);
/* The cache on disk, opened by the first call; NULL if there is none. */
disk_cache *jit_disk(jit *j);
/* Adds what all that is made for this machine by this version depends on: the beginning of a key. */
void jit_key(const jit *j, text *key);
/* True until the compiler was found missing or broken. */
bool jit_usable(jit *j);
/* Compiles around both caches, runs, and checks a 2x2 product; fills state, reason, compiler_present and target. */
void jit_self_test(jit *j, tme_jit_status *out);
void jit_stats(jit *j, tme_stats *out);
/* The cache in memory. */
void jit_clear(jit *j);
/* The kernel's assembler text, or LLVM's IR. */
tme_status jit_disassemble(jit *j, const kernel *k, bool ir, text *out, error *e);

#ifdef TME_TEST_HOOKS
/* Plants a failure: where the next steps of this kind fail, until it is set back to JIT_FAIL_NEVER. */
enum { JIT_FAIL_NEVER, JIT_FAIL_OPEN, JIT_FAIL_COMPILE, JIT_FAIL_LOAD, JIT_FAIL_RUN };
void jit_plant_failure(int where);
int jit_planted_failure(void);
#endif

#endif
