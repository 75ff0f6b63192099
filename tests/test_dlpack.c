/* Memory that is shared by DLPack, in both protocols: what comes in, what goes out, who deletes it and when. */
#include "base/base.h"
#include "support/engines.h"
#include "tme/dlpack.h"
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static tme_engine *engine;

/* A producer: counts how often its tensors were deleted. */
static int deleted;
static void delete_plain(DLManagedTensor *t) {
  assert_int_equal((int)(intptr_t)t->manager_ctx, 42);
  deleted++;
}
static void delete_versioned(DLManagedTensorVersioned *t) {
  assert_int_equal((int)(intptr_t)t->manager_ctx, 42);
  deleted++;
}

typedef struct lent {
  DLManagedTensor plain;
  DLManagedTensorVersioned versioned;
} lent;

static lent lend(DLTensor t) {
  deleted = 0;
  return (lent){{t, (void *)42, delete_plain},
                {{DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION}, (void *)42, delete_versioned, 0, t}};
}

/* By either protocol. */
static tme_array *take_in(tme_scope *s, lent *l, bool versioned) {
  return versioned ? tme_from_dlpack_versioned(s, &l->versioned) : tme_from_dlpack(s, &l->plain);
}

static DLTensor matrix_of(float *data, int64_t *shape) {
  return (DLTensor){.data = data, .device = {kDLCPU, 0}, .ndim = 2, .dtype = {kDLFloat, 32, 1}, .shape = shape};
}

/* The tensor of an array by either protocol, and its end. */
typedef struct given {
  DLManagedTensor *plain;
  DLManagedTensorVersioned *versioned;
  DLTensor *t;
} given;

static given give_out(tme_scope *s, tme_array *a, unsigned flags, bool versioned) {
  given g = {0};
  if (versioned)
    g.versioned = tme_to_dlpack_versioned(s, a, flags);
  else
    g.plain = tme_to_dlpack(s, a, flags);
  if (g.versioned) g.t = &g.versioned->dl_tensor;
  if (g.plain) g.t = &g.plain->dl_tensor;
  return g;
}

static void end(given g) {
  if (g.plain) g.plain->deleter(g.plain);
  if (g.versioned) g.versioned->deleter(g.versioned);
}

static void all_dtypes(void **state) {
  (void)state;
  static const struct {
    int code, bits;
  } want[TME_DTYPE_COUNT] = {
      [TME_BOOL] = {kDLBool, 8},          [TME_U8] = {kDLUInt, 8},
      [TME_U16] = {kDLUInt, 16},          [TME_U32] = {kDLUInt, 32},
      [TME_U64] = {kDLUInt, 64},          [TME_I8] = {kDLInt, 8},
      [TME_I16] = {kDLInt, 16},           [TME_I32] = {kDLInt, 32},
      [TME_I64] = {kDLInt, 64},           [TME_F16] = {kDLFloat, 16},
      [TME_BF16] = {kDLBfloat, 16},       [TME_F32] = {kDLFloat, 32},
      [TME_F64] = {kDLFloat, 64},         [TME_C64] = {kDLComplex, 64},
      [TME_C128] = {kDLComplex, 128},     [TME_F8E4M3] = {kDLFloat8_e4m3fn, 8},
      [TME_F8E5M2] = {kDLFloat8_e5m2, 8},
  };
  for (int k = 0; k < 2 * TME_DTYPE_COUNT; k++) {
    tme_dtype t = (tme_dtype)(k / 2);
    bool versioned = k % 2;
    uint8_t bytes[6 * 16];
    size_t size = 6 * tme_dtype_size(t);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = t == TME_BOOL ? i % 3 == 0 : (uint8_t)(37 * i);
    tme_scope *s = tme_scope_new(engine), *other = tme_scope_new(engine);
    given g = give_out(s, tme_from(s, t, 2, (int64_t[]){2, 3}, bytes), 0, versioned);
    assert_non_null(g.t);
    assert_int_equal(g.t->dtype.code, want[t].code);
    assert_int_equal(g.t->dtype.bits, want[t].bits);
    assert_int_equal(g.t->dtype.lanes, 1);
    assert_int_equal(g.t->device.device_type, kDLCPU);
    assert_int_equal(g.t->device.device_id, 0);
    assert_int_equal(g.t->ndim, 2);
    assert_memory_equal(g.t->shape, ((int64_t[]){2, 3}), 2 * sizeof(int64_t));
    assert_memory_equal(g.t->strides, ((int64_t[]){3, 1}), 2 * sizeof(int64_t));
    assert_true(g.t->byte_offset == 0);
    assert_memory_equal(g.t->data, bytes, size);
    if (versioned) {
      assert_int_equal(g.versioned->version.major, 1);
      assert_true(g.versioned->flags == DLPACK_FLAG_BITMASK_READ_ONLY);
    }
    tme_scope_free(s);
    tme_array *back = versioned ? tme_from_dlpack_versioned(other, g.versioned) : tme_from_dlpack(other, g.plain);
    assert_non_null(back);
    assert_int_equal(tme_array_dtype(back), t);
    assert_ptr_equal(tme_data(other, back), g.t->data);
    assert_memory_equal(tme_data(other, back), bytes, size);
    assert_string_equal(tme_array_device(back), "cpu");
    tme_scope_free(other);
  }
}

