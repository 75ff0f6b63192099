/* Memory shared with other libraries of arrays by DLPack, in both protocols: the one without versions and 1.x. */
#include "array/array.h"
#include "run/eval.h"
#include "run/transfer.h"
#include "tme/dlpack.h"
#include <string.h>

/* ---- import ------------------------------------------------------------------------------------------------------ */

static const char *device_name(int32_t type) {
  static const char *const names[] = {[1] = "CPU",        [2] = "CUDA",           [3] = "CUDA's host",
                                      [4] = "OpenCL",     [7] = "Vulkan",         [8] = "Metal",
                                      [9] = "VPI",        [10] = "ROCm",          [11] = "ROCm's host",
                                      [12] = "extension", [13] = "CUDA, managed", [14] = "oneAPI",
                                      [15] = "WebGPU",    [16] = "Hexagon",       [17] = "MAIA",
                                      [18] = "Trainium"};
  return type >= 0 && type < COUNT(names) && names[type] ? names[type] : "unknown";
}

static const char *code_name(uint8_t code) {
  static const char *const names[] = {"int", "uint", "float", "opaque handle", "bfloat", "complex", "bool"};
  return code < COUNT(names) ? names[code] : "unknown type";
}

static DLDataType type_of(tme_dtype t) {
  return (DLDataType){.code = dtype_get(t)->dlpack, .bits = (uint8_t)(tme_dtype_size(t) * 8), .lanes = 1};
}

static tme_dtype dtype_of(DLDataType d) {
  for (int t = 0; t < TME_DTYPE_COUNT; t++) {
    DLDataType own = type_of((tme_dtype)t);
    if (d.code == own.code && d.bits == own.bits && d.lanes == own.lanes) return (tme_dtype)t;
  }
  return TME_DTYPE_NONE;
}

static tme_array *import(tme_scope *s, const DLTensor *t, void (*release)(void *managed), void *managed) {
  static const char what[] = "from_dlpack";
  error *e = &s->err;
  op_type type;
  if (t->device.device_type != kDLCPU) {
    fail(e, TME_ERR_UNSUPPORTED, "%s: the memory is that of device %d.%d (%s), expected the CPU's; copy it there", what,
         (int)t->device.device_type, (int)t->device.device_id, device_name(t->device.device_type));
    return NULL;
  }
  tme_dtype dtype = dtype_of(t->dtype);
  if (dtype == TME_DTYPE_NONE) {
    fail(e, TME_ERR_DTYPE, "%s: there is no dtype for elements of type code %d (%s), %d bits and %d lane%s", what,
         t->dtype.code, code_name(t->dtype.code), t->dtype.bits, t->dtype.lanes, PLURAL(t->dtype.lanes));
    return NULL;
  }
  if (array_check(e, what, dtype, t->ndim, t->shape, t->data, &type) != TME_OK) return NULL;
  uintptr_t at = 0;
  if (type_size(&type) > 0 && __builtin_add_overflow((uintptr_t)t->data, t->byte_offset, &at)) {
    fail(e, TME_ERR_ARGUMENT, "%s: the offset of %llu bytes reaches beyond what can be addressed", what,
         (unsigned long long)t->byte_offset);
    return NULL;
  }
  return array_of_memory(s, &type, t->strides, (const void *)at, release, managed, what);
}

static void delete_imported(void *managed) {
  DLManagedTensor *t = managed;
  if (t->deleter) t->deleter(t);
}

static void delete_imported_versioned(void *managed) {
  DLManagedTensorVersioned *t = managed;
  if (t->deleter) t->deleter(t);
}

tme_array *tme_from_dlpack(tme_scope *s, struct DLManagedTensor *t) {
  if (!s) return NULL;
  if (t) return import(s, &t->dl_tensor, delete_imported, t);
  scope_null(s, "from_dlpack: the tensor");
  return NULL;
}

tme_array *tme_from_dlpack_versioned(tme_scope *s, struct DLManagedTensorVersioned *t) {
  if (!s) return NULL;
  if (!t) {
    scope_null(s, "from_dlpack: the tensor");
    return NULL;
  }
  if (t->version.major == DLPACK_MAJOR_VERSION) return import(s, &t->dl_tensor, delete_imported_versioned, t);
  fail(&s->err, TME_ERR_UNSUPPORTED, "from_dlpack: version %u.%u of the protocol, expected %d", t->version.major,
       t->version.minor, DLPACK_MAJOR_VERSION);
  return NULL;
}

/* ---- export ------------------------------------------------------------------------------------------------------ */

/* A tensor with what it refers to. */
typedef struct exported {
  union {
    DLManagedTensor plain;
    DLManagedTensorVersioned versioned;
  } managed;
  buffer *buf;
  int64_t shape[TME_MAX_RANK], strides[TME_MAX_RANK];
} exported;

