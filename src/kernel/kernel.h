/* The kernel description: a loop nest and scalar SSA, as plain data.
 *
 * A kernel is a list of instructions; the number of an instruction names its value. K_LOOP ... K_END bracket the body
 * of a loop over one axis; the same axis may be looped over more than once (softmax passes over its row three times). A
 * value may be used after its instruction, in the same body or in loops inside it. Everything an emitter needs is in the
 * tables: axes, buffers, accesses and index expressions. There are no pointers inside a kernel, so it can be hashed,
 * stored and compared as bytes (kernel_bytes).
 *
 *   softmax of 8x1000:                            sum over axis 0 of 4096x4096:
 *   loop r parallel 8                             loop c parallel vector 4096
 *     %1 = acc max -inf                             %1 = acc add 0
 *     loop c vector reduce 1000                     loop r seq reduce 4096
 *       %3 = load a[r*1000 + c]                       %3 = load a[r*4096 + c]
 *       update %1, %3                                 update %1, %3
 *     end                                           end
 *     %6 = read %1                                  %6 = read %1
 *     ...                                           store out[c], %6
 *
 * How a kernel is called: see kernel_fn. Top-level parallel loops are "sections": tasks are numbered through all
 * sections, and a call runs the tasks [t0, t1). A section's parallel loops are outermost and perfectly nested; the
 * innermost of them may also be `vector` (then a task is one element of it when it is the only parallel axis, and calls
 * take whole strips: kernel_strip).
 */
#ifndef TME_KERNEL_H
#define TME_KERNEL_H

#include "base/caches.h"

/* How a loop runs. */
enum {
  AXIS_PARALLEL = 1, /* iterations are tasks; top of a section only */
  AXIS_VECTOR = 2,   /* strip-mined by `width` lanes x `unroll` vectors; the last strip is masked. Its iterations do not
                        depend on each other. With one lane, `unroll` of them are unrolled and jammed; there may be lanes
                        inside or around it */
  AXIS_UNROLL = 4,   /* replicated: no loop in the machine code; extent is small */
  AXIS_REDUCE = 8    /* carries accumulators; for the reader and the verifier */
  /* none of these: a sequential loop */
};

typedef struct k_axis {
  int64_t extent; /* iterations; for a symbolic extent the largest one allowed (INT64_MAX / 16) */
  int32_t sym;    /* -1, or: the extent is the run-time argument args[sym], as int64 */
  uint8_t flags;  /* AXIS_* */
  uint8_t unroll; /* vector axes: vectors per strip, >= 1 */
  uint16_t width; /* vector axes: lanes, a power of two >= 1 */
  int32_t limit;  /* -1, or an index expression: the loop ends at min(extent, limit) (the last chunk of a split axis) */
  int32_t first;  /* -1, or an index expression: the loop begins there instead of at 0 (a block of a long sum) */
} k_axis;

typedef enum k_buf_role { BUF_IN, BUF_OUT, BUF_SCRATCH } k_buf_role;

typedef struct k_buf {
  uint8_t role;
  uint8_t dtype; /* of its elements: never complex (a complex array is twice as many reals) */
  bool stream;   /* BUF_OUT: larger than the caches, so that stores go past them where they fill whole lines */
  uint8_t pad;
  uint32_t align; /* bytes that the base address is a multiple of; at least the element size */
  int64_t lo, hi; /* elements that accesses may touch: [lo, hi) relative to the pointer; for scratch [0, elements) */
} k_buf;

/* Index expressions: integers over the loop variables, hash-consed and simplified as they are made. */
typedef enum ix_op { IX_CONST, IX_AXIS, IX_ADD, IX_MUL, IX_DIV, IX_MOD } ix_op;
typedef struct k_ix {
  uint8_t op;
  uint8_t pad[3];
  int32_t a, b; /* operands: expressions; for IX_AXIS the axis */
  int32_t pad2;
  int64_t c;      /* IX_CONST value; IX_MUL, IX_DIV, IX_MOD constant (floor semantics, c > 0 for div and mod) */
  int64_t lo, hi; /* the values it can take, inclusive */
} k_ix;