static void strides_come_in(void **state) {
  (void)state;
  float v[12];
  for (int i = 0; i < COUNT(v); i++) v[i] = (float)i;
  for (int k = 0; k < 2; k++) {
    tme_scope *s = tme_scope_new(engine);
    /* The transpose of rows of three, from the second on. */
    DLTensor t = matrix_of(v, (int64_t[]){3, 2});
    t.strides = (int64_t[]){1, 3};
    t.byte_offset = 3 * sizeof *v;
    lent l = lend(t);
    tme_array *a = take_in(s, &l, k);
    test_equal(s, a, (float[]){3, 6, 4, 7, 5, 8}, 6);
    test_equal(s, tme_sum(s, a, (int[]){1}, 1, false, TME_DTYPE_NONE), (float[]){9, 11, 13}, 3);
    /* From the end to the beginning, and one number for all. */
    t.strides = (int64_t[]){-1, 0};
    lent back = lend(t);
    back.plain.dl_tensor.byte_offset = back.versioned.dl_tensor.byte_offset = 2 * sizeof *v;
    test_equal(s, take_in(s, &back, k), (float[]){2, 2, 1, 1, 0, 0}, 6);
    /* Along an extent of 1 any stride will do. */
    t.shape = (int64_t[]){1, 4};
    t.strides = (int64_t[]){INT64_MAX, 2};
    lent one = lend(t);
    a = take_in(s, &one, k);
    test_equal(s, tme_reshape(s, a, (int64_t[]){2, 2}, 2), (float[]){3, 5, 7, 9}, 4);
    deleted = 0;
    tme_scope_free(s);
    assert_int_equal(deleted, 3);
  }
}

