/* The structures of DLPack, by which libraries of arrays share memory: for programs that have no dlpack.h of their own.
 *
 * Names and layout are those of DLPack (https://github.com/dmlc/dlpack, include/dlpack/dlpack.h, Apache-2.0): of the
 * protocol without versions, and of version 1. A program that has that header too includes it first; then this one
 * defines nothing.
 */
#ifndef TME_DLPACK_H
#define TME_DLPACK_H
#ifndef DLPACK_DLPACK_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DLPACK_MAJOR_VERSION 1
#define DLPACK_MINOR_VERSION 1

#define DLPACK_FLAG_BITMASK_READ_ONLY (1UL << 0) /* the consumer must not write */
#define DLPACK_FLAG_BITMASK_IS_COPIED (1UL << 1) /* the memory is the consumer's alone */

typedef struct DLPackVersion {
  uint32_t major, minor; /* of another major version only the deleter may be looked at */
} DLPackVersion;

/* Types of devices; tme shares the memory of the first. */
enum { kDLCPU = 1, kDLCUDA = 2 };

typedef struct DLDevice {
  int32_t device_type, device_id;
} DLDevice;

enum {
  kDLInt,
  kDLUInt,
  kDLFloat,
  kDLOpaqueHandle,
  kDLBfloat,
  kDLComplex,
  kDLBool,
  kDLFloat8_e4m3fn = 10,
  kDLFloat8_e5m2 = 12
};

typedef struct DLDataType {
  uint8_t code, bits;
  uint16_t lanes; /* 1, but for vectors as elements */
} DLDataType;

typedef struct DLTensor {
  void *data; /* NULL where there are no elements */
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t *shape;
  int64_t *strides;     /* in elements; NULL: row-major */
  uint64_t byte_offset; /* from data to the first element */
} DLTensor;

/* The protocol without versions. */
typedef struct DLManagedTensor {
  DLTensor dl_tensor;
  void *manager_ctx;                             /* the producer's */
  void (*deleter)(struct DLManagedTensor *self); /* NULL: there is nothing to delete */
} DLManagedTensor;

typedef struct DLManagedTensorVersioned {
  DLPackVersion version;
  void *manager_ctx;
  void (*deleter)(struct DLManagedTensorVersioned *self);
  uint64_t flags; /* DLPACK_FLAG_BITMASK_* */
  DLTensor dl_tensor;
} DLManagedTensorVersioned;

#ifdef __cplusplus
}
#endif

#endif
#endif
