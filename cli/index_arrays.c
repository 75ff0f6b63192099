/* Indexing by arrays: masks become the places of what is true, several arrays one. */
#include "index.h"
#include <string.h>

bool read_mask(interp *in, tme_array *mask, size_t at, place *p, int *count) {
  int rank = tme_array_rank(mask);
  const int64_t *shape = tme_array_shape(mask);
  if (rank == 0) return problem_at(in->problem, at, "index: a mask has at least one axis");
  const bool *m = tme_data(in->scope, mask);
  if (!m) return engine_problem(in, at);
  int64_t size = tme_array_size(mask), n = 0;
  for (int64_t i = 0; i < size; i++) n += m[i];
  int64_t *ints = arena_alloc(in->memory, (size_t)n + 1, sizeof *ints), step = 1;
  if (!ints) return problem_memory(in->problem);
  for (int d = rank - 1; d >= 0; d--) {
    int64_t k = 0;
    for (int64_t i = 0; i < size; i++)
      if (m[i]) ints[k++] = i / step % shape[d];
    step *= shape[d];
    p[d] = (place){PLACE_ARRAY, .at = at, .array = tme_from(in->scope, TME_I64, 1, &n, ints), .extent = shape[d]};
    if (!p[d].array) return engine_problem(in, at);
  }
  *count = rank;
  return true;
}

/* The arrays of the index, and their axes in what is indexed. */
typedef struct picks {
  int n, axis[TME_MAX_RANK], rank;
  const place *place[TME_MAX_RANK];
  int64_t shape[TME_MAX_RANK]; /* all arrays, broadcast */
} picks;

static bool find_picks(interp *in, const place *places, int n, picks *p) {
  *p = (picks){0};
  for (int i = 0, axis = 0; i < n; i++) {
    if (places[i].kind == PLACE_ARRAY) {
      const int64_t *shape = tme_array_shape(places[i].array);
      int rank = tme_array_rank(places[i].array), more = rank - p->rank;
      if (more > 0) {
        memmove(p->shape + more, p->shape, (size_t)p->rank * sizeof *p->shape);
        for (int d = 0; d < more; d++) p->shape[d] = 1;
        p->rank = rank;
      }
      for (int d = 0; d < rank; d++) {
        int64_t *extent = &p->shape[p->rank - rank + d];
        if (*extent != shape[d] && *extent != 1 && shape[d] != 1)
          return problem_at(in->problem, places[i].at, "index: arrays of extents %lld and %lld do not broadcast",
                            (long long)*extent, (long long)shape[d]);
        if (*extent == 1) *extent = shape[d];
      }
      p->place[p->n] = &places[i];
      p->axis[p->n++] = axis;
    }
    axis += places[i].kind == PLACE_ARRAY || places[i].kind == PLACE_SLICE;
  }
  return true;
}

/* The axes of the arrays side by side, from *at on. */
static tme_array *bring_together(interp *in, tme_array *a, const picks *p, bool first, int *at) {
  int64_t order[TME_MAX_RANK];
  bool picked[TME_MAX_RANK] = {false};
  *at = first ? 0 : p->axis[0];
  if (!first) return a;
  for (int k = 0; k < p->n; k++) {
    order[k] = p->axis[k];
    picked[p->axis[k]] = true;
  }
  int rank = tme_array_rank(a), k = p->n;
  for (int d = 0; d < rank; d++)
    if (!picked[d]) order[k++] = d;
  return tme_transpose(in->scope, a, order, rank);
}

/* Adds what one array names to the places in the axes taken as one. */
static bool add_pick(interp *in, const picks *p, int k, int64_t extent, int64_t size, int64_t *flat) {
  const place *pl = p->place[k];
  tme_array *wide = tme_astype(in->scope, pl->array, TME_I64);
  const int64_t *ints = tme_data(in->scope, tme_broadcast_to(in->scope, wide, p->shape, p->rank));
  if (!ints) return engine_problem(in, pl->at);
  for (int64_t i = 0; i < size; i++) {
    if (ints[i] < -extent || ints[i] >= extent)
      return problem_at(in->problem, pl->at, "index: %lld is out of range for an axis of extent %lld",
                        (long long)ints[i], (long long)extent);
    flat[i] = flat[i] * extent + (ints[i] < 0 ? ints[i] + extent : ints[i]);
  }
  return true;
}

/* One array that names the same elements when the axes from `at` on are taken as one. */
static tme_array *one_index(interp *in, const picks *p, const int64_t *extent) {
  size_t size = 1;
  for (int d = 0; d < p->rank; d++)
    if (__builtin_mul_overflow(size, (size_t)p->shape[d], &size) || size > SIZE_MAX / 16) {
      problem_at(in->problem, p->place[0]->at, "index: the arrays are too large together");
      return NULL;
    }
  int64_t *flat = arena_alloc(in->memory, size + 1, sizeof *flat);
  if (!flat) {
    problem_memory(in->problem);
    return NULL;
  }
  for (int k = 0; k < p->n; k++)
    if (!add_pick(in, p, k, extent[k], (int64_t)size, flat)) return NULL;
  return tme_from(in->scope, TME_I64, p->rank, p->shape, flat);
}

tme_array *gather(interp *in, tme_array *a, const place *places, int n, bool first, int *rank) {
  picks p;
  int at;
  if (!find_picks(in, places, n, &p)) return NULL;
  *rank = p.rank;
  a = bring_together(in, a, &p, first, &at);
  if (!a) return NULL;
  if (p.n == 1) return tme_take(in->scope, a, p.place[0]->array, at);
  int64_t shape[TME_MAX_RANK], all = 1;
  int before = tme_array_rank(a), k = 0;
  const int64_t *from = tme_array_shape(a);
  for (int d = 0; d < p.n; d++) all *= from[at + d];
  for (int d = 0; d < before; d++)
    if (d <= at || d >= at + p.n) shape[k++] = d == at ? all : from[d];
  tme_array *index = one_index(in, &p, from + at);
  return index ? tme_take(in->scope, tme_reshape(in->scope, a, shape, k), index, at) : NULL;
}
