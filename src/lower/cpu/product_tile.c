/* Micro-tiles of products, and how rows and columns are cut for them. */
#include "lower/cpu/measure.h"
#include "lower/cpu/product.h"

/* MR and vectors: accumulators, one row of the right operand and a broadcast must fit the registers. */
static const micro_tile tiles_32[] = {{6, 4}, {8, 3}, {14, 2}, {28, 1}};
static const micro_tile tiles_16[] = {{6, 2}, {4, 3}, {12, 1}};
/* Vectors of a tile that has all rows, for 1 to 4 of them. */
static const int flat_vectors_32[] = {8, 8, 6, 5};
static const int flat_vectors_16[] = {8, 6, 4, 3};

enum { FEWEST_BANDS = 8 }; /* that are tasks enough */

/* ---- the shape of the tile --------------------------------------------------------------------------------------- */

int tile_count(int registers) { return registers >= 32 ? COUNT(tiles_32) : COUNT(tiles_16); }

static const micro_tile *tiles_of(const product *p, int *n) {
  int registers = product_cpu(p)->registers;
  *n = tile_count(registers);
  return registers >= 32 ? tiles_32 : tiles_16;
}

/* The fewest bands, and of equals the one of fewer vectors and more rows. But what the first cache does not hold of a wide
 * band is read from the second one for each panel of rows; few rows go over blocks of one, which it does hold. */
static micro_tile best_tile(const product *p) {
  const cpu_target *t = product_cpu(p);
  int n, best = 0;
  const micro_tile *list = tiles_of(p, &n);
  int64_t vectors = ceil_div(p->N, p->lanes), lowest = INT64_MAX, bytes = p->K * t->vector_bytes;
  for (int i = 0; i < n; i++) {
    int held = (list[i].mr + 1) * list[i].vectors + 1;
    if (p->dot == K_DOT_I16 && held >= t->registers) continue; /* products of pairs need one, too */
    int64_t count = ceil_div(vectors, list[i].vectors);
    bool beyond_l1 = p->M > MOST_COPY_BOUND && bytes * list[i].vectors > t->l1.bytes;
    if (beyond_l1 && list[i].mr < list[0].mr && vectors % list[0].vectors == 0) continue;
    if (count < lowest || (count == lowest && list[i].vectors < list[best].vectors)) {
      lowest = count;
      best = i;
    }
  }
  return list[best];
}

void tile_choose(product *p, int timed) {
  const cpu_target *t = product_cpu(p);
  int n;
  const micro_tile *list = tiles_of(p, &n);
  p->lanes = cpu_lanes(t, tme_dtype_size(p->acc));
  if (p->M <= MOST_MATVEC_ROWS) {
    p->t.mr = (int)p->M;
    p->t.vectors = t->registers >= 32 ? flat_vectors_32[p->M - 1] : flat_vectors_16[p->M - 1];
  } else if (timed >= 0) {
    p->t = list[timed];
  } else {
    p->t = best_tile(p);
  }
  if (p->complex) { /* two accumulators each */
    p->t.mr = p->t.mr > 1 ? p->t.mr / 2 : 1;
    if (p->t.mr == 1 && p->t.vectors > 4) p->t.vectors = 4;
  }
  int64_t needed = ceil_div(p->N, p->lanes);
  if (needed < p->t.vectors) p->t.vectors = (int)needed;
}

void tile_align(product *p, int64_t size) {
  int n;
  const micro_tile *list = tiles_of(p, &n);
  int64_t vector = p->lanes * size;
  bool fixed = p->choice || p->complex || p->M <= MOST_MATVEC_ROWS;
  for (int i = 0; i < n && !fixed && p->t.vectors * vector % CACHE_LINE != 0; i++)
    if (list[i].vectors * vector % CACHE_LINE == 0 && p->N % (list[i].vectors * p->lanes) == 0) p->t = list[i];
}

int64_t product_nr(const product *p) { return (int64_t)p->t.vectors * p->lanes; }

/* ---- rows and columns -------------------------------------------------------------------------------------------- */

int64_t product_l2_half(const product *p) { return product_cpu(p)->l2.bytes / 2; }

bool bands_are_many(const product *p) { return p->N * p->batches >= FEWEST_BANDS * product_nr(p); }

int64_t band_bytes(const product *p) { return p->K * product_nr(p) * (int64_t)tme_dtype_size(p->acc); }

static void cut_balanced(const product *p, int64_t row0, span *out, int *n) {
  int64_t rows = p->M - row0, panels = ceil_div(rows, p->t.mr), high = ceil_div(rows, panels), low = high - 1;
  int64_t nhigh = rows - panels * low; /* rows = nhigh high + (panels - nhigh) low */
  out[(*n)++] = (span){row0, (int)high, nhigh, 1};
  if (low > 0 && panels > nhigh) out[(*n)++] = (span){row0 + nhigh * high, (int)low, panels - nhigh, 1};
}

void product_cut_bands(const product *p, bands out[2]) {
  bool by_task = p->form == FORM_TASK_PACKED || p->form == FORM_TASK_BLOCKED;
  bands_cut(p->N, product_nr(p), p->lanes, by_task && p->batches == 1, out);
}

int product_cut_rows(const product *p, span *out) {
  int64_t k = p->form == FORM_TASK_BLOCKED ? p->kc : p->K;
  int64_t mc = product_l2_half(p) / (k * (int64_t)tme_dtype_size(p->acc) + 1), per = mc / p->t.mr;
  if (per < 1) per = 1;
  int64_t block = per * p->t.mr, blocks = p->M / block;
  if (blocks > 0 && 2 * (p->M % block) < block) blocks--; /* the rest is half a block to one and a half */
  int n = 0;
  if (blocks > 0) out[n++] = (span){0, p->t.mr, per, blocks};
  cut_balanced(p, blocks * block, out, &n);
  return n;
}
