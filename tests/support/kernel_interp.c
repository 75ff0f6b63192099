#include "support/kernel_interp.h"
#include "base/convert.h"
#include "base/libm.h"
#include <math.h>
#include <string.h>

typedef struct interp {
  const kernel *k;
  const uint64_t *args;
  char **base;          /* of each buffer */
  uint64_t *value;      /* of each instruction, as bits */
  uint64_t **acc;       /* of each K_ACC: one value per iteration of its kept axes */
  int *end;             /* of each K_LOOP its K_END */
  int64_t *at;          /* of each axis: the iteration */
  int64_t task, t0, t1; /* task: the number of the next one */
  error *e;
} interp;

/* ---- values as bits ---------------------------------------------------------------------------------------------- */

static float as_f32(uint64_t v) {
  uint32_t u = (uint32_t)v;
  float f;
  memcpy(&f, &u, sizeof f);
  return f;
}

static uint64_t of_f32(float f) {
  uint32_t u;
  memcpy(&u, &f, sizeof u);
  return u;
}

static double as_f64(uint64_t v) {
  double d;
  memcpy(&d, &v, sizeof d);
  return d;
}

static uint64_t of_f64(double d) {
  uint64_t u;
  memcpy(&u, &d, sizeof u);
  return u;
}

static int width(tme_dtype t) { return 8 * (int)tme_dtype_size(t); }

static uint64_t cut(tme_dtype t, uint64_t v) {
  if (t == TME_BOOL) return v & 1;
  return width(t) == 64 ? v : v & (((uint64_t)1 << width(t)) - 1);
}

static int64_t as_signed(tme_dtype t, uint64_t v) {
  int unused = 64 - width(t);
  return (int64_t)(v << unused) >> unused;
}

static bool is_signed(tme_dtype t) { return dtype_is_int(t) && dtype_is_signed(t); }

static double any_as_f64(tme_dtype t, uint64_t v) {
  double narrow;
  if (dtype_is_narrow(t)) {
    convert_run(t, &v, 1, TME_F64, &narrow, 1, 1);
    return narrow;
  }
  switch (t) {
  case TME_F32: return (double)as_f32(v);
  case TME_F64: return as_f64(v);
  default: return is_signed(t) ? (double)as_signed(t, v) : (double)v;
  }
}

static uint64_t saturate(tme_dtype t, double d) {
  double top = ldexp(1, width(t) - is_signed(t)), bottom = is_signed(t) ? -top : 0;
  if (isnan(d)) return 0;
  if (d >= top) return is_signed(t) ? ((uint64_t)1 << (width(t) - 1)) - 1 : cut(t, UINT64_MAX);
  if (d <= bottom) return is_signed(t) ? (uint64_t)1 << (width(t) - 1) : 0;
  return is_signed(t) ? cut(t, (uint64_t)(int64_t)d) : (uint64_t)d;
}

static uint64_t cast(tme_dtype to, tme_dtype from, uint64_t v) {
  bool from_int = dtype_is_int(from) || from == TME_BOOL;
  double d = any_as_f64(from, v);
  uint64_t narrow = 0;
  if (dtype_is_narrow(to)) { /* from 64-bit integers too */
    if (from_int) d = is_signed(from) ? int_to_odd(as_signed(from, v)) : uint_to_odd(v);
    convert_run(TME_F64, &d, 1, to, &narrow, 1, 1);
    return narrow;
  }
  switch (to) {
  case TME_BOOL: return from_int ? v != 0 : d != 0;
  case TME_F32: /* from 64-bit integers in one rounding */
    if (from_int) return of_f32(is_signed(from) ? (float)as_signed(from, v) : (float)v);
    return of_f32((float)d);
  case TME_F64: return of_f64(d);
  default: break;
  }
  if (from_int) return cut(to, is_signed(from) ? (uint64_t)as_signed(from, v) : v);
  return saturate(to, d);
}

/* ---- primitives -------------------------------------------------------------------------------------------------- */

bool kernel_interp_fuses = true;

