#include "support/index_model.h"
#include "support/arrays.h"
#include <stdio.h>
#include <string.h>

static int below(uint64_t *seed, int n) { return (int)(random_bits(seed) % (uint64_t)n); }
static bool once_in(uint64_t *seed, int n) { return below(seed, n) == 0; }

/* ---- random --------------------------------------------------------------------------------------------------------- */

static int64_t random_bound(uint64_t *seed, int64_t n) {
  switch (below(seed, 4)) {
  case 0: return TME_NONE;
  case 1: return once_in(seed, 2) ? TME_NONE + 1 : INT64_MAX;
  default: return below(seed, (int)(2 * n + 5)) - n - 2;
  }
}

static int64_t random_place(uint64_t *seed, int64_t n) {
  if (!n || once_in(seed, 60)) return once_in(seed, 2) ? n : -n - 1;
  return below(seed, (int)(2 * n)) - n;
}

static void random_places(model_entry *e, int64_t n, int shapes, uint64_t *seed) {
  static const struct {
    int rank;
    int64_t shape[2];
  } some[] = {{1, {2}}, {0, {0}}, {1, {1}}, {2, {3, 2}}, {1, {3}}, {1, {0}}, {2, {2, 1}}};
  int k = shapes == 0 ? 0 : below(seed, shapes == 1 ? 4 : COUNT(some));
  e->rank = some[k].rank;
  int64_t size = 1;
  for (int d = 0; d < e->rank; d++) size *= e->shape[d] = some[k].shape[d];
  for (int64_t i = 0; i < size; i++) e->places[i] = random_place(seed, n);
}

static void random_mask(model_entry *e, const int64_t *shape, int rank, uint64_t *seed) {
  e->mask = true;
  int64_t size = 1;
  for (; e->rank < rank && size * shape[e->rank] <= MODEL_PLACES; e->rank++) size *= e->shape[e->rank] = shape[e->rank];
  if (e->rank && once_in(seed, 40) && e->shape[0]) size = size / e->shape[0] * (e->shape[0] - 1), e->shape[0]--;
  for (int64_t i = 0; i < size; i++) e->places[i] = once_in(seed, 2);
}

void model_random(model_index *m, int rank, const int64_t *shape, uint64_t *seed) {
  static const int64_t steps[] = {TME_NONE, 1, 2, -1, -2, INT64_MAX, TME_NONE + 1};
  m->n = 0;
  int arrays = below(seed, 4), shapes = below(seed, 3), axis = 0;
  while (m->n < MODEL_ENTRIES && axis <= rank && !once_in(seed, 12)) {
    model_entry *e = &m->entry[m->n++];
    *e = (model_entry){.ix.kind = TME_INDEX_NEW_AXIS};
    int64_t n = axis < rank ? shape[axis] : 2;
    int kind = below(seed, 12);
    if (kind == 0) continue;
    if (kind == 1) {
      e->ix.kind = TME_INDEX_ELLIPSIS;
      axis += below(seed, rank - axis + 1);
    } else if (axis == rank && !once_in(seed, 8)) {
      m->n--;
      return;
    } else if (kind < 5) {
      e->ix = (tme_index){TME_INDEX_SLICE, random_bound(seed, n), random_bound(seed, n),
                          steps[below(seed, COUNT(steps))], NULL};
      axis++;
    } else if (kind < 8 || !arrays) {
      e->ix = (tme_index){.kind = TME_INDEX_INT, .start = random_place(seed, n)};
      axis++;
    } else if (kind < 11) {
      e->ix.kind = TME_INDEX_ARRAY;
      random_places(e, n, shapes, seed);
      axis++;
    } else {
      e->ix.kind = TME_INDEX_ARRAY;
      random_mask(e, shape + axis, axis < rank ? below(seed, rank - axis + 1) : 0, seed);
      axis += e->rank;
    }
  }
}

void model_entries(tme_scope *s, const model_index *m, tme_index *out) {
  for (int i = 0; i < m->n; i++) {
    const model_entry *e = &m->entry[i];
    out[i] = e->ix;
    if (e->ix.kind != TME_INDEX_ARRAY) continue;
    bool truth[MODEL_PLACES];
    for (int k = 0; k < MODEL_PLACES; k++) truth[k] = e->places[k] != 0;
    out[i].array =
        e->mask ? tme_from(s, TME_BOOL, e->rank, e->shape, truth) : tme_from(s, TME_I64, e->rank, e->shape, e->places);
  }
}

/* ---- the rules ------------------------------------------------------------------------------------------------------ */

/* What an entry says of one axis of the indexed array: the places along it, under the axes of the result from `at` on. */
typedef struct along {
  int rank, at;
  int64_t shape[TME_MAX_RANK], places[MODEL_PLACES];
} along;

