/* Is a description well formed? What passes here can be given to any emitter. */
#include "base/libm.h"
#include "kernel/kernel_util.h"
#include <stdio.h>

typedef struct check {
  const kernel *k;
  error *e;
  int *parent;   /* the K_LOOP around each instruction so far */
  int at;        /* the instruction looked at, or -1 */
  int loop;      /* the innermost open K_LOOP, or -1 */
  uint64_t open; /* axes of the open loops */
} check;

static bool TME_PRINTF(2, 3) bad(const check *c, const char *fmt, ...) {
  char why[300];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(why, sizeof why, fmt, ap);
  va_end(ap);
  if (c->at >= 0)
    fail(c->e, TME_ERR_ARGUMENT, "kernel %s: %%%d (%s): %s", c->k->name, c->at, k_op_name((k_op)c->k->inst[c->at].op),
         why);
  else
    fail(c->e, TME_ERR_ARGUMENT, "kernel %s: %s", c->k->name, why);
  return false;
}

static unsigned axis_flags(const kernel *k, int loop) { return k->axes[k->inst[loop].a].flags; }

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static bool check_axes(const check *c) {
  const kernel *k = c->k;
  if (k->naxes > KERNEL_MAX_AXES) return bad(c, "more than %d axes", KERNEL_MAX_AXES);
  for (int i = 0; i < k->naxes; i++) {
    const k_axis *x = &k->axes[i];
    if (x->extent < 0 || x->sym < -1)
      return bad(c, "axis %d: extent %lld, argument %d", i, (long long)x->extent, x->sym);
    if (x->flags & AXIS_VECTOR && (!x->width || x->width & (x->width - 1) || !x->unroll))
      return bad(c, "axis %d: %d lanes by %d", i, x->width, x->unroll);
    if (x->flags & AXIS_UNROLL && (x->sym >= 0 || x->limit >= 0 || x->flags & (AXIS_VECTOR | AXIS_PARALLEL)))
      return bad(c, "axis %d: an unrolled loop has a fixed extent and no other way to run", i);
    if (x->first >= 0 && x->flags & (AXIS_UNROLL | AXIS_PARALLEL))
      return bad(c, "axis %d: only a loop that is no task and not unrolled begins later", i);
    if (x->limit < -1 || x->limit >= k->nix) return bad(c, "axis %d: no expression %d", i, x->limit);
    if (x->first < -1 || x->first >= k->nix) return bad(c, "axis %d: no expression %d", i, x->first);
  }
  return true;
}

static bool check_bufs(const check *c) {
  for (int i = 0; i < c->k->nbufs; i++) {
    const k_buf *b = &c->k->bufs[i];
    if (b->role > BUF_SCRATCH || b->dtype >= TME_DTYPE_COUNT || dtype_is_complex((tme_dtype)b->dtype))
      return bad(c, "buffer %d: role %d, dtype %d", i, b->role, b->dtype);
    const char *why = dtype_no_kernels((tme_dtype)b->dtype);
    if (why) return bad(c, "buffer %d: %s", i, why);
    if (b->lo > b->hi || (b->role == BUF_SCRATCH && b->lo != 0))
      return bad(c, "buffer %d: elements %lld to %lld", i, (long long)b->lo, (long long)b->hi);
    if (b->align & (b->align - 1) || b->align < tme_dtype_size((tme_dtype)b->dtype))
      return bad(c, "buffer %d: alignment %u", i, b->align);
    if (b->stream && (b->role != BUF_OUT || b->align < CACHE_LINE)) return bad(c, "buffer %d cannot be streamed to", i);
  }
  return true;
}

static bool check_ix(const check *c) {
  for (int i = 0; i < c->k->nix; i++) {
    const k_ix *x = &c->k->ix[i];
    bool ok = false;
    switch (x->op) {
    case IX_CONST: ok = true; break;
    case IX_AXIS: ok = x->a >= 0 && x->a < c->k->naxes; break;
    case IX_ADD: ok = x->a >= 0 && x->a < i && x->b >= 0 && x->b < i; break;
    case IX_MUL: ok = x->a >= 0 && x->a < i; break;
    case IX_DIV:
    case IX_MOD: ok = x->a >= 0 && x->a < i && x->c > 0; break;
    default: break;
    }
    if (!ok) return bad(c, "index expression %d is malformed", i);
  }
  return true;
}

