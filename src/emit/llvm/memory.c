/* Loads and stores: contiguous, reversed, every second element, gathered; with masks for tails and guards. */
#include "emitter.h"

/* How the lanes of an access lie in memory. */
typedef enum layout { ONE, ALONG, BACKWARD, SECOND, STRIDED, SCATTERED } layout;

typedef struct place {
  layout layout;
  int lanes;
  int64_t stride;       /* STRIDED: elements between lanes */
  LLVMTypeRef elem;     /* in memory */
  LLVMValueRef address; /* of lane 0; SCATTERED: of element 0 of the index */
  LLVMValueRef index;   /* SCATTERED: elements from address, a vector */
  LLVMValueRef mask;    /* lanes that are on, NULL for all; ONE: the guard */
  unsigned align;
} place;

static bool on_vector(const emitter *e, int value) {
  return value >= 0 && e->vector >= 0 && e->lanes > 1 && (e->deps[value] >> e->vector & 1);
}

/* The mask of a load or store, which LLVM does not see through. Version 19, without AVX-512, splits a wide access under a
 * mask that is partly known, and loads those parts whole of which all lanes are off: such a mask can come of the tail of a loop
 * or of any guard. */
static LLVMValueRef opaque(emitter *e, LLVMValueRef mask, unsigned bytes) {
  if (!mask || e->has.avx512 || LLVMIsConstant(mask) || bytes <= (e->has.avx ? 32 : 16)) return mask;
  if (!e->off) {
    LLVMBasicBlockRef back = hoist(e, 0);
    LLVMValueRef zero = em_from_memory(e, LLVMConstNull(e->i8));
    LLVMSetVolatile(zero, true);
    e->off = LLVMBuildICmp(e->b, LLVMIntNE, zero, LLVMConstNull(e->i8), "");
    unhoist(e, back);
  }
  return LLVMBuildXor(e->b, mask, em_splat(e, e->off, (int)LLVMGetVectorSize(LLVMTypeOf(mask))), "");
}

static LLVMValueRef both(emitter *e, LLVMValueRef a, LLVMValueRef b) {
  return a && b ? LLVMBuildAnd(e->b, a, b, "") : a ? a : b;
}

static LLVMValueRef index_vector(emitter *e, const k_access *x, bool dyn_lanes) {
  bool ix_vector = ix_axes(e->k, x->ix) >> e->vector & 1;
  if (x->dyn < 0) return ix_lanes(e, x->ix, ix_fits_32(e, x->ix));
  LLVMValueRef v = em_operand(e, x->dyn, e->lanes);
  if (!dyn_lanes) v = em_splat(e, em_value(e, x->dyn), e->lanes);
  if (x->dyn_scale != 1) v = LLVMBuildMul(e->b, v, em_const_splat(em_int(e, x->dyn_scale), e->lanes), "");
  return ix_vector ? LLVMBuildAdd(e->b, v, ix_lanes(e, x->ix, false), "") : v;
}