static bool slice_places(const tme_index *ix, int64_t n, along *a) {
  int64_t step = ix->step == TME_NONE ? 1 : ix->step, start = ix->start, stop = ix->stop;
  if (step == 0) return false;
  if (start == TME_NONE)
    start = step > 0 ? 0 : n - 1;
  else if (start < 0)
    start = start < -n ? (step > 0 ? 0 : -1) : start + n;
  if (stop == TME_NONE)
    stop = step > 0 ? n : -1;
  else if (stop < 0)
    stop = stop < -n ? -1 : stop + n;
  if (start > n) start = n;
  if (step < 0 && start >= n) start = n - 1;
  a->rank = 1;
  a->shape[0] = 0;
  for (int64_t i = start; i >= 0 && i < n && (step > 0 ? i < stop : i > stop); i += step) {
    a->places[a->shape[0]++] = i;
    if (step > n || step < -n) break;
  }
  return true;
}

/* Numbers along one axis, or a mask's along each of its axes; returns how many axes, -1 if that is refused. */
static int array_places(const model_entry *e, const int64_t *shape, along *a) {
  if (!e->mask) {
    a->rank = e->rank;
    memcpy(a->shape, e->shape, sizeof a->shape);
    memcpy(a->places, e->places, sizeof a->places);
    return 1;
  }
  int64_t size = 1, count = 0;
  for (int d = 0; d < e->rank; d++) {
    if (e->shape[d] && e->shape[d] != shape[d]) return -1;
    size *= e->shape[d];
  }
  for (int64_t i = 0; i < size; i++) count += e->places[i];
  for (int d = 0; d < e->rank || d == 0; d++) { /* without axes: its shape alone matters */
    int64_t step = 1, k = 0;
    for (int j = d + 1; j < e->rank; j++) step *= shape[j];
    a[d].rank = 1;
    a[d].shape[0] = count;
    for (int64_t i = 0; i < size; i++)
      if (e->places[i]) a[d].places[k++] = e->rank ? i / step % shape[d] : 0;
  }
  return e->rank;
}

/* Broadcasts the shape into *r's first axes. */
static bool broadcast(model_result *r, const along *a) {
  for (; r->rank < a->rank; r->rank++) {
    memmove(r->shape + 1, r->shape, (size_t)r->rank * sizeof *r->shape);
    r->shape[0] = 1;
  }
  for (int d = 0; d < a->rank; d++) {
    int64_t *n = &r->shape[r->rank - a->rank + d];
    if (*n != a->shape[d] && *n != 1 && a->shape[d] != 1) return false;
    if (*n == 1) *n = a->shape[d];
  }
  return true;
}

typedef struct rules {
  along of[2 * TME_MAX_RANK];
  bool picked[2 * TME_MAX_RANK]; /* by an array or a whole number */
  bool real[2 * TME_MAX_RANK];   /* an axis, not the shape of a mask that has none */
  int n, axis;                   /* of the indexed array, the next one */
  const int64_t *shape;
  int missing;                          /* axes for an ellipsis */
  enum { BEFORE, AMONG, BEHIND } state; /* arrays and whole numbers */
  int place;                            /* of them */
  bool any, apart;
  model_result arrays;
} rules;

static bool add_slice(rules *r, const tme_index *ix, model_result *out) {
  along *a = &r->of[r->n];
  r->picked[r->n] = false;
  r->real[r->n++] = true;
  a->at = out->rank;
  if (!slice_places(ix, r->shape[r->axis++], a)) return false;
  out->shape[out->rank++] = a->shape[0];
  return true;
}

static bool add_array(rules *r, const model_entry *e) {
  int count = array_places(e, r->shape + r->axis, &r->of[r->n]);
  if (count < 0 || !broadcast(&r->arrays, &r->of[r->n])) return false;
  for (int d = 0; d < (count ? count : 1); d++) {
    r->real[r->n] = count > 0;
    r->picked[r->n++] = true;
  }
  r->axis += count;
  r->any = true;
  return true;
}

static bool add_entry(rules *r, const model_entry *e, model_result *out) {
  static const tme_index whole = {TME_INDEX_SLICE, TME_NONE, TME_NONE, TME_NONE, NULL};
  bool advanced = e->ix.kind == TME_INDEX_INT || e->ix.kind == TME_INDEX_ARRAY;
  if (advanced && r->state == BEFORE) r->place = out->rank;
  r->apart |= advanced && r->state == BEHIND;
  if (advanced || r->state != BEFORE) r->state = advanced ? AMONG : BEHIND;
  switch (e->ix.kind) {
  case TME_INDEX_SLICE: return add_slice(r, &e->ix, out);
  case TME_INDEX_NEW_AXIS: out->shape[out->rank++] = 1; return true;
  case TME_INDEX_ELLIPSIS:
    for (int k = 0; k < r->missing; k++) add_slice(r, &whole, out);
    return true;
  case TME_INDEX_ARRAY: return add_array(r, e);
  case TME_INDEX_INT: break;
  }
  int64_t extent = r->shape[r->axis++];
  r->of[r->n].rank = 0;
  r->of[r->n].places[0] = e->ix.start;
  r->picked[r->n] = r->real[r->n] = true;
  r->n++;
  return e->ix.start >= -extent && e->ix.start < extent;
}