static bool check_accesses(const check *c) {
  for (int i = 0; i < c->k->nacc; i++) {
    const k_access *x = &c->k->acc[i];
    if (x->buf < 0 || x->buf >= c->k->nbufs || x->ix < 0 || x->ix >= c->k->nix)
      return bad(c, "access %d: buffer %d, expression %d", i, x->buf, x->ix);
  }
  return true;
}

/* ---- loops ------------------------------------------------------------------------------------------------------- */

static bool check_loop(check *c) {
  const kernel *k = c->k;
  int axis = k->inst[c->at].a;
  if (axis < 0 || axis >= k->naxes) return bad(c, "no axis %d", axis);
  const k_axis *x = &k->axes[axis];
  bool top = c->loop < 0, parallel = x->flags & AXIS_PARALLEL, vector = x->flags & AXIS_VECTOR;
  if (c->open >> axis & 1) return bad(c, "the loop over axis %d is already open", axis);
  if (top && !parallel) return bad(c, "a section starts with a parallel loop");
  if (!top && parallel) {
    unsigned outer = axis_flags(k, c->loop);
    if (!(outer & AXIS_PARALLEL) || (!vector && k->inst[c->at - 1].op != K_LOOP))
      return bad(c, "parallel loops are perfectly nested at the top of a section");
  }
  for (int l = c->loop; vector && x->width > 1 && l >= 0; l = c->parent[l]) {
    const k_axis *outer = &k->axes[k->inst[l].a];
    if (outer->flags & AXIS_VECTOR && outer->width > 1) return bad(c, "lanes inside lanes");
  }
  if (x->limit >= 0 && ix_axes(k, x->limit) & ~c->open)
    return bad(c, "the limit of axis %d depends on a loop that is not around it", axis);
  if (x->first >= 0 && (ix_axes(k, x->first) & ~c->open || k->ix[x->first].lo < 0))
    return bad(c, "axis %d begins where a loop says that is not around it, or before 0", axis);
  c->loop = c->at;
  c->open |= (uint64_t)1 << axis;
  return true;
}

