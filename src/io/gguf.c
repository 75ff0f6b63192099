/* .gguf: counts, pairs of keys and values, descriptions of arrays, and their elements. Numbers of a few bits in blocks become
 * float32, or stay as they are in MLX's affine form: NAME.weight (words), NAME.scales and NAME.biases. */
#include "base/grow.h"
#include "io/formats.h"
#include "io/gguf_blocks.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 3, ALIGNMENT = 32, MOST_ALIGNMENT = 1 << 20, MOST_NESTED = 4, GROUP = 32 };
static const char magic[] = {'G', 'G', 'U', 'F'}, alignment_key[] = "general.alignment", weight[] = ".weight";

/* ---- reading ----------------------------------------------------------------------------------------------------- */

typedef struct entry {
  const char *name; /* not terminated */
  size_t name_len;
  uint64_t dims[TME_MAX_RANK]; /* the fastest first */
  uint32_t rank, code;
  uint64_t begin, bytes;
} entry;

typedef struct reader {
  const io_place *at;
  io_bytes *file;
  size_t pos, data; /* data: where the elements begin */
  uint64_t alignment;
  entry *e;
  int n, cap;
} reader;

static size_t left(const reader *r) { return r->file->size - r->pos; }

static tme_status cut_off(const reader *r, const char *in) {
  return io_fail(r->at, TME_ERR_FORMAT, "bad .gguf file: it ends in %s, at byte %zu", in, r->pos);
}

static uint64_t value_of(const uint8_t *p, size_t bytes) {
  uint64_t v = 0;
  for (size_t i = 0; i < bytes; i++) v |= (uint64_t)p[i] << (8 * i);
  return v;
}

static bool take(reader *r, size_t bytes, uint64_t *v) {
  if (left(r) < bytes) return false;
  *v = value_of(r->file->data + r->pos, bytes);
  r->pos += bytes;
  return true;
}

static bool take_string(reader *r, const char **s, size_t *n) {
  uint64_t length;
  if (!take(r, 8, &length) || length > left(r)) return false;
  *s = (const char *)r->file->data + r->pos;
  *n = (size_t)length;
  r->pos += *n;
  return true;
}

enum { TYPE_U32 = 4, TYPE_STRING = 8, TYPE_LIST = 9 };

/* Bytes of a value, by its type; 0: a string or a list. */
static const uint8_t value_bytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

static tme_status skip_value(reader *r, uint64_t type, int nested) {
  const char *s;
  size_t length;
  uint64_t count, of;
  if (type >= COUNT(value_bytes))
    return io_fail(r->at, TME_ERR_FORMAT, "bad .gguf file: a value of type %llu at byte %zu", (unsigned long long)type,
                   r->pos);
  if (value_bytes[type]) return take(r, value_bytes[type], &count) ? TME_OK : cut_off(r, "a value");
  if (type == TYPE_STRING) return take_string(r, &s, &length) ? TME_OK : cut_off(r, "a text");
  if (nested == MOST_NESTED)
    return io_fail(r->at, TME_ERR_FORMAT, "bad .gguf file: lists in lists at byte %zu", r->pos);
  if (!take(r, 4, &of) || !take(r, 8, &count)) return cut_off(r, "a list");
  size_t bytes = of < COUNT(value_bytes) ? value_bytes[of] : 0;
  if (bytes) {
    if (count > left(r) / bytes) return cut_off(r, "a list");
    r->pos += (size_t)count * bytes;
    return TME_OK;
  }
  /* Each of these takes bytes, so that a count beyond the file's end is found. */
  tme_status st = TME_OK;
  for (uint64_t i = 0; i < count && st == TME_OK; i++) st = skip_value(r, of, nested + 1);
  return st;
}

static tme_status read_pairs(reader *r, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    const char *key;
    size_t length;
    uint64_t type;
    if (!take_string(r, &key, &length) || !take(r, 4, &type)) return cut_off(r, "the keys");
    bool aligns = length == sizeof alignment_key - 1 && !memcmp(key, alignment_key, length);
    if (!aligns) {
      tme_status st = skip_value(r, type, 0);
      if (st != TME_OK) return st;
      continue;
    }
    if (type != TYPE_U32 || !take(r, 4, &r->alignment) || r->alignment % 8 || !r->alignment ||
        r->alignment > MOST_ALIGNMENT)
      return io_fail(r->at, TME_ERR_FORMAT, "bad .gguf file: %s is no multiple of 8 of type uint32", alignment_key);
  }
  return TME_OK;
}