#define FLOAT_PRIMS(T, S)                                                                                              \
  static bool prim_##T(int op, T a, T b, T c, T *r) {                                                                  \
    switch (op) {                                                                                                      \
    case K_ADD: *r = a + b; return true;                                                                               \
    case K_SUB: *r = a - b; return true;                                                                               \
    case K_MUL: *r = a * b; return true;                                                                               \
    case K_DIV: *r = a / b; return true;                                                                               \
    case K_FMA: *r = kernel_interp_fuses ? fma##S(a, b, c) : a * b + c; return true;                                   \
    case K_FMA_ONCE: *r = fma##S(a, b, c); return true;                                                                \
    case K_NEG: *r = -a; return true;                                                                                  \
    case K_ABS: *r = fabs##S(a); return true;                                                                          \
    case K_SQRT: *r = sqrt##S(a); return true;                                                                         \
    case K_FLOOR: *r = floor##S(a); return true;                                                                       \
    case K_CEIL: *r = ceil##S(a); return true;                                                                         \
    case K_TRUNC: *r = trunc##S(a); return true;                                                                       \
    case K_RINT: *r = rint##S(a); return true;                                                                         \
    case K_SCALE: *r = ldexp##S(a, (int)(b - (T)(sizeof(T) == 4 ? K_SCALE_BASE_F32 : K_SCALE_BASE_F64))); return true; \
    case K_SCALE_DOWN:                                                                                                 \
      *r = ldexp##S(a, (int)(b - (T)(sizeof(T) == 4 ? K_SCALE_DOWN_BASE_F32 : K_SCALE_DOWN_BASE_F64)));                \
      return true;                                                                                                     \
    case K_MIN: *r = isnan(a) || isnan(b) ? a + b : a < b ? a : b; return true;                                        \
    case K_MAX: *r = isnan(a) || isnan(b) ? a + b : a > b ? a : b; return true;                                        \
    case K_LARGER: *r = a > b ? a : b; return true;                                                                    \
    case K_SMALLER: *r = a < b ? a : b; return true;                                                                   \
    default: return false;                                                                                             \
    }                                                                                                                  \
  }
FLOAT_PRIMS(float, f)
FLOAT_PRIMS(double, )

#define COMPARE(op, a, b)                                                                                              \
  ((op) == K_EQ   ? (a) == (b)                                                                                         \
   : (op) == K_NE ? (a) != (b)                                                                                         \
   : (op) == K_LT ? (a) < (b)                                                                                          \
   : (op) == K_LE ? (a) <= (b)                                                                                         \
   : (op) == K_GT ? (a) > (b)                                                                                          \
                  : (a) >= (b))

static uint64_t compare(int op, tme_dtype t, uint64_t a, uint64_t b) {
  if (t == TME_F32) return COMPARE(op, as_f32(a), as_f32(b));
  if (t == TME_F64) return COMPARE(op, as_f64(a), as_f64(b));
  if (is_signed(t)) return COMPARE(op, as_signed(t, a), as_signed(t, b));
  return COMPARE(op, a, b);
}

static uint64_t divide(int op, tme_dtype t, uint64_t a, uint64_t b) {
  if (!b) return 0;
  if (!is_signed(t)) return op == K_IDIV ? a / b : a % b;
  int64_t x = as_signed(t, a), y = as_signed(t, b);
  if (y == -1) return op == K_IDIV ? -a : 0;
  return (uint64_t)(op == K_IDIV ? x / y : x % y);
}

static uint64_t int_prim(int op, tme_dtype t, uint64_t a, uint64_t b, uint64_t c) {
  bool sign = is_signed(t), less = sign ? as_signed(t, a) < as_signed(t, b) : a < b;
  uint64_t w = (uint64_t)width(t);
  switch (op) {
  case K_ADD: return a + b;
  case K_SUB: return a - b;
  case K_MUL: return a * b;
  case K_FMA: return a * b + c;
  case K_NEG: return -a;
  case K_ABS: return sign && as_signed(t, a) < 0 ? -a : a;
  case K_IDIV:
  case K_IREM: return divide(op, t, a, b);
  case K_MIN: return less ? a : b;
  case K_MAX: return less ? b : a;
  case K_AND: return a & b;
  case K_OR: return a | b;
  case K_XOR: return a ^ b;
  case K_NOT: return ~a;
  case K_SHL: return b >= w ? 0 : a << b;
  case K_SHR:
    if (sign) return (uint64_t)(as_signed(t, a) >> (b >= w ? w - 1 : b));
    return b >= w ? 0 : a >> b;
  default: return 0;
  }
}

static uint64_t arithmetic(int op, tme_dtype t, uint64_t a, uint64_t b, uint64_t c) {
  float f = 0;
  double d = 0;
  if (t == TME_F32 && prim_float(op, as_f32(a), as_f32(b), as_f32(c), &f)) return of_f32(f);
  if (t == TME_F64 && prim_double(op, as_f64(a), as_f64(b), as_f64(c), &d)) return of_f64(d);
  return cut(t, int_prim(op, t, a, b, c));
}

static double libm_of(uint64_t f, double x, double y) {
  double (*f1)(double), (*f2)(double, double);
  const void *p = libm_table[f];
  memcpy(&f1, &p, sizeof f1);
  memcpy(&f2, &p, sizeof f2);
  return libm_arity((libm_id)f) == 1 ? f1(x) : f2(x, y);
}

