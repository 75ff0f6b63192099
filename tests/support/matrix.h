/* The matrix of tests: every operation x dtype x layout on every backend against the reference.
 *
 * A cell is one call of one operation, described without an engine. The generators (cells_*.c) describe cells; matrix.c
 * chooses those whose turn it is, runs them on all backends and compares; bounds.c says how far results may be apart. */
#ifndef TME_TEST_MATRIX_H
#define TME_TEST_MATRIX_H

#include "ops/ops.h"

enum { CELL_INPUTS = 6 };

typedef enum layout {
  LAYOUT_ROWS,       /* row-major */
  LAYOUT_TRANSPOSED, /* column-major */
  LAYOUT_NEGATIVE,   /* every axis backwards */
  LAYOUT_BROADCAST,  /* one axis with stride 0 */
  LAYOUT_STEPS,      /* gaps between elements and between rows */
  LAYOUT_MIXED,      /* axes rotated, every other one backwards, gaps */
  LAYOUT_COUNT
} layout;

typedef enum fill {
  FILL_DOMAIN, /* lo to hi */
  FILL_MIXED,  /* the same in the first third, then every special value with every other one of the next operand */
  FILL_CLASSES, /* lo to hi, and here and there NaN, an infinity or a zero of either sign: the order of a sum decides none */
  FILL_DOMINANT, /* the same, and numbers on the diagonal of each matrix that outweigh its row and its column */
  FILL_INDEX     /* whole numbers from lo to hi - 1 */
} fill;

/* An operand. Its memory lies between pages that trap, and is read-only once it is filled: nothing can read beyond it or
 * write to it unseen. */
typedef struct operand {
  tme_dtype dtype;
  int rank;
  int64_t shape[TME_MAX_RANK];
  layout layout;
  fill fill;
  double lo, hi;
  /* made by operand_make */
  int64_t strides[TME_MAX_RANK]; /* bytes */
  char *data;
  void *pages;
  size_t bytes;
} operand;

/* `which`: the operand's number, so that the special values of several operands meet each other. */
void operand_make(operand *o, uint64_t seed, int which);
/* Row-major, with these elements. */
void operand_copy(operand *o, const void *rows);
void operand_free(operand *o);
int64_t operand_size(const operand *o);
/* The i-th element in row-major order. */
const char *operand_at(const operand *o, int64_t i);

typedef struct cell_arg {
  tme_arg_kind kind;
  int n, first; /* arrays: the first operand and how many */
  int64_t i, ints[TME_MAX_RANK];
  double f;
  const char *word; /* lives as long as the program */
} cell_arg;

typedef struct cell {
  int op, nin;
  bool core; /* part of every run; others take turns */
  cell_arg arg[OP_MAX_PARAMS];
  operand in[CELL_INPUTS];
} cell;

void cell_init(cell *c, int op, bool core);
/* The parameter must be in the signature. */
void cell_int(cell *c, const char *param, int64_t v);
void cell_float(cell *c, const char *param, double v);
void cell_ints(cell *c, const char *param, int n, const int64_t *v);
void cell_word(cell *c, const char *param, const char *word);
/* Adds an operand for an array parameter (one more of a list). The domain is the row's, or -2 to 2. */
operand *cell_in(cell *c, const char *param, tme_dtype t, int rank, const int64_t *shape);
const cell_arg *cell_get(const cell *c, const char *param); /* NULL if the operation has no such parameter */
/* Decides whose turn a cell is and what its operands hold. */
uint64_t cell_hash(const cell *c);
void cell_text(const cell *c, char *out, size_t size);
tme_status cell_apply(tme_scope *s, const cell *c, tme_array *const *in, tme_array **out);

/* One element as numbers: real and imaginary part. Integers only approximately. */
void element_value(tme_dtype t, const void *p, double v[2]);
void element_set(tme_dtype t, void *p, double re, double im);
/* Distance in units of the last place; both finite or infinite, of a real floating dtype. */
double element_ulps(tme_dtype t, const void *a, const void *b);
/* The distance from 1 to the next number; of f32 for 16-bit floats, in which their sums are made. */
double dtype_epsilon(tme_dtype t);
uint64_t next_random(uint64_t *state);

/* How far an output may be from the reference's: made of the reference engine's arrays. */
typedef struct bound {
  tme_array *array; /* f64, of the output's shape: absolute; NULL: none */
  double ulps;      /* without an array: units of the last place; complex numbers: epsilons of the modulus */
} bound;
/* `in`, `want`: arrays of the scope `s`. False if the bound could not be expressed. */
bool cell_bound(tme_scope *s, const cell *c, tme_array *const *in, tme_array *want, bound *out);
/* min and max of zeros of both signs may be either (src/kernel/prims.def). */
bool op_any_zero(int op);
/* Compares n elements; false with the first difference in `why`. */
bool compare_output(const cell *c, tme_dtype t, int64_t n, const void *got, const void *want, const double *absolute,
                    double ulps, char why[static 200]);
/* Results of which several are right are judged by what they must be: u, s, vt (or s alone) a decomposition of each matrix of
 * the operand, eigenvalues and vectors those of it. */
bool op_has_identities(int op);
bool check_identities(const cell *c, const tme_array *const *out, const void *const *data, char why[static 200]);
bool check_svd(const cell *c, const tme_array *const *out, const void *const *data, char why[static 200]);
bool check_eigen(const cell *c, const tme_array *const *out, const void *const *data, char why[static 200]);
/* How exact results are depends on the condition of the operands: random ones do not do. */
bool op_is_conditioned(int op);
/* Bounds that are one number, for operands as the cells have them. */
bool op_has_domain(int op);

typedef struct matrix matrix;
void matrix_add(matrix *m, cell *c);             /* the generators call it for each cell */
bool matrix_takes(const matrix *m, tme_dtype t); /* whether this run wants cells of that dtype at all */

typedef void cells_fn(matrix *m, int op);
/* One per family of operations: all cells of the row. */
#define FAMILY(name, class, reference, decomposes, checks, mlx, derivative, batching) cells_fn cells_##name;
#include "ops/families.def"

/* Runs the cells of all rows; returns how many failed. */
int matrix_run(void);
/* One of the row's cells, its operands not made; false if it has none. */
bool matrix_draw(int op, uint64_t seed, cell *out);
/* Every row on engines that differ in their threads alone: how many cells have other bits than the first one gives. */
int matrix_same_bits(tme_engine *const *engines, const char *const *labels, int n);
/* The matrix's share: TME_MATRIX and the sanitizers decide; the seed: TME_MATRIX_SEED. */
typedef enum share { SHARE_QUICK, SHARE_COMMIT, SHARE_FULL } share;
share matrix_share(void);
bool sanitized(void);
uint64_t matrix_seed(void);

/* An engine of that backend: f32 by default, no cache on disk. Its warnings are printed. */
tme_engine *engine_of(const char *backend, int threads);

#endif
