/* .safetensors: the length of a header, the header in JSON, and the elements. */
#include "io/formats.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_MAX = 100 * 1000 * 1000 }; /* the format's own limit */
static const char metadata[] = "__metadata__";

/* In the order of the format's own writer, which sorts by it, the widest first; alignments never decrease. */
static const struct {
  const char *name;
  tme_dtype dtype;
} dtypes[] = {
    {"BOOL", TME_BOOL}, {"U8", TME_U8},     {"I8", TME_I8},   {"I16", TME_I16}, {"U16", TME_U16},
    {"F16", TME_F16},   {"BF16", TME_BF16}, {"I32", TME_I32}, {"U32", TME_U32}, {"F32", TME_F32},
    {"C64", TME_C64},   {"F64", TME_F64},   {"I64", TME_I64}, {"U64", TME_U64},
};

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static tme_status read_shape(const io_place *at, const json_t *shape, io_array *a) {
  if (!json_is_array(shape)) return io_fail(at, TME_ERR_FORMAT, "no 'shape', expected a list of integers");
  size_t rank = json_array_size(shape);
  if (rank > TME_MAX_RANK) {
    return io_fail(at, TME_ERR_UNSUPPORTED, "%zu dimensions, expected at most %d", rank, TME_MAX_RANK);
  }
  a->rank = (int)rank;
  for (size_t i = 0; i < rank; i++) {
    const json_t *d = json_array_get(shape, i);
    if (!json_is_integer(d) || json_integer_value(d) < 0) {
      return io_fail(at, TME_ERR_FORMAT, "bad 'shape', expected non-negative integers");
    }
    a->shape[i] = json_integer_value(d);
  }
  return TME_OK;
}

static tme_status read_offsets(const io_place *at, const json_t *pair, size_t data_size, size_t *begin, size_t *size) {
  const json_t *from = json_array_get(pair, 0), *to = json_array_get(pair, 1);
  if (json_array_size(pair) != 2 || !json_is_integer(from) || !json_is_integer(to)) {
    return io_fail(at, TME_ERR_FORMAT, "no 'data_offsets', expected two integers");
  }
  json_int_t b = json_integer_value(from), e = json_integer_value(to);
  if (b < 0 || e < b || (uint64_t)e > data_size) {
    return io_fail(at, TME_ERR_FORMAT, "data_offsets [%lld, %lld] are not within the %zu bytes of data", (long long)b,
                   (long long)e, data_size);
  }
  *begin = (size_t)b;
  *size = (size_t)(e - b);
  return TME_OK;
}

static tme_status read_tensor(const io_place *at, const json_t *info, io_bytes *bytes, size_t data_at, io_array *a) {
  size_t begin = 0, size = 0, expected = 0;
  tme_status s = read_shape(at, json_object_get(info, "shape"), a);
  if (s == TME_OK) s = read_offsets(at, json_object_get(info, "data_offsets"), bytes->size - data_at, &begin, &size);
  if (s == TME_OK) s = io_layout(at, a, false, &expected);
  if (s != TME_OK) return s;
  if (size != expected) {
    return io_fail(at, TME_ERR_FORMAT, "its shape takes %zu bytes, but data_offsets span %zu", expected, size);
  }
  return io_attach(at, a, bytes, data_at + begin, size, false);
}

static tme_status read_entry(const io_place *file, const char *name, const json_t *info, bool asked, io_bytes *bytes,
                             size_t data_at, io_list *out) {
  io_place at = {file->verb, file->path, name, file->e};
  const char *dtype = json_string_value(json_object_get(info, "dtype"));
  if (!dtype) return io_fail(&at, TME_ERR_FORMAT, "no 'dtype', expected an object with dtype, shape, data_offsets");
  int k = 0;
  while (k < COUNT(dtypes) && strcmp(dtype, dtypes[k].name) != 0) k++;
  if (k == COUNT(dtypes)) {
    /* A file with some 8-bit floats is still good for the rest of what it holds. */
    return asked ? io_fail(&at, TME_ERR_DTYPE, "dtype %.40s is not supported", dtype) : TME_OK;
  }
  io_array *a = io_list_add(out, name, strlen(name));
  if (!a) return io_fail_memory(&at, strlen(name) + 1);
  a->dtype = dtypes[k].dtype;
  return read_tensor(&at, info, bytes, data_at, a);
}

static tme_status read_entries(const io_place *at, json_t *root, io_bytes *bytes, size_t data_at, const char *only,
                               io_list *out) {
  if (only) {
    const json_t *info = strcmp(only, metadata) != 0 ? json_object_get(root, only) : NULL;
    return info ? read_entry(at, only, info, true, bytes, data_at, out) : TME_OK;
  }
  const char *name;
  json_t *info;
  for (int asked = 0; asked < 2 && out->n == 0; asked++) { /* where nothing can be read, the first one says why */
    json_object_foreach(root, name, info) {
      if (strcmp(name, metadata) == 0) continue;
      tme_status s = read_entry(at, name, info, asked, bytes, data_at, out);
      if (s != TME_OK) return s;
    }
  }
  return TME_OK;
}