static bool check_end(check *c) {
  const kernel *k = c->k;
  if (c->loop < 0 || k->inst[c->at].a != c->loop) return bad(c, "ends %%%d, not the innermost loop", k->inst[c->at].a);
  int outer = c->parent[c->loop];
  unsigned flags = axis_flags(k, c->loop);
  if (outer >= 0 && flags & AXIS_PARALLEL && !(flags & AXIS_VECTOR) &&
      (c->at + 1 >= k->ninst || k->inst[c->at + 1].op != K_END))
    return bad(c, "parallel loops are perfectly nested at the top of a section");
  c->open &= ~((uint64_t)1 << k->inst[c->loop].a);
  c->parent[c->at] = outer;
  c->loop = outer;
  return true;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

static bool check_operand(const check *c, int v, bool acc) {
  const kernel *k = c->k;
  if (v < 0 || v >= c->at) return bad(c, "operand %%%d does not come before it", v);
  int op = k->inst[v].op;
  if (acc != (op == K_ACC) || (!acc && !op_is_pure(op) && op != K_READ))
    return bad(c, "operand %%%d is a %s", v, k_op_name((k_op)op));
  if (!loop_within(c->parent, c->loop, c->parent[v])) return bad(c, "operand %%%d is of a loop that has ended", v);
  return true;
}

static bool check_operands(const check *c) {
  const k_inst *in = &c->k->inst[c->at];
  int n = inst_arity(in);
  bool acc = in->op == K_UPDATE || in->op == K_READ;
  return (n < 1 || check_operand(c, in->a, acc)) && (n < 2 || check_operand(c, in->b, false)) &&
         (n < 3 || check_operand(c, in->c, false));
}

static bool check_condition(const check *c) {
  const kernel *k = c->k;
  const k_inst *in = &k->inst[c->at];
  if (in->b < 0) return true;
  if (!check_operand(c, in->b, false)) return false;
  if (k->inst[in->b].dtype != TME_BOOL) return bad(c, "the condition %%%d is not a bool", in->b);
  return !k->axes[in->a].flags || bad(c, "a loop with a condition is a sequential one");
}

static bool check_open(const check *c, int ix) {
  uint64_t axes = ix_axes(c->k, ix) & ~c->open;
  return !axes || bad(c, "uses axis %d outside a loop over it", __builtin_ctzll(axes));
}

static bool check_bounds(const check *c, const k_access *x) {
  const kernel *k = c->k;
  const k_buf *b = &k->bufs[x->buf];
  const k_ix *ix = &k->ix[x->ix];
  int64_t lo, hi;
  if (x->guard >= 0 || x->dyn >= 0) return true;
  for (int l = c->loop; l >= 0; l = c->parent[l]) {
    if (!k->axes[k->inst[l].a].extent) return true; /* never runs */
  }
  /* The launch checks that such a run of elements lies in its buffer. */
  if (ix->op == IX_AXIS && k->axes[ix->a].sym >= 0 && k->axes[ix->a].extent >= AXIS_UNBOUNDED) return true;
  ix_range(k, x->ix, &lo, &hi);
  if (lo < b->lo || hi >= b->hi)
    return bad(c, "touches elements %lld to %lld of buffer %d, which has [%lld, %lld)", (long long)lo, (long long)hi,
               x->buf, (long long)b->lo, (long long)b->hi);
  return true;
}

static bool check_memory(const check *c) {
  const kernel *k = c->k;
  const k_inst *in = &k->inst[c->at];
  if (in->imm >= (uint64_t)k->nacc) return bad(c, "no access %llu", (unsigned long long)in->imm);
  const k_access *x = &k->acc[in->imm];
  const k_buf *b = &k->bufs[x->buf];
  if (!check_open(c, x->ix) || (x->dyn >= 0 && !check_operand(c, x->dyn, false)) ||
      (x->guard >= 0 && !check_operand(c, x->guard, false)))
    return false;
  if (x->dyn >= 0 && k->inst[x->dyn].dtype != TME_I64) return bad(c, "the index %%%d is not an int64", x->dyn);
  if (x->guard >= 0 && k->inst[x->guard].dtype != TME_BOOL) return bad(c, "the guard %%%d is not a bool", x->guard);
  if (in->op == K_STORE && b->role == BUF_IN) return bad(c, "stores to input buffer %d", x->buf);
  if (in->op == K_STORE && c->loop < 0) return bad(c, "a store belongs to no task");
  if (in->op == K_PREFETCH) return true;
  tme_dtype t = (tme_dtype)(in->op == K_STORE ? k->inst[in->a].dtype : in->dtype);
  if (t != (tme_dtype)b->dtype)
    return bad(c, "%s where buffer %d has %s", tme_dtype_name(t), x->buf, tme_dtype_name((tme_dtype)b->dtype));
  return check_bounds(c, x);
}

static bool check_acc(const check *c) {
  const kernel *k = c->k;
  const k_inst *in = &k->inst[c->at], *init = &k->inst[in->a];
  bool bits = in->b == K_AND || in->b == K_OR,
       numbers = in->b == K_ADD || in->b == K_MUL || in->b == K_MIN || in->b == K_MAX || in->b == K_LARGER;
  if (c->loop < 0) return bad(c, "an accumulator belongs to no task");
  if ((init->op != K_CONST && init->op != K_ARG) || init->dtype != in->dtype)
    return bad(c, "starts from %%%d, which is no constant or argument of its dtype", in->a);
  if (!bits && !numbers) return bad(c, "cannot accumulate by operation %d", in->b);
  if (bits ? dtype_is_float((tme_dtype)in->dtype) : in->dtype == TME_BOOL)
    return bad(c, "cannot accumulate %s by %s", tme_dtype_name((tme_dtype)in->dtype), k_op_name((k_op)in->b));
  for (int i = 0; i < KERNEL_MAX_AXES; i++) {
    if (in->imm >> i & 1 && (i >= k->naxes || k->axes[i].sym >= 0 || c->open >> i & 1))
      return bad(c, "keeps axis %d apart, which is unknown, symbolic or a loop around it", i);
  }
  return true;
}

static bool check_dot(const check *c, uint64_t op, int a, int b, tme_dtype sum) {
  const kernel *k = c->k;
  if (k->inst[a].dtype != TME_U32 || k->inst[b].dtype != TME_U32) return bad(c, "pairs are not uint32");
  return sum == dot_dtype(op) || bad(c, "adds pairs to %s", tme_dtype_name(sum));
}

static bool check_acc_use(const check *c) {
  const kernel *k = c->k;
  const k_inst *in = &k->inst[c->at], *acc = &k->inst[in->a];
  if (acc->imm & ~c->open)
    return bad(c, "outside a loop over axis %d, which %%%d keeps apart", __builtin_ctzll(acc->imm & ~c->open), in->a);
  if (in->dtype != acc->dtype)
    return bad(c, "%s where %%%d has %s", tme_dtype_name((tme_dtype)in->dtype), in->a,
               tme_dtype_name((tme_dtype)acc->dtype));
  if (in->op == K_UPDATE && in->imm) {
    if (!op_is_dot(in->imm) || in->c < 0 || acc->b != K_ADD) return bad(c, "no such update");
    return check_dot(c, in->imm, in->b, in->c, (tme_dtype)acc->dtype);
  }
  if (in->op == K_UPDATE) {
    if (k->inst[in->b].dtype != acc->dtype || (in->c >= 0 && k->inst[in->c].dtype != acc->dtype))
      return bad(c, "operands are not %s", tme_dtype_name((tme_dtype)acc->dtype));
    for (int l = c->loop; l != c->parent[in->a]; l = c->parent[l])
      if (k->inst[l].b >= 0) return bad(c, "in a loop with a condition, which %%%d is not in", in->a);
    return in->c < 0 || acc->b == K_ADD || bad(c, "a product only adds");
  }
  /* The running value of a sequential loop is well defined; lanes have none. */
  for (int l = c->loop; l != c->parent[in->a]; l = c->parent[l]) {
    if (!(axis_flags(k, l) & AXIS_VECTOR) || acc->imm >> k->inst[l].a & 1) continue;
    for (int i = l; i < k->ninst && !(k->inst[i].op == K_END && k->inst[i].a == l); i++) {
      if (k->inst[i].op == K_UPDATE && k->inst[i].a == in->a)
        return bad(c, "read inside the vector loop that reduces into it");
    }
  }
  return true;
}

/* What a primitive works on. */
enum { ON_BOOL = 1, ON_INT = 2, ON_FLOAT = 4, ON_NUMBER = ON_INT | ON_FLOAT, ON_BITS = ON_BOOL | ON_INT, ON_ALL = 7 };

static const uint8_t works_on[K_OP_COUNT] = {
    [K_ADD] = ON_NUMBER,  [K_SUB] = ON_NUMBER, [K_MUL] = ON_NUMBER,     [K_DIV] = ON_FLOAT,
    [K_IDIV] = ON_INT,    [K_IREM] = ON_INT,   [K_FMA] = ON_NUMBER,     [K_NEG] = ON_NUMBER,
    [K_ABS] = ON_NUMBER,  [K_SQRT] = ON_FLOAT, [K_FLOOR] = ON_FLOAT,    [K_CEIL] = ON_FLOAT,
    [K_TRUNC] = ON_FLOAT, [K_RINT] = ON_FLOAT, [K_SCALE] = ON_FLOAT,    [K_SCALE_DOWN] = ON_FLOAT,
    [K_MIN] = ON_NUMBER,  [K_MAX] = ON_NUMBER, [K_EQ] = ON_ALL,         [K_NE] = ON_ALL,
    [K_LT] = ON_ALL,      [K_LE] = ON_ALL,     [K_GT] = ON_ALL,         [K_GE] = ON_ALL,
    [K_AND] = ON_BITS,    [K_OR] = ON_BITS,    [K_XOR] = ON_BITS,       [K_NOT] = ON_BITS,
    [K_SHL] = ON_INT,     [K_SHR] = ON_INT,    [K_LARGER] = ON_FLOAT,   [K_SMALLER] = ON_FLOAT,
    [K_SELECT] = ON_ALL,  [K_LIBM] = ON_FLOAT, [K_FMA_ONCE] = ON_FLOAT, [K_LIBM_REST] = ON_FLOAT};

static bool check_conversion(const check *c) {
  const k_inst *in = &c->k->inst[c->at];
  tme_dtype to = (tme_dtype)in->dtype, from = (tme_dtype)c->k->inst[in->a].dtype;
  bool ok = !dtype_is_complex(to) && !dtype_no_kernels(to);
  if (in->op == K_BITCAST)
    ok = dtype_is_value(to) && dtype_is_value(from) && tme_dtype_size(to) == tme_dtype_size(from) &&
         tme_dtype_size(to) >= 4;
  return ok || bad(c, "from %s to %s", tme_dtype_name(from), tme_dtype_name(to));
}

static bool check_prim(const check *c) {
  const kernel *k = c->k;
  const k_inst *in = &k->inst[c->at];
  if (in->op == K_CAST || in->op == K_BITCAST) return check_conversion(c);
  if (op_is_dot(in->op)) {
    tme_dtype sum = (tme_dtype)k->inst[in->c].dtype;
    if ((tme_dtype)in->dtype != sum) return bad(c, "gives another dtype than that of its sum");
    return check_dot(c, in->op, in->a, in->b, sum);
  }
  int v[3] = {in->a, in->b, in->c}, n = inst_arity(in), first = in->op == K_SELECT;
  tme_dtype t = (tme_dtype)k->inst[v[first]].dtype;
  if (first && k->inst[in->a].dtype != TME_BOOL) return bad(c, "the condition %%%d is not a bool", in->a);
  for (int i = first; i < n; i++) {
    if ((tme_dtype)k->inst[v[i]].dtype != t) return bad(c, "operands of different dtypes");
  }
  if ((tme_dtype)in->dtype != (op_is_compare(in->op) ? TME_BOOL : t))
    return bad(c, "gives %s from %s", tme_dtype_name((tme_dtype)in->dtype), tme_dtype_name(t));
  unsigned kind = t == TME_BOOL ? ON_BOOL : dtype_is_int(t) ? ON_INT : ON_FLOAT;
  if (!dtype_is_value(t) || !(works_on[in->op] & kind) || (in->op == K_ABS && kind == ON_INT && !dtype_is_signed(t)))
    return bad(c, "does not work on %s", tme_dtype_name(t));
  if (in->op == K_LIBM && (in->imm >= LIBM_COUNT || libm_arity((libm_id)in->imm) != n))
    return bad(c, "no function %llu of %d operands", (unsigned long long)in->imm, n);
  if (in->op == K_LIBM_REST && (in->imm >= LIBM_COUNT || libm_arity((libm_id)in->imm) > 2))
    return bad(c, "no function %llu of at most two operands", (unsigned long long)in->imm);
  return true;
}

static bool check_inst(check *c) {
  const kernel *k = c->k;
  const k_inst *in = &k->inst[c->at];
  c->parent[c->at] = c->loop;
  if (in->op >= K_OP_COUNT || in->dtype >= TME_DTYPE_COUNT) return bad(c, "operation %d, dtype %d", in->op, in->dtype);
  if (in->op == K_LOOP) return check_loop(c) && check_condition(c);
  if (in->op == K_END) return check_end(c);
  if (!check_operands(c)) return false;
  switch (in->op) {
  case K_NOP: return true;
  case K_CONST:
    if (!dtype_is_value((tme_dtype)in->dtype))
      return bad(c, "no constants of %s", tme_dtype_name((tme_dtype)in->dtype));
    if (in->dtype == TME_BOOL
            ? in->imm > 1
            : tme_dtype_size((tme_dtype)in->dtype) < 8 && in->imm >> (8 * tme_dtype_size((tme_dtype)in->dtype)))
      return bad(c, "bits beyond the dtype");
    return true;
  case K_ARG: return (dtype_is_value((tme_dtype)in->dtype) && in->imm < INT32_MAX) || bad(c, "no such argument");
  case K_INDEX:
    if (in->imm >= (uint64_t)k->nix || in->dtype != TME_I64)
      return bad(c, "no expression %llu", (unsigned long long)in->imm);
    return check_open(c, (int)in->imm);
  case K_LOAD:
  case K_STORE:
  case K_PREFETCH: return check_memory(c);
  case K_ACC: return check_acc(c);
  case K_UPDATE:
  case K_READ: return check_acc_use(c);
  default: return check_prim(c);
  }
}

tme_status kernel_verify(const kernel *k, error *e) {
  if (!k || k->failed) return fail_memory(e, "kernel", 0);
  check c = {.k = k, .e = e, .at = -1, .loop = -1};
  if (!check_axes(&c) || !check_bufs(&c) || !check_ix(&c) || !check_accesses(&c)) return TME_ERR_ARGUMENT;
  c.parent = mem_alloc((size_t)(k->ninst ? k->ninst : 1) * sizeof *c.parent);
  if (!c.parent) return fail_memory(e, "kernel_verify", (size_t)k->ninst * sizeof *c.parent);
  bool ok = true;
  for (c.at = 0; ok && c.at < k->ninst; c.at++) ok = check_inst(&c);
  c.at = -1;
  if (ok && c.loop >= 0) ok = bad(&c, "a loop is not ended");
  mem_free(c.parent);
  return ok ? TME_OK : TME_ERR_ARGUMENT;
}