static place find_place(emitter *e, int access, bool value_lanes) {
  const k_access *x = &e->k->acc[access];
  int dtype = e->k->bufs[x->buf].dtype;
  place p = {.elem = em_memory_type(e, dtype, 1), .align = (unsigned)tme_dtype_size((tme_dtype)dtype)};
  bool open = e->vector >= 0 && e->lanes > 1, dyn_lanes = on_vector(e, x->dyn), guard_lanes = on_vector(e, x->guard);
  bool ix_vector = open && (ix_axes(e->k, x->ix) >> e->vector & 1);
  int64_t stride = 0;
  p.lanes = ix_vector || dyn_lanes || guard_lanes || value_lanes ? e->lanes : 1;
  if (p.lanes == 1) {
    p.layout = ONE;
    p.mask = x->guard >= 0 ? em_value(e, x->guard) : NULL;
  } else {
    p.mask = both(e, e->mask[e->axis[e->vector].coord], x->guard >= 0 ? em_operand(e, x->guard, p.lanes) : NULL);
    p.mask = opaque(e, p.mask, (unsigned)p.lanes * p.align);
    bool affine = !dyn_lanes && ix_affine(e->k, x->ix, e->vector, &stride);
    p.layout = !affine ? SCATTERED : stride == 1 ? ALONG : stride == -1 ? BACKWARD : stride == 2 ? SECOND : STRIDED;
    p.stride = stride;
  }
  if (p.layout == SCATTERED) {
    p.index = index_vector(e, x, dyn_lanes);
    p.address = e->buffers[x->buf];
    if (!ix_vector) /* the rest of the index is a scalar */
      p.address = em_address(e, access);
    return p;
  }
  p.address = em_address(e, access);
  if (x->dyn >= 0) {
    LLVMValueRef by = em_value(e, x->dyn);
    if (x->dyn_scale != 1) by = LLVMBuildMul(e->b, by, em_int(e, x->dyn_scale), "");
    p.address = LLVMBuildGEP2(e->b, p.elem, p.address, &by, 1, "");
  }
  return p;
}

static LLVMValueRef move(emitter *e, const place *p, LLVMValueRef from, int64_t by) {
  LLVMValueRef n = em_int(e, by);
  return by ? LLVMBuildGEP2(e->b, p->elem, from, &n, 1, "") : from;
}

static LLVMValueRef all_on(const emitter *e, int lanes) { return em_const_splat(LLVMConstInt(e->i1, 1, false), lanes); }

/* Intrinsics of memory took the alignment as an operand before LLVM 22, and as an attribute of the pointer since. */
static LLVMValueRef masked(emitter *e, const char *name, LLVMTypeRef *types, LLVMValueRef *args, int nargs, int pointer,
                           unsigned align) {
  LLVMValueRef list[4];
  int n = 0;
  unsigned id = LLVMLookupIntrinsicID(name, __builtin_strlen(name));
  LLVMValueRef f = LLVMGetIntrinsicDeclaration(e->mod, id, types, 2);
  LLVMTypeRef ft = LLVMIntrinsicGetType(e->ctx, id, types, 2);
  bool operand = (int)LLVMCountParamTypes(ft) == nargs + 1;
  for (int i = 0; i < nargs; i++) {
    list[n++] = args[i];
    if (i == pointer && operand) list[n++] = LLVMConstInt(e->i32, align, false);
  }
  LLVMValueRef call = LLVMBuildCall2(e->b, ft, f, list, (unsigned)n, "");
  if (!operand) {
    unsigned kind = LLVMGetEnumAttributeKindForName("align", 5);
    LLVMAddCallSiteAttribute(call, (LLVMAttributeIndex)(pointer + 1), LLVMCreateEnumAttribute(e->ctx, kind, align));
  }
  return call;
}

static LLVMValueRef load_vector(emitter *e, const place *p, LLVMValueRef from, LLVMValueRef mask) {
  LLVMTypeRef t = em_vector(p->elem, p->lanes);
  if (mask)
    return masked(e, "llvm.masked.load", (LLVMTypeRef[]){t, e->ptr}, (LLVMValueRef[]){from, mask, LLVMConstNull(t)}, 3,
                  0, p->align);
  LLVMValueRef v = LLVMBuildLoad2(e->b, t, from, "");
  LLVMSetAlignment(v, p->align);
  return v;
}

/* Past the caches. */
static void stream(emitter *e, const place *p, LLVMValueRef v, LLVMValueRef to) {
  LLVMValueRef store = LLVMBuildStore(e->b, v, to);
  LLVMMetadataRef one = LLVMValueAsMetadata(LLVMConstInt(e->i32, 1, false));
  LLVMMetadataRef node = LLVMMDNodeInContext2(e->ctx, &one, 1);
  LLVMSetMetadata(store, LLVMGetMDKindIDInContext(e->ctx, "nontemporal", 11), LLVMMetadataAsValue(e->ctx, node));
  LLVMSetAlignment(store, (unsigned)p->lanes * p->align);
  e->streamed = true;
}

