/* A product of matrices while it is lowered, in the words of BLIS: a micro-kernel computes a micro-tile of MR rows and NR columns
 * in registers, over KC rows of a panel of the right operand; MC rows of the left operand are held by the second cache while the
 * panels of NC columns go by. A band is NR columns of the result, whose part of the right operand is a panel once it is packed.
 * product_form.c chooses how, product_tile.c cuts; matmul.c has the loops over micro-tiles, task_pack.c what a task packs,
 * matvec.c results of a few long rows, product.c operands, sums and epilogues. */
#ifndef TME_PRODUCT_H
#define TME_PRODUCT_H

#include "lower/cpu/pack.h"
#include "lower/cpu/target.h"

/* The micro-tile, whose sums stay in registers: MR rows, and as many vectors as make NR columns. */
typedef struct micro_tile {
  int mr, vectors;
} micro_tile;

/* How the right operand is read. */
typedef enum product_form {
  FORM_DIRECT,      /* where it lies */
  FORM_MATVEC,      /* there, too, but each row at once and all rows of the result with it */
  FORM_PACKED,      /* from panels that an earlier step packs */
  FORM_TASK_PACKED, /* from panels that every task packs of the columns it works on, of all K rows at once */
  FORM_TASK_BLOCKED /* or of a block of KC rows after the other */
} product_form;

typedef struct product {
  builder b;
  lowering *l;
  const group *G;
  int gr, node, left, right;
  int rank;        /* of the result */
  int64_t M, N, K; /* with merged rows M counts those of all batches; K counts pairs where there is a dot */
  int64_t batches; /* products; 1 with merged rows */
  bool merged;     /* the batch is part of the rows: the right operand has none */
  product_form form;
  bool aligned; /* every row of the right operand begins at the same place of a cache line */
  packed pack;
  int task_buf; /* FORM_TASK_PACKED, FORM_TASK_BLOCKED: the task's panels, or two in turn, [panel][row][column] */
  int64_t task_panels; /* how many a task has */
  int64_t kc;          /* rows of the right operand in a panel: K, or a block of it */
  int sums_buf;        /* FORM_TASK_BLOCKED: what the blocks before have summed, [row][panel][column] */
  tme_dtype acc;
  k_op dot;      /* K_NOP, or: operands are pairs of numbers that it multiplies */
  int left_slot; /* the left operand's pairs */
  bool complex;
  int choice; /* 0, or the way that was timed to be the fastest: product_choices */
  micro_tile t;
  int lanes;
  int acc_id[2];
  int64_t block; /* an accumulator takes so many steps of k, then its sum is added to those of the blocks before: */
  int sum[2], lost[2];   /* accumulators: these, and what is lost where they are rounded */
  int sum_buf, lost_buf; /* where sums wait in memory: the same; else -1 */
  int ablocks, ak;       /* axes of all tiles: the blocks, and k; else -1 */
  bool spilled;          /* the epilogue reads the sums from scratch memory, not from accumulators */
  int spill_buf[2], spill_at;
  int read_ix[TME_MAX_RANK]; /* the index at which the product's value is the accumulator */
} product;

/* Of operands in panels. */
static inline tme_dtype product_element(const product *p) { return p->dot ? TME_U32 : p->acc; }

static inline const cpu_target *product_cpu(const product *p) { return cpu_of(p->l->t); }

static inline const g_node *product_at(const product *p, int i) { return &p->l->g->node[i]; }

/* The operand itself, or what it is converted from where it is read. */
int product_source(const product *p, int operand);
/* The index of the result's dimensions at (batch, row, column) as seen by an operand whose last two are (i, j). */
void product_index(product *p, int batch, int row, int i, int j, int *ix);
/* The row's number within its matrix. */
int product_row_in_matrix(product *p, int row);
/* The element of the left operand at (row, k), of the right one at (k, col), or the pair. */
expr_value product_left(product *p, int batch, int row, int k);
expr_value product_right(product *p, int batch, int row, int k, int col);
/* acc + x * y as an update of the accumulator, or as a value. */
void product_update(product *p, int acc, int x, int y);
int product_sum(product *p, int acc, int x, int y);
/* Steps of k that one accumulator takes: K, or of a long sum of floats a block, the last one perhaps shorter. It follows
 * from K and dtype, and is a multiple of the rows that a block of the right operand has. */
