/* Files: round trips, hand-made and hostile ones, mutations, failing allocations and failing writes. */
#include "io/formats.h"
#include "io/gguf_blocks.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

static char dir[] = "/tmp/tme-test-io-XXXXXX";
static long live_before;

static const char *in_dir(const char *name) {
  static char paths[4][512];
  static int next;
  char *p = paths[next++ % 4];
  snprintf(p, sizeof paths[0], "%s/%s", dir, name);
  return p;
}

static int entries(void) {
  int n = 0;
  DIR *d = opendir(dir);
  assert_non_null(d);
  while (readdir(d)) n++;
  closedir(d);
  return n - 2;
}

static void empty_dir(void) {
  DIR *d = opendir(dir);
  assert_non_null(d);
  for (struct dirent *f; (f = readdir(d));) {
    if (strcmp(f->d_name, ".") == 0 || strcmp(f->d_name, "..") == 0) continue;
    const char *path = in_dir(f->d_name);
    if (unlink(path) != 0) rmdir(path);
  }
  closedir(d);
}

static int make_dir(void **state) {
  (void)state;
  return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state) {
  (void)state;
  return rmdir(dir);
}

static int before(void **state) {
  (void)state;
  live_before = mem_live();
  return 0;
}

/* Nothing leaks, whatever the test did. */
static int after(void **state) {
  (void)state;
  mem_fail_at(0, false);
  empty_dir();
  return mem_live() == live_before ? 0 : -1;
}

/* ---- hand-made files --------------------------------------------------------------------------------------------- */

typedef struct blob {
  uint8_t p[1 << 16];
  size_t n;
} blob;

static void put(blob *b, const void *p, size_t n) {
  assert_true(b->n + n <= sizeof b->p);
  if (n) memcpy(b->p + b->n, p, n);
  b->n += n;
}

static void put_le(blob *b, uint64_t v, int bytes) {
  for (int i = 0; i < bytes; i++) put(b, &(uint8_t){(uint8_t)(v >> (8 * i))}, 1);
}

static void make_npy(blob *b, int version, const char *header, const void *data, size_t n) {
  b->n = 0;
  put(b, "\x93NUMPY", 6);
  put_le(b, (uint64_t)version, 2);
  put_le(b, strlen(header), version == 1 ? 2 : 4);
  put(b, header, strlen(header));
  put(b, data, n);
}

typedef struct zip_file {
  const char *name;
  const uint8_t *data;
  size_t n;
  bool deflate, zip64;
  unsigned flags, method;    /* method 0: by `deflate` */
  uint64_t claim;            /* of uncompressed bytes, 0: the truth */
  uint32_t wrong_crc, shift; /* added to the sum, and to the offset */
} zip_file;

static void make_zip(blob *b, const char *front, const zip_file *f, int n) {
  static blob directory;
  static uint8_t packed[1 << 15];
  directory.n = b->n = 0;
  put(b, front, strlen(front));
  size_t base = b->n;
  for (int i = 0; i < n; i++) {
    const uint8_t *data = f[i].data;
    size_t size = f[i].n, name = strlen(f[i].name), at = b->n - base;
    if (f[i].deflate) {
      z_stream z = {0};
      assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
      z.next_in = (Bytef *)(uintptr_t)data;
      z.avail_in = (uInt)size;
      z.next_out = packed;
      z.avail_out = sizeof packed;
      assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
      size = z.total_out;
      deflateEnd(&z);
      data = packed;
    }
    uint64_t method = f[i].method ? f[i].method : f[i].deflate ? 8 : 0, claim = f[i].claim ? f[i].claim : f[i].n;
    uint32_t crc = (uint32_t)crc32(0, f[i].data, (uInt)f[i].n) + f[i].wrong_crc;
    put(b, "PK\3\4", 4);
    put_le(b, 45, 2), put_le(b, f[i].flags, 2), put_le(b, method, 2), put_le(b, 0, 4), put_le(b, crc, 4);
    put_le(b, size, 4), put_le(b, claim & UINT32_MAX, 4), put_le(b, name, 2), put_le(b, 0, 2);
    put(b, f[i].name, name);
    put(b, data, size);
    blob *d = &directory;
    uint64_t narrow = f[i].zip64 ? UINT32_MAX : 0;
    put(d, "PK\1\2", 4);
    put_le(d, 45, 2), put_le(d, 45, 2), put_le(d, f[i].flags, 2), put_le(d, method, 2), put_le(d, 0, 4);
    put_le(d, crc, 4), put_le(d, narrow ? narrow : size, 4), put_le(d, narrow ? narrow : claim, 4);
    put_le(d, name, 2), put_le(d, f[i].zip64 ? 28 : 0, 2), put_le(d, 0, 2), put_le(d, 0, 2), put_le(d, 0, 2);
    put_le(d, 0, 4), put_le(d, narrow ? narrow : at + f[i].shift, 4);
    put(d, f[i].name, name);
    if (f[i].zip64) {
      put_le(d, 1, 2), put_le(d, 24, 2), put_le(d, claim, 8), put_le(d, size, 8), put_le(d, at + f[i].shift, 8);
    }
  }
  size_t at = b->n - base;
  put(b, directory.p, directory.n);
  bool zip64 = n > 0 && f[0].zip64;
  if (zip64) {
    size_t record = b->n - base;
    put(b, "PK\6\6", 4), put_le(b, 44, 8), put_le(b, 45, 4), put_le(b, 0, 8), put_le(b, (uint64_t)n, 8);
    put_le(b, (uint64_t)n, 8), put_le(b, directory.n, 8), put_le(b, at, 8);
    put(b, "PK\6\7", 4), put_le(b, 0, 4), put_le(b, record, 8), put_le(b, 1, 4);
  }
  put(b, "PK\5\6", 4), put_le(b, 0, 4), put_le(b, (uint64_t)n, 2), put_le(b, (uint64_t)n, 2);
  put_le(b, zip64 ? UINT32_MAX : directory.n, 4), put_le(b, zip64 ? UINT32_MAX : at, 4), put_le(b, 0, 2);
}

static void make_safetensors(blob *b, const char *header, size_t data) {
  b->n = 0;
  put_le(b, strlen(header), 8);
  put(b, header, strlen(header));
  for (size_t i = 0; i < data; i++) put(b, &(uint8_t){(uint8_t)i}, 1);
}

/* From memory whose end is guarded by the address sanitizer. */
static tme_status parse(io_format f, const void *p, size_t n, const char *only, io_list *l, error *e) {
  io_bytes *b = io_bytes_new(n);
  assert_non_null(b);
  if (n) memcpy(b->data, p, n);
  *e = (error){0};
  tme_status s = io_parse(f, "mem", b, only, false, l, e);
  io_bytes_release(b);
  return s;
}

