/* Array files: .npy, .npz, .safetensors, .gguf. Everything read is hostile input. */
#ifndef TME_IO_H
#define TME_IO_H

#include "base/base.h"

/* The bytes of a file, mapped (or read), shared by the arrays in it. */
typedef struct io_bytes io_bytes;
/* Atomic. The last release unmaps. */
io_bytes *io_bytes_retain(io_bytes *b);
void io_bytes_release(io_bytes *b);

/* One array of a file. `data` lies in `bytes` and holds the whole array, in bounds. It need not be aligned. */
typedef struct io_array {
  char *name; /* mem_alloc'ed; "" in .npy */
  tme_dtype dtype;
  int rank;
  int64_t shape[TME_MAX_RANK];
  int64_t strides[TME_MAX_RANK]; /* in bytes; differ from row-major for Fortran order */
  const uint8_t *data;
  io_bytes *bytes; /* one reference */
} io_array;

typedef struct io_list {
  io_array *a;
  int n, cap;
  int more; /* arrays that are in the file and not in the list */
} io_list;

/* Reads the list of arrays of a file, by the ending of its path. With `copy` the file is read into memory, else mapped.
 * `only` NULL or the one name that is wanted (others are skipped: a compressed member of an .npz is not inflated).
 * Big-endian .npy data is byte-swapped into a copy; Fortran order becomes strides. */
tme_status io_read(const char *path, const char *only, bool copy, io_list *out, error *e);
enum { IO_NAMES = 8 };
/* The same where one array is wanted: of several, in a file and without a name, only the first IO_NAMES are listed, by
 * their names alone, and the rest are counted. */
tme_status io_read_one(const char *path, const char *only, bool copy, io_list *out, error *e);
/* All arrays; those of .gguf whose numbers have few bits stay so, where that loses nothing: their words, scales and biases. */
tme_status io_read_packed(const char *path, bool copy, io_list *out, error *e);
void io_list_free(io_list *l);

/* One array to write: contiguous row-major data. */
typedef struct io_source {
  const char *name;
  tme_dtype dtype;
  int rank;
  const int64_t *shape;
  const void *data;
} io_source;
/* Writes beside the target and renames; on failure the old file stays and nothing else is left. bf16 has no .npy form:
 * refused with the advice to use .safetensors or a cast. complex has no safetensors form but C64. */
tme_status io_write(const char *path, const io_source *a, int n, error *e);

typedef struct io_file {
  const char *path;
  const io_source *a;
  int n;
} io_file;
/* Several files: all are whole beside their targets before the first is renamed. */
tme_status io_write_all(const io_file *f, int n, error *e);

/* Splits "file.npz:name" at the last colon behind a known ending; *name is NULL if there is none. Both are
 * mem_alloc'ed. */
tme_status io_split(const char *spec, char **path, char **name, error *e);

#endif
