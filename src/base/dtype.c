#include "base/dtype.h"
#include "tme/dlpack.h"
#include <math.h>
#include <string.h>

/* ---- the table --------------------------------------------------------------------------------------------------- */

enum {
#define DTYPE(ID, ...) ROW_##ID,
#include "base/dtypes.def"
  ROW_COUNT
};
_Static_assert((int)ROW_COUNT == (int)TME_DTYPE_COUNT, "dtypes.def has a row for each dtype");

/* What loops and kernels take for granted of narrow floats. */
#define ASSERT_BOOL(digits)
#define ASSERT_UNSIGNED(digits)
#define ASSERT_SIGNED(digits)
#define ASSERT_FLOAT(digits)
#define ASSERT_NARROW(digits) _Static_assert(2 * (digits) <= 24, "float32 holds the product of two");
#define ASSERT_COMPLEX(digits)
#define DTYPE(ID, id, name, kind, element, held, digits, ...)                                                          \
  _Static_assert((int)ROW_##ID == (int)TME_##ID, "dtypes.def is in the order of tme_dtype");                           \
  ASSERT_##kind(digits)
#include "base/dtypes.def"

#define KIND_NARROW KIND_FLOAT
#define KERNELS_YES true
#define KERNELS_NO false
static const dtype_info rows[TME_DTYPE_COUNT] = {
#define DTYPE(ID, id, name, kind, element, held, digits, most, least, kernels, dlpack, npy, safetensors, place, c)     \
  {name,                                                                                                               \
   #id,                                                                                                                \
   npy,                                                                                                                \
   safetensors,                                                                                                        \
   c,                                                                                                                  \
   (double)(most),                                                                                                     \
   (double)(least),                                                                                                    \
   TME_##held,                                                                                                         \
   KIND_##kind,                                                                                                        \
   sizeof(element),                                                                                                    \
   digits,                                                                                                             \
   dlpack,                                                                                                             \
   place,                                                                                                              \
   KERNELS_##kernels},
#include "base/dtypes.def"
};

static bool known(tme_dtype t) { return (int)t >= 0 && (int)t < TME_DTYPE_COUNT; }

const dtype_info *dtype_get(tme_dtype t) {
  static const dtype_info none = {.name = "none", .brief = "", .npy = "", .safetensors = "", .c = "void"};
  return known(t) ? &rows[t] : &none;
}

/* ---- properties -------------------------------------------------------------------------------------------------- */

const char *tme_dtype_name(tme_dtype t) { return dtype_get(t)->name; }
size_t tme_dtype_size(tme_dtype t) { return dtype_get(t)->size; }
char tme_dtype_kind(tme_dtype t) { return known(t) ? "buifc"[rows[t].kind] : '\0'; }

static bool floating(tme_dtype t) { return known(t) && rows[t].kind >= KIND_FLOAT; }

double tme_dtype_epsilon(tme_dtype t) { return floating(t) ? ldexp(1, 1 - rows[t].digits) : 0; }
double tme_dtype_largest(tme_dtype t) { return floating(t) ? rows[t].most : 0; }
double tme_dtype_smallest_normal(tme_dtype t) { return floating(t) ? ldexp(rows[t].least, rows[t].digits - 1) : 0; }

tme_dtype tme_dtype_parse(const char *name) {
  for (int t = 0; name && t < TME_DTYPE_COUNT; t++)
    if (!strcmp(name, rows[t].name) || !strcmp(name, rows[t].brief)) return (tme_dtype)t;
  return TME_DTYPE_NONE;
}

bool dtype_is_float(tme_dtype t) { return known(t) && rows[t].kind == KIND_FLOAT; }
bool dtype_is_complex(tme_dtype t) { return known(t) && rows[t].kind == KIND_COMPLEX; }
bool dtype_is_int(tme_dtype t) { return known(t) && (rows[t].kind == KIND_UNSIGNED || rows[t].kind == KIND_SIGNED); }
bool dtype_is_signed(tme_dtype t) { return known(t) && rows[t].kind >= KIND_SIGNED; }
bool dtype_is_narrow(tme_dtype t) { return dtype_is_float(t) && rows[t].held != t; }
bool dtype_is_value(tme_dtype t) { return known(t) && rows[t].held == t; }

tme_dtype dtype_real(tme_dtype t) { return dtype_is_complex(t) ? rows[t].held : t; }
tme_dtype dtype_wide(tme_dtype t) { return dtype_is_float(t) ? rows[t].held : t; }
tme_dtype dtype_held(tme_dtype t) { return known(t) ? rows[t].held : t; }

const char *dtype_no_kernels(tme_dtype t) {
  static const char *const why[TME_DTYPE_COUNT] = {
#define WHY_YES(name) NULL
#define WHY_NO(name) name ": compiled kernels do not hold it"
#define DTYPE(ID, id, name, kind, element, held, digits, most, least, kernels, ...) WHY_##kernels(name),
#include "base/dtypes.def"
  };
  return known(t) ? why[t] : "no dtype";
}

/* ---- promotion --------------------------------------------------------------------------------------------------- */

/* Whether each number of b is one of a. */
static bool holds(const dtype_info *a, const dtype_info *b) {
  return a->digits >= b->digits && a->most >= b->most && a->least <= b->least;
}

static tme_dtype promote_floats(tme_dtype a, tme_dtype b) {
  if (holds(&rows[a], &rows[b])) return a;
  return holds(&rows[b], &rows[a]) ? b : TME_F32; /* f16 and bf16: neither holds the other */
}

static tme_dtype promote_ints(tme_dtype a, tme_dtype b) {
  if (holds(&rows[a], &rows[b]) && rows[a].kind >= rows[b].kind) return a;
  if (holds(&rows[b], &rows[a]) && rows[b].kind >= rows[a].kind) return b;
  for (int t = 0; t < TME_DTYPE_COUNT; t++) /* the narrowest with a sign */
    if (rows[t].kind == KIND_SIGNED && holds(&rows[t], &rows[a]) && holds(&rows[t], &rows[b])) return (tme_dtype)t;
  return TME_F64; /* left open by the standard; as NumPy */
}

tme_dtype tme_dtype_promote(tme_dtype a, tme_dtype b) {
  if (!known(a) || !known(b)) return TME_DTYPE_NONE;
  if (a == b) return a;
  dtype_class ka = rows[a].kind, kb = rows[b].kind;
  if (ka == KIND_COMPLEX || kb == KIND_COMPLEX) {
    tme_dtype ra = dtype_real(a), rb = dtype_real(b);
    return ra == TME_F64 || rb == TME_F64 ? TME_C128 : TME_C64;
  }
  if (ka == KIND_FLOAT && kb == KIND_FLOAT) return promote_floats(a, b);
  if (ka == KIND_FLOAT || ka == KIND_BOOL || kb == KIND_FLOAT || kb == KIND_BOOL) return ka > kb ? a : b;
  return promote_ints(a, b);
}
