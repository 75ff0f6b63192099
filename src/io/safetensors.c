/* .safetensors: the length of a header, the header in JSON, and the elements. */
#include "io/formats.h"
#include "base/grow.h"
#include "io/json.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { HEADER_MAX = 100 * 1000 * 1000 }; /* the format's own limit */
static const char metadata[] = "__metadata__";

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* One array, by what the header says about it. */
typedef struct entry {
  json_text name;
  const uint8_t *info;
  uint64_t begin, end; /* of its data */
} entry;

typedef struct reader {
  const io_place *at;
  io_bytes *bytes;
  const uint8_t *header, *data; /* the header ends where the data begins */
  entry *e;
  size_t n;
  int cap;
} reader;

static tme_status bad_header(const reader *r, const json_scan *s) {
  return io_fail(r->at, TME_ERR_FORMAT, "bad .safetensors header: expected %s at byte %zu", s->wrong,
                 (size_t)(s->p - r->header));
}

/* For messages about one array. */
static io_place place_of(const reader *r, const entry *e, char name[256]) {
  name[json_decode(&e->name, name, 255)] = 0;
  return (io_place){r->at->verb, r->at->path, name, r->at->e};
}

static bool add_entry(reader *r, const json_text *name, const uint8_t *info) {
  if (r->n >= INT_MAX || !grow(&r->e, &r->cap, (int)r->n + 1, sizeof *r->e)) return false;
  r->e[r->n++] = (entry){.name = *name, .info = info};
  return true;
}

/* The names, and where what is said about them begins. */
static tme_status find_entries(reader *r) {
  json_scan s = {r->header, r->data, NULL};
  if (!json_take(&s, '{')) {
    return json_skip(&s) ? io_fail(r->at, TME_ERR_FORMAT, "bad .safetensors header: expected an object")
                         : bad_header(r, &s);
  }
  bool more = !json_take(&s, '}');
  while (more) {
    json_text name;
    if (!json_string(&s, &name) || !json_expect(&s, ':')) return bad_header(r, &s);
    if (!json_is(&name, metadata) && !add_entry(r, &name, s.p))
      return io_fail_memory(r->at, (size_t)r->cap * sizeof *r->e);
    if (!json_skip(&s)) return bad_header(r, &s);
    more = json_take(&s, ',');
    if (!more && !json_expect(&s, '}')) return bad_header(r, &s);
  }
  return json_end(&s) ? TME_OK : bad_header(r, &s);
}

static int by_name(const void *l, const void *r) {
  return json_compare(&((const entry *)l)->name, &((const entry *)r)->name);
}

static int by_data(const void *l, const void *r) {
  const entry *a = l, *b = r;
  return a->begin != b->begin ? (a->begin < b->begin ? -1 : 1) : a->end != b->end ? (a->end < b->end ? -1 : 1) : 0;
}

static int by_place(const void *l, const void *r) {
  const entry *a = l, *b = r;
  return a->info < b->info ? -1 : a->info > b->info;
}

static void sort(reader *r, int (*order)(const void *, const void *)) {
  if (r->n) qsort(r->e, r->n, sizeof *r->e, order);
}

static tme_status check_names(reader *r) {
  char name[256];
  sort(r, by_name);
  for (size_t i = 1; i < r->n; i++) {
    if (by_name(&r->e[i - 1], &r->e[i]) != 0) continue;
    io_place at = place_of(r, &r->e[i], name);
    return io_fail(&at, TME_ERR_FORMAT, "its name is a duplicate");
  }
  return TME_OK;
}

/* The format wants all bytes to be data, and none of them twice. */
static tme_status check_data(reader *r) {
  char name[256];
  uint64_t end = 0, all = (uint64_t)(r->bytes->data + r->bytes->size - r->data);
  sort(r, by_data);
  for (size_t i = 0; i < r->n; end = r->e[i++].end) {
    const entry *e = &r->e[i];
    if (e->begin == end) continue;
    io_place at = place_of(r, e, name);
    return io_fail(&at, TME_ERR_FORMAT, "data_offsets [%llu, %llu] %s the array before, which ends at %llu",
                   (unsigned long long)e->begin, (unsigned long long)e->end,
                   e->begin < end ? "overlap" : "leave a gap behind", (unsigned long long)end);
  }
  if (end == all) return TME_OK;
  return io_fail(r->at, TME_ERR_FORMAT, "the arrays end at byte %llu of %llu bytes of data", (unsigned long long)end,
                 (unsigned long long)all);
}

