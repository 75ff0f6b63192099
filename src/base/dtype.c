#include "base/base.h"
#include "tme/dlpack.h"
#include <string.h>

typedef enum kind { KIND_BOOL, KIND_UNSIGNED, KIND_SIGNED, KIND_FLOAT, KIND_COMPLEX } kind;

static const struct {
  const char *name, *brief;
  uint8_t size, kind, dlpack;
} info[TME_DTYPE_COUNT] = {
    [TME_BOOL] = {"bool", "b8", 1, KIND_BOOL, kDLBool},
    [TME_U8] = {"uint8", "u8", 1, KIND_UNSIGNED, kDLUInt},
    [TME_U16] = {"uint16", "u16", 2, KIND_UNSIGNED, kDLUInt},
    [TME_U32] = {"uint32", "u32", 4, KIND_UNSIGNED, kDLUInt},
    [TME_U64] = {"uint64", "u64", 8, KIND_UNSIGNED, kDLUInt},
    [TME_I8] = {"int8", "i8", 1, KIND_SIGNED, kDLInt},
    [TME_I16] = {"int16", "i16", 2, KIND_SIGNED, kDLInt},
    [TME_I32] = {"int32", "i32", 4, KIND_SIGNED, kDLInt},
    [TME_I64] = {"int64", "i64", 8, KIND_SIGNED, kDLInt},
    [TME_F16] = {"float16", "f16", 2, KIND_FLOAT, kDLFloat},
    [TME_BF16] = {"bfloat16", "bf16", 2, KIND_FLOAT, kDLBfloat},
    [TME_F32] = {"float32", "f32", 4, KIND_FLOAT, kDLFloat},
    [TME_F64] = {"float64", "f64", 8, KIND_FLOAT, kDLFloat},
    [TME_C64] = {"complex64", "c64", 8, KIND_COMPLEX, kDLComplex},
    [TME_C128] = {"complex128", "c128", 16, KIND_COMPLEX, kDLComplex},
};

static bool known(tme_dtype t) { return (int)t >= 0 && (int)t < TME_DTYPE_COUNT; }

const char *tme_dtype_name(tme_dtype t) { return known(t) ? info[t].name : "none"; }
size_t tme_dtype_size(tme_dtype t) { return known(t) ? info[t].size : 0; }

tme_dtype tme_dtype_parse(const char *name) {
  for (int t = 0; name && t < TME_DTYPE_COUNT; t++)
    if (!strcmp(name, info[t].name) || !strcmp(name, info[t].brief)) return (tme_dtype)t;
  return TME_DTYPE_NONE;
}

bool dtype_is_float(tme_dtype t) { return known(t) && info[t].kind == KIND_FLOAT; }
bool dtype_is_complex(tme_dtype t) { return known(t) && info[t].kind == KIND_COMPLEX; }
bool dtype_is_int(tme_dtype t) { return known(t) && (info[t].kind == KIND_UNSIGNED || info[t].kind == KIND_SIGNED); }
bool dtype_is_signed(tme_dtype t) { return known(t) && info[t].kind >= KIND_SIGNED; }

int dtype_dlpack(tme_dtype t) { return known(t) ? info[t].dlpack : -1; }

tme_dtype dtype_real(tme_dtype t) { return t == TME_C64 ? TME_F32 : t == TME_C128 ? TME_F64 : t; }

static tme_dtype promote_floats(tme_dtype a, tme_dtype b) {
  if (info[a].size != info[b].size) return info[a].size > info[b].size ? a : b;
  return TME_F32; /* f16 and bf16: neither holds the other */
}

static tme_dtype promote_ints(tme_dtype a, tme_dtype b) {
  if (info[a].kind == info[b].kind) return info[a].size > info[b].size ? a : b;
  tme_dtype u = info[a].kind == KIND_UNSIGNED ? a : b, s = u == a ? b : a;
  if (info[s].size > info[u].size) return s;
  if (u == TME_U64) return TME_F64; /* left open by the standard; as NumPy */
  return (tme_dtype)(TME_I8 + (u - TME_U8) + 1);
}

tme_dtype dtype_promote(tme_dtype a, tme_dtype b) {
  if (!known(a) || !known(b)) return TME_DTYPE_NONE;
  if (a == b) return a;
  kind ka = (kind)info[a].kind, kb = (kind)info[b].kind;
  if (ka == KIND_COMPLEX || kb == KIND_COMPLEX) {
    tme_dtype ra = dtype_real(a), rb = dtype_real(b);
    return ra == TME_F64 || rb == TME_F64 ? TME_C128 : TME_C64;
  }
  if (ka == KIND_FLOAT && kb == KIND_FLOAT) return promote_floats(a, b);
  if (ka == KIND_FLOAT || ka == KIND_BOOL || kb == KIND_FLOAT || kb == KIND_BOOL) return ka > kb ? a : b;
  return promote_ints(a, b);
}