static void delete_exported(exported *x) {
  buffer_release(x->buf);
  mem_free(x);
}

static void delete_plain(DLManagedTensor *t) {
  if (t) delete_exported(t->manager_ctx);
}

static void delete_versioned(DLManagedTensorVersioned *t) {
  if (t) delete_exported(t->manager_ctx);
}

static bool is_row_major(const array_view *v) {
  op_type t = view_type(v);
  return strides_contiguous(&t, v->strides);
}

/* The elements of a computed array as the caller wants them, with a reference to their buffer. */
static tme_status take_elements(tme_scope *s, tme_array *a, unsigned flags, array_view *out, bool *copied, error *err) {
  array_view v = array_elements(a), host;
  bool far = v.buf->device, rows = flags & (TME_DLPACK_COPY | TME_DLPACK_ROWS) && !is_row_major(&v);
  if (flags & TME_DLPACK_NEVER_COPY && (far || rows))
    return fail(err, TME_ERR_UNSUPPORTED, "to_dlpack: the elements are %s, and must not be copied",
                far ? "not in the memory of the CPU" : "not row-major");
  tme_status st = view_to_host(s->engine, &v, &host, err);
  if (st != TME_OK) return st;
  rows = rows || (flags & TME_DLPACK_COPY && !far);
  *copied = far || rows;
  *out = host;
  if (!rows) return TME_OK;
  st = view_to_rows(s->engine, &host, out, err);
  buffer_release(host.buf);
  return st;
}

/* *flags: those of the versioned protocol. */
static exported *export(tme_scope *s, tme_array *a, unsigned wanted, DLTensor *tensor, uint64_t *flags) {
  if (!s) return NULL;
  if (!a) {
    scope_null(s, "to_dlpack: the array");
    return NULL;
  }
  if (wanted & ~(unsigned)(TME_DLPACK_COPY | TME_DLPACK_NEVER_COPY | TME_DLPACK_ROWS) ||
      (wanted & TME_DLPACK_COPY && wanted & TME_DLPACK_NEVER_COPY)) {
    fail(&s->err, TME_ERR_ARGUMENT,
         "to_dlpack: flags 0x%x, expected some of TME_DLPACK_*, and not both of COPY and "
         "NEVER_COPY",
         wanted);
    return NULL;
  }
  if (tme_eval_all(s, &a, 1) != TME_OK) return NULL;
  error err = {.code = TME_OK};
  array_view v;
  bool copied = false;
  exported *x = mem_calloc(1, sizeof *x);
  if (!x)
    fail_memory(&err, "to_dlpack", sizeof *x);
  else if (take_elements(s, a, wanted, &v, &copied, &err) == TME_OK)
    x->buf = v.buf;
  if (err.code != TME_OK) {
    mem_free(x);
    scope_fail(s, &err);
    return NULL;
  }
  memcpy(x->shape, v.shape, sizeof x->shape);
  memcpy(x->strides, v.strides, sizeof x->strides);
  *flags = copied ? DLPACK_FLAG_BITMASK_IS_COPIED : 0;
  /* Some elements of a broadcast array are the same memory. */
  if (!copied || !is_row_major(&v)) *flags |= DLPACK_FLAG_BITMASK_READ_ONLY;
  char *first = (char *)v.buf->data + v.offset * (int64_t)tme_dtype_size(v.dtype);
  *tensor = (DLTensor){.data = tme_array_size(a) > 0 ? first : NULL,
                       .device = {.device_type = kDLCPU},
                       .ndim = v.rank,
                       .dtype = type_of(v.dtype),
                       .shape = x->shape,
                       .strides = x->strides};
  return x;
}

struct DLManagedTensor *tme_to_dlpack(tme_scope *s, tme_array *a, unsigned flags) {
  DLTensor t;
  uint64_t unsaid;
  exported *x = export(s, a, flags, &t, &unsaid);
  if (!x) return NULL;
  x->managed.plain = (DLManagedTensor){.dl_tensor = t, .manager_ctx = x, .deleter = delete_plain};
  return &x->managed.plain;
}

struct DLManagedTensorVersioned *tme_to_dlpack_versioned(tme_scope *s, tme_array *a, unsigned flags) {
  DLTensor t;
  uint64_t own;
  exported *x = export(s, a, flags, &t, &own);
  if (!x) return NULL;
  x->managed.versioned = (DLManagedTensorVersioned){.version = {DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION},
                                                    .manager_ctx = x,
                                                    .deleter = delete_versioned,
                                                    .flags = own,
                                                    .dl_tensor = t};
  return &x->managed.versioned;
}