static void parse_ok(io_format f, const blob *b, const char *only, io_list *l) {
  error e;
  if (parse(f, b->p, b->n, only, l, &e) != TME_OK) fail_msg("%s", e.text);
}

static void refused(io_format f, const blob *b, const char *only, tme_status code, const char *words) {
  error e;
  io_list l;
  tme_status s = parse(f, b->p, b->n, only, &l, &e);
  if (s != code || !strstr(e.text, words)) fail_msg("status %d, '%s', expected '%s'", (int)s, e.text, words);
  assert_int_equal(e.code, code);
  assert_ptr_equal(strstr(e.text, "load: 'mem': "), e.text);
  assert_int_equal(l.n, 0);
}

/* ---- round trips ------------------------------------------------------------------------------------------------- */

static const char *const files[IO_FORMAT_COUNT] = {"x.npy", "x.npz", "x.safetensors", "x.gguf"};

static bool has_form(io_format f, tme_dtype t) {
  if (f == IO_GGUF) return gguf_type_of(t);
  return f == IO_SAFETENSORS ? dtype_get(t)->safetensors[0] : dtype_get(t)->npy[0];
}

static void check_equal(const io_array *a, const io_source *src) {
  assert_int_equal(a->dtype, src->dtype);
  assert_int_equal(a->rank, src->rank);
  int64_t stride = (int64_t)tme_dtype_size(a->dtype);
  for (int i = a->rank - 1; i >= 0; i--) {
    assert_int_equal(a->shape[i], src->shape[i]);
    assert_int_equal(a->strides[i], stride);
    stride *= a->shape[i] ? a->shape[i] : 1;
  }
  if (io_source_bytes(src)) assert_memory_equal(a->data, src->data, io_source_bytes(src));
}

static void test_round_trips(void **state) {
  (void)state;
  static const struct {
    int rank;
    int64_t shape[TME_MAX_RANK];
  } shapes[] = {{0, {0}}, {1, {5}}, {1, {0}}, {2, {0, 3}}, {3, {2, 3, 4}}, {8, {1, 2, 1, 2, 1, 2, 1, 3}}};
  static uint8_t data[24 * 16];
  for (size_t i = 0; i < sizeof data; i++) data[i] = i % 3 == 0;
  for (io_format f = IO_NPY; f < IO_FORMAT_COUNT; f++) {
    for (int t = 0; t < TME_DTYPE_COUNT; t++) {
      if (!has_form(f, (tme_dtype)t)) continue;
      for (int k = 0; k < COUNT(shapes); k++) {
        if (f == IO_GGUF && shapes[k].rank > 4) continue;
        io_source src = {"w", (tme_dtype)t, shapes[k].rank, shapes[k].shape, data};
        error e = {0};
        if (io_write(in_dir(files[f]), &src, 1, &e) != TME_OK) fail_msg("%s", e.text);
        for (int copy = 0; copy < 2; copy++) {
          io_list l;
          if (io_read(in_dir(files[f]), f == IO_NPY ? NULL : "w", copy, &l, &e) != TME_OK) fail_msg("%s", e.text);
          assert_int_equal(l.n, 1);
          assert_string_equal(l.a[0].name, f == IO_NPY ? "" : "w");
          assert_int_equal(l.a[0].bytes->mapped, !copy);
          check_equal(&l.a[0], &src);
          if (!copy) assert_int_equal((uintptr_t)l.a[0].data % tme_dtype_size(src.dtype), 0);
          io_list_free(&l);
        }
        assert_int_equal(entries(), 1);
      }
      empty_dir();
    }
  }
}

static void test_no_form(void **state) {
  (void)state;
  int64_t shape[1] = {2};
  uint8_t data[32] = {0};
  error e = {0};
  io_source src = {"w", TME_BF16, 1, shape, data};
  assert_int_equal(io_write(in_dir("x.npy"), &src, 1, &e), TME_ERR_DTYPE);
  assert_non_null(strstr(e.text, "bfloat16"));
  assert_non_null(strstr(e.text, ".safetensors"));
  e = (error){0};
  assert_int_equal(io_write(in_dir("x.npz"), &src, 1, &e), TME_ERR_DTYPE);
  e = (error){0};
  src.dtype = TME_C128;
  assert_int_equal(io_write(in_dir("x.safetensors"), &src, 1, &e), TME_ERR_DTYPE);
  assert_non_null(strstr(e.text, "complex128"));
  assert_int_equal(entries(), 0);
}

static void test_many_names(void **state) {
  (void)state;
  static const char *const names[] = {"b", "layer/0/weight", "", "gr\xc3\xb6\xc3\x9f/e", "q\"uo\\te\n", "a.npy", "a:b"};
  int64_t shape[1] = {3};
  static const uint8_t data[24] = {1, 0, 1, 1};
  static const tme_dtype dtypes[] = {TME_I8, TME_F64, TME_F16, TME_I32, TME_I16, TME_I64, TME_F32};
  io_source src[COUNT(names)];
  for (int i = 0; i < COUNT(names); i++) src[i] = (io_source){names[i], dtypes[i], 1, shape, data};
  for (io_format f = IO_NPZ; f < IO_FORMAT_COUNT; f++) {
    error e = {0};
    io_list l;
    if (io_write(in_dir(files[f]), src, COUNT(names), &e) != TME_OK) fail_msg("%s", e.text);
    if (io_read(in_dir(files[f]), NULL, false, &l, &e) != TME_OK) fail_msg("%s", e.text);
    assert_int_equal(l.n, COUNT(names));
    for (int i = 0; i < l.n; i++) assert_int_equal((uintptr_t)l.a[i].data % tme_dtype_size(l.a[i].dtype), 0);
    io_list_free(&l);
    for (int i = 0; i < COUNT(names); i++) {
      if (io_read(in_dir(files[f]), names[i], true, &l, &e) != TME_OK) fail_msg("%s", e.text);
      assert_int_equal(l.n, 1);
      assert_string_equal(l.a[0].name, names[i]);
      check_equal(&l.a[0], &src[i]);
      io_list_free(&l);
    }
    assert_int_equal(io_read(in_dir(files[f]), "missing", false, &l, &e), TME_ERR_ARGUMENT);
    assert_non_null(strstr(e.text, "holds no array named 'missing'"));
    e = (error){0};
    if (io_write(in_dir(files[f]), NULL, 0, &e) != TME_OK) fail_msg("%s", e.text);
    if (io_read(in_dir(files[f]), NULL, false, &l, &e) != TME_OK) fail_msg("%s", e.text);
    assert_int_equal(l.n, 0);
    io_list_free(&l);
  }
}

