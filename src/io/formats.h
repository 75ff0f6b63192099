/* What the readers and writers of the formats share. The readers work on bytes in memory, wherever they came from. */
#ifndef TME_IO_FORMATS_H
#define TME_IO_FORMATS_H

#include "io/io.h"
#include <stdatomic.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the readers take little-endian data as it is");

typedef enum io_format { IO_UNKNOWN = -1, IO_NPY, IO_NPZ, IO_SAFETENSORS, IO_GGUF, IO_FORMAT_COUNT } io_format;
/* By the ending of the first `len` bytes. */
io_format io_format_of(const char *path, size_t len);

/* What an error message names first: "load: 'x.npz': array 'w': ...". */
typedef struct io_place {
  const char *verb, *path;
  const char *array; /* NULL: the file as a whole */
  error *e;
} io_place;
tme_status io_fail(const io_place *at, tme_status code, const char *fmt, ...) TME_PRINTF(3, 4);
tme_status io_fail_memory(const io_place *at, size_t bytes);
/* The message for a failed system call: what was tried, and errno's text. */
tme_status io_fail_errno(const io_place *at, const char *what, int errnum);

struct io_bytes {
  atomic_size_t refs;
  uint8_t *data; /* never written after reading, even where it is not mapped */
  size_t size;
  bool mapped;
};
/* Memory to be filled by the caller. NULL if there is none. */
io_bytes *io_bytes_new(size_t size);
/* The bytes of a regular file that is not empty. */
tme_status io_bytes_open(const io_place *at, bool copy, io_bytes **out);

/* The readers. The list must be empty and is to be freed by the caller even after an error. */
tme_status npy_read(const io_place *at, io_bytes *b, io_list *out);
tme_status npz_read(const io_place *at, io_bytes *b, const char *only, bool one, io_list *out);
tme_status safetensors_read(const io_place *at, io_bytes *b, const char *only, bool one, io_list *out);
/* Of .gguf the arrays' names alone (but one array's elements), all arrays as numbers, or those that have an affine form in it. */
typedef enum gguf_want { GGUF_NAMES, GGUF_NUMBERS, GGUF_PACKED } gguf_want;
tme_status gguf_read(const io_place *at, io_bytes *b, const char *only, gguf_want want, io_list *out);
/* One of them, with the answer for a name that is not there. */
tme_status io_parse(io_format f, const char *path, io_bytes *b, const char *only, bool one, io_list *out, error *e);

/* What the header of a .npy file says besides the array's dtype, shape and strides. */
typedef struct npy_layout {
  size_t head, bytes; /* the elements are `bytes` bytes behind the first `head` */
  bool swap;
} npy_layout;
enum { NPY_START = 12 };
bool npy_is(const uint8_t *p, size_t n);
/* The length of the header of a .npy of `size` bytes, bounded, from its first NPY_START bytes, or as many as it has. */
tme_status npy_head(const io_place *at, const uint8_t *p, uint64_t size, size_t *head);
/* Its header, which lies at `p` whole. `a` has its name already. */
tme_status npy_parse(const io_place *at, const uint8_t *p, size_t head, uint64_t size, io_array *a, npy_layout *out);

/* A new, empty array of that name at the end of the list, or NULL if there is no memory. */
io_array *io_list_add(io_list *l, const char *name, size_t name_len);
/* Fills the strides from dtype, rank and shape; the bytes of all elements must fit an int64_t. */
tme_status io_layout(const io_place *at, io_array *a, bool fortran, size_t *bytes);
/* Points the array to `bytes` bytes at `start` of `b`, which are within it; a copy is made if they must be swapped, or
 * if a bool is neither 0 nor 1. */
tme_status io_attach(const io_place *at, io_array *a, io_bytes *b, size_t start, size_t bytes, bool swap);

/* A file being written. The first failure is kept in `errnum`. */
typedef struct io_sink {
  int fd;
  int errnum;
  uint64_t size; /* bytes written so far */
} io_sink;
bool io_put(io_sink *s, const void *p, size_t n);

/* The writers. The sources were checked: names, ranks and sizes. */
tme_status npy_write(const io_place *at, io_sink *s, const io_source *a);
tme_status npz_write(const io_place *at, io_sink *s, const io_source *a, int n);
tme_status safetensors_write(const io_place *at, io_sink *s, const io_source *a, int n);
tme_status gguf_write(const io_place *at, io_sink *s, const io_source *a, int n);
/* Bytes of all elements of a checked source. */
size_t io_source_bytes(const io_source *a);

enum { NPY_HEADER_MAX = 512 };
/* The header of a .npy file, a multiple of 64 bytes. */
tme_status npy_header(const io_place *at, const io_source *a, char out[NPY_HEADER_MAX], size_t *size);

#endif