static uint64_t call_libm(const k_inst *in, tme_dtype t, uint64_t a, uint64_t b) {
  double y = in->b < 0 ? 0 : any_as_f64(t, b);
  return cast((tme_dtype)in->dtype, TME_F64, of_f64(libm_of(in->imm, any_as_f64(t, a), y)));
}

static uint64_t libm_rest(const k_inst *in, tme_dtype t, uint64_t r, uint64_t x, uint64_t y) {
  double a = any_as_f64(t, x), b = any_as_f64(t, y);
  if (!isnan(any_as_f64(t, r)) || isnan(a) || isnan(b)) return r;
  return cast(t, TME_F64, of_f64(libm_of(in->imm, a, b)));
}

/* The high half first, as the processor does; it flushes denormals besides. */
static uint64_t dot(uint64_t op, uint64_t a, uint64_t b, uint64_t c) {
  if (op == K_DOT_BF16) {
    float high = fmaf(bf16_to_f32((uint16_t)(a >> 16)), bf16_to_f32((uint16_t)(b >> 16)), as_f32(c));
    return of_f32(fmaf(bf16_to_f32((uint16_t)a), bf16_to_f32((uint16_t)b), high));
  }
  int64_t high = as_signed(TME_I16, a >> 16) * as_signed(TME_I16, b >> 16);
  return cut(TME_I32, c + (uint64_t)(high + as_signed(TME_I16, a) * as_signed(TME_I16, b)));
}