int64_t product_block(const product *p);
/* Adds up blocks of sums that wait in memory: begins at the element `at`, adds the block's sum there, and gives them all. */
void product_reserve_blocks(product *p, int64_t size);
void product_begin_blocks(product *p, int at);
void product_close_block(product *p, int at);
/* Blocks of what accumulators sum: begins them, within the loops over a tile adds a block's sum, and gives word w of all. */
void product_begin_sums(product *p, uint64_t kept);
void product_close_sums(product *p);
int product_sums(product *p, int w);
/* Stores all that the group computes from the product's value at (row, col): the epilogue. */
void product_store(product *p, int batch, int row, int col);
/* Begins the kernel. False when out of memory. */
bool product_begin(product *p, const char *name);
/* The first column of a band. */
int product_column(product *p, const bands *c, int band);
/* What a sum begins with. */
int product_zero(product *p);
/* What changes no sum that it is added to: -0 + s is s. */
int product_nothing(product *p);
/* KC, at most; so many steps of k one accumulator takes. */
enum { MOST_KC = 128, MOST_STEPS = 512 };

/* ---- micro-tiles, and how rows and columns are cut for them (product_tile.c) ---------------------------------------------- */

/* Rows [row0, row0 + blocks * panels * mr): `panels` micro-tiles high, a block has MC rows. */
typedef struct span {
  int64_t row0;
  int mr;
  int64_t panels, blocks;
} span;
enum { MOST_SPANS = 3, MOST_COPY_BOUND = 64 /* rows up to which copying takes more time than sums that wait */ };

int tile_count(int registers);
/* `timed`: the number of the tile that was timed to be the fastest, or -1. */
void tile_choose(product *p, int timed);
/* NR. */
int64_t product_nr(const product *p);
/* Bands of whole cache lines, if the columns are a multiple: none reads lines of its neighbours. `size` is that of what is
 * read. */
void tile_align(product *p, int64_t size);
int64_t product_l2_half(const product *p);
/* True if bands alone are tasks enough. */
bool bands_are_many(const product *p);
/* Bytes of the right operand that a band of columns needs, as numbers that are summed. */
int64_t band_bytes(const product *p);
void product_cut_bands(const product *p, bands out[2]);
/* Blocks of MC rows as long as there is more than one, then the rest. */
int product_cut_rows(const product *p, span *out);
static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- how it is computed (product_form.c) ---------------------------------------------------------------------------------- */

/* Sets the form, and adds the step that packs the right operand if it needs one. */
tme_status product_choose_form(product *p, error *e);
/* The tile that was timed to be the fastest, or -1. */
int product_timed_tile(const product *p);
/* Elements from one column of the right operand to the next, and from one row to the next; 0 where that is not constant.
 * False when out of memory. */
bool product_right_strides(product *p, int64_t *column, int64_t *row);

/* ---- per-task packing (task_pack.c): FORM_TASK_PACKED, FORM_TASK_BLOCKED ------------------------------------------------- */

/* The columns that it works on, and the block of rows of the right operand. */
typedef struct packing_task {
  const bands *c;
  int batch, band0;
  int64_t panels, rest;      /* the last task has `rest` */
  int last;                  /* 1 in the last task if it has fewer, else 0 */
  int block;                 /* of FORM_TASK_PACKED 0 */
  int arow, apanel, acolumn; /* of FORM_TASK_BLOCKED: the axes of the loops over all sums */
} packing_task;

/* True if the next panel is copied while this one is summed: where it lies in memory, as it is or to be converted. */
bool task_packs_ahead(const product *p);
/* Scratch memory for bands so wide. */
void task_reserve(product *p, int64_t wide);
/* The axis of the task's panels, of which the last task may have fewer, and the first column of one. */
int task_panel_axis(product *p, const packing_task *t);
int task_column(product *p, const packing_task *t, int panel);
/* Row i of a block. */
int task_row(product *p, int block, int i);
/* Element (i, j) of a panel of the block. */
int task_value(product *p, const packing_task *t, int panel, int i, int j);
/* Rows [first, first + rows) of the block into the panels, or into the first one where the others are copied ahead. */
void task_pack(product *p, const packing_task *t, int64_t first, int64_t rows);
/* Row i of the panel after this one, if there is one and i is a row of it. That of the panel after that one is fetched. */
void task_pack_ahead(product *p, const packing_task *t, int panel, int i);
/* The place of a sum that waits from one block to the next; loops over all of them: zeros, or what comes of them. */
int task_sum(product *p, const packing_task *t, int row, int panel, int j);
void task_sums_axes(product *p, packing_task *t);
void task_sums(product *p, const packing_task *t, bool epilogue);
/* After the last rows that one accumulator takes: adds the sums to those of the rows before. */
void task_close_block(product *p, const packing_task *t);

/* The step that copies the left operand into pairs (pairs.c), and one of them. */
tme_status pairs_pack_left(product *p, error *e);
int pairs_left(product *p, int batch, int row, int pair);

enum { EPILOGUE_VECTORS = 4 }; /* of an epilogue with functions that are unrolled, at most */

/* FORM_MATVEC (matvec.c): a row times a matrix, or up to MOST_MATVEC_ROWS of them, and a few more where they would need panels. */
enum { MOST_MATVEC_ROWS = 4 };
bool product_emit_matvec(product *p, const char *name);

#endif