static void strides_go_out(void **state) {
  (void)state;
  tme_scope *s = tme_scope_new(engine);
  tme_array *x = test_matrix(s, 3, 4, 0);
  const float *data = tme_data(s, x);
  tme_array *part = tme_slice(s, x, (int64_t[]){2, 1}, (int64_t[]){TME_NONE, TME_NONE}, (int64_t[]){-2, 2});
  for (int k = 0; k < 2; k++) {
    given g = give_out(s, part, TME_DLPACK_NEVER_COPY, k);
    assert_ptr_equal(g.t->data, data + 9);
    assert_memory_equal(g.t->shape, ((int64_t[]){2, 2}), 2 * sizeof(int64_t));
    assert_memory_equal(g.t->strides, ((int64_t[]){-8, 2}), 2 * sizeof(int64_t));
    end(g);
    assert_null(give_out(s, part, TME_DLPACK_NEVER_COPY | TME_DLPACK_ROWS, k).t);
    test_error(s, TME_ERR_UNSUPPORTED, "to_dlpack: the elements are not row-major, and must not be copied");
    for (unsigned flags = TME_DLPACK_COPY; flags <= TME_DLPACK_ROWS; flags += TME_DLPACK_ROWS - TME_DLPACK_COPY) {
      g = give_out(s, part, flags, k);
      assert_memory_equal(g.t->data, ((float[]){9, 11, 1, 3}), 4 * sizeof(float));
      assert_memory_equal(g.t->strides, ((int64_t[]){2, 1}), 2 * sizeof(int64_t));
      if (k) assert_true(g.versioned->flags == DLPACK_FLAG_BITMASK_IS_COPIED);
      *(float *)g.t->data = -1;
      end(g);
    }
    test_equal(s, x, (float[]){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 12);
    g = give_out(s, x, TME_DLPACK_ROWS, k);
    assert_ptr_equal(g.t->data, data);
    end(g);
    g = give_out(s, x, TME_DLPACK_COPY, k);
    assert_ptr_not_equal(g.t->data, data);
    end(g);
    /* What is repeated without a copy, a number, and what is computed for it. */
    g = give_out(s, tme_broadcast_to(s, tme_full(s, NULL, 0, 3, TME_F32), (int64_t[]){5}, 1), TME_DLPACK_ROWS, k);
    assert_int_equal(g.t->strides[0], 1);
    assert_memory_equal(g.t->data, ((float[]){3, 3, 3, 3, 3}), 5 * sizeof(float));
    end(g);
    g = give_out(s, tme_integer(s, 7), 0, k);
    assert_int_equal(g.t->ndim, 0);
    assert_int_equal(*(int64_t *)g.t->data, 7);
    end(g);
    g = give_out(s, tme_matmul(s, x, tme_transpose(s, x, NULL, TME_ALL)), 0, k);
    assert_true(((float *)g.t->data)[0] == 14);
    end(g);
    assert_null(give_out(s, tme_input(s, TME_F32, 0, NULL), 0, k).t);
    assert_true(tme_error_code(s) != TME_OK);
    tme_clear_error(s);
    assert_null(give_out(s, NULL, 0, k).t);
    test_error(s, TME_ERR_ARGUMENT, "to_dlpack: the array is NULL");
    assert_null(give_out(s, x, 8, k).t);
    test_error(s, TME_ERR_ARGUMENT, "flags 0x8");
    assert_null(give_out(s, x, TME_DLPACK_COPY | TME_DLPACK_NEVER_COPY, k).t);
    test_error(s, TME_ERR_ARGUMENT, "NEVER_COPY");
    assert_null(give_out(NULL, x, 0, k).t);
  }
  tme_scope_free(s);
}

static void nothing_in_them(void **state) {
  (void)state;
  for (int k = 0; k < 2; k++) {
    tme_scope *s = tme_scope_new(engine);
    DLTensor t = matrix_of(NULL, (int64_t[]){0, 3});
    lent l = lend(t);
    tme_array *a = take_in(s, &l, k);
    assert_int_equal(tme_array_size(a), 0);
    test_equal(s, tme_sum(s, a, (int[]){0}, 1, false, TME_DTYPE_NONE), (float[]){0, 0, 0}, 3);
    given g = give_out(s, a, 0, k);
    assert_null(g.t->data);
    assert_memory_equal(g.t->shape, ((int64_t[]){0, 3}), 2 * sizeof(int64_t));
    end(g);
    /* Neither pointer nor offset nor strides are looked at. */
    t.data = (void *)3;
    t.byte_offset = UINT64_MAX;
    t.strides = (int64_t[]){INT64_MIN, INT64_MAX};
    lent odd = lend(t);
    a = take_in(s, &odd, k);
    assert_non_null(a);
    assert_int_equal(tme_eval(s, tme_exp(s, tme_transpose(s, a, NULL, TME_ALL))), TME_OK);
    /* A number. */
    float v = 5;
    t = matrix_of(&v, NULL);
    t.ndim = 0;
    lent number = lend(t);
    test_equal(s, take_in(s, &number, k), &v, 1);
    tme_scope_free(s);
    assert_int_equal(deleted, 3);
  }
}

static void deleted_once(void **state) {
  (void)state;
  float v[6] = {0, 1, 2, 3, 4, 5};
  for (int k = 0; k < 2; k++) {
    tme_engine *e = test_engine("nojit");
    tme_scope *s = tme_scope_new(e);
    lent l = lend(matrix_of(v, (int64_t[]){2, 3}));
    tme_array *a = take_in(s, &l, k);
    tme_array *view = tme_retain(tme_reshape(s, a, (int64_t[]){6}, 1));
    tme_array *result = tme_retain(tme_exp(s, a));
    given g = give_out(s, tme_transpose(s, a, NULL, TME_ALL), TME_DLPACK_NEVER_COPY, k);
    assert_ptr_equal(g.t->data, v);
    /* It goes round: what comes in again is memory of its first producer. */
    tme_scope *other = tme_scope_new(engine);
    tme_array *again = k ? tme_from_dlpack_versioned(other, g.versioned) : tme_from_dlpack(other, g.plain);
    tme_scope_free(s);
    assert_int_equal(deleted, 0);
    s = tme_scope_new(e);
    test_equal(s, result, (float[]){1, 2.718282f, 7.389056f, 20.085537f, 54.598150f, 148.413159f}, 6);
    test_equal(s, view, v, 6);
    tme_scope_free(s);
    tme_release(view);
    tme_release(result);
    tme_engine_free(e);
    assert_int_equal(deleted, 0);
    test_equal(other, again, (float[]){0, 3, 1, 4, 2, 5}, 6);
    tme_scope_free(other);
    assert_int_equal(deleted, 1);
    /* Nothing to delete with. */
    l.plain.deleter = NULL;
    l.versioned.deleter = NULL;
    s = tme_scope_new(engine);
    assert_non_null(take_in(s, &l, k));
    tme_scope_free(s);
    assert_int_equal(deleted, 1);
    /* While it is computed with. */
    s = tme_scope_new(engine);
    l = lend(matrix_of(v, (int64_t[]){2, 3}));
    a = tme_sum(s, take_in(s, &l, k), NULL, TME_ALL, false, TME_DTYPE_NONE);
    tme_event *ev = tme_eval_async(s, &a, 1);
    a = tme_retain(a);
    tme_scope_free(s);
    assert_int_equal(tme_event_wait(ev), TME_OK);
    tme_event_free(ev);
    tme_release(a);
    assert_int_equal(deleted, 1);
  }
}

/* An error that says `words`, by both protocols; the tensor is not deleted. */
static void refused(tme_scope *s, tme_status code, const char *words, DLTensor t) {
  for (int k = 0; k < 2; k++) {
    lent l = lend(t);
    assert_null(take_in(s, &l, k));
    assert_non_null(strstr(tme_error(s), "from_dlpack: "));
    test_error(s, code, words);
    assert_int_equal(deleted, 0);
  }
}

static void hostile(void **state) {
  (void)state;
  float v[16] = {0};
  int64_t ones[TME_MAX_RANK + 1];
  for (int i = 0; i <= TME_MAX_RANK; i++) ones[i] = 1;
  tme_scope *s = tme_scope_new(engine);
  const DLTensor good = matrix_of(v, (int64_t[]){2, 2});
  DLTensor t;
#define REFUSED(code, words, ...)                                                                                      \
  do {                                                                                                                 \
    t = good;                                                                                                          \
    __VA_ARGS__;                                                                                                       \
    refused(s, code, words, t);                                                                                        \
  } while (0)
  REFUSED(TME_ERR_ARGUMENT, "the shape is NULL", t.shape = NULL);
  REFUSED(TME_ERR_ARGUMENT, "-1 dimensions", t.ndim = -1);
  REFUSED(TME_ERR_ARGUMENT, "dimensions, expected 0 to", t.ndim = INT32_MAX);
  REFUSED(TME_ERR_ARGUMENT, "dimensions, expected 0 to", t.ndim = COUNT(ones), t.shape = ones);
  REFUSED(TME_ERR_ARGUMENT, "dimension 1 is negative (-3)", t.shape = (int64_t[]){2, -3});
  REFUSED(TME_ERR_MEMORY, "more bytes than can be addressed", t.shape = (int64_t[]){INT64_MAX, 2});
  REFUSED(TME_ERR_MEMORY, "more bytes than can be addressed", t.shape = (int64_t[]){INT64_MAX, 0});
  REFUSED(TME_ERR_ARGUMENT, "the data is NULL", t.data = NULL);
  REFUSED(TME_ERR_ARGUMENT, "not aligned to 4 bytes", t.data = (char *)v + 2);
  REFUSED(TME_ERR_ARGUMENT, "not aligned to 4 bytes", t.byte_offset = 1);
  REFUSED(TME_ERR_ARGUMENT, "beyond what can be addressed", t.byte_offset = UINT64_MAX - 3);
  REFUSED(TME_ERR_MEMORY, "strides reach beyond", t.byte_offset = UINT64_MAX - (uintptr_t)v - 3);
  REFUSED(TME_ERR_MEMORY, "strides reach beyond", t.strides = (int64_t[]){INT64_MAX, INT64_MAX});
  REFUSED(TME_ERR_MEMORY, "strides reach beyond", t.strides = (int64_t[]){INT64_MIN, 1});
  REFUSED(TME_ERR_MEMORY, "strides reach beyond", t.strides = (int64_t[]){INT64_MIN / 8, 1});
  REFUSED(TME_ERR_UNSUPPORTED, "device 2.3 (CUDA), expected the CPU's", t.device = (DLDevice){kDLCUDA, 3});
  REFUSED(TME_ERR_UNSUPPORTED, "(unknown)", t.device = (DLDevice){6, 0});
  REFUSED(TME_ERR_UNSUPPORTED, "(unknown)", t.device = (DLDevice){-1, 0});
  REFUSED(TME_ERR_UNSUPPORTED, "(unknown)", t.device = (DLDevice){INT32_MAX, 0});
  REFUSED(TME_ERR_DTYPE, "32 bits and 4 lanes", t.dtype.lanes = 4);
  REFUSED(TME_ERR_DTYPE, "0 lanes", t.dtype.lanes = 0);
  REFUSED(TME_ERR_DTYPE, "type code 2 (float), 128 bits and 1 lane", t.dtype.bits = 128);
  REFUSED(TME_ERR_DTYPE, "4 bits", t.dtype = (DLDataType){kDLInt, 4, 1});
  REFUSED(TME_ERR_DTYPE, "bool", t.dtype = (DLDataType){kDLBool, 1, 1});
  REFUSED(TME_ERR_DTYPE, "bfloat", t.dtype.code = kDLBfloat);
  REFUSED(TME_ERR_DTYPE, "complex", t.dtype.code = kDLComplex);
  REFUSED(TME_ERR_DTYPE, "opaque handle", t.dtype = (DLDataType){kDLOpaqueHandle, 64, 1});
  REFUSED(TME_ERR_DTYPE, "unknown type", t.dtype = (DLDataType){255, 255, 65535});
#undef REFUSED
  lent l = lend(good);
  l.versioned.version = (DLPackVersion){2, 7};
  memset(&l.versioned.dl_tensor, 0xff, sizeof l.versioned.dl_tensor);
  assert_null(tme_from_dlpack_versioned(s, &l.versioned));
  test_error(s, TME_ERR_UNSUPPORTED, "version 2.7 of the protocol, expected 1");
  l.versioned.version.major = 0;
  assert_null(tme_from_dlpack_versioned(s, &l.versioned));
  test_error(s, TME_ERR_UNSUPPORTED, "version 0.7");
  assert_int_equal(deleted, 0);
  /* Another minor version has the same layout. */
  l = lend(good);
  l.versioned.version.minor = 99;
  l.versioned.flags = UINT64_MAX;
  assert_non_null(tme_from_dlpack_versioned(s, &l.versioned));
  assert_null(tme_from_dlpack(s, NULL));
  test_error(s, TME_ERR_ARGUMENT, "the tensor is NULL");
  assert_null(tme_from_dlpack_versioned(s, NULL));
  test_error(s, TME_ERR_ARGUMENT, "the tensor is NULL");
  assert_null(tme_from_dlpack(NULL, &l.plain));
  assert_null(tme_from_dlpack_versioned(NULL, &l.versioned));
  tme_scope_free(s);
  assert_int_equal(deleted, 1);
}

/* A device whose memory the host does not read. */
static void other_devices(void **state) {
  (void)state;
  tme_engine *e = test_engine("mock");
  tme_scope *s = tme_scope_new(e);
  tme_array *x = test_matrix(s, 2, 3, 0), *y = tme_add(s, x, x);
  assert_string_equal(tme_array_device(x), "cpu");
  assert_string_equal(tme_array_device(y), "mock");
  assert_int_equal(tme_eval(s, y), TME_OK);
  assert_string_equal(tme_array_device(y), "mock");
  assert_null(tme_array_device(NULL));
  tme_array *turned = tme_transpose(s, y, NULL, TME_ALL);
  float v[4] = {1, 2, 3, 4};
  lent l[2];
  for (int k = 0; k < 2; k++) {
    assert_null(give_out(s, y, TME_DLPACK_NEVER_COPY, k).t);
    test_error(s, TME_ERR_UNSUPPORTED, "not in the memory of the CPU");
    for (unsigned flags = 0; flags <= TME_DLPACK_ROWS; flags += TME_DLPACK_ROWS) {
      given g = give_out(s, turned, flags, k);
      assert_int_equal(g.t->device.device_type, kDLCPU);
      for (int i = 0; i < 6; i++) {
        int64_t at = i / 2 * g.t->strides[0] + i % 2 * g.t->strides[1];
        assert_true(((float *)g.t->data)[at] == (float)(2 * (i / 2 + 3 * (i % 2))));
      }
      if (k) assert_true(g.versioned->flags & DLPACK_FLAG_BITMASK_IS_COPIED);
      end(g);
    }
    l[k] = lend(matrix_of(v, (int64_t[]){2, 2}));
    tme_array *z = take_in(s, &l[k], k);
    test_equal(s, tme_multiply(s, z, z), (float[]){1, 4, 9, 16}, 4);
  }
  tme_scope_free(s);
  tme_engine_free(e);
  assert_int_equal(deleted, 2);
}

/* In and out with each allocation failing in turn: a right answer, or NULL with the tensor still the producer's. */
static void allocations_fail(void **state) {
  (void)state;
  float v[6] = {0, 1, 2, 3, 4, 5};
  static const char *const backends[] = {"nojit", "mock"};
  for (int b = 0; b < 2 * COUNT(backends); b++) {
    bool versioned = b % 2;
    bool failed = true;
    long live = mem_live();
    for (long n = 1; failed; n++) {
      tme_engine *e = test_engine(backends[b / 2]);
      lent l = lend(matrix_of(v, (int64_t[]){2, 3}));
      tme_scope *s = tme_scope_new(e);
      failed = false;
      mem_fail_at(n, false);
      tme_array *a = take_in(s, &l, versioned);
      bool taken = a;
      given g = {0}, copy = {0};
      if (a) g = give_out(s, tme_transpose(s, tme_add(s, a, a), NULL, TME_ALL), TME_DLPACK_ROWS, versioned);
      if (g.t) copy = give_out(s, a, TME_DLPACK_COPY, versioned);
      mem_fail_at(0, false);
      if (copy.t) {
        assert_memory_equal(g.t->data, ((float[]){0, 6, 2, 8, 4, 10}), sizeof v);
        assert_memory_equal(copy.t->data, v, sizeof v);
      } else {
        failed = true;
        assert_true(tme_error_code(s) == TME_ERR_MEMORY);
      }
      tme_scope_free(s);
      end(g);
      end(copy);
      assert_int_equal(deleted, taken);
      tme_engine_free(e);
      assert_int_equal(mem_live(), live);
      assert_true(n < 1000);
    }
  }
}

static int open_engine(void **state) {
  (void)state;
  engine = test_engine("nojit");
  return engine ? 0 : -1;
}

static int close_engine(void **state) {
  (void)state;
  tme_engine_free(engine);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_dtypes),      cmocka_unit_test(strides_come_in),  cmocka_unit_test(strides_go_out),
      cmocka_unit_test(nothing_in_them), cmocka_unit_test(deleted_once),     cmocka_unit_test(hostile),
      cmocka_unit_test(other_devices),   cmocka_unit_test(allocations_fail),
  };
  return cmocka_run_group_tests(tests, open_engine, close_engine);
}