/* One way into a buffer: element ix + dyn * dyn_scale. A lane whose guard is false does not touch memory and loads 0. */
typedef struct k_access {
  int32_t buf;
  int32_t ix;
  int32_t dyn;   /* -1, or an i64 value (gathers) */
  int32_t guard; /* -1, or a bool value */
  int64_t dyn_scale;
} k_access;

/* Values have these dtypes: bool, integers, f32, f64; and f16, bf16 only between load, store and cast. */
typedef enum k_op {
  K_NOP,
  K_LOOP,     /* a: axis; b: -1, or a bool value: where it is false the loop does not run */
  K_END,      /* a: the instruction of its K_LOOP */
  K_CONST,    /* imm: the bits of the value, low bytes first; bool 0/1 */
  K_ARG,      /* imm: number of a run-time argument; its bits are args[imm] */
  K_INDEX,    /* imm: index expression, as i64 */
  K_LOAD,     /* imm: access */
  K_STORE,    /* imm: access; a: value */
  K_PREFETCH, /* imm: access: its cache line is read soon; it may lie outside of the buffer */
  K_ACC,      /* an accumulator: a: initial value (a K_CONST or K_ARG); b: one of K_ADD K_MUL K_MIN K_MAX K_LARGER K_AND
               K_OR; imm: bit mask of the axes whose iterations it keeps apart, besides the loops around it (the unrolled
               and vector axes of a matmul tile). All other axes between it and its updates are reduced. */
  K_UPDATE, /* a: the K_ACC; b: value; with c >= 0: acc = fma(b, c, acc) (only for K_ADD), or what imm names in place of
                fma: K_DOT_BF16 or K_DOT_I16 */
  K_READ,   /* a: the K_ACC; its value after the loops (inside loops over its kept axes, where it has some) */
#define PRIM(name, arity, text) K_##name,
#include "kernel/prims.def"
#undef PRIM
  K_OP_COUNT
} k_op;

/* What the second operand of K_SCALE and K_SCALE_DOWN is relative to: adding it to a float rounds that to a whole
 * number, which lies in the low bits of the sum, with the exponent of 1 added twice; or that of the number which
 * brings every denormal into the normal range, 2^24 or 2^53. */
#define K_SCALE_BASE_F32 (0x1.8p23 + 2 * 127)
#define K_SCALE_BASE_F64 (0x1.8p52 + 2 * 1023)
#define K_SCALE_DOWN_BASE_F32 (0x1.8p23 + 127 + 24)
#define K_SCALE_DOWN_BASE_F64 (0x1.8p52 + 1023 + 53)

typedef struct k_inst {
  uint8_t op;
  uint8_t dtype; /* of the value; for comparisons bool; K_STORE, K_LOOP, K_END: 0 */
  uint8_t pad[2];
  int32_t a, b, c; /* operands, -1 if none */
  uint64_t imm;
} k_inst;

typedef struct kernel {
  char name[48]; /* for people: "matmul+gelu (1024, 256)"; not part of the key */
  k_axis *axes;
  k_buf *bufs;
  k_ix *ix;
  k_access *acc;
  k_inst *inst;
  int naxes, nbufs, nix, nacc, ninst;
  int nargs;             /* run-time arguments that it reads */
  int opt;               /* code generation effort: 0 short maps, 1 long ones, 2 accumulators */
  int full_unroll;       /* vectors of a strip in the code that takes over once this kernel's has run for long
                            (kernel_full); 0: it stays */
  int64_t scratch_bytes; /* per running call; filled by kernel_finish */
  double task_cost;      /* rough nanoseconds per task on one core; not part of the key */
  double task_ops;       /* arithmetic instructions per task, one a lane, without products' multiply-adds; likewise */
  int cap[5];            /* capacities of the five tables */
  bool failed;           /* while building: an allocation, or what was asked for */
  bool refused;          /* the latter: too many axes, or an operand that is not one */
} kernel;

/* buf[i] is the base pointer of buffer i (scratch buffers are not passed: they lie in `scratch`, in order, each
 * aligned to 64 bytes). libm is libm_table (base/libm.h). Runs the tasks [t0, t1). */