/* More members than 16 bits can count. */
static void test_zip64_directory(void **state) {
  (void)state;
  enum { MANY = 66000 };
  io_source *src = calloc(MANY, sizeof *src);
  char(*names)[12] = calloc(MANY, sizeof *names);
  assert_true(src && names);
  for (int i = 0; i < MANY; i++) {
    snprintf(names[i], sizeof names[i], "%05d", i);
    src[i] = (io_source){names[i], TME_U8, 0, NULL, names[i] + 4};
  }
  error e = {0};
  io_list l;
  if (io_write(in_dir("x.npz"), src, MANY, &e) != TME_OK) fail_msg("%s", e.text);
  if (io_read(in_dir("x.npz"), NULL, false, &l, &e) != TME_OK) fail_msg("%s", e.text);
  assert_int_equal(l.n, MANY);
  for (int i = 0; i < MANY; i++) {
    assert_string_equal(l.a[i].name, names[i]);
    assert_int_equal(*l.a[i].data, names[i][4]);
  }
  io_list_free(&l);
  free(src);
  free(names);
}

static void test_bad_sources(void **state) {
  (void)state;
  int64_t shape[TME_MAX_RANK + 1], negative[1] = {-1}, huge[2] = {INT64_MAX, 2};
  for (int d = 0; d <= TME_MAX_RANK; d++) shape[d] = 1;
  char *long_name = calloc(1, 70000);
  assert_non_null(long_name);
  memset(long_name, 'n', 69999);
  const io_source good = {"w", TME_U8, 1, shape, ""};
  const struct {
    const char *file;
    io_source a[2];
    int n;
    const char *words;
  } rows[] = {
      {"x.txt", {good}, 1, "unknown ending, expected .npy, .npz, .safetensors or .gguf"},
      {"x.npy", {good, good}, 2, "holds one array"},
      {"x.npy", {good}, 0, "holds one array"},
      {"x.npz", {good, good}, 2, "two arrays are named 'w'"},
      {"x.npz", {{NULL, TME_U8, 1, shape, ""}}, 1, "no name"},
      {"x.npz", {{"\xff", TME_U8, 1, shape, ""}}, 1, "not UTF-8"},
      {"x.npz", {{"\xc0\x80", TME_U8, 1, shape, ""}}, 1, "not UTF-8"},
      {"x.npz", {{"\xed\xa0\x80", TME_U8, 1, shape, ""}}, 1, "not UTF-8"},
      {"x.npz", {{long_name, TME_U8, 1, shape, ""}}, 1, "a name of 69999 bytes"},
      {"x.safetensors", {{"__metadata__", TME_U8, 1, shape, ""}}, 1, "reserved"},
      {"x.npy", {{"w", TME_U8, TME_MAX_RANK + 1, shape, ""}}, 1, "17 dimensions"},
      {"x.npy", {{"w", TME_U8, 1, negative, ""}}, 1, "negative dimension"},
      {"x.npy", {{"w", TME_U8, 2, huge, ""}}, 1, "more elements than fit"},
      {"x.npy", {{"w", TME_U8, 1, shape, NULL}}, 1, "no data"},
      {"x.npy", {{"w", TME_DTYPE_COUNT, 1, shape, ""}}, 1, "unknown dtype"},
  };
  for (int i = 0; i < COUNT(rows); i++) {
    error e = {0};
    assert_int_not_equal(io_write(in_dir(rows[i].file), rows[i].a, rows[i].n, &e), TME_OK);
    if (!strstr(e.text, rows[i].words)) fail_msg("'%s', expected '%s'", e.text, rows[i].words);
    assert_ptr_equal(strstr(e.text, "save: '"), e.text);
  }
  error e = {0};
  assert_int_equal(io_write(NULL, &good, 1, &e), TME_ERR_ARGUMENT);
  assert_int_equal(entries(), 0);
  free(long_name);
}

/* ---- .npy -------------------------------------------------------------------------------------------------------- */

static void test_npy_spellings(void **state) {
  (void)state;
  static blob b;
  io_list l;
  static const struct {
    const char *header;
    tme_dtype dtype;
    int rank;
  } rows[] = {
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }   \n", TME_F32, 1},
      {"{'shape': (2L, 1L), 'fortran_order': False, 'descr': '<i8'}\n", TME_I64, 2},
      {"{\"descr\":\"|b1\",\"fortran_order\":False,\"shape\":()}", TME_BOOL, 0},
      {"  {'descr': '=u2', 'shape': (1 , 2 ,), 'fortran_order': True}", TME_U16, 2},
      {"{'descr': '?', 'shape': (2,), 'fortran_order': False}", TME_BOOL, 1},
      {"{'descr': 'float64', 'shape': (2,), 'fortran_order': False}", TME_F64, 1},
      {"{'descr': '<c16', 'shape': (0, 4611686018427387904), 'fortran_order': False}", TME_DTYPE_NONE, 0},
      {"{'descr': '<c16', 'shape': (0, 4), 'fortran_order': False}", TME_C128, 2},
  };
  static const uint8_t zeros[64];
  for (int version = 1; version <= 3; version++) {
    for (int i = 0; i < COUNT(rows); i++) {
      make_npy(&b, version, rows[i].header, zeros, sizeof zeros);
      if (rows[i].dtype == TME_DTYPE_NONE) {
        refused(IO_NPY, &b, NULL, TME_ERR_FORMAT, "more elements than fit");
        continue;
      }
      parse_ok(IO_NPY, &b, NULL, &l);
      assert_int_equal(l.a[0].dtype, rows[i].dtype);
      assert_int_equal(l.a[0].rank, rows[i].rank);
      io_list_free(&l);
    }
  }
}