static void store_vector(emitter *e, const place *p, LLVMValueRef v, LLVMValueRef to, LLVMValueRef mask) {
  if (mask)
    masked(e, "llvm.masked.store", (LLVMTypeRef[]){em_vector(p->elem, p->lanes), e->ptr}, (LLVMValueRef[]){v, to, mask},
           3, 1, p->align);
  else
    LLVMSetAlignment(LLVMBuildStore(e->b, v, to), p->align);
}

static LLVMValueRef reverse(emitter *e, LLVMValueRef v, int lanes) {
  LLVMValueRef pick[256];
  for (int i = 0; i < lanes; i++) pick[i] = LLVMConstInt(e->i32, (unsigned)(lanes - 1 - i), false);
  return LLVMBuildShuffleVector(e->b, v, LLVMGetPoison(LLVMTypeOf(v)), LLVMConstVector(pick, (unsigned)lanes), "");
}

/* Elements 0, 2, 4... by two loads that end at the last one. */
static LLVMValueRef load_second(emitter *e, const place *p) {
  LLVMValueRef pick[256], a = load_vector(e, p, p->address, NULL);
  LLVMValueRef b = load_vector(e, p, move(e, p, p->address, p->lanes - 1), NULL);
  for (int i = 0; i < p->lanes; i++)
    pick[i] = LLVMConstInt(e->i32, (unsigned)(2 * i < p->lanes ? 2 * i : 2 * i + 1), false);
  return LLVMBuildShuffleVector(e->b, a, b, LLVMConstVector(pick, (unsigned)p->lanes), "");
}

/* The addresses of all lanes. */
static LLVMValueRef addresses(emitter *e, const place *p) {
  LLVMValueRef index = p->index;
  if (!index) {
    LLVMValueRef list[256];
    bool narrow = p->stride > -(1 << 22) && p->stride < 1 << 22;
    for (int i = 0; i < p->lanes; i++)
      list[i] = LLVMConstInt(narrow ? e->i32 : e->i64, (uint64_t)(p->stride * i), true);
    index = LLVMConstVector(list, (unsigned)p->lanes);
  }
  return LLVMBuildGEP2(e->b, p->elem, p->address, &index, 1, "");
}

/* What is in memory as the value of a load. */
static LLVMValueRef as_value(emitter *e, int inst, LLVMValueRef v) {
  if (e->k->inst[inst].dtype != TME_BOOL) return v;
  return LLVMBuildICmp(e->b, LLVMIntNE, v, LLVMConstNull(LLVMTypeOf(v)), "");
}

static LLVMValueRef load_lanes(emitter *e, const place *p) {
  LLVMTypeRef t = em_vector(p->elem, p->lanes);
  LLVMValueRef v = LLVMGetPoison(t);
  bool gather = e->has.avx512 && p->align >= 4;
  if (gather || p->mask) {
    LLVMValueRef args[] = {addresses(e, p), p->mask ? p->mask : all_on(e, p->lanes), LLVMConstNull(t)};
    return masked(e, "llvm.masked.gather", (LLVMTypeRef[]){t, em_vector(e->ptr, p->lanes)}, args, 3, 0, p->align);
  }
  for (int i = 0; i < p->lanes; i++) {
    LLVMValueRef lane = em_int(e, i), from;
    if (p->index) {
      LLVMValueRef by = LLVMBuildExtractElement(e->b, p->index, lane, "");
      from = LLVMBuildGEP2(e->b, p->elem, p->address, &by, 1, "");
    } else {
      from = move(e, p, p->address, p->stride * i);
    }
    LLVMValueRef x = LLVMBuildLoad2(e->b, p->elem, from, "");
    LLVMSetAlignment(x, p->align);
    v = LLVMBuildInsertElement(e->b, v, x, lane, "");
  }
  return v;
}