typedef void kernel_fn(void *const *buf, const uint64_t *args, void *scratch, const void *const *libm, int64_t t0,
                       int64_t t1);

/* ---- building --------------------------------------------------------------------------------------------------- */

kernel *kernel_new(const char *name);
void kernel_free(kernel *k);
/* A finished kernel with full_unroll vectors in its strips, to be freed by the caller; NULL if out of memory. */
kernel *kernel_full(const kernel *k);
int k_axis_add(kernel *k, int64_t extent, unsigned flags, int width, int unroll);
/* The axis in a mask of axes; nothing for -1, an axis that could not be added. */
static inline uint64_t axis_bit(int axis) { return axis < 0 ? 0 : (uint64_t)1 << axis; }
int k_buf_add(kernel *k, k_buf_role role, tme_dtype t, int64_t lo, int64_t hi);
int k_access_add(kernel *k, int buf, int ix);
int k_emit(kernel *k, k_op op, tme_dtype t, int a, int b, int c, uint64_t imm);
int k_loop(kernel *k, int axis);                 /* returns the instruction, for k_end */
int k_loop_where(kernel *k, int axis, int cond); /* a sequential loop that runs where cond holds, which is seldom */
void k_end(kernel *k, int loop);
int k_const_f(kernel *k, tme_dtype t, double v); /* any value dtype; f32 is rounded once */
int k_const_i(kernel *k, tme_dtype t, int64_t v);
int k_load(kernel *k, int access);
void k_store(kernel *k, int access, int value);
int k_index(kernel *k, int ix);
int k_un(kernel *k, k_op op, int a);         /* dtype of a; bool for K_NOT of bool */
int k_bin(kernel *k, k_op op, int a, int b); /* dtype of a; comparisons: bool */
int k_fma(kernel *k, int a, int b, int c);
int k_fma_once(kernel *k, int a, int b, int c); /* of floats; one rounding also where that is expensive */
int k_select(kernel *k, int cond, int a, int b);
int k_cast(kernel *k, tme_dtype t, int a); /* a itself if it is a t already */
int k_bitcast(kernel *k, tme_dtype t, int a);
/* True if the value is known to be 0, negative, or NaN. */
bool kernel_nonpositive(const kernel *k, int value);
/* Drops what nothing uses, moves every value out of the loops that it does not depend on, fills scratch_bytes, nargs. */
tme_status kernel_finish(kernel *k, error *e);
/* Why building failed; `k` may be NULL. */
tme_status kernel_failure(const kernel *k, const char *label, error *e);

/* index expressions; each returns the expression's number */
int ix_const(kernel *k, int64_t c);
int ix_axis(kernel *k, int axis);
int ix_add(kernel *k, int a, int b);
int ix_mul(kernel *k, int a, int64_t c);
int ix_div(kernel *k, int a, int64_t c);
int ix_mod(kernel *k, int a, int64_t c);
/* True and the factor if the expression is `rest + factor * axis` with a rest that does not depend on the axis. */
bool ix_affine(const kernel *k, int ix, int axis, int64_t *factor);
uint64_t ix_axes(const kernel *k, int ix); /* mask of the axes that it depends on */

/* ---- using ------------------------------------------------------------------------------------------------------- */

/* The tasks of all sections; `args` gives symbolic extents. */
int64_t kernel_tasks(const kernel *k, const uint64_t *args);
/* Calls begin, and end before the last task, at multiples of this: the strips where tasks are elements, else 1. */
int64_t kernel_strip(const kernel *k);
/* For every instruction the mask of the axes that its value depends on. `out` has ninst entries. */
void kernel_deps(const kernel *k, uint64_t *out);
/* Checks structure, dtypes, operands in scope, indices within the buffers' bounds. */
tme_status kernel_verify(const kernel *k, error *e);
/* All that shapes the code, as bytes appended to `out` (not name and cost). */
void kernel_bytes(const kernel *k, text *out);
/* The description for people, as in the picture above. */
void kernel_print(const kernel *k, text *out);
const char *k_op_name(k_op op);

#endif