static uint64_t prim(const interp *m, const k_inst *in) {
  tme_dtype t = (tme_dtype)m->k->inst[in->a].dtype;
  uint64_t a = m->value[in->a], b = in->b >= 0 ? m->value[in->b] : 0, c = in->c >= 0 ? m->value[in->c] : 0;
  switch (in->op) {
  case K_SELECT: return a ? b : c;
  case K_CAST: return cast((tme_dtype)in->dtype, t, a);
  case K_BITCAST: return a;
  case K_DOT_BF16:
  case K_DOT_I16: return dot(in->op, a, b, c);
  case K_LIBM: return call_libm(in, t, a, b);
  case K_LIBM_REST: return libm_rest(in, t, a, b, c);
  case K_EQ:
  case K_NE:
  case K_LT:
  case K_LE:
  case K_GT:
  case K_GE: return compare(in->op, t, a, b);
  default: return arithmetic(in->op, t, a, b, c);
  }
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static int64_t floor_div(int64_t a, int64_t n) { return a / n - (a % n < 0); }

static int64_t index_value(const interp *m, int ix) {
  const k_ix *x = &m->k->ix[ix];
  switch (x->op) {
  case IX_CONST: return x->c;
  case IX_AXIS: return m->at[x->a];
  case IX_ADD: return index_value(m, x->a) + index_value(m, x->b);
  case IX_MUL: return index_value(m, x->a) * x->c;
  case IX_DIV: return floor_div(index_value(m, x->a), x->c);
  default: {
    int64_t v = index_value(m, x->a);
    return v - floor_div(v, x->c) * x->c;
  }
  }
}

/* The element's address; NULL if the guard forbids it or if it is out of bounds, which is an error. */
static char *element(interp *m, const k_access *x) {
  const k_buf *b = &m->k->bufs[x->buf];
  if (x->guard >= 0 && !m->value[x->guard]) return NULL;
  int64_t i = index_value(m, x->ix) + (x->dyn >= 0 ? (int64_t)m->value[x->dyn] * x->dyn_scale : 0);
  if (i < b->lo || i >= b->hi) {
    fail(m->e, TME_ERR_ARGUMENT, "element %lld of buffer %d, which has [%lld, %lld)", (long long)i, x->buf,
         (long long)b->lo, (long long)b->hi);
    return NULL;
  }
  return m->base[x->buf] + i * (int64_t)tme_dtype_size((tme_dtype)b->dtype);
}

static uint64_t *acc_slot(const interp *m, int acc) {
  int64_t i = 0;
  for (int a = 0; a < m->k->naxes; a++) {
    if (m->k->inst[acc].imm >> a & 1) i = i * m->k->axes[a].extent + m->at[a];
  }
  return &m->acc[acc][i];
}

static int64_t acc_size(const kernel *k, int acc) {
  int64_t n = 1;
  for (int a = 0; a < k->naxes; a++) {
    if (k->inst[acc].imm >> a & 1) n *= k->axes[a].extent;
  }
  return n;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

static void simple(interp *m, int i) {
  const kernel *k = m->k;
  const k_inst *in = &k->inst[i];
  char *p;
  switch (in->op) {
  case K_NOP:
  case K_PREFETCH: break;
  case K_CONST: m->value[i] = in->imm; break;
  case K_ARG: m->value[i] = cut((tme_dtype)in->dtype, m->args[in->imm]); break;
  case K_INDEX: m->value[i] = (uint64_t)index_value(m, (int)in->imm); break;
  case K_LOAD:
    p = element(m, &k->acc[in->imm]);
    m->value[i] = 0;
    if (p) memcpy(&m->value[i], p, tme_dtype_size((tme_dtype)in->dtype));
    break;
  case K_STORE:
    p = element(m, &k->acc[in->imm]);
    if (p) memcpy(p, &m->value[in->a], tme_dtype_size((tme_dtype)k->inst[in->a].dtype));
    break;
  case K_ACC:
    for (int64_t j = acc_size(k, i); j-- > 0;) m->acc[i][j] = m->value[in->a];
    break;
  case K_UPDATE: {
    uint64_t *a = acc_slot(m, in->a);
    tme_dtype t = (tme_dtype)k->inst[in->a].dtype;
    *a = in->imm      ? dot(in->imm, m->value[in->b], m->value[in->c], *a)
         : in->c >= 0 ? arithmetic(K_FMA, t, m->value[in->b], m->value[in->c], *a)
                      : arithmetic(k->inst[in->a].b, t, *a, m->value[in->b], 0);
    break;
  }
  case K_READ: m->value[i] = *acc_slot(m, in->a); break;
  default: m->value[i] = prim(m, in);
  }
}

static void run(interp *m, int from, int to, bool tasks);

static void loop(interp *m, int i, bool counts) {
  const kernel *k = m->k;
  int axis = k->inst[i].a;
  const k_axis *x = &k->axes[axis];
  const k_inst *next = &k->inst[i + 1];
  unsigned inner = next->op == K_LOOP ? k->axes[next->a].flags : 0;
  bool deeper = counts && inner & AXIS_PARALLEL && !(inner & AXIS_VECTOR);
  int64_t n = x->sym >= 0 ? (int64_t)m->args[x->sym] : x->extent;
  int64_t limit = x->limit >= 0 ? index_value(m, x->limit) : n, first = x->first >= 0 ? index_value(m, x->first) : 0;
  if (k->inst[i].b >= 0 && !m->value[k->inst[i].b]) return;
  for (int64_t v = first; v < n && !(m->e && m->e->code); v++) {
    m->at[axis] = v;
    if (counts && !deeper) {
      int64_t task = m->task++;
      if (task < m->t0 || task >= m->t1) continue;
    }
    if (v < limit) run(m, i + 1, m->end[i], deeper);
  }
}

static void run(interp *m, int from, int to, bool tasks) {
  for (int i = from; i < to && !(m->e && m->e->code); i++) {
    if (m->k->inst[i].op != K_LOOP) {
      simple(m, i);
      continue;
    }
    loop(m, i, tasks);
    i = m->end[i];
  }
}

static bool set_up(interp *m, void *const *buf, char *scratch) {
  const kernel *k = m->k;
  int64_t offset = 0;
  m->base = mem_calloc((size_t)k->nbufs + 1, sizeof *m->base);
  m->value = mem_calloc((size_t)k->ninst + 1, sizeof *m->value);
  m->acc = mem_calloc((size_t)k->ninst + 1, sizeof *m->acc);
  m->end = mem_calloc((size_t)k->ninst + 1, sizeof *m->end);
  m->at = mem_calloc((size_t)k->naxes + 1, sizeof *m->at);
  if (!m->base || !m->value || !m->acc || !m->end || !m->at) return false;
  for (int i = 0; i < k->nbufs; i++) {
    if (k->bufs[i].role == BUF_SCRATCH) {
      m->base[i] = scratch + offset;
      offset += (k->bufs[i].hi * (int64_t)tme_dtype_size((tme_dtype)k->bufs[i].dtype) + 63) / 64 * 64;
    } else {
      m->base[i] = buf[i];
    }
  }
  for (int i = 0; i < k->ninst; i++) {
    if (k->inst[i].op == K_END) m->end[k->inst[i].a] = i;
    if (k->inst[i].op == K_ACC && !(m->acc[i] = mem_calloc((size_t)acc_size(k, i) + 1, sizeof **m->acc))) return false;
  }
  return true;
}

tme_status kernel_interp(const kernel *k, void *const *buf, const uint64_t *args, void *scratch, int64_t t0, int64_t t1,
                         error *e) {
  error own = {0};
  interp m = {.k = k, .args = args, .t0 = t0, .t1 = t1, .e = e ? e : &own};
  if (set_up(&m, buf, scratch))
    run(&m, 0, k->ninst, true);
  else
    fail_memory(m.e, "kernel_interp", 0);
  for (int i = 0; m.acc && i < k->ninst; i++) mem_free(m.acc[i]);
  mem_free(m.base);
  mem_free(m.value);
  mem_free(m.acc);
  mem_free(m.end);
  mem_free(m.at);
  return m.e->code;
}
