/* The state of one emission: a kernel on its way to LLVM IR.
 *
 * Words used here: an axis is *replicated* if its body is emitted once per coordinate (unrolled axes, and vector axes
 * with several vectors a strip). A *frame* is a stretch of blocks entered through one block (a loop body, a tail
 * behind a condition); what is computed in it is forgotten when it is left, since it dominates nothing behind. */
#ifndef TME_EMITTER_H
#define TME_EMITTER_H

#include "emit/emit.h"
#include <llvm-c/Core.h>
#include <llvm-c/TargetMachine.h>

enum { MAX_COLUMNS = 16, MAX_AXES = 64, MAX_DEPTH = 24, MAX_VECTORS = 255, MAX_VALUES = 1 << 20 };

/* What the target can do beyond its baseline. */
typedef struct features {
  bool x86, sse41, avx, avx2, avx512, avx512bw, bf16, fma, half, round;
} features;

/* Where an axis stands: its coordinate of lane 0 is base + off. */
typedef struct axis_state {
  LLVMValueRef base; /* NULL: 0 */
  int64_t off;
  int depth; /* the frame that base belongs to */
  int coord; /* which replica is being emitted */
  int count; /* replicas of this instance of the loop */
} axis_state;

typedef struct acc_state {
  int inst;
  uint64_t axes;  /* axes that it has replicas for */
  uint64_t outer; /* axes of the loops around it */
  uint64_t keep;
  uint64_t deps;    /* axes outside that its updates depend on */
  int lane_axis;    /* vector axis inside it, over which its lanes run; -1 if none */
  int lanes;        /* of its current values */
  int first, count; /* its replicas in emitter.replica */
} acc_state;

/* One replica of an accumulator that a loop carries. */
typedef struct carried {
  int replica;
  LLVMValueRef before, phi;
} carried;

/* A memoized value, to be forgotten when its frame is left. */
typedef struct memo {
  LLVMValueRef v;
  int depth, next; /* the list of its frame; -1 ends it */
} memo;

typedef struct frame {
  LLVMBasicBlockRef entry; /* the block that leads in: code for the frames around it goes before its terminator;
                              NULL for a frame without blocks of its own */
  LLVMBasicBlockRef head, exit;
  LLVMValueRef from, to, iv, next; /* `next` after the frame: where the loop stopped */
  int64_t step;
  bool guarded, once;
  int first_carried;
} frame;

typedef struct emitter {
  const kernel *k;
  const emit_target *target;
  features has;
  error *err;
  bool failed;
  LLVMContextRef ctx;
  LLVMModuleRef mod;
  LLVMBuilderRef b;
  LLVMValueRef fn;
  LLVMTypeRef i1, i8, i16, i32, i64, f16, f32, f64, ptr;

  /* plan.c: what is known before emission; by instruction */
  uint64_t *deps;      /* axes that the value depends on */
  uint64_t *around;    /* axes of the loops around it */
  int *end;            /* of a K_LOOP: its K_END */
  bool *nested;        /* of a K_LOOP: a loop that stays a loop lies inside */
  int *first_value;    /* in values */
  bool *ix_replicated; /* by index expression: a division whose operand varies with replicated coordinates */
  uint64_t replicated; /* mask of axes */
  acc_state *accs;
  int naccs;
  int *acc_of;           /* of a K_ACC: its number in accs */
  LLVMValueRef *replica; /* current values of the accumulators' replicas */
  bool *touched;         /* replicas that were updated since their K_ACC */
  bool *marked;          /* while a frame's carried replicas are collected */
  int nreplicas;

  memo *memos; /* values, splats of values, index expressions, addresses */
  int nmemos, value_memos, splat_memos, ix_memos, address_memos;
  int memo_list[MAX_DEPTH + 1];

  axis_state axis[MAX_AXES];
  uint64_t jammed;                    /* vector axes whose coordinates are iterated inside the loops being emitted */
  int vector;                         /* the vector axis that is open, -1 */
  int lanes;                          /* its lanes here: its width, or 1 in a scalar tail */
  LLVMValueRef mask[MAX_VECTORS + 1]; /* by coordinate of the vector axis: lanes that are on, NULL for all */

  frame frames[MAX_DEPTH + 1];
  int depth;
  carried *carry;
  int ncarried, carry_cap;
  bool streamed; /* some store went past the caches */
  long emitted;  /* instructions, as a bound on the size of the code */

  LLVMValueRef args, libm, t0, t1, nothing; /* nothing: 16 zero bytes that a disabled access is sent to */
  LLVMValueRef sink;
  LLVMValueRef off; /* a false that LLVM does not know; NULL as long as nothing needs it */
  LLVMValueRef *buffers;
} emitter;

/* plan.c */
tme_status plan(emitter *e);
void plan_free(emitter *e);
int axis_radix(const kernel *k, int axis);        /* replicas that the axis may have; 1 if it is not replicated */
bool axis_is_straight(const kernel *k, int axis); /* a vector axis short enough to need no loop */
bool axis_is_unrolled(const kernel *k, int axis);
bool axis_is_side_by_side(const kernel *k, int axis); /* a vector axis without lanes, several iterations at once */

