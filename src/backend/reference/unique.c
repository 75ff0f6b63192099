/* unique_values, unique_counts, unique_inverse, unique_all: keys are sorted, with their places where those are asked for. */
#include "backend/reference/distinct.h"
#include "backend/reference/iter.h"
#include "backend/reference/sort_radix.h"
#include "backend/reference/tally.h"

/* Which results are wanted: NULL where they are not. `size`: how many of each but the inverse. */
typedef struct results {
  char *values;
  int64_t *indices, *inverse, *counts, size;
} results;

static results results_of(const ref_call *c) {
  static const struct {
    int op, indices, inverse, counts;
  } order[] = {
      {OP_unique_values, 0, 0, 0}, {OP_unique_counts, 0, 0, 1}, {OP_unique_inverse, 0, 1, 0}, {OP_unique_all, 1, 2, 3}};
  results r = {.values = c->out[0].data, .size = c->out[0].type.shape[0]};
  for (int i = 0; i < COUNT(order); i++) {
    if (order[i].op != c->op) continue;
    if (order[i].indices) r.indices = (int64_t *)(void *)c->out[order[i].indices].data;
    if (order[i].inverse) r.inverse = (int64_t *)(void *)c->out[order[i].inverse].data;
    if (order[i].counts) r.counts = (int64_t *)(void *)c->out[order[i].counts].data;
  }
  return r;
}

/* What is left has the first value, and is there 0 times. */
static void pad(const results *r, int64_t found, size_t size) {
  if (!found && r->size) memset(r->values, 0, size);
  if (!found && r->size && r->indices) r->indices[0] = 0;
  if (r->counts && found < r->size) memset(r->counts + found, 0, (size_t)(r->size - found) * sizeof *r->counts);
  const int64_t one = 0, step = 1, n = r->size - found;
  if (n > 0) copy_strided(1, &n, size, r->values, &one, r->values + (size_t)found * size, &step);
  for (int64_t i = found; i < r->size && r->indices; i++) r->indices[i] = r->indices[0];
}

static void copy_element(char *to, const char *from, size_t size) {
  switch (size) {
  case 4: memcpy(to, from, 4); break;
  case 8: memcpy(to, from, 8); break;
  default: memcpy(to, from, size);
  }
}

/* With places: the first one of each group, which is the first such element of x. */
static tme_status by_places(const ref_call *c, const results *r, error *e) {
  const ref_array *x = c->in[0];
  size_t size = tme_dtype_size(x->type.dtype);
  void *copy;
  const char *elements = flat_elements(x, &copy, op_name(c->op), e);
  if (!elements) return e->code;
  distinct d;
  tme_status s = distinct_make(&d, op_name(c->op), x, NULL, c->threads, e);
  if (s != TME_OK) {
    mem_free(copy);
    return s;
  }
  int64_t group = -1, begun = 0;
  for (int64_t i = 0; i < d.n; i++) {
    if (d.begins[i]) {
      if (r->counts && group >= 0 && group < r->size) r->counts[group] = i - begun;
      begun = i;
      if (++group < r->size) {
        copy_element(r->values + (size_t)group * size, elements + (size_t)d.place[i] * size, size);
        if (r->indices) r->indices[group] = d.place[i];
      }
    }
    if (r->inverse) r->inverse[d.place[i]] = group;
  }
  if (r->counts && group >= 0 && group < r->size) r->counts[group] = d.n - begun;
  distinct_free(&d);
  mem_free(copy);
  pad(r, group + 1, size);
  return TME_OK;
}

/* Sorted keys to those that differ, at their beginning; *found of them. */
#define CLOSE_UP(bits)                                                                                                 \
  static int64_t close_up_##bits(tme_dtype t, uint##bits##_t *keys, int64_t n, const results *r) {                     \
    int64_t found = 0, begun = 0;                                                                                      \
    for (int64_t i = 1; i <= n; i++) {                                                                                 \
      if (i < n && keys[i] == keys[begun] && !key_is_nan(t, keys, i)) continue;                                        \
      if (r->counts && found < r->size) r->counts[found] = i - begun;                                                  \
      keys[found++] = keys[begun];                                                                                     \
      begun = i;                                                                                                       \
    }                                                                                                                  \
    return found;                                                                                                      \
  }
CLOSE_UP(32)
CLOSE_UP(64)

/* The zero among the values has the sign of the first one of x. */
static void sign_zero(const ref_array *x, char *value) {
  size_t size = tme_dtype_size(x->type.dtype);
  const int64_t *strides[1] = {x->strides};
  ref_iter it;
  for (bool more = iter_start(&it, x->type.rank, x->type.shape, 1, strides); more; more = iter_next(&it))
    for (int64_t i = 0; i < it.inner; i++) {
      const char *p = x->data + (it.offset[0] + i * it.step[0]) * (int64_t)size;
      if (!float_is_zero(p, size)) continue;
      memcpy(value, p, size);
      return;
    }
}

static tme_status by_keys(const ref_call *c, const results *r, error *e) {
  const ref_array *x = c->in[0];
  tme_dtype t = x->type.dtype;
  int64_t n = type_size(&x->type), found;
  radix sort;
  size_t keys, bytes, counts = radix_bytes(&sort, c->threads, n);
  bool fits = mul_size((size_t)n, keys_size(t), &keys) && mul_size(keys, 2, &bytes) && add_size(bytes, counts, &bytes);
  char *memory = fits ? mem_alloc(bytes) : NULL;
  if (!memory) return fail_memory(e, op_name(c->op), fits ? bytes : SIZE_MAX);
  sort.count = (int64_t *)(void *)memory;
  void *a = memory + counts, *sorted;
  keys_of_array(c->threads, x, a);
  if (!n) {
    found = 0;
    sorted = a;
  } else if (keys_size(t) == sizeof(uint32_t)) {
    uint32_t *s = sort_keys_32(a, (uint32_t *)a + n, n, &sort);
    found = close_up_32(t, s, n, r);
    sorted = s;
  } else {
    uint64_t *s = sort_keys_64(a, (uint64_t *)a + n, n, &sort);
    found = close_up_64(t, s, n, r);
    sorted = s;
  }
  int64_t kept = found < r->size ? found : r->size;
  keys_read(t, sorted, kept, false, r->values);
  int64_t zeros = 0, at = dtype_is_float(t) ? keys_before_zeros(t, sorted, kept, false, &zeros) : 0;
  if (zeros) sign_zero(x, r->values + (size_t)at * tme_dtype_size(t));
  mem_free(memory);
  pad(r, found, tme_dtype_size(t));
  return TME_OK;
}

tme_status ref_unique(ref_call *c, error *e) {
  results r = results_of(c);
  return r.inverse || dtype_is_complex(c->in[0]->type.dtype) ? by_places(c, &r, e) : by_keys(c, &r, e);
}