static io_place place_of(const reader *r, const entry *e, char name[256]) {
  size_t n = e->name_len < 255 ? e->name_len : 255;
  memcpy(name, e->name, n);
  name[n] = 0;
  return (io_place){r->at->verb, r->at->path, name, r->at->e};
}

static tme_status read_entry(reader *r, entry *e, uint64_t number) {
  uint64_t rank, code;
  char name[256];
  if (!take_string(r, &e->name, &e->name_len) || !take(r, 4, &rank)) return cut_off(r, "an array's description");
  if ((e->name_len && memchr(e->name, 0, e->name_len)) || !utf8_valid(e->name, e->name_len))
    return io_fail(r->at, TME_ERR_FORMAT, "the name of array %llu is no UTF-8 text", (unsigned long long)number);
  io_place at = place_of(r, e, name);
  if (rank > TME_MAX_RANK)
    return io_fail(&at, TME_ERR_FORMAT, "%llu dimensions, expected at most %d", (unsigned long long)rank, TME_MAX_RANK);
  e->rank = (uint32_t)rank;
  for (uint32_t d = 0; d < e->rank; d++)
    if (!take(r, 8, &e->dims[d])) return cut_off(r, "an array's description");
  if (!take(r, 4, &code) || !take(r, 8, &e->begin)) return cut_off(r, "an array's description");
  e->code = (uint32_t)code;
  return TME_OK;
}

/* The bytes of an array of a known type, which are in the file. */
static tme_status measure(const reader *r, entry *e) {
  const gguf_type *t = gguf_type_find(e->code);
  char name[256];
  io_place at = place_of(r, e, name);
  uint64_t size = 1;
  if (e->begin % r->alignment)
    return io_fail(&at, TME_ERR_FORMAT, "its offset %llu is no multiple of %llu", (unsigned long long)e->begin,
                   (unsigned long long)r->alignment);
  if (!t) return TME_OK;
  bool fits = true, none = false;
  for (uint32_t d = 0; d < e->rank; d++) {
    none = none || !e->dims[d];
    fits = fits && e->dims[d] <= INT64_MAX && (!e->dims[d] || !__builtin_mul_overflow(size, e->dims[d], &size));
  }
  if (none) size = 0;
  if (fits && t->elements > 1 && (!e->rank || e->dims[0] % (uint64_t)t->elements))
    return io_fail(&at, TME_ERR_FORMAT, "rows of %llu elements are no blocks of %s, which have %d",
                   (unsigned long long)(e->rank ? e->dims[0] : 1), t->name, t->elements);
  /* What is given is at most float32, whose bytes are to be counted, too. */
  fits = fits && size <= PTRDIFF_MAX / 8 &&
         !__builtin_mul_overflow(size / (uint64_t)t->elements, (uint64_t)t->bytes, &e->bytes);
  uint64_t all = r->file->size - r->data;
  if (!fits || e->begin > all || e->bytes > all - e->begin)
    return io_fail(&at, TME_ERR_FORMAT, "its %s elements at offset %llu are not within the %llu bytes of data", t->name,
                   (unsigned long long)e->begin, (unsigned long long)all);
  return TME_OK;
}

static int by_name(const void *l, const void *r) {
  const entry *a = *(const entry *const *)l, *b = *(const entry *const *)r;
  size_t n = a->name_len < b->name_len ? a->name_len : b->name_len;
  int order = n ? memcmp(a->name, b->name, n) : 0;
  return order ? order : (a->name_len > b->name_len) - (a->name_len < b->name_len);
}