tme_status safetensors_read(const io_place *at, io_bytes *b, const char *only, io_list *out) {
  if (b->size < 8) {
    return io_fail(at, TME_ERR_FORMAT, "not a .safetensors file: expected 8 bytes of header length, found %zu",
                   b->size);
  }
  uint64_t len = 0;
  for (int i = 0; i < 8; i++) len |= (uint64_t)b->data[i] << (8 * i);
  if (len > b->size - 8 || len > HEADER_MAX) {
    return io_fail(at, TME_ERR_FORMAT,
                   "not a .safetensors file, or truncated: a header of %llu bytes, expected at most %zu",
                   (unsigned long long)len, b->size - 8 < HEADER_MAX ? b->size - 8 : (size_t)HEADER_MAX);
  }
  json_error_t why;
  json_t *root = json_loadb((const char *)b->data + 8, (size_t)len, JSON_REJECT_DUPLICATES, &why);
  if (!root) {
    tme_status code = json_error_code(&why) == json_error_out_of_memory ? TME_ERR_MEMORY : TME_ERR_FORMAT;
    return io_fail(at, code, "bad .safetensors header: %s (byte %d)", why.text, why.position);
  }
  tme_status s = json_is_object(root) ? read_entries(at, root, b, 8 + (size_t)len, only, out)
                                      : io_fail(at, TME_ERR_FORMAT, "bad .safetensors header: expected an object");
  json_decref(root);
  return s;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static int order_of(tme_dtype t) {
  int k = 0;
  while (k < COUNT(dtypes) && dtypes[k].dtype != t) k++;
  return k;
}

static int by_dtype_then_name(const void *l, const void *r) {
  const io_source *a = *(const io_source *const *)l, *b = *(const io_source *const *)r;
  int x = order_of(a->dtype), y = order_of(b->dtype);
  return x != y ? y - x : strcmp(a->name, b->name);
}

static void add_string(text *t, const char *s) {
  text_bytes(t, "\"", 1);
  for (; *s; s++) {
    if (*s == '"' || *s == '\\') {
      text_add(t, "\\%c", *s);
    } else if ((unsigned char)*s < 0x20) {
      text_add(t, "\\u%04x", (unsigned)*s);
    } else {
      text_bytes(t, s, 1);
    }
  }
  text_bytes(t, "\"", 1);
}

static tme_status make_header(const io_place *at, const io_source *const *a, int n, text *t) {
  size_t offset = 0, bytes = 0;
  text_add(t, "{");
  for (int i = 0; i < n; i++, offset += bytes) {
    int k = order_of(a[i]->dtype);
    if (k == COUNT(dtypes)) {
      return io_fail(at, TME_ERR_DTYPE, "array '%.200s': .safetensors has no %s: save as .npz, or cast it first",
                     a[i]->name, tme_dtype_name(a[i]->dtype));
    }
    bytes = io_source_bytes(a[i]);
    if (bytes > PTRDIFF_MAX - offset) return io_fail(at, TME_ERR_MEMORY, "more data than a file can hold");
    if (i) text_add(t, ",");
    add_string(t, a[i]->name);
    text_add(t, ":{\"dtype\":\"%s\",\"shape\":[", dtypes[k].name);
    for (int d = 0; d < a[i]->rank; d++) text_add(t, "%s%lld", d ? "," : "", (long long)a[i]->shape[d]);
    text_add(t, "],\"data_offsets\":[%zu,%zu]}", offset, offset + bytes);
  }
  text_add(t, "}");
  while ((8 + t->len) % 64 && !t->failed) text_bytes(t, " ", 1);
  if (t->failed) return io_fail_memory(at, t->cap);
  if (t->len > HEADER_MAX) {
    return io_fail(at, TME_ERR_UNSUPPORTED, "a header of %zu bytes, .safetensors takes %d", t->len, HEADER_MAX);
  }
  return TME_OK;
}

tme_status safetensors_write(const io_place *at, io_sink *s, const io_source *a, int n) {
  size_t bytes;
  const io_source **order = mul_size((size_t)n, sizeof *order, &bytes) ? mem_alloc(bytes) : NULL;
  if (!order) return io_fail_memory(at, (size_t)n * sizeof *order);
  for (int i = 0; i < n; i++) order[i] = &a[i];
  /* Without holes between them, the widest first keeps every array aligned. */
  qsort(order, (size_t)n, sizeof *order, by_dtype_then_name);
  text header = {0};
  tme_status st = make_header(at, order, n, &header);
  if (st == TME_OK) {
    uint8_t len[8];
    for (int i = 0; i < 8; i++) len[i] = (uint8_t)((uint64_t)header.len >> (8 * i));
    bool ok = io_put(s, len, sizeof len) && io_put(s, header.s, header.len);
    for (int i = 0; i < n && ok; i++) ok = io_put(s, order[i]->data, io_source_bytes(order[i]));
    if (!ok) st = io_fail_errno(at, "cannot write", s->errnum);
  }
  text_free(&header);
  mem_free(order);
  return st;
}