/* The axis along which the access walks through memory element by element, and whose iterations are side by side: where
 * the lanes of `vector` are strided, a block of rows along it holds several replicas. -1 if there is none. */
static int axis_along(const emitter *e, const k_access *x, int vector, int64_t *unit) {
  int64_t far;
  if (vector < 0 || !ix_affine(e->k, x->ix, vector, &far) || far == 0) return -1;
  for (int a = 0; a < e->k->naxes; a++) {
    bool moves = (x->dyn >= 0 && (e->deps[x->dyn] >> a & 1)) || (x->guard >= 0 && (e->deps[x->guard] >> a & 1));
    if (a != vector && axis_is_side_by_side(e->k, a) && !moves && ix_affine(e->k, x->ix, a, unit) &&
        (*unit == 1 || *unit == -1))
      return a;
  }
  return -1;
}

/* Loads the replicas of a block at once, and leaves their values to those that come after this one. */
static LLVMValueRef load_block(emitter *e, int inst, const place *p) {
  const k_access *x = &e->k->acc[e->k->inst[inst].imm];
  LLVMValueRef column[MAX_COLUMNS];
  int64_t unit;
  int axis = e->k->bufs[x->buf].role == BUF_IN ? axis_along(e, x, e->vector, &unit) : -1, n = 1;
  if (axis < 0) return NULL;
  axis_state *s = &e->axis[axis];
  int first = s->coord;
  while (2 * n <= p->lanes && 2 * n * (int)p->align <= 16 && first % (2 * n) == 0 && first + 2 * n <= s->count) n *= 2;
  if (n == 1) return NULL;
  row_block r = {.elem = p->elem, .stride = p->stride, .lanes = p->lanes, .n = n, .mask = p->mask, .align = p->align};
  r.from = move(e, p, p->address, unit < 0 ? 1 - n : 0);
  em_transpose(e, &r, column);
  for (int i = 0; i < n; i++) {
    LLVMValueRef v = column[unit < 0 ? n - 1 - i : i];
    s->coord = first + i;
    memo_set(e, value_memo(e, inst), as_value(e, inst, v), e->depth);
  }
  s->coord = first;
  return memo_get(e, value_memo(e, inst));
}

static void store_lanes(emitter *e, const place *p, LLVMValueRef v) {
  LLVMTypeRef t = em_vector(p->elem, p->lanes);
  if (p->mask || (e->has.avx512 && p->align >= 4)) {
    LLVMValueRef args[] = {v, addresses(e, p), p->mask ? p->mask : all_on(e, p->lanes)};
    masked(e, "llvm.masked.scatter", (LLVMTypeRef[]){t, em_vector(e->ptr, p->lanes)}, args, 3, 1, p->align);
    return;
  }
  for (int i = 0; i < p->lanes; i++) {
    LLVMValueRef lane = em_int(e, i), to;
    if (p->index) {
      LLVMValueRef by = LLVMBuildExtractElement(e->b, p->index, lane, "");
      to = LLVMBuildGEP2(e->b, p->elem, p->address, &by, 1, "");
    } else {
      to = move(e, p, p->address, p->stride * i);
    }
    LLVMSetAlignment(LLVMBuildStore(e->b, LLVMBuildExtractElement(e->b, v, lane, ""), to), p->align);
  }
}