static void test_npy_order(void **state) {
  (void)state;
  static blob b;
  io_list l;
  const uint8_t big[12] = {0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff};
  make_npy(&b, 1, "{'descr': '>i4', 'fortran_order': False, 'shape': (3,)}", big, sizeof big);
  parse_ok(IO_NPY, &b, NULL, &l);
  const int32_t swapped[3] = {1, 2, -1};
  assert_memory_equal(l.a[0].data, swapped, sizeof swapped);
  io_list_free(&l);

  /* The parts of a complex number are swapped by themselves. */
  const uint8_t one_two[8] = {0x3f, 0x80, 0, 0, 0x40, 0, 0, 0};
  make_npy(&b, 1, "{'descr': '>c8', 'fortran_order': False, 'shape': ()}", one_two, sizeof one_two);
  parse_ok(IO_NPY, &b, NULL, &l);
  const float parts[2] = {1, 2};
  assert_memory_equal(l.a[0].data, parts, sizeof parts);
  io_list_free(&l);

  make_npy(&b, 2, "{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3)}", big, sizeof big);
  parse_ok(IO_NPY, &b, NULL, &l);
  assert_int_equal(l.a[0].strides[0], 2);
  assert_int_equal(l.a[0].strides[1], 4);
  io_list_free(&l);

  /* Kernels may count on a bool to be 0 or 1. */
  make_npy(&b, 1, "{'descr': '|b1', 'fortran_order': False, 'shape': (3,)}", "\0\7\1", 3);
  parse_ok(IO_NPY, &b, NULL, &l);
  assert_memory_equal(l.a[0].data, "\0\1\1", 3);
  io_list_free(&l);
}

static void test_npy_refused(void **state) {
  (void)state;
  static blob b;
#define WITH(descr, shape) "{'descr': " descr ", 'fortran_order': False, 'shape': " shape "}"
  static const struct {
    const char *header;
    tme_status code;
    const char *words;
  } rows[] = {
      {WITH("'|O'", "(1,)"), TME_ERR_DTYPE, "'|O' is not supported: Python objects"},
      {WITH("'<U3'", "(1,)"), TME_ERR_DTYPE, "'<U3'"},
      {WITH("'<M8[ns]'", "(1,)"), TME_ERR_DTYPE, "'<M8[ns]'"},
      {WITH("'<f16'", "(1,)"), TME_ERR_DTYPE, "'<f16'"},
      {WITH("'<V2'", "(1,)"), TME_ERR_DTYPE, "bfloat16"},
      {WITH("'bfloat16'", "(1,)"), TME_ERR_DTYPE, ".safetensors"},
      {WITH("''", "(1,)"), TME_ERR_DTYPE, "dtype ''"},
      {WITH("[('a', '<f4'), ('b', '<i4')]", "(1,)"), TME_ERR_DTYPE, "structured dtype [('a', '<f4'), ('b', '<i4')]"},
      {WITH("'<f4'", "(1)"), TME_ERR_FORMAT, "'(n,)'"},
      {WITH("'<f4'", "(-1,)"), TME_ERR_FORMAT, "a dimension"},
      {WITH("'<f4'", "(1 2)"), TME_ERR_FORMAT, "',' or ')'"},
      {WITH("'<f4'", "(,)"), TME_ERR_FORMAT, "a dimension"},
      {WITH("'<f4'", "(1"), TME_ERR_FORMAT, "',' or ')'"},
      {WITH("'<f4'", "[1]"), TME_ERR_FORMAT, "a tuple"},
      {WITH("'<f4'", "(99999999999999999999,)"), TME_ERR_FORMAT, "64 bits"},
      {WITH("'<f4'", "(4294967296, 4294967296)"), TME_ERR_FORMAT, "more elements than fit"},
      {WITH("'<f4'", "(9223372036854775807,)"), TME_ERR_FORMAT, "more elements than fit"},
      {WITH("'<f4'", "(1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)"), TME_ERR_UNSUPPORTED, "more than 16 dimensions"},
      {WITH("'<f4'", "(1000,)"), TME_ERR_FORMAT, "expected 4000 bytes of data, found 8"},
      {WITH("'<f4", "(1,)"), TME_ERR_DTYPE, "dtype '<f4, '"},
      {"{'descr': '<f4, }", TME_ERR_FORMAT, "the end of a string"},
      {WITH("'\\x3cf4'", "(1,)"), TME_ERR_FORMAT, "plain string"},
      {WITH("'<f4'", "(1,)") " x", TME_ERR_FORMAT, "nothing more"},
      {"{'descr': '<f4', 'shape': (1,)}", TME_ERR_FORMAT, "'fortran_order' is missing"},
      {"{'descr': '<f4', 'descr': '<f4'}", TME_ERR_FORMAT, "'descr' twice"},
      {"{'descr': '<f4', 'more': 1}", TME_ERR_FORMAT, "'more' unknown"},
      {"{'fortran_order': 0}", TME_ERR_FORMAT, "True or False"},
      {"{'descr' '<f4'}", TME_ERR_FORMAT, "':'"},
      {"{'descr': '<f4' 'shape': (1,)}", TME_ERR_FORMAT, "',' or '}'"},
      {"{descr: 1}", TME_ERR_FORMAT, "a string"},
      {"", TME_ERR_FORMAT, "expected '{'"},
      {"{", TME_ERR_FORMAT, "a string"},
      {"\033[2J", TME_ERR_FORMAT, "found '?[2J'"},
  };
#undef WITH
  for (int i = 0; i < COUNT(rows); i++) {
    make_npy(&b, 1, rows[i].header, "12345678", 8);
    refused(IO_NPY, &b, NULL, rows[i].code, rows[i].words);
  }
  make_npy(&b, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "12345678", 8);
  refused(IO_NPY, &b, "w", TME_ERR_ARGUMENT, "without a name");
  size_t whole = b.n;
  for (b.n = 0; b.n < whole; b.n++) refused(IO_NPY, &b, NULL, TME_ERR_FORMAT, "");
  b.p[6] = 9;
  refused(IO_NPY, &b, NULL, TME_ERR_UNSUPPORTED, "version 9.0");
  make_npy(&b, 2, "{}", "", 0);
  memset(b.p + 8, 0xff, 4);
  refused(IO_NPY, &b, NULL, TME_ERR_FORMAT, "truncated .npy header");
  b.n = 0;
  put(&b, "PK\3\4 and more", 13);
  refused(IO_NPY, &b, NULL, TME_ERR_FORMAT, "not a .npy file");
}

/* ---- .npz -------------------------------------------------------------------------------------------------------- */

static blob member; /* a .npy of 1000 times 7 */

static void make_member(void) {
  static uint8_t sevens[1000];
  memset(sevens, 7, sizeof sevens);
  make_npy(&member, 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (1000,)}", sevens, sizeof sevens);
}

