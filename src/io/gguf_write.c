/* .gguf written: arrays of dtypes that it has; and words of 4 or 8 bits in groups of 32, with their scales and biases, as blocks. */
#include "io/formats.h"
#include "io/gguf_blocks.h"
#include <string.h>

enum { VERSION = 3, ALIGNMENT = 32, MOST_DIMS = 4, MOST_NAME = 64, GROUP = 32 };

typedef struct piece {
  const io_source *a, *scales, *biases; /* the latter of words */
  const gguf_type *type;
  uint64_t bytes;
  bool taken; /* part of another one */
} piece;

static bool has_name(const io_source *a, const char *stem, size_t n, const char *end) {
  return strlen(a->name) == n + strlen(end) && !memcmp(a->name, stem, n) && !strcmp(a->name + n, end);
}

/* The array that belongs to words and whose name ends so. */
static const io_source *part_of(const io_source *a, int n, const io_source *words, const char *end) {
  static const char weight[] = ".weight";
  size_t stem = strlen(words->name), tail = sizeof weight - 1;
  if (stem >= tail && !strcmp(words->name + stem - tail, weight)) stem -= tail;
  for (int i = 0; i < n; i++)
    if (has_name(&a[i], words->name, stem, end)) return &a[i];
  return NULL;
}

static bool fits_groups(const io_source *words, const io_source *of, int64_t bits) {
  int last = words->rank - 1;
  if (!of || of->dtype != TME_F16 || of->rank != words->rank || of->shape[last] > INT64_MAX / bits) return false;
  return !memcmp(of->shape, words->shape, sizeof *of->shape * (size_t)last) &&
         of->shape[last] * bits == words->shape[last];
}

/* The type whose blocks hold all groups; NULL if there is none. */
static const gguf_type *type_of_groups(const piece *p, int64_t bits) {
  static const uint32_t with[] = {2, 3}, wide[] = {8};
  int64_t groups = (int64_t)(io_source_bytes(p->scales) / sizeof(uint16_t));
  for (int k = 0; k < (bits == 4 ? COUNT(with) : COUNT(wide)); k++) {
    const gguf_type *t = gguf_type_find(bits == 4 ? with[k] : wide[k]);
    const uint16_t *scale = p->scales->data, *bias = p->biases->data;
    const uint32_t *words = p->a->data;
    uint8_t block[64];
    bool all = true;
    for (int64_t i = 0; i < groups && all; i++) all = gguf_block(t, words + i * bits, scale[i], bias[i], block);
    if (all) return t;
  }
  return NULL;
}

static tme_status plan(const io_place *at, piece *p) {
  io_place one = {at->verb, at->path, p->a->name, at->e};
  if (p->a->rank > MOST_DIMS)
    return io_fail(&one, TME_ERR_UNSUPPORTED, "%d dimensions, .gguf has at most %d", p->a->rank, MOST_DIMS);
  if (strlen(p->a->name) > MOST_NAME)
    return io_fail(&one, TME_ERR_ARGUMENT, "its name has more than the %d bytes that .gguf takes", MOST_NAME);
  p->type = gguf_type_of(p->a->dtype);
  p->bytes = io_source_bytes(p->a);
  if (p->type) return TME_OK;
  bool words = p->a->dtype == TME_U32 && p->a->rank > 0;
  int64_t bits = words && fits_groups(p->a, p->scales, 4) ? 4 : 8;
  if (!words || !fits_groups(p->a, p->scales, bits) || !fits_groups(p->a, p->biases, bits))
    return io_fail(
        &one, TME_ERR_DTYPE,
        ".gguf has no %s but as words of 4 or 8 bits in groups of %d, with .scales and .biases of float16: cast it first",
        tme_dtype_name(p->a->dtype), GROUP);
  p->type = type_of_groups(p, bits);
  if (!p->type)
    return io_fail(&one, TME_ERR_UNSUPPORTED, "numbers of 8 bits in .gguf have no biases but -128 times the scales");
  p->bytes = io_source_bytes(p->scales) / sizeof(uint16_t) * (uint64_t)p->type->bytes;
  return TME_OK;
}