LLVMValueRef em_load(emitter *e, int inst) {
  const k_inst *in = &e->k->inst[inst];
  place p = find_place(e, (int)in->imm, em_lanes(e, inst) > 1);
  LLVMValueRef v;
  switch (p.layout) {
  case ONE: /* a disabled access reads zeros elsewhere */
    if (p.mask) p.address = LLVMBuildSelect(e->b, p.mask, p.address, e->nothing, "");
    v = LLVMBuildLoad2(e->b, p.elem, p.address, "");
    LLVMSetAlignment(v, p.align);
    break;
  case ALONG: v = load_vector(e, &p, p.address, p.mask); break;
  case BACKWARD:
    v = load_vector(e, &p, move(e, &p, p.address, 1 - p.lanes), p.mask ? reverse(e, p.mask, p.lanes) : NULL);
    v = reverse(e, v, p.lanes);
    break;
  case SECOND: v = p.mask ? load_lanes(e, &p) : load_second(e, &p); break;
  case STRIDED:
    v = load_block(e, inst, &p);
    if (v) return v;
    v = load_lanes(e, &p);
    break;
  default: v = load_lanes(e, &p); break;
  }
  return as_value(e, inst, v);
}

void em_store(emitter *e, int inst) {
  const k_inst *in = &e->k->inst[inst];
  const k_access *x = &e->k->acc[in->imm];
  place p = find_place(e, (int)in->imm, em_lanes(e, in->a) > 1);
  LLVMValueRef v = em_operand(e, in->a, p.lanes);
  if (e->k->bufs[x->buf].dtype == TME_BOOL) v = LLVMBuildZExt(e->b, v, em_vector(e->i8, p.lanes), "");
  switch (p.layout) {
  case ONE:
    if (p.mask) p.address = LLVMBuildSelect(e->b, p.mask, p.address, e->sink, "");
    LLVMSetAlignment(LLVMBuildStore(e->b, v, p.address), p.align);
    break;
  case ALONG:
    if (e->k->bufs[x->buf].stream && !p.mask && em_aligned(e, (int)in->imm))
      stream(e, &p, v, p.address);
    else
      store_vector(e, &p, v, p.address, p.mask);
    break;
  case BACKWARD:
    store_vector(e, &p, reverse(e, v, p.lanes), move(e, &p, p.address, 1 - p.lanes),
                 p.mask ? reverse(e, p.mask, p.lanes) : NULL);
    break;
  default: store_lanes(e, &p, v); break;
  }
}

void em_prefetch(emitter *e, int inst) {
  enum { READ = 0, SECOND_CACHE = 2, DATA = 1 };
  place p = find_place(e, (int)e->k->inst[inst].imm, false);
  LLVMTypeRef byte = LLVMInt8TypeInContext(e->ctx);
  int64_t bytes = 1;
  if (p.layout == ALONG) {
    bytes = p.lanes * (int64_t)p.align;
    int64_t before = e->axis[e->vector].off * (int64_t)p.align; /* in this copy of the loop's body */
    if (before % CACHE_LINE != 0) return;                       /* the vector before is in the same line */
  }
  for (int64_t i = 0; i < bytes; i += CACHE_LINE) {
    LLVMValueRef by = em_int(e, i), at = i ? LLVMBuildGEP2(e->b, byte, p.address, &by, 1, "") : p.address;
    LLVMValueRef args[] = {at, LLVMConstInt(e->i32, READ, false), LLVMConstInt(e->i32, SECOND_CACHE, false),
                           LLVMConstInt(e->i32, DATA, false)};
    em_call(e, "llvm.prefetch", &e->ptr, 1, args, 4);
  }
}

bool can_mask(const emitter *e, int begin, int end) {
  if (!e->has.avx) return false;
  for (int i = begin; i < end && !e->has.avx512bw; i++) {
    const k_inst *in = &e->k->inst[i];
    if (in->op != K_LOAD && in->op != K_STORE) continue;
    const k_access *x = &e->k->acc[in->imm];
    int64_t stride = 0, unit;
    int axis = e->k->inst[begin].a;
    bool along = x->dyn < 0 && ix_affine(e->k, x->ix, axis, &stride) && stride >= -1 && stride <= 1;
    bool block = in->op == K_LOAD && axis_along(e, x, axis, &unit) >= 0;
    if (block) continue;
    if (!along || tme_dtype_size((tme_dtype)e->k->bufs[x->buf].dtype) < 4) return false;
  }
  return true;
}