/* What is said about one array. */
typedef struct description {
  json_text dtype;
  int64_t shape[TME_MAX_RANK], offset[2];
  size_t rank, offsets; /* as many as there are */
  bool has_dtype, has_shape;
} description;

/* A list; the first `room` numbers are kept, and whether they are all whole ones. */
static bool take_list(json_scan *s, int64_t *out, size_t room, size_t *n, bool *numbers) {
  *n = 0;
  *numbers = true;
  if (!json_expect(s, '[')) return false;
  if (json_take(s, ']')) return true;
  do {
    int64_t v = 0;
    if (!json_integer(s, &v)) {
      *numbers = false;
      if (s->wrong || !json_skip(s)) return false;
    }
    if (*n < room) out[*n] = v;
    ++*n;
  } while (json_take(s, ','));
  return json_expect(s, ']');
}

static tme_status describe(const reader *r, const io_place *at, const entry *e, description *d) {
  json_scan s = {e->info, r->data, NULL};
  bool numbers = true;
  *d = (description){.rank = 0};
  bool more = json_take(&s, '{') && !json_take(&s, '}');
  while (more) {
    json_text key;
    if (!json_string(&s, &key) || !json_expect(&s, ':')) return bad_header(r, &s);
    json_scan list = s;
    if (json_is(&key, "dtype") && json_string(&list, &d->dtype)) {
      d->has_dtype = true;
    } else if (json_is(&key, "shape") && json_take(&list, '[')) {
      list = s;
      d->has_shape = true;
      if (!take_list(&list, d->shape, TME_MAX_RANK, &d->rank, &numbers)) return bad_header(r, &list);
      for (size_t i = 0; i < d->rank && i < TME_MAX_RANK; i++) numbers = numbers && d->shape[i] >= 0;
      if (!numbers) return io_fail(at, TME_ERR_FORMAT, "bad 'shape', expected non-negative integers");
    } else if (json_is(&key, "data_offsets") && json_take(&list, '[')) {
      list = s;
      if (!take_list(&list, d->offset, 2, &d->offsets, &numbers)) return bad_header(r, &list);
      if (!numbers) d->offsets = 0;
    }
    if (!json_skip(&s)) return bad_header(r, &s);
    more = json_take(&s, ',');
    if (!more && !json_expect(&s, '}')) return bad_header(r, &s);
  }
  if (!d->has_dtype)
    return io_fail(at, TME_ERR_FORMAT, "no 'dtype', expected an object with dtype, shape, data_offsets");
  if (!d->has_shape) return io_fail(at, TME_ERR_FORMAT, "no 'shape', expected a list of integers");
  if (d->offsets != 2) return io_fail(at, TME_ERR_FORMAT, "no 'data_offsets', expected two integers");
  uint64_t all = (uint64_t)(r->bytes->data + r->bytes->size - r->data);
  if (d->offset[0] < 0 || d->offset[1] < d->offset[0] || (uint64_t)d->offset[1] > all) {
    return io_fail(at, TME_ERR_FORMAT, "data_offsets [%lld, %lld] are not within the %llu bytes of data",
                   (long long)d->offset[0], (long long)d->offset[1], (unsigned long long)all);
  }
  return TME_OK;
}

static tme_dtype find_dtype(const json_text *t) {
  for (int k = 0; k < TME_DTYPE_COUNT; k++) {
    const char *name = dtype_get((tme_dtype)k)->safetensors;
    if (name[0] && json_is(t, name)) return (tme_dtype)k;
  }
  return TME_DTYPE_NONE;
}

/* Whether an array can be read here; what cannot, is no reason to refuse the rest of a file. */
static bool supported(const description *d) {
  return d->rank <= TME_MAX_RANK && find_dtype(&d->dtype) != TME_DTYPE_NONE;
}

/* Layout and size of an array that is supported. */
static tme_status lay_out(const io_place *at, const description *d, io_array *a) {
  size_t expected = 0;
  a->dtype = find_dtype(&d->dtype);
  a->rank = (int)d->rank;
  memcpy(a->shape, d->shape, sizeof a->shape);
  tme_status s = io_layout(at, a, false, &expected);
  uint64_t size = (uint64_t)(d->offset[1] - d->offset[0]);
  if (s != TME_OK || size == expected) return s;
  return io_fail(at, TME_ERR_FORMAT, "its shape takes %zu bytes, but data_offsets span %llu", expected,
                 (unsigned long long)size);
}