static void add_number(text *t, uint64_t v, int bytes) {
  char b[8];
  for (int i = 0; i < bytes; i++) b[i] = (char)(v >> (8 * i));
  text_bytes(t, b, (size_t)bytes);
}

static tme_status head(const io_place *at, const piece *p, int n, text *t) {
  text_bytes(t, "GGUF", 4);
  add_number(t, VERSION, 4);
  add_number(t, (uint64_t)n, 8);
  add_number(t, 0, 8); /* no keys */
  uint64_t offset = 0;
  for (int i = 0; i < n; i++) {
    const io_source *a = p[i].a;
    add_number(t, strlen(a->name), 8);
    text_bytes(t, a->name, strlen(a->name));
    add_number(t, (uint64_t)a->rank, 4);
    for (int d = a->rank - 1; d >= 0; d--)
      add_number(t, (uint64_t)(d == a->rank - 1 && p[i].scales ? p[i].scales->shape[d] * GROUP : a->shape[d]), 8);
    add_number(t, p[i].type->code, 4);
    add_number(t, offset, 8);
    if (p[i].bytes > PTRDIFF_MAX - ALIGNMENT - offset)
      return io_fail(at, TME_ERR_MEMORY, "more data than a file can hold");
    offset += (p[i].bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }
  while (t->len % ALIGNMENT && !t->failed) text_bytes(t, "\0", 1);
  return t->failed ? io_fail_memory(at, t->cap) : TME_OK;
}

static bool put_blocks(io_sink *s, const piece *p) {
  const uint16_t *scale = p->scales->data, *bias = p->biases->data;
  const uint32_t *words = p->a->data;
  bool ok = true;
  enum { AT_ONCE = 256 };
  uint8_t blocks[AT_ONCE * 34];
  uint64_t n = p->bytes / (uint64_t)p->type->bytes;
  for (uint64_t i = 0; i < n && ok;) {
    size_t k = 0;
    for (; k < AT_ONCE && i < n; k++, i++)
      gguf_block(p->type, words + i * (uint64_t)p->type->bits, scale[i], bias[i], blocks + k * (size_t)p->type->bytes);
    ok = io_put(s, blocks, k * (size_t)p->type->bytes);
  }
  return ok;
}

tme_status gguf_write(const io_place *at, io_sink *s, const io_source *a, int n) {
  static const uint8_t nothing[ALIGNMENT];
  size_t bytes;
  piece *p = mul_size((size_t)n, sizeof *p, &bytes) ? mem_calloc((size_t)n, sizeof *p) : NULL;
  if (!p) return io_fail_memory(at, (size_t)n * sizeof *p);
  tme_status st = TME_OK;
  int count = 0;
  for (int i = 0; i < n; i++) p[i].a = &a[i];
  for (int i = 0; i < n; i++) {
    if (a[i].dtype != TME_U32) continue;
    p[i].scales = part_of(a, n, &a[i], ".scales");
    p[i].biases = part_of(a, n, &a[i], ".biases");
    if (p[i].scales) p[p[i].scales - a].taken = true;
    if (p[i].biases) p[p[i].biases - a].taken = true;
  }
  for (int i = 0; i < n && st == TME_OK; i++) {
    if (p[i].taken) continue;
    p[count] = p[i];
    st = plan(at, &p[count++]);
  }
  text t = {0};
  if (st == TME_OK) st = head(at, p, count, &t);
  if (st == TME_OK) {
    bool ok = io_put(s, t.s, t.len);
    for (int i = 0; i < count && ok; i++) {
      ok = p[i].scales ? put_blocks(s, &p[i]) : io_put(s, p[i].a->data, (size_t)p[i].bytes);
      ok = ok && io_put(s, nothing, (ALIGNMENT - p[i].bytes % ALIGNMENT) % ALIGNMENT);
    }
    if (!ok) st = io_fail_errno(at, "cannot write", s->errnum);
  }
  text_free(&t);
  mem_free(p);
  return st;
}