static int by_place(const void *l, const void *r) {
  const entry *a = *(const entry *const *)l, *b = *(const entry *const *)r;
  return a->begin != b->begin ? (a->begin > b->begin) - (a->begin < b->begin)
                              : (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

/* No name twice, and no byte: decoded arrays have several times the bytes of the file, and not any number of times. */
static tme_status check_pairs(const reader *r) {
  char name[256];
  const entry **order = mem_alloc((size_t)r->n * sizeof *order);
  if (!order) return io_fail_memory(r->at, (size_t)r->n * sizeof *order);
  for (int i = 0; i < r->n; i++) order[i] = &r->e[i];
  tme_status st = TME_OK;
  if (r->n) qsort(order, (size_t)r->n, sizeof *order, by_name);
  for (int i = 1; i < r->n && st == TME_OK; i++) {
    if (by_name(&order[i - 1], &order[i])) continue;
    io_place at = place_of(r, order[i], name);
    st = io_fail(&at, TME_ERR_FORMAT, "its name is a duplicate");
  }
  if (r->n) qsort(order, (size_t)r->n, sizeof *order, by_place);
  for (int i = 1; i < r->n && st == TME_OK; i++) {
    if (order[i - 1]->begin + order[i - 1]->bytes <= order[i]->begin) continue;
    io_place at = place_of(r, order[i], name);
    st = io_fail(&at, TME_ERR_FORMAT, "its elements overlap those of the array before");
  }
  mem_free(order);
  return st;
}

static tme_status read_head(reader *r) {
  uint64_t version, arrays, pairs;
  if (left(r) < sizeof magic || memcmp(r->file->data, magic, sizeof magic))
    return io_fail(r->at, TME_ERR_FORMAT, "not a .gguf file: it does not begin with GGUF");
  r->pos = sizeof magic;
  if (!take(r, 4, &version) || !take(r, 8, &arrays) || !take(r, 8, &pairs)) return cut_off(r, "its counts");
  if (version < 2 || version > VERSION)
    return io_fail(r->at, TME_ERR_UNSUPPORTED, "version %llu of .gguf, expected 2 or 3", (unsigned long long)version);
  tme_status st = read_pairs(r, pairs);
  for (uint64_t i = 0; i < arrays && st == TME_OK; i++) {
    if (r->n == INT_MAX / 4 || !grow(&r->e, &r->cap, r->n + 1, sizeof *r->e))
      return io_fail_memory(r->at, sizeof *r->e);
    r->e[r->n] = (entry){.rank = 0};
    st = read_entry(r, &r->e[r->n], i);
    r->n += st == TME_OK;
  }
  if (st != TME_OK) return st;
  uint64_t data = (r->pos + r->alignment - 1) / r->alignment * r->alignment;
  r->data = data < r->file->size ? (size_t)data : r->file->size;
  for (int i = 0; i < r->n && st == TME_OK; i++) st = measure(r, &r->e[i]);
  return st == TME_OK ? check_pairs(r) : st;
}

/* ---- the arrays --------------------------------------------------------------------------------------------------- */

/* A new array of that name and of the entry's shape, the last extent `last` unless that is -1; its memory is to be filled. */
static tme_status add(const io_place *at, const entry *e, const char *name, size_t name_len, tme_dtype t, int64_t last,
                      io_list *out, io_array **added, size_t *bytes) {
  io_array *a = io_list_add(out, name, name_len);
  if (!a) return io_fail_memory(at, name_len + 1);
  a->dtype = t;
  a->rank = (int)e->rank;
  for (int d = 0; d < a->rank; d++) a->shape[d] = (int64_t)e->dims[a->rank - 1 - d];
  if (last >= 0) a->shape[a->rank - 1] = last;
  *added = a;
  return io_layout(at, a, false, bytes);
}

static tme_status fill(const io_place *at, io_array *a, size_t bytes, uint8_t **data) {
  a->bytes = io_bytes_new(bytes);
  if (!a->bytes) return io_fail_memory(at, bytes);
  a->data = *data = a->bytes->data;
  return TME_OK;
}

static tme_status give(const reader *r, const io_place *at, const entry *e, const gguf_type *t, io_list *out) {
  io_array *a;
  size_t bytes, start = r->data + (size_t)e->begin;
  tme_status st = add(at, e, e->name, e->name_len, t->dtype, -1, out, &a, &bytes);
  if (st != TME_OK) return st;
  if (!t->numbers) return io_attach(at, a, r->file, start, bytes, false);
  uint8_t *to = NULL;
  st = fill(at, a, bytes, &to);
  const uint8_t *from = r->file->data + start;
  for (size_t i = 0; st == TME_OK && i < bytes; i += (size_t)t->elements * sizeof(float), from += t->bytes) {
    float numbers[256];
    t->numbers(from, numbers);
    memcpy(to + i, numbers, (size_t)t->elements * sizeof(float));
  }
  return st;
}

/* The parts of the affine form: the name of the first is the array's own. */
static tme_status add_part(const io_place *at, const entry *e, const char *end, tme_dtype t, int64_t last, io_list *out,
                           uint8_t **data) {
  size_t stem = e->name_len, tail = sizeof weight - 1, bytes;
  if (*end && stem >= tail && !memcmp(e->name + stem - tail, weight, tail)) stem -= tail;
  size_t n = stem + strlen(end);
  char *name = mem_alloc(n + 1);
  if (!name) return io_fail_memory(at, n + 1);
  memcpy(name, e->name, stem);
  memcpy(name + stem, end, strlen(end));
  io_array *a;
  tme_status st = add(at, e, name, n, t, last, out, &a, &bytes);
  mem_free(name);
  return st == TME_OK ? fill(at, a, bytes, data) : st;
}

static tme_status give_packed(const reader *r, const io_place *at, const entry *e, const gguf_type *t, io_list *out) {
  uint8_t *words = NULL, *scales = NULL, *biases = NULL;
  int64_t groups = (int64_t)e->dims[0] / GROUP;
  tme_status st = add_part(at, e, "", TME_U32, groups * t->bits, out, &words);
  if (st == TME_OK) st = add_part(at, e, ".scales", TME_F16, groups, out, &scales);
  if (st == TME_OK) st = add_part(at, e, ".biases", TME_F16, groups, out, &biases);
  if (st != TME_OK) return st;
  size_t blocks = (size_t)e->bytes / (size_t)t->bytes, size = (size_t)t->bits * sizeof(uint32_t);
  const uint8_t *from = r->file->data + r->data + (size_t)e->begin;
  for (size_t i = 0; i < blocks; i++, from += t->bytes) {
    uint32_t q[8];
    uint16_t scale, bias;
    if (!gguf_affine(t, from, q, &scale, &bias))
      return io_fail(at, TME_ERR_UNSUPPORTED, "its scales of %s are too large for biases of float16", t->name);
    memcpy(words + i * size, q, size);
    memcpy(scales + i * sizeof scale, &scale, sizeof scale);
    memcpy(biases + i * sizeof bias, &bias, sizeof bias);
  }
  return TME_OK;
}

static tme_status give_entry(const reader *r, const entry *e, bool asked, gguf_want want, io_list *out) {
  char name[256];
  io_place at = place_of(r, e, name);
  const gguf_type *t = gguf_type_find(e->code);
  if (!t)
    return asked ? io_fail(&at, TME_ERR_DTYPE, "elements of type %u of .gguf are not supported", e->code) : TME_OK;
  if (want != GGUF_NAMES) return (want == GGUF_PACKED && t->bits ? give_packed : give)(r, &at, e, t, out);
  if (out->n == IO_NAMES) {
    out->more++;
    return TME_OK;
  }
  return io_list_add(out, e->name, e->name_len) ? TME_OK : io_fail_memory(&at, e->name_len + 1);
}

static tme_status give_all(const reader *r, bool asked, gguf_want want, io_list *out) {
  tme_status st = TME_OK;
  for (int i = 0; i < r->n && st == TME_OK; i++) st = give_entry(r, &r->e[i], asked, want, out);
  return st;
}

static tme_status give_wanted(const reader *r, const char *only, gguf_want want, io_list *out) {
  if (only) {
    for (int i = 0; i < r->n; i++)
      if (strlen(only) == r->e[i].name_len && !memcmp(only, r->e[i].name, r->e[i].name_len))
        return give_entry(r, &r->e[i], true, GGUF_NUMBERS, out);
    return TME_OK;
  }
  tme_status st = give_all(r, false, want, out);
  if (st == TME_OK && want == GGUF_NAMES && out->n == 1) {
    io_list_free(out);
    st = give_all(r, false, GGUF_NUMBERS, out);
  }
  return st == TME_OK && out->n == 0 ? give_all(r, true, GGUF_NUMBERS, out) : st; /* the first one says why */
}

tme_status gguf_read(const io_place *at, io_bytes *b, const char *only, gguf_want want, io_list *out) {
  reader r = {.at = at, .file = b, .alignment = ALIGNMENT};
  tme_status st = read_head(&r);
  if (st == TME_OK) st = give_wanted(&r, only, want, out);
  mem_free(r.e);
  return st;
}
