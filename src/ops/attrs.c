/* The attributes of a call, whatever its operation: copied, compared, as words. */
#include "ops/ops.h"
#include <string.h>

void attrs_copy(const op_def *d, op_attrs *to, const op_attrs *from) { memcpy(to, from, d->attrs_size); }

static int write_list(const op_list *l, uint64_t *to) {
  to[0] = (uint64_t)l->n;
  for (int i = 0; i < l->n; i++) to[1 + i] = (uint64_t)l->v[i];
  return l->n < 0 ? 1 : 1 + l->n;
}

/* Its length, and its characters eight to a word. */
static int write_text(const char *from, uint64_t *to) {
  size_t length = strlen(from), words = (length + 7) / 8;
  to[0] = length;
  memset(to + 1, 0, 8 * words);
  memcpy(to + 1, from, length);
  return 1 + (int)words;
}

static int write_one(const op_param *p, const void *from, uint64_t *to) {
  const op_axes *axes = from;
  const op_number *number = from;
  switch (p->kind) {
  case PARAM_ARRAY:
  case PARAM_OPTIONAL_ARRAY:
  case PARAM_ARRAYS: return 0;
  case PARAM_AXIS:
  case PARAM_OPTIONAL_AXIS:
  case PARAM_INT: *to = (uint64_t) * (const int64_t *)from; return 1;
  case PARAM_BOOL: *to = *(const bool *)from; return 1;
  case PARAM_DTYPE: *to = (uint64_t) * (const tme_dtype *)from; return 1;
  case PARAM_CHOICE: *to = (uint64_t) * (const int *)from; return 1;
  case PARAM_FLOAT: memcpy(to, from, sizeof *to); return 1;
  case PARAM_NUMBER:
    to[0] = number->kind;
    to[1] = number->v.u;
    return 2;
  case PARAM_AXES:
    *to = axes->mask | (uint64_t)axes->given << 32;
    return axes->given == AXES_LIST ? 1 + write_list(&axes->list, to + 1) : 1;
  case PARAM_INTS:
  case PARAM_PERDIM: return write_list(from, to);
  case PARAM_TEXT: return write_text(from, to);
  }
  return 0;
}

int attrs_write(const op_def *d, const op_attrs *a, uint64_t words[static ATTRS_MOST_WORDS]) {
  int n = 0;
  for (int i = 0; i < d->nparams; i++) n += write_one(&d->params[i], attrs_get(a, &d->params[i]), words + n);
  return n;
}

bool attrs_equal(const op_def *d, const op_attrs *a, const op_attrs *b) {
  uint64_t wa[1 + ATTRS_MOST_WORDS], wb[1 + ATTRS_MOST_WORDS];
  if (a->max_any != b->max_any) return false;
  int n = attrs_write(d, a, wa);
  return n == attrs_write(d, b, wb) && !memcmp(wa, wb, sizeof *wa * (size_t)n);
}

/* ---- back -------------------------------------------------------------------------------------------------------- */

static int read_list(const uint64_t *w, int n, op_list *l) {
  int64_t length = n ? (int64_t)w[0] : TME_MAX_RANK + 1;
  if (length < -1 || length > TME_MAX_RANK || length >= n) return -1;
  l->n = (int)length;
  for (int i = 0; i < l->n; i++) l->v[i] = (int64_t)w[1 + i];
  return l->n < 0 ? 1 : 1 + l->n;
}

static int read_text(const uint64_t *w, int n, char *to) {
  uint64_t length = n ? w[0] : OP_TEXT;
  if (length >= OP_TEXT || (length + 7) / 8 >= (uint64_t)n) return -1;
  memcpy(to, w + 1, length);
  to[length] = 0;
  return 1 + (int)(length + 7) / 8;
}

static int read_axes(const uint64_t *w, int n, op_axes *axes) {
  axes->mask = (uint32_t)w[0];
  axes->given = (uint32_t)(w[0] >> 32);
  int list = axes->given == AXES_LIST ? read_list(w + 1, n - 1, &axes->list) : 0;
  return list < 0 ? -1 : 1 + list;
}

static int read_one(const op_param *p, const uint64_t *w, int n, void *to) {
  op_number *number = to;
  if (p->kind <= PARAM_ARRAYS) return 0;
  if (n < 1) return -1;
  switch (p->kind) {
  case PARAM_ARRAY:
  case PARAM_OPTIONAL_ARRAY:
  case PARAM_ARRAYS: return 0;
  case PARAM_AXIS:
  case PARAM_OPTIONAL_AXIS:
  case PARAM_INT: *(int64_t *)to = (int64_t)*w; return 1;
  case PARAM_BOOL: *(bool *)to = *w != 0; return 1;
  case PARAM_DTYPE: *(tme_dtype *)to = (tme_dtype)(int)*w; return 1;
  case PARAM_CHOICE: *(int *)to = (int)*w; return 1;
  case PARAM_FLOAT: memcpy(to, w, sizeof *w); return 1;
  case PARAM_NUMBER:
    if (n < 2) return -1;
    number->kind = w[0];
    number->v.u = w[1];
    return 2;
  case PARAM_AXES: return read_axes(w, n, to);
  case PARAM_INTS:
  case PARAM_PERDIM: return read_list(w, n, to);
  case PARAM_TEXT: return read_text(w, n, to);
  }
  return -1;
}

int attrs_read(const op_def *d, const uint64_t *words, int n, op_attrs *a) {
  int at = 0;
  for (int i = 0; i < d->nparams; i++) {
    int taken = read_one(&d->params[i], words + at, n - at, attrs_at(a, &d->params[i]));
    if (taken < 0) return -1;
    at += taken;
  }
  return at;
}