/* nest.c */
void emit_kernel(emitter *e);
void em_fail(emitter *e, const char *fmt, ...) TME_PRINTF(2, 3);
void region_begin(emitter *e, LLVMValueRef from, LLVMValueRef to, int64_t step, bool guarded, bool once, int loop);
void region_end(emitter *e);
/* Moves the builder to where code of the frame `depth` goes; returns the block to go back to. */
LLVMBasicBlockRef hoist(emitter *e, int depth);
void unhoist(emitter *e, LLVMBasicBlockRef back);
int value_memo(const emitter *e, int inst); /* of the replica that is being emitted */
LLVMValueRef memo_get(const emitter *e, int m);
void memo_set(emitter *e, int m, LLVMValueRef v, int depth);

/* accumulate.c */
void acc_begin(emitter *e, int inst);
void acc_update(emitter *e, int inst);
LLVMValueRef acc_read(emitter *e, int inst);
/* Appends the replicas that the updates in [begin, end) may write to e->carry. */
void acc_collect(emitter *e, int begin, int end);

/* index.c */
LLVMValueRef ix_scalar(emitter *e, int ix);             /* i64, of lane 0 */
LLVMValueRef ix_lanes(emitter *e, int ix, bool narrow); /* a vector over the open vector axis; of i32 if narrow */
bool ix_fits_32(const emitter *e, int ix);
/* The address of lane 0, without the access's dyn. */
LLVMValueRef em_address(emitter *e, int access);

/* Lines of the cache hold whole vectors of the access, if the open vector axis stands at the start of one. */
bool em_aligned(const emitter *e, int access);

/* memory.c */
LLVMValueRef em_load(emitter *e, int inst);
void em_store(emitter *e, int inst);
void em_prefetch(emitter *e, int inst);
bool can_mask(const emitter *e, int begin, int end); /* all accesses there have masked instructions */

/* transpose.c */
typedef struct row_block {
  LLVMValueRef from; /* of row 0: its first element */
  LLVMTypeRef elem;
  int64_t stride;    /* elements from row to row */
  int lanes;         /* rows */
  int n;             /* elements of a row: a power of two, at most lanes and MAX_COLUMNS, and 16 bytes */
  LLVMValueRef mask; /* rows that may be read, NULL for all; the others are zeros */
  unsigned align;
} row_block;
/* out[i]: element i of every row, for i < n. */
void em_transpose(emitter *e, const row_block *r, LLVMValueRef *out);

/* value.c: types, constants, primitives */
LLVMTypeRef em_type(const emitter *e, int dtype, int lanes); /* in registers */
LLVMTypeRef em_memory_type(const emitter *e, int dtype, int lanes);
LLVMTypeRef em_vector(LLVMTypeRef t, int lanes);
int em_lanes(const emitter *e, int inst);
LLVMValueRef em_int(const emitter *e, int64_t v);
LLVMValueRef em_bits(const emitter *e, int dtype, int lanes, uint64_t bits);
LLVMValueRef em_const_splat(LLVMValueRef v, int lanes);
LLVMValueRef em_splat(emitter *e, LLVMValueRef v, int lanes);
/* A constant vector as it is read from a place of its own. */
LLVMValueRef em_from_memory(emitter *e, LLVMValueRef constant);
/* A constant read as a whole vector, from a place of its own at each use, else NULL. In a loop of AVX2 that sums, the
 * sums take the registers; broadcasts would take more, where an instruction reads its operand from memory as it is. */
LLVMValueRef em_constant_in_memory(emitter *e, const k_inst *in, int lanes);
LLVMValueRef em_operand(emitter *e, int inst, int lanes);
LLVMValueRef em_value(emitter *e, int inst); /* of an instruction already emitted */
LLVMValueRef em_call(emitter *e, const char *intrinsic, LLVMTypeRef *types, int ntypes, LLVMValueRef *args, int nargs);
LLVMValueRef em_prim(emitter *e, int inst, int lanes);
LLVMValueRef em_combine(emitter *e, int op, int dtype, LLVMValueRef a, LLVMValueRef b);
LLVMValueRef em_arg(emitter *e, int dtype, int number);

/* fma.c */
LLVMValueRef em_fma(emitter *e, int dtype, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c);
LLVMValueRef em_fma_once(emitter *e, int dtype, LLVMValueRef a, LLVMValueRef b, LLVMValueRef c, int lanes);

/* dot.c: sum + the products of the halves of a and b */
LLVMValueRef em_dot(emitter *e, int op, LLVMValueRef a, LLVMValueRef b, LLVMValueRef sum, int lanes);

/* cast.c, round.c */
LLVMValueRef em_cast(emitter *e, int to, int from, LLVMValueRef v, int lanes);
LLVMValueRef em_round(emitter *e, int op, int dtype, LLVMValueRef v, int lanes);
LLVMValueRef em_libm(emitter *e, int inst, int lanes);
LLVMValueRef em_libm_rest(emitter *e, int inst, int lanes);
/* r where `known` holds for all lanes, else function f (libm_id) of the n operands, all f64. */
LLVMValueRef em_libm_unless(emitter *e, int f, LLVMValueRef known, LLVMValueRef r, LLVMValueRef *x, int n, int lanes);

#endif