static void test_npz_members(void **state) {
  (void)state;
  static blob b;
  make_member();
  io_list l;
  for (int kind = 0; kind < 8; kind++) {
    bool zip64 = kind & 1, deflate = kind & 2;
    const zip_file f[] = {{.name = "a.npy", .data = member.p, .n = member.n, .deflate = deflate, .zip64 = zip64},
                          {.name = "readme.txt", .data = (const uint8_t *)"hello", .n = 5, .zip64 = zip64},
                          {.name = "d/b.npy", .data = member.p, .n = member.n, .deflate = !deflate, .zip64 = zip64}};
    make_zip(&b, kind & 4 ? "something in front" : "", f, COUNT(f));
    parse_ok(IO_NPZ, &b, NULL, &l);
    assert_int_equal(l.n, 2);
    assert_string_equal(l.a[0].name, "a");
    assert_string_equal(l.a[1].name, "d/b");
    for (int i = 0; i < 2; i++) {
      assert_int_equal(l.a[i].shape[0], 1000);
      assert_int_equal(l.a[i].data[0] + l.a[i].data[999], 14);
    }
    io_list_free(&l);
    parse_ok(IO_NPZ, &b, "d/b", &l);
    assert_int_equal(l.n, 1);
    io_list_free(&l);
    refused(IO_NPZ, &b, "readme.txt", TME_ERR_ARGUMENT, "holds no array named 'readme.txt'");
    size_t whole = b.n;
    for (b.n = 0; b.n < whole; b.n++) refused(IO_NPZ, &b, NULL, TME_ERR_FORMAT, "");
  }
}

static void test_npz_refused(void **state) {
  (void)state;
  static blob b;
  make_member();
  const zip_file plain = {.name = "a.npy", .data = member.p, .n = member.n};
  zip_file f[2] = {plain, plain};
#define REFUSED(n, code, words)                                                                                        \
  do {                                                                                                                 \
    make_zip(&b, "", f, n);                                                                                            \
    refused(IO_NPZ, &b, NULL, code, words);                                                                            \
    f[0] = plain;                                                                                                      \
  } while (0)
  f[0].flags = 1;
  REFUSED(1, TME_ERR_UNSUPPORTED, "encrypted");
  f[0].method = 12;
  REFUSED(1, TME_ERR_UNSUPPORTED, "compression method 12");
  f[0].claim = 5;
  REFUSED(1, TME_ERR_FORMAT, "two sizes");
  f[0].deflate = true, f[0].wrong_crc = 1;
  REFUSED(1, TME_ERR_FORMAT, "wrong checksum");
  f[0].deflate = true, f[0].claim = member.n + 1;
  REFUSED(1, TME_ERR_FORMAT, "cannot be inflated");
  f[0].deflate = true, f[0].claim = member.n - 1;
  REFUSED(1, TME_ERR_FORMAT, "truncated: expected 1000 bytes of data, found 999");
  f[0].wrong_crc = 1;
  REFUSED(1, TME_ERR_FORMAT, "array 'a': damaged: wrong checksum");
  f[0].deflate = true, f[0].zip64 = true, f[0].claim = (uint64_t)1 << 40;
  REFUSED(1, TME_ERR_FORMAT, "it claims 1099511627776 bytes");
  f[0].zip64 = true, f[0].claim = UINT64_MAX;
  REFUSED(1, TME_ERR_FORMAT, "two sizes");
  f[0].shift = 1;
  REFUSED(1, TME_ERR_FORMAT, "headers of the member differ");
  f[0].shift = 1 << 20;
  REFUSED(1, TME_ERR_FORMAT, "not within the file");
  f[0].data = (const uint8_t *)"not npy at all", f[0].n = 14;
  REFUSED(1, TME_ERR_FORMAT, "array 'a': not a .npy file");
#undef REFUSED
}

/* ---- .safetensors ------------------------------------------------------------------------------------------------ */

static void test_safetensors_read(void **state) {
  (void)state;
  static blob b;
  io_list l;
  make_safetensors(&b,
                   "{\"__metadata__\":{\"format\":\"pt\"},"
                   "\"w\":{\"dtype\":\"BF16\",\"shape\":[2,2],\"data_offsets\":[0,8]},"
                   "\"q\":{\"dtype\":\"F8_E8M0\",\"shape\":[4],\"data_offsets\":[8,12]},"
                   "\"s\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[12,13]},"
                   "\"z\":{\"dtype\":\"F64\",\"shape\":[0,7],\"data_offsets\":[13,13]}}   ",
                   13);
  parse_ok(IO_SAFETENSORS, &b, NULL, &l);
  assert_int_equal(l.n, 3);
  assert_int_equal(l.a[0].dtype, TME_BF16);
  assert_int_equal(l.a[0].strides[0], 4);
  assert_int_equal(l.a[1].rank, 0);
  assert_int_equal(*l.a[1].data, 12);
  io_list_free(&l);
  refused(IO_SAFETENSORS, &b, "q", TME_ERR_DTYPE, "array 'q': dtype F8_E8M0 is not supported");
  refused(IO_SAFETENSORS, &b, "__metadata__", TME_ERR_ARGUMENT, "holds no array");
  size_t whole = b.n;
  for (b.n = 0; b.n < whole; b.n++) refused(IO_SAFETENSORS, &b, NULL, TME_ERR_FORMAT, "");
  make_safetensors(&b,
                   "{\"__metadata__\":{},\"q\":{\"dtype\":\"F8_E8M0\",\"shape\":[4],\"data_offsets\":[0,4]},"
                   "\"r\":{\"dtype\":\"F8_E8M0\",\"shape\":[4],\"data_offsets\":[4,8]}}",
                   8);
  refused(IO_SAFETENSORS, &b, NULL, TME_ERR_DTYPE, "array 'q': dtype F8_E8M0 is not supported");
}

