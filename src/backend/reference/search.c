/* searchsorted, digitize: binary searches among keys, in pieces on all threads. */
#include "backend/reference/iter.h"
#include "backend/reference/keys.h"

enum { PIECE = 1 << 12, BLOCK = 256 };

typedef struct search {
  tme_dtype dtype;
  const void *keys;
  int64_t n;
  bool right, falling; /* falling keys were made in descending order: n less the answer counts from the other end */
  const char *values;
  int64_t step, count;
  int64_t *out;
} search;

/* How many keys are below `key`, or not above it. Without branches, which would be guessed wrong half of the time. */
#define FIND(bits)                                                                                                     \
  static int64_t find_##bits(const uint##bits##_t *keys, int64_t n, uint##bits##_t key, bool right) {                  \
    const uint##bits##_t *from = keys;                                                                                 \
    for (; n > 1; n -= n / 2) {                                                                                        \
      const uint##bits##_t *mid = from + n / 2;                                                                        \
      from = (right ? mid[-1] <= key : mid[-1] < key) ? mid : from;                                                    \
    }                                                                                                                  \
    return from - keys + (n && (right ? *from <= key : *from < key));                                                  \
  }
FIND(32)
FIND(64)

static void find_block(const search *s, int64_t from, int64_t n) {
  uint64_t block[BLOCK];
  const uint32_t *narrow = (const uint32_t *)(const void *)block;
  keys_make(s->dtype, s->values + from * s->step * (int64_t)tme_dtype_size(s->dtype), s->step, n, false, block);
  bool wide = keys_size(s->dtype) == sizeof(uint64_t);
  for (int64_t i = 0; i < n; i++) {
    int64_t at = wide ? find_64(s->keys, s->n, block[i], s->right) : find_32(s->keys, s->n, narrow[i], s->right);
    s->out[from + i] = s->falling ? s->n - at : at;
  }
}

static void find_pieces(void *user, int thread, int64_t t0, int64_t t1) {
  (void)thread;
  const search *s = user;
  int64_t end = t1 * PIECE < s->count ? t1 * PIECE : s->count;
  for (int64_t i = t0 * PIECE; i < end; i += BLOCK) find_block(s, i, end - i < BLOCK ? end - i : BLOCK);
}

#define MONOTONIC(bits)                                                                                                \
  static bool monotonic_##bits(const uint##bits##_t *keys, int64_t n) {                                                \
    bool falls = false;                                                                                                \
    for (int64_t i = 1; i < n; i++) falls |= keys[i] < keys[i - 1];                                                    \
    return !falls;                                                                                                     \
  }
MONOTONIC(32)
MONOTONIC(64)

static tme_status make_keys(const ref_call *c, const ref_array *x, search *s, char *keys, error *e) {
  const ref_array *sorter = c->op == OP_searchsorted ? c->in[2] : NULL;
  size_t size = tme_dtype_size(s->dtype), key = keys_size(s->dtype);
  if (sorter) {
    int64_t *index = reference_indices("searchsorted", sorter, s->n, 0, e);
    if (!index) return e->code;
    for (int64_t i = 0; i < s->n; i++)
      keys_make(s->dtype, x->data + index[i] * x->strides[0] * (int64_t)size, 1, 1, false, keys + (size_t)i * key);
    mem_free(index);
    return TME_OK;
  }
  keys_of_array(c->threads, x, keys);
  if (c->op == OP_searchsorted || !s->n) return TME_OK;
  bool wide = key == sizeof(uint64_t);
#define IS_MONOTONIC                                                                                                   \
  (wide ? monotonic_64((uint64_t *)(void *)keys, s->n) : monotonic_32((uint32_t *)(void *)keys, s->n))
  if (IS_MONOTONIC) return TME_OK;
  s->falling = true;
  keys_make(s->dtype, x->data + (s->n - 1) * x->strides[0] * (int64_t)size, -x->strides[0], s->n, false, keys);
  if (IS_MONOTONIC) return TME_OK;
  return fail(e, TME_ERR_ARGUMENT, "digitize: the bins neither rise nor fall");
}

tme_status ref_search(ref_call *c, error *e) {
  bool digits = c->op == OP_digitize;
  const ref_array *x = c->in[digits], *values = c->in[!digits];
  search s = {.dtype = x->type.dtype, .n = x->type.shape[0], .out = (int64_t *)(void *)c->out[0].data};
  s.right = digits ? !c->attrs->search.right : c->attrs->search.side == SEARCH_SIDE_RIGHT;
  size_t bytes;
  bool fits = mul_size((size_t)s.n, keys_size(s.dtype), &bytes);
  char *keys = fits ? mem_alloc(bytes) : NULL;
  if (!keys) return fail_memory(e, op_name(c->op), fits ? bytes : SIZE_MAX);
  tme_status status = make_keys(c, x, &s, keys, e);
  s.keys = keys;
  const int64_t *strides[1] = {values->strides};
  ref_iter it;
  bool more = status == TME_OK && iter_start(&it, values->type.rank, values->type.shape, 1, strides);
  for (; more; more = iter_next(&it)) {
    s.values = values->data + it.offset[0] * (int64_t)tme_dtype_size(s.dtype);
    s.step = it.step[0];
    s.count = it.inner;
    threads_for(c->threads, ceil_div(s.count, PIECE), 1, find_pieces, &s);
    s.out += s.count;
  }
  mem_free(keys);
  return status;
}
