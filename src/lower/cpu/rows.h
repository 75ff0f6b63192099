/* Groups of elementwise operations, and of reductions and what follows them, while they are lowered. Such a group is made in
 * one of four ways, a file each: maps.c, tiles.c, row_reduce.c, column_reduce.c. What they share is in rows.c, blocks of long
 * sums in blocks.c. */
#ifndef TME_LOWER_ROWS_H
#define TME_LOWER_ROWS_H

#include "lower/cpu/blocks.h"
#include "lower/cpu/target.h"
#include "lower/lower.h"

/* Neighbouring dimensions that share one loop. */
typedef struct dim_run {
  int first, last; /* dimensions, inclusive */
  bool reduced;
  int64_t extent;
  int axis;      /* of the kernel */
  int64_t chunk; /* 0, or the run is cut into chunks of so many elements, which are tasks */
  int outer;     /* the parallel axis that counts the chunks */
  int at;        /* -1, or the place in the run, where it is not simply its axis */
} dim_run;

typedef enum rows_form {
  ROWS_MAP,
  ROWS_TILES,  /* a map in tiles */
  ROWS_REDUCE, /* every task makes a row */
  ROWS_COLUMNS /* every task reduces columns of long rows */
} rows_form;

typedef struct tiling {
  int across;           /* -1, or the run that is tiled with the last one: operands are read along it */
  int64_t length, wide; /* elements of a tile along it, and along the last run */
  bool down;            /* tiles follow each other along it, not along the last one */
} tiling;

/* Passes over a row. What is known per node is so of the kernel's nodes alone: see rows_at. */
typedef struct passes {
  int n;
  int at;           /* the one being made */
  int *depth;       /* passes that must be over before its value can be computed */
  expr_value *made; /* a reduction's result, once its pass is over (re -1 before) */
  int *first;       /* the pass that computed it first, -1 */
  int *cache;       /* 0, or 1: to be kept in a scratch row; >= 2: 2 + its scratch buffer */
  bool dry;         /* a trial that only finds out which values those are */
} passes;

/* Sums that are longer than an accumulator may take. */
typedef struct long_sums {
  int cut;       /* -1, or the reduced run that is looped over in blocks */
  int64_t block; /* its elements in one of them */
  int axis;      /* that counts them */
} long_sums;

typedef struct row_group {
  builder b;
  const group *G;
  int gr;
  dim_run runs[TME_MAX_RANK];
  int nruns;
  bool uncut;           /* every run is one loop, see emit_in_bounds */
  int ix[TME_MAX_RANK]; /* the index of each dimension of the full shape */
  rows_form form;
  tiling tile;    /* of maps */
  passes passes;  /* of reductions, */
  long_sums sums; /* too */
} row_group;

/* Of a reduction; two for complex numbers. */
typedef struct accumulator {
  int node, acc[2];    /* what the innermost loop adds to */
  int sum[2], lost[2]; /* of a long sum: the sum of the blocks before, and what its roundings lost */
  k_op combine;
  tme_dtype dtype;
} accumulator;

static inline const cpu_target *rows_cpu(const row_group *r) { return cpu_of(r->b.l->t); }
static inline const g_node *rows_node(const row_group *r, int i) { return &r->b.l->g->node[i]; }
static inline int rows_at(const row_group *r, int i) { return r->b.l->place[i]; }
static inline bool rows_member(const row_group *r, int i) { return r->b.l->f->group_of[i] == r->gr; }
static inline bool rows_reduction(const row_group *r, int i) {
  return op_classify(rows_node(r, i)->op) == CLASS_REDUCE;
}

/* The member lies in the full space (and is not one value per row). */
bool rows_full(const row_group *r, int i);
/* Bytes of the numbers that the group sums or multiplies in, whose order shows in the result; 0 if there are none. */
size_t rows_ordered_bytes(const row_group *r);
/* The accumulators of the reductions of this pass, without the K_ACC. */
int rows_accumulators(const row_group *r, accumulator *accs);
int rows_neutral(kernel *k, k_op combine, tme_dtype t);
/* What a reduction takes at the point r->ix, in the dtype that it sums in. */
expr_value rows_reduced_value(row_group *r, int reduction);
void rows_set_indices(row_group *r);
/* Elements that a row of the group has. */
int64_t rows_length(const row_group *r);
/* Stores the values that are one per row. */
void rows_store(row_group *r);

/* ---- long sums: blocks.c ----------------------------------------------------------------------------------------- */

/* Decides where the group's rows are cut into blocks. */
void blocks_find(row_group *r);
/* The loop over `axis`, of which each iteration stands for `elements` of the run that is cut, runs over one block. */
void blocks_limit(row_group *r, int axis, int64_t elements);
bool blocks_sum(const row_group *r, const accumulator *a); /* it is a long sum */
/* The accumulators of a long sum: before the loop over the blocks; at the begin of one (of any other reduction: before all
 * loops); at its end. */
void blocks_start(row_group *r, accumulator *a);
void blocks_open(row_group *r, accumulator *a);
void blocks_close(row_group *r, const accumulator *a);
/* What a reduction gave. */
expr_value blocks_result(row_group *r, const accumulator *a);

/* ---- the four ways ----------------------------------------------------------------------------------------------- */

void map_emit(row_group *r);
/* Lanes and unrolling, once it is known what the kernel computes. */
void map_set_lanes(row_group *r);
/* A map over one dimension whose buffers are all walked element by element serves every extent. */
void map_make_symbolic(row_group *r);

/* Finds the run along which some operand of a map is read while the result is written along the last one; none if the space
 * is too small to gain by tiles. */
void tiles_find(row_group *r);
/* Results that fill a line of the cache. */
int64_t tiles_line(const row_group *r);

/* The passes of the group's reductions; false when out of memory. */
bool passes_init(row_group *r);
void passes_free(row_group *r);
/* Before a kernel is made, perhaps again. */
void passes_restart(row_group *r);
/* Values that the kernel makes itself: builder's `special`. */
bool passes_special(builder *b, int node, const int *ix, int guard, expr_value *out);
void row_reduce_emit(row_group *r, accumulator *accs);

bool column_reduce_fits(const row_group *r);
void column_reduce_emit(row_group *r, accumulator *accs);

enum {
  COLUMNS = 1024, /* that one task reduces, row by row, with the sums in its scratch memory */
  SUM_UNROLL = 4  /* accumulators of a reduction along the vector axis */
};

#endif