/* The arrays' axes among the others. */
static void lay_out(rules *r, model_result *out) {
  if (!r->any) r->arrays.rank = 0;
  int at = r->any && !r->apart ? r->place : 0, more = r->arrays.rank;
  memmove(out->shape + at + more, out->shape + at, (size_t)(out->rank - at) * sizeof *out->shape);
  memcpy(out->shape + at, r->arrays.shape, (size_t)more * sizeof *out->shape);
  out->rank += more;
  for (int i = 0; i < r->n; i++) {
    along *a = &r->of[i];
    if (r->picked[i])
      a->at = at + more - a->rank;
    else if (a->at >= at)
      a->at += more;
  }
}

/* Which element that one of the result is; -1: there is none. */
static int64_t named(const rules *r, const int64_t *ix) {
  int64_t from = 0;
  const int64_t *extent = r->shape;
  for (int k = 0; k < r->n; k++) {
    const along *a = &r->of[k];
    if (!r->real[k]) continue;
    int64_t number = 0;
    for (int j = 0; j < a->rank; j++) number = number * a->shape[j] + (a->shape[j] == 1 ? 0 : ix[a->at + j]);
    int64_t v = a->places[number];
    if (v < -*extent || v >= *extent) return -1;
    from = from * *extent + (v < 0 ? v + *extent : v);
    extent++;
  }
  return from;
}

bool model_apply(const model_index *m, int rank, const int64_t *shape, model_result *out) {
  int axes = 0, ellipses = 0;
  for (int i = 0; i < m->n; i++) {
    const model_entry *e = &m->entry[i];
    ellipses += e->ix.kind == TME_INDEX_ELLIPSIS;
    if (e->ix.kind == TME_INDEX_ARRAY) axes += e->mask ? e->rank : 1;
    axes += e->ix.kind == TME_INDEX_SLICE || e->ix.kind == TME_INDEX_INT;
  }
  if (axes > rank || ellipses > 1) return false;
  rules r = {.shape = shape, .missing = rank - axes};
  const model_entry rest = {.ix.kind = TME_INDEX_ELLIPSIS};
  out->rank = 0;
  for (int i = 0; i < m->n + !ellipses; i++)
    if (!add_entry(&r, i < m->n ? &m->entry[i] : &rest, out)) return false;
  lay_out(&r, out);
  if (out->rank > TME_MAX_RANK) return false;
  out->size = 1;
  for (int d = 0; d < out->rank; d++) out->size *= out->shape[d];
  for (int64_t i = 0; i < out->size && i < MODEL_ELEMENTS; i++) {
    int64_t ix[TME_MAX_RANK], left = i;
    for (int d = out->rank - 1; d >= 0; left /= out->shape[d--]) ix[d] = left % out->shape[d];
    out->from[i] = named(&r, ix);
    if (out->from[i] < 0) return false;
  }
  return true;
}

void model_text(const model_index *m, char *out, size_t size) {
  FILE *f = fmemopen(out, size, "w");
  if (!f) return;
  for (int i = 0; i < m->n; i++) {
    const model_entry *e = &m->entry[i];
    const tme_index *ix = &e->ix;
    fprintf(f, i ? ", " : "[");
    switch (ix->kind) {
    case TME_INDEX_SLICE:
      fprintf(f, "%lld:%lld:%lld", (long long)ix->start, (long long)ix->stop, (long long)ix->step);
      break;
    case TME_INDEX_INT: fprintf(f, "%lld", (long long)ix->start); break;
    case TME_INDEX_NEW_AXIS: fprintf(f, "none"); break;
    case TME_INDEX_ELLIPSIS: fprintf(f, "..."); break;
    case TME_INDEX_ARRAY: {
      int64_t n = 1;
      fprintf(f, "%s of (", e->mask ? "mask" : "array");
      for (int d = 0; d < e->rank; n *= e->shape[d++]) fprintf(f, "%lld,", (long long)e->shape[d]);
      fprintf(f, "):");
      for (int64_t k = 0; k < n; k++) fprintf(f, " %lld", (long long)e->places[k]);
    }
    }
  }
  fprintf(f, "]");
  fclose(f);
}