/* Every description, whichever array is wanted. */
static tme_status check_entries(reader *r) {
  char name[256];
  for (size_t i = 0; i < r->n; i++) {
    description d;
    io_array a;
    io_place at = place_of(r, &r->e[i], name);
    tme_status s = describe(r, &at, &r->e[i], &d);
    if (s == TME_OK && supported(&d)) s = lay_out(&at, &d, &a);
    if (s != TME_OK) return s;
    r->e[i].begin = (uint64_t)d.offset[0];
    r->e[i].end = (uint64_t)d.offset[1];
  }
  return TME_OK;
}

static tme_status unsupported(const io_place *at, const description *d) {
  if (d->rank > TME_MAX_RANK) {
    return io_fail(at, TME_ERR_UNSUPPORTED, "%zu dimensions, expected at most %d", d->rank, TME_MAX_RANK);
  }
  char dtype[41];
  dtype[json_decode(&d->dtype, dtype, sizeof dtype - 1)] = 0;
  return io_fail(at, TME_ERR_DTYPE, "dtype %s is not supported", dtype);
}

/* Without `data`, its name alone. */
static tme_status read_entry(const reader *r, const entry *e, bool asked, bool data, io_list *out) {
  char name[256];
  description d;
  io_place at = place_of(r, e, name);
  tme_status s = describe(r, &at, e, &d);
  if (s != TME_OK) return s;
  if (!supported(&d)) return asked ? unsupported(&at, &d) : TME_OK;
  if (!data && out->n == IO_NAMES) {
    out->more++;
    return TME_OK;
  }
  char *decoded = mem_alloc(e->name.n + 1);
  io_array *a = decoded ? io_list_add(out, decoded, json_decode(&e->name, decoded, e->name.n)) : NULL;
  mem_free(decoded);
  if (!a) return io_fail_memory(&at, e->name.n + 1);
  if (!data) return TME_OK;
  s = lay_out(&at, &d, a);
  size_t start = (size_t)(r->data - r->bytes->data) + (size_t)d.offset[0];
  return s == TME_OK ? io_attach(&at, a, r->bytes, start, (size_t)(d.offset[1] - d.offset[0]), false) : s;
}

static tme_status read_all(const reader *r, bool asked, bool data, io_list *out) {
  for (size_t i = 0; i < r->n; i++) {
    tme_status s = read_entry(r, &r->e[i], asked, data, out);
    if (s != TME_OK) return s;
  }
  return TME_OK;
}

static tme_status read_wanted(const reader *r, const char *only, bool one, io_list *out) {
  if (only) {
    for (size_t i = 0; i < r->n; i++)
      if (json_is(&r->e[i].name, only)) return read_entry(r, &r->e[i], true, true, out);
    return TME_OK;
  }
  tme_status s = read_all(r, false, !one, out);
  if (s == TME_OK && one && out->n == 1) {
    io_list_free(out);
    s = read_all(r, false, true, out);
  }
  return s == TME_OK && out->n == 0 ? read_all(r, true, true, out) : s; /* the first one says why */
}

tme_status safetensors_read(const io_place *at, io_bytes *b, const char *only, bool one, io_list *out) {
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
  reader r = {.at = at, .bytes = b, .header = b->data + 8, .data = b->data + 8 + (size_t)len};
  tme_status s = find_entries(&r);
  if (s == TME_OK) s = check_names(&r);
  if (s == TME_OK) s = check_entries(&r);
  if (s == TME_OK) s = check_data(&r);
  if (s == TME_OK) {
    sort(&r, by_place);
    s = read_wanted(&r, only, one, out);
  }
  mem_free(r.e);
  return s;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

/* As the format's own writer sorts, the widest first: alignments never decrease. */
static int by_dtype_then_name(const void *l, const void *r) {
  const io_source *a = *(const io_source *const *)l, *b = *(const io_source *const *)r;
  int x = dtype_get(a->dtype)->place, y = dtype_get(b->dtype)->place;
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
    const char *dtype = dtype_get(a[i]->dtype)->safetensors;
    if (!dtype[0]) {
      return io_fail(at, TME_ERR_DTYPE, "array '%.200s': .safetensors has no %s: save as .npz, or cast it first",
                     a[i]->name, tme_dtype_name(a[i]->dtype));
    }
    bytes = io_source_bytes(a[i]);
    if (bytes > PTRDIFF_MAX - offset) return io_fail(at, TME_ERR_MEMORY, "more data than a file can hold");
    if (i) text_add(t, ",");
    add_string(t, a[i]->name);
    text_add(t, ":{\"dtype\":\"%s\",\"shape\":[", dtype);
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