static void test_safetensors_refused(void **state) {
  (void)state;
  static blob b;
#define W(dtype, shape, from, to) "{\"w\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":[" from "," to "]}}"
  static const struct {
    const char *header;
    tme_status code;
    const char *words;
  } rows[] = {
      {W("\"U8\"", "[8]", "0", "9"), TME_ERR_FORMAT, "not within the 8 bytes"},
      {W("\"U8\"", "[8]", "8", "0"), TME_ERR_FORMAT, "not within"},
      {W("\"U8\"", "[8]", "-8", "0"), TME_ERR_FORMAT, "not within"},
      {W("\"U8\"", "[8]", "0", "9223372036854775807"), TME_ERR_FORMAT, "not within"},
      {W("\"U8\"", "[8]", "0", "9223372036854775808"), TME_ERR_FORMAT, "bad .safetensors header"},
      {W("\"U8\"", "[7]", "0", "8"), TME_ERR_FORMAT, "its shape takes 7 bytes"},
      {W("\"F64\"", "[4611686018427387904,4]", "0", "0"), TME_ERR_FORMAT, "more elements than fit"},
      {W("\"U8\"", "[-8]", "0", "8"), TME_ERR_FORMAT, "bad 'shape'"},
      {W("\"U8\"", "[8.0]", "0", "8"), TME_ERR_FORMAT, "bad 'shape'"},
      {W("\"U8\"", "8", "0", "8"), TME_ERR_FORMAT, "no 'shape'"},
      {W("\"U8\"", "[8]", "0", "\"8\""), TME_ERR_FORMAT, "no 'data_offsets'"},
      {W("\"U8\"", "[8]", "0", "4,8"), TME_ERR_FORMAT, "no 'data_offsets'"},
      {W("8", "[8]", "0", "8"), TME_ERR_FORMAT, "no 'dtype'"},
      {W("\"U8\"", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,8]", "0", "8"), TME_ERR_UNSUPPORTED, "17 dimensions"},
      {"{\"w\":[]}", TME_ERR_FORMAT, "no 'dtype'"},
      {"{\"w\":{},\"w\":{}}", TME_ERR_FORMAT, "duplicate"},
      {"{\"w\":{\"dtype\":\"U8\"}}", TME_ERR_FORMAT, "no 'shape'"},
      {"[]", TME_ERR_FORMAT, "expected an object"},
      {"{} x", TME_ERR_FORMAT, "bad .safetensors header"},
      {"{\"\xff\":1}", TME_ERR_FORMAT, "bad .safetensors header"},
      {"{\"a\\u0000b\":1}", TME_ERR_FORMAT, "bad .safetensors header"},
      {"", TME_ERR_FORMAT, "bad .safetensors header"},
  };
#undef W
  for (int i = 0; i < COUNT(rows); i++) {
    make_safetensors(&b, rows[i].header, 8);
    refused(IO_SAFETENSORS, &b, NULL, rows[i].code, rows[i].words);
  }
  make_safetensors(&b, "{}", 0);
  memset(b.p, 0xff, 8);
  refused(IO_SAFETENSORS, &b, NULL, TME_ERR_FORMAT, "a header of 18446744073709551615 bytes");
  /* Nested deeper than any stack. */
  b.n = 0;
  put_le(&b, 60000, 8);
  memset(b.p + 8, '[', 60000);
  b.n += 60000;
  refused(IO_SAFETENSORS, &b, NULL, TME_ERR_FORMAT, "bad .safetensors header");
}

/* ---- damaged files ----------------------------------------------------------------------------------------------- */

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t random64(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  return random_state ^= random_state << 17;
}

/* Every element that the layout can reach is within the bytes. */
static void check_bounds(const io_array *a) {
  uint64_t last = 0, bytes = tme_dtype_size(a->dtype);
  assert_in_range(a->rank, 0, TME_MAX_RANK);
  for (int i = 0; i < a->rank; i++) {
    assert_true(a->shape[i] >= 0 && a->strides[i] > 0);
    if (a->shape[i] == 0) return;
    last += (uint64_t)(a->shape[i] - 1) * (uint64_t)a->strides[i];
  }
  assert_true(a->data >= a->bytes->data);
  assert_true(last + bytes <= a->bytes->size - (size_t)(a->data - a->bytes->data));
  volatile uint8_t sum = 0;
  for (uint64_t i = 0; i < last + bytes; i++) sum = (uint8_t)(sum + a->data[i]);
}

static void mutate(io_format f, const blob *seed, int times) {
  static blob b;
  for (int i = 0; i < times; i++) {
    b.n = 0;
    put(&b, seed->p, seed->n);
    for (uint64_t k = 1 + random64() % 4; k > 0; k--) {
      /* Headers are where the decisions are: half of the mutations go to the ends. */
      uint64_t r = random64(), span = r & 1 ? b.n : b.n < 160 ? b.n : 160, at = (r >> 8) % span;
      if (r & 2) at = b.n - 1 - at;
      static const uint8_t telling[] = {0, 1, 0x7f, 0x80, 0xff, '0', '9', '-', '\'', '(', ',', '"', '[', '{'};
      b.p[at] = r & 4 ? telling[(r >> 3) % sizeof telling] : (uint8_t)(r >> 40);
    }
    if (random64() % 8 == 0) b.n = random64() % (b.n + 1);
    error e;
    io_list l;
    if (parse(f, b.p, b.n, random64() & 1 ? "a" : NULL, &l, &e) == TME_OK) {
      for (int k = 0; k < l.n; k++) check_bounds(&l.a[k]);
    } else {
      assert_true(e.text[0] && e.code != TME_OK && l.n == 0);
    }
    io_list_free(&l);
  }
}

static void test_mutations(void **state) {
  (void)state;
  static blob b;
  make_npy(&b, 1, "{'descr': '>f4', 'fortran_order': True, 'shape': (2, 3)}", "123456781234567812345678", 24);
  mutate(IO_NPY, &b, 6000);
  make_npy(&b, 2, "{'descr': '|b1', 'fortran_order': False, 'shape': (2, 2)}", "\0\1\2\3", 4);
  mutate(IO_NPY, &b, 4000);
  make_member();
  for (int kind = 0; kind < 4; kind++) {
    const zip_file f[] = {
        {.name = "a.npy", .data = member.p, .n = member.n, .deflate = kind & 1, .zip64 = kind & 2},
        {.name = "b.npy", .data = member.p, .n = member.n, .deflate = !(kind & 1), .zip64 = kind & 2}};
    make_zip(&b, "", f, 2);
    mutate(IO_NPZ, &b, 2500);
  }
  make_safetensors(&b,
                   "{\"__metadata__\":{},\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                   "\"b\":{\"dtype\":\"BOOL\",\"shape\":[8],\"data_offsets\":[24,32]}}",
                   32);
  mutate(IO_SAFETENSORS, &b, 6000);
}

/* ---- the file system --------------------------------------------------------------------------------------------- */

static void put_file(const char *path, const void *p, size_t n) {
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(p, 1, n, f), n);
  assert_int_equal(fclose(f), 0);
}

