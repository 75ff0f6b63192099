/* Tiles of maps that read along one dimension and write along another, as a transpose does. */
#include "lower/cpu/rows.h"

enum {
  TILE = 256,       /* elements of a row that is read, at most, */
  TILE_MIXED = 64,  /* where other operands are read along the results, */
  TILE_LEAST = 16,  /* and at least where there are */
  TILES = 16,       /* fewer tiles than this */
  TILE_LINES = 64,  /* lines of results, at most */
  LEAST_ACROSS = 4, /* elements along either dimension that are worth a tile */
  FAR = 3           /* elements from one to the next that are worth a transpose */
};

int64_t tiles_line(const row_group *r) {
  return CACHE_LINE / (int64_t)tme_dtype_size(rows_node(r, r->G->seed)->type.dtype);
}

/* The tile of a map that reads along one run and writes along the last one. Where rows of results are whole lines of the
 * cache, a tile is as wide as one line, which is then written at once: strides are often powers of two there, and few
 * lines of such rows fit into the cache. Other tiles are wide, for their lines at both sides are written twice. */
static void choose_tile(row_group *r, bool mixed) {
  int64_t length = r->runs[r->tile.across].extent, wide = r->runs[r->nruns - 1].extent, line = tiles_line(r),
          n = TILE_LEAST;
  bool whole = wide % line == 0;
  r->tile.down = whole && !mixed; /* follows the rows that are read */
  while (n < TILE && n * TILES < length) n *= 2;
  if (whole) n = mixed ? TILE_MIXED : TILE;
  r->tile.length = n < length ? n : length;
  n = !whole ? line * TILE_LINES : length < TILE_MIXED ? line * (TILE_MIXED / length) : line;
  r->tile.wide = n < wide ? n : wide;
}

void tiles_find(row_group *r) {
  const kernel *k = r->b.k;
  int last = r->nruns - 1;
  bool mixed = false; /* other operands are read along the results */
  r->tile.across = -1;
  if (r->uncut || k->failed || r->nruns < 2 || r->runs[last].extent < LEAST_ACROSS) return;
  for (int i = 0; i < k->nacc; i++) {
    int64_t far, unit;
    if (k->bufs[k->acc[i].buf].role != BUF_IN || !ix_affine(k, k->acc[i].ix, r->runs[last].axis, &far)) continue;
    mixed |= far == 1 || far == -1;
    for (int j = 0; j < last && (far >= FAR || far <= -FAR) && r->tile.across < 0; j++)
      if (ix_affine(k, k->acc[i].ix, r->runs[j].axis, &unit) && (unit == 1 || unit == -1) &&
          r->runs[j].extent >= LEAST_ACROSS)
        r->tile.across = j;
  }
  if (r->tile.across >= 0) choose_tile(r, mixed);
}