static void test_odd_files(void **state) {
  (void)state;
  put_file(in_dir("empty.npy"), "", 0);
  assert_int_equal(mkdir(in_dir("dir.npy"), 0700), 0);
  assert_int_equal(mkfifo(in_dir("fifo.npz"), 0600), 0);
  static const struct {
    const char *file, *words;
    tme_status code;
  } rows[] = {{"empty.npy", "the file is empty", TME_ERR_FORMAT},
              {"dir.npy", "it is a directory", TME_ERR_IO},
              {"fifo.npz", "not a regular file", TME_ERR_IO},
              {"none.safetensors", "No such file", TME_ERR_IO},
              {"none.txt", "unknown ending, expected .npy, .npz, .safetensors or .gguf", TME_ERR_ARGUMENT},
              {"npy", "unknown ending", TME_ERR_ARGUMENT}};
  for (int i = 0; i < COUNT(rows); i++) {
    for (int copy = 0; copy < 2; copy++) {
      error e = {0};
      io_list l;
      assert_int_equal(io_read(in_dir(rows[i].file), NULL, copy, &l, &e), rows[i].code);
      if (!strstr(e.text, rows[i].words) || !strstr(e.text, rows[i].file)) fail_msg("%s", e.text);
    }
  }
  error e = {0};
  io_list l;
  assert_int_equal(io_read(NULL, NULL, false, &l, &e), TME_ERR_ARGUMENT);
  const io_source src = {"w", TME_U8, 0, NULL, "x"};
  const char *targets[] = {"dir.npy", "fifo.npz", "none/x.npy"};
  for (int i = 0; i < COUNT(targets); i++) {
    e = (error){0};
    assert_int_equal(io_write(in_dir(targets[i]), &src, 1, &e), TME_ERR_IO);
  }
  assert_int_equal(entries(), 3);
}

static void test_replacing(void **state) {
  (void)state;
  const io_source src = {"w", TME_U8, 0, NULL, "x"};
  error e = {0};
  struct stat st;
  mode_t mask = umask(027);
  assert_int_equal(io_write(in_dir("x.npy"), &src, 1, &e), TME_OK);
  umask(mask);
  assert_int_equal(stat(in_dir("x.npy"), &st), 0);
  assert_int_equal(st.st_mode & 0777, 0640);
  assert_int_equal(chmod(in_dir("x.npy"), 0604), 0);
  assert_int_equal(symlink("x.npy", in_dir("link.npy")), 0);
  assert_int_equal(symlink("new.npy", in_dir("dangling.npy")), 0);
  assert_int_equal(symlink("loop.npy", in_dir("loop.npy")), 0);

  /* A mapped array outlives the replacement of its file. */
  io_list old, l;
  assert_int_equal(io_read(in_dir("x.npy"), NULL, false, &old, &e), TME_OK);
  const io_source other = {"w", TME_U8, 0, NULL, "y"};
  assert_int_equal(io_write(in_dir("link.npy"), &other, 1, &e), TME_OK);
  assert_int_equal(*old.a[0].data, 'x');
  io_list_free(&old);
  assert_int_equal(lstat(in_dir("link.npy"), &st), 0);
  assert_true(S_ISLNK(st.st_mode));
  assert_int_equal(stat(in_dir("x.npy"), &st), 0);
  assert_int_equal(st.st_mode & 0777, 0604);
  assert_int_equal(io_read(in_dir("x.npy"), NULL, false, &l, &e), TME_OK);
  assert_int_equal(*l.a[0].data, 'y');
  io_list_free(&l);

  assert_int_equal(io_write(in_dir("dangling.npy"), &src, 1, &e), TME_OK);
  assert_int_equal(lstat(in_dir("new.npy"), &st), 0);
  assert_true(S_ISREG(st.st_mode));
  assert_int_equal(io_write(in_dir("loop.npy"), &src, 1, &e), TME_ERR_IO);
  assert_int_equal(entries(), 5);
}

static uint8_t only_byte(const char *name) {
  error e = {0};
  io_list l;
  assert_int_equal(io_read(in_dir(name), NULL, true, &l, &e), TME_OK);
  uint8_t byte = *l.a[0].data;
  io_list_free(&l);
  return byte;
}

static void test_several_files(void **state) {
  (void)state;
  const io_source x = {"w", TME_U8, 0, NULL, "x"}, y = {"w", TME_U8, 0, NULL, "y"};
  error e = {0};
  io_file files_of[] = {{in_dir("a.npy"), &x, 1}, {in_dir("b.npy"), &y, 1}};
  assert_int_equal(io_write_all(files_of, 2, &e), TME_OK);
  assert_int_equal(only_byte("a.npy"), 'x');
  assert_int_equal(only_byte("b.npy"), 'y');
  files_of[0] = (io_file){in_dir("a.npy"), &y, 1};
  files_of[1].path = in_dir("none/b.npy");
  assert_int_equal(io_write_all(files_of, 2, &e), TME_ERR_IO);
  assert_int_equal(only_byte("a.npy"), 'x');
  e = (error){0};
  files_of[0].path = in_dir("a.npy");
  files_of[1].path = in_dir("./a.npy");
  assert_int_equal(io_write_all(files_of, 2, &e), TME_ERR_ARGUMENT);
  assert_non_null(strstr(e.text, "given twice"));
  assert_int_equal(only_byte("a.npy"), 'x');
  assert_int_equal(io_write_all(NULL, 0, &e), TME_OK);
  assert_int_equal(entries(), 2);
}

static void test_failing_writes(void **state) {
  (void)state;
  static uint8_t data[200000];
  int64_t small[1] = {1}, large[1] = {sizeof data};
  struct rlimit whole, limit;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &whole), 0);
  void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
  for (io_format f = IO_NPY; f < IO_FORMAT_COUNT; f++) {
    io_source src = {"w", TME_I8, 1, small, "x"};
    error e = {0};
    assert_int_equal(io_write(in_dir(files[f]), &src, 1, &e), TME_OK);
    src.shape = large;
    src.data = data;
    static const rlim_t limits[] = {0, 20, 64, 100, 300, 100000, 200000};
    for (int i = 0; i < COUNT(limits); i++) {
      limit = whole;
      limit.rlim_cur = limits[i];
      assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
      e = (error){0};
      tme_status s = io_write(in_dir(files[f]), &src, 1, &e);
      setrlimit(RLIMIT_FSIZE, &whole);
      assert_int_equal(s, TME_ERR_IO);
      if (!strstr(e.text, "cannot write: File too large")) fail_msg("%s", e.text);
      assert_int_equal(entries(), (int)f + 1);
      io_list l;
      assert_int_equal(io_read(in_dir(files[f]), NULL, false, &l, &e), TME_OK);
      assert_int_equal(l.a[0].shape[0], 1);
      io_list_free(&l);
    }
  }
  signal(SIGXFSZ, old);
}

/* Words of 4 bits in groups of 32 are blocks in .gguf, and are given as numbers or as what they were. */
static void test_quantized(void **state) {
  (void)state;
  uint32_t words[2 * 8];
  uint16_t scales[4], biases[4];
  for (int i = 0; i < 16; i++) words[i] = 0x12345678u * (uint32_t)(i + 1);
  for (int i = 0; i < 4; i++) {
    scales[i] = f16_from_f32((float)(i + 1));
    biases[i] = f16_from_f32(i % 2 ? -8 * (float)(i + 1) : 0.5f);
  }
  int64_t packed[] = {2, 8}, groups[] = {2, 2};
  const io_source src[] = {{"w.weight", TME_U32, 2, packed, words},
                           {"w.scales", TME_F16, 2, groups, scales},
                           {"w.biases", TME_F16, 2, groups, biases}};
  for (int what = 0; what < 3; what++) {
    bool done = false;
    for (long k = 1; !done; k++) {
      assert_true(k < 100);
      long live = mem_live();
      error e = {0};
      io_list l = {0};
      mem_fail_at(k, k % 2);
      tme_status s = what == 0   ? io_write(in_dir("q.gguf"), src, 3, &e)
                     : what == 1 ? io_read(in_dir("q.gguf"), NULL, false, &l, &e)
                                 : io_read_packed(in_dir("q.gguf"), true, &l, &e);
      mem_fail_at(0, false);
      done = s == TME_OK;
      if (!done) assert_int_equal(s, TME_ERR_MEMORY);
      if (done && what == 1) {
        assert_true(l.n == 1 && l.a[0].dtype == TME_F32 && l.a[0].shape[0] == 2 && l.a[0].shape[1] == 64);
        for (int i = 0; i < 128; i++) {
          float v,
              want = (float)(words[i / 8] >> i % 8 * 4 & 15) * f16_to_f32(scales[i / 32]) + f16_to_f32(biases[i / 32]);
          memcpy(&v, l.a[0].data + 4 * i, sizeof v);
          assert_true(v == want);
        }
      }
      if (done && what == 2) {
        assert_int_equal(l.n, 3);
        for (int i = 0; i < 3; i++) {
          assert_string_equal(l.a[i].name, src[i].name);
          check_equal(&l.a[i], &src[i]);
        }
      }
      io_list_free(&l);
      assert_int_equal(mem_live(), live);
    }
  }
}

static void test_failing_allocations(void **state) {
  (void)state;
  static blob b;
  make_member();
  const zip_file packed = {.name = "a.npy", .data = member.p, .n = member.n, .deflate = true};
  make_zip(&b, "", &packed, 1);
  put_file(in_dir("packed.npz"), b.p, b.n);
  make_npy(&b, 1, "{'descr': '>i4', 'fortran_order': False, 'shape': (1,)}", "1234", 4);
  put_file(in_dir("big.npy"), b.p, b.n);
  int64_t shape[1] = {1};
  const io_source src[] = {{"w", TME_I8, 1, shape, "x"}, {"v", TME_I8, 1, shape, "x"}};
  assert_int_equal(symlink("x.npy", in_dir("link.npy")), 0);
  static const char *const names[] = {"x.gguf", "x.npz", "x.safetensors", "x.npy", "link.npy", "packed.npz", "big.npy"};
  for (int i = 0; i < COUNT(names); i++) {
    for (int what = i < 5 ? 0 : 1; what < 3; what++) { /* write, read mapped, read a copy */
      bool done = false;
      for (long k = 1; !done; k++) {
        assert_true(k < 100);
        long live = mem_live();
        error e = {0};
        io_list l = {0};
        int before_write = entries();
        mem_fail_at(k, k % 2);
        tme_status s = what == 0 ? io_write(in_dir(names[i]), src, i < 3 ? 2 : 1, &e)
                                 : io_read(in_dir(names[i]), NULL, what == 2, &l, &e);
        mem_fail_at(0, false);
        done = s == TME_OK;
        if (!done) {
          assert_int_equal(s, TME_ERR_MEMORY);
          assert_non_null(strstr(e.text, "out of memory"));
          if (what == 0) assert_int_equal(entries(), before_write);
        }
        io_list_free(&l);
        assert_int_equal(mem_live(), live);
      }
    }
  }
}

static void test_shared_bytes(void **state) {
  (void)state;
  int64_t shape[1] = {3};
  const io_source src[] = {{"a", TME_U8, 1, shape, "abc"}, {"b", TME_U8, 1, shape, "def"}};
  error e = {0};
  io_list l;
  assert_int_equal(io_write(in_dir("x.safetensors"), src, 2, &e), TME_OK);
  assert_int_equal(io_read(in_dir("x.safetensors"), NULL, false, &l, &e), TME_OK);
  assert_ptr_equal(l.a[0].bytes, l.a[1].bytes);
  io_bytes *kept = io_bytes_retain(l.a[1].bytes);
  const uint8_t *data = l.a[1].data;
  io_list_free(&l);
  assert_memory_equal(data, "def", 3);
  io_bytes_release(kept);
  io_bytes_release(NULL);
  assert_null(io_bytes_retain(NULL));
}

static void test_split(void **state) {
  (void)state;
  static const struct {
    const char *spec, *path, *name;
  } rows[] = {
      {"x.npy", "x.npy", NULL},
      {"x.npz:w", "x.npz", "w"},
      {"x.npz:", "x.npz", ""},
      {"a:b/x.safetensors:l.0:w", "a:b/x.safetensors", "l.0:w"},
      {"c:x.npz", "c:x.npz", NULL},
      {"x.NPZ:w", "x.NPZ", "w"},
      {"x.txt:w", "x.txt:w", NULL},
      {"", "", NULL},
      {":", ":", NULL},
  };
  for (int i = 0; i < COUNT(rows); i++) {
    char *path, *name;
    error e = {0};
    assert_int_equal(io_split(rows[i].spec, &path, &name, &e), TME_OK);
    assert_string_equal(path, rows[i].path);
    if (rows[i].name) {
      assert_string_equal(name, rows[i].name);
    } else {
      assert_null(name);
    }
    mem_free(path);
    mem_free(name);
  }
  for (long k = 1; k <= 2; k++) {
    char *path, *name;
    error e = {0};
    mem_fail_at(k, false);
    assert_int_equal(io_split("x.npz:w", &path, &name, &e), TME_ERR_MEMORY);
    assert_null(path);
    assert_null(name);
  }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, before, after)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_round_trips),     TEST(test_no_form),          TEST(test_many_names),
      TEST(test_zip64_directory), TEST(test_bad_sources),      TEST(test_npy_spellings),
      TEST(test_npy_order),       TEST(test_npy_refused),      TEST(test_npz_members),
      TEST(test_npz_refused),     TEST(test_safetensors_read), TEST(test_safetensors_refused),
      TEST(test_mutations),       TEST(test_odd_files),        TEST(test_replacing),
      TEST(test_several_files),   TEST(test_failing_writes),   TEST(test_failing_allocations),
      TEST(test_quantized),       TEST(test_shared_bytes),     TEST(test_split),
  };
  return cmocka_run_group_tests_name("io", tests, make_dir, remove_dir);
}
