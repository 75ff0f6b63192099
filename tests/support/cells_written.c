/* Cells written as text: those of operations that take any dtype, or all numbers, whose cases are shapes and parameters. */
#include "support/matrix.h"
#include <stdlib.h>
#include <string.h>

/* "x=3x4 k=-1 axes=0,1 mode=edge": an array's shape (of a list one after the other; "-": a number), numbers, words. Of arrays
 * that are indices or masks also their kind: "n=2x3:4", whole numbers below 4; "m=2x3:b". */
typedef struct written {
  int op;
  const char *call;
} written;

static const written moves[] = {
    {OP_moveaxis, "x=3x4x5 source=0 destination=-1"},
    {OP_moveaxis, "x=2x3x4x5 source=3,0 destination=0,2"},
    {OP_moveaxis, "x=0x4 source= destination="},
    {OP_swapaxes, "x=3x4x5 axis1=0 axis2=-1"},
    {OP_swapaxes, "x=17 axis1=0 axis2=0"},
    {OP_matrix_transpose, "x=9x17"},
    {OP_matrix_transpose, "x=2x5x3"},
    {OP_flatten, "x=3x4x5"},
    {OP_flatten, "x=2x3x4x5 start_axis=1 end_axis=-2"},
    {OP_flatten, "x=-"},
    {OP_ravel, "x=3x70"},
    {OP_ravel, "x=-"},
    {OP_unflatten, "x=3x12 axis=1 shape=2,-1"},
    {OP_unflatten, "x=0x4 axis=0 shape=3,0"},
    {OP_atleast_1d, "x=-"},
    {OP_atleast_1d, "x=5x3"},
    {OP_atleast_2d, "x=33"},
    {OP_atleast_2d, "x=-"},
    {OP_atleast_3d, "x=33"},
    {OP_atleast_3d, "x=5x3"},
    {OP_diagonal, "x=9x17"},
    {OP_diagonal, "x=4x5x6 offset=-1 axis1=-1 axis2=0"},
    {OP_diagonal, "x=4x5x6 offset=9"},
    {OP_as_strided, "x=9x17 shape=3,5,2 strides=17,-1,40 offset=8"},
    {OP_as_strided, "x=70 shape=66,5 strides=1,1"},
    {OP_as_strided, "x=70 shape=0,5 strides=900,1"},
    {OP_roll, "x=9x17 shift=3,-5 axis=0,1"},
    {OP_roll, "x=9x17 shift=40"},
    {OP_roll, "x=4x0 shift=1 axis=1"},
    {OP_roll, "x=9x17 shift=40,-3,1000"},
    {OP_roll, "x=9x17 shift=4,-30 axis=1"},
    {OP_roll, "x=40 shift=1,2,1000 axis=0,0,-1"},
    {OP_rot90, "x=5x9"},
    {OP_rot90, "x=3x4x5 k=-1 axes=2,0"},
    {OP_rot90, "x=5x9 k=2"},
    {OP_tile, "x=5x9 repetitions=2,3"},
    {OP_tile, "x=7 repetitions=3,1,2"},
    {OP_tile, "x=2x1x3x2 repetitions=2"},
    {OP_tile, "x=2x2x1x2x1x2x1x1x2 repetitions=2,1,2,2,1,2,2,2,2"},
    {OP_tile, "x=5x9 repetitions=0,3"},
    {OP_repeat, "x=5x9 repeats=3"},
    {OP_repeat, "x=5x9 repeats=2 axis=0"},
    {OP_repeat, "x=5x9 repeats=4 axis=-1"},
    {OP_repeat, "x=- repeats=4"},
    {OP_tril, "x=9x17"},
    {OP_tril, "x=2x5x5 k=-2"},
    {OP_triu, "x=9x17 k=3"},
    {OP_triu, "x=2x5x5"},
    {OP_diag, "x=17"},
    {OP_diag, "x=9 k=-3"},
    {OP_diag, "x=9 k=2"},
    {OP_diag, "x=9x17 k=-2"},
    {OP_diag, "x=0"},
    {OP_diagflat, "x=3x4 k=1"},
    {OP_diagflat, "x=-"},
    {OP_trace, "x=9x17"},
    {OP_trace, "x=4x5x6 offset=1 axis1=-2 axis2=-1"},
    {OP_hstack, "arrays=9 arrays=17"},
    {OP_hstack, "arrays=3x4 arrays=3x2 arrays=3x1"},
    {OP_hstack, "arrays=- arrays=-"},
    {OP_vstack, "arrays=9 arrays=2x9"},
    {OP_vstack, "arrays=9 arrays=9"},
    {OP_dstack, "arrays=9 arrays=9"},
    {OP_dstack, "arrays=3x4 arrays=3x4x2"},
    {OP_column_stack, "arrays=9 arrays=9x3"},
    {OP_column_stack, "arrays=9 arrays=9"},
    {OP_zeros_like, "x=5x9"},
    {OP_ones_like, "x=70"},
    {OP_full_like, "x=5x9 value=1"},
};

static const written products[] = {
    {OP_dot, "x=9x17 y=17x5"},
    {OP_dot, "x=17 y=17"},
    {OP_dot, "x=3x4 y=2x4x5"},
    {OP_dot, "x=- y=9"},
    {OP_dot, "x=2x4 y=4"},
    {OP_inner, "x=9x17 y=5x17"},
    {OP_inner, "x=17 y=17"},
    {OP_inner, "x=2x3x4 y=4"},
    {OP_inner, "x=9 y=-"},
    {OP_outer, "x=9 y=17"},
    {OP_outer, "x=2x3 y=-"},
    {OP_vecdot, "x=9x17 y=9x17"},
    {OP_vecdot, "x=4x5 y=3x4x1 axis=-2"},
    {OP_vecdot, "x=0 y=0"},
    {OP_vdot, "x=3x4 y=12"},
    {OP_vdot, "x=- y=-"},
    {OP_tensordot, "x=2x3x4 y=3x4x5"},
    {OP_tensordot, "x=9x3 y=3x17 axes=1"},
    {OP_tensordot, "x=3 y=4 axes=0"},
    {OP_tensordot, "x=2x3x4 y=4x2x5 x_axes=0,-1 y_axes=1,0"},
    {OP_kron, "x=3x4 y=2x5"},
    {OP_kron, "x=4 y=2x3"},
    {OP_kron, "x=- y=2x3"},
    {OP_cross, "x=9x3 y=9x3"},
    {OP_cross, "x=3x4 y=2x3x1 axis=-2"},
    {OP_einsum, "arrays=9x17 arrays=17x5 subscripts=ij,jk->ik"},
    {OP_einsum, "arrays=2x5x4 arrays=2x4x3 subscripts=bij,bjk"},
    {OP_einsum, "arrays=2x5x4 arrays=4x3 subscripts=...ij,jk->...ik"},
    {OP_einsum, "arrays=7x7 subscripts=ii"},
    {OP_einsum, "arrays=3x7x7 subscripts=aii->ia"},
    {OP_einsum, "arrays=4x3 arrays=3x5 arrays=5x2 arrays=2 subscripts=ab,bc,cd,d->a"},
    {OP_einsum, "arrays=4 arrays=3 subscripts=i,j->ji"},
    {OP_einsum, "arrays=4x3 arrays=1x3 subscripts=ij,ij->i"},
    {OP_einsum, "arrays=4x0 arrays=0x3 subscripts=ij,jk->ik"},
    {OP_einsum_order, "arrays=4x3 arrays=3x5 arrays=5x2 arrays=2 subscripts=ab,bc,cd,d->a"},
    {OP_einsum_order, "arrays=9x17 arrays=17x5 subscripts=ij,jk->ik"},
    {OP_einsum_order, "arrays=7x7 subscripts=ii"},
    {OP_addmm, "c=9x5 x=9x17 y=17x5"},
    {OP_addmm, "c=5 x=2x3x4 y=2x4x5 alpha=2 beta=3"},
    {OP_addmm, "c=- x=4 y=4x3 beta=0"},
    {OP_gather_mm, "x=6x5x4 y=3x4x2 x_indices=2x3:6 y_indices=2x1:3"},
    {OP_gather_mm, "x=6x1x4 y=3x4x2 y_indices=6:3"},
    {OP_gather_mm, "x=2x5x4 y=4x2"},
    {OP_block_masked_mm, "x=9x8 y=8x7 mask_out=3x2:b mask_x=3x2:b mask_y=2x2 block_size=4"},
    {OP_block_masked_mm, "x=2x9x8 y=8x7 mask_x=1x3x2 block_size=4"},
};

static const char *numbers(const char *s, int64_t *v, int *n, char between) {
  char *end;
  for (*n = 0; *s == '-' || (*s >= '0' && *s <= '9'); s = *end == between ? end + 1 : end)
    v[(*n)++] = strtoll(s, &end, 10);
  return s;
}

/* Operands in layout l, each its own; the kind of those that are indices takes turns. */
static const char *add_operand(cell *c, const char *param, const char *s, tme_dtype t, int l) {
  static const tme_dtype indices[] = {TME_I64, TME_I32, TME_U8, TME_I16};
  int64_t shape[TME_MAX_RANK];
  int n = 0;
  if (*s == '-')
    s++;
  else
    s = numbers(s, shape, &n, 'x');
  operand *o = cell_in(c, param, t, n, shape);
  o->layout = (layout)((l * (1 + 2 * (c->nin - 1))) % LAYOUT_COUNT);
  if (*s != ':') return s;
  o->dtype = s[1] == 'b' ? TME_BOOL : indices[l % COUNT(indices)];
  if (s[1] == 'b') return s + 2;
  char *end;
  o->fill = FILL_INDEX;
  o->lo = 0;
  o->hi = (double)strtoll(s + 1, &end, 10);
  return end;
}

static const op_param *param_of(int op, const char *name) {
  const op_def *d = op_get(op);
  for (int p = 0; p < d->nparams; p++)
    if (!strcmp(d->params[p].name, name)) return &d->params[p];
  abort();
}

static void add(matrix *m, const written *w, tme_dtype t, int l, bool core, fill special) {
  static char words[COUNT(products)][OP_TEXT]; /* a cell's word lives as long as the program */
  cell c;
  cell_init(&c, w->op, core);
  for (const char *s = w->call; *s; s += *s == ' ') {
    char name[OP_NAME];
    size_t length = strcspn(s, "=");
    memcpy(name, s, length);
    name[length] = 0;
    s += length + 1;
    const op_param *p = param_of(w->op, name);
    int64_t v[TME_MAX_RANK];
    int n;
    switch (p->kind) {
    case PARAM_ARRAY:
    case PARAM_OPTIONAL_ARRAY:
    case PARAM_ARRAYS:
      s = add_operand(&c, name, s, t, l);
      if (c.in[c.nin - 1].fill == FILL_DOMAIN) c.in[c.nin - 1].fill = special;
      break;
    case PARAM_TEXT: {
      char *word = words[w - products];
      length = strlen(s);
      memcpy(word, s, length + 1);
      cell_word(&c, name, word);
      s += length;
      break;
    }
    case PARAM_INTS:
    case PARAM_AXES:
      s = numbers(s, v, &n, ',');
      cell_ints(&c, name, n, v);
      break;
    default:
      s = numbers(s, v, &n, ',');
      if (p->kind == PARAM_NUMBER)
        cell_float(&c, name, (double)v[0]);
      else
        cell_int(&c, name, v[0]);
    }
  }
  matrix_add(m, &c);
}

static void add_all(matrix *m, int op, const written *list, int n, bool bools, fill special) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!matrix_takes(m, t) || (t == TME_BOOL && !bools)) continue;
    int nth = 0;
    for (int k = 0; k < n; k++) {
      if (list[k].op != op) continue;
      bool core = nth++ < 2;
      for (int l = 0; l < LAYOUT_COUNT; l++) add(m, &list[k], t, l, core && !l, special);
    }
  }
}

static void moved(matrix *m, int op) { add_all(m, op, moves, COUNT(moves), true, FILL_MIXED); }
static void summed(matrix *m, int op) { add_all(m, op, moves, COUNT(moves), true, FILL_DOMAIN); }
static void multiplied(matrix *m, int op) { add_all(m, op, products, COUNT(products), false, FILL_DOMAIN); }

void cells_strided(matrix *m, int op) { moved(m, op); }
void cells_reshaped(matrix *m, int op) { moved(m, op); }
void cells_roll(matrix *m, int op) { moved(m, op); }
void cells_rot90(matrix *m, int op) { moved(m, op); }
void cells_tile(matrix *m, int op) { moved(m, op); }
void cells_repeat(matrix *m, int op) { moved(m, op); }
void cells_triangle(matrix *m, int op) { moved(m, op); }
void cells_diag(matrix *m, int op) { moved(m, op); }
void cells_side_by_side(matrix *m, int op) { moved(m, op); }
void cells_alike(matrix *m, int op) { moved(m, op); }
void cells_trace(matrix *m, int op) { summed(m, op); }

void cells_dot(matrix *m, int op) { multiplied(m, op); }
void cells_inner(matrix *m, int op) { multiplied(m, op); }
void cells_outer(matrix *m, int op) { multiplied(m, op); }
void cells_vecdot(matrix *m, int op) { multiplied(m, op); }
void cells_vdot(matrix *m, int op) { multiplied(m, op); }
void cells_tensordot(matrix *m, int op) { multiplied(m, op); }
void cells_kron(matrix *m, int op) { multiplied(m, op); }
void cells_cross(matrix *m, int op) { multiplied(m, op); }
void cells_einsum(matrix *m, int op) { multiplied(m, op); }
void cells_einsum_order(matrix *m, int op) { multiplied(m, op); }
void cells_addmm(matrix *m, int op) { multiplied(m, op); }
void cells_gather_mm(matrix *m, int op) { multiplied(m, op); }
void cells_block_masked_mm(matrix *m, int op) { multiplied(m, op); }

/* ---- arrays out of numbers ------------------------------------------------------------------------------------------------ */

static void made(matrix *m, int op, const written *list, int n, bool floats) {
  for (int i = 0; i < TME_DTYPE_COUNT; i++) {
    tme_dtype t = (tme_dtype)i;
    if (!matrix_takes(m, t) || (floats && dtype_kind(t) < TAKES_FLOAT)) continue;
    for (int k = 0; k < n; k++) {
      if (list[k].op != op) continue;
      cell c;
      cell_init(&c, op, true);
      for (const char *s = list[k].call; *s; s += *s == ' ') {
        char name[OP_NAME];
        size_t length = strcspn(s, "=");
        memcpy(name, s, length);
        name[length] = 0;
        int64_t v[TME_MAX_RANK];
        int count;
        s = numbers(s + length + 1, v, &count, ',');
        param_kind kind = param_of(op, name)->kind;
        if (kind == PARAM_NUMBER || kind == PARAM_FLOAT)
          cell_float(&c, name, (double)v[0]);
        else
          cell_int(&c, name, v[0]);
      }
      cell_int(&c, "dtype", t);
      matrix_add(m, &c);
    }
  }
}

static const written creations[] = {
    {OP_tri, "rows=5"},
    {OP_tri, "rows=9 columns=17 k=-2"},
    {OP_tri, "rows=0 columns=3 k=1"},
    {OP_identity, "n=17"},
    {OP_identity, "n=0"},
    {OP_logspace, "start=0 stop=3 num=17"},
    {OP_logspace, "start=-2 stop=3 num=9 endpoint=0 base=2"},
    {OP_logspace, "start=-2 stop=3 num=1"},
    {OP_geomspace, "start=1 stop=256 num=17"},
    {OP_geomspace, "start=-3 stop=-100 num=9 endpoint=0"},
    {OP_geomspace, "start=5 stop=2 num=0"},
};

void cells_tri(matrix *m, int op) { made(m, op, creations, COUNT(creations), false); }
void cells_identity(matrix *m, int op) { made(m, op, creations, COUNT(creations), false); }
void cells_geometric(matrix *m, int op) { made(m, op, creations, COUNT(creations), true); }

void cells_vander(matrix *m, int op) {
  static const written powers[] = {
      {OP_vander, "x=9"}, {OP_vander, "x=5 columns=3 increasing=1"}, {OP_vander, "x=4 columns=0"}};
  add_all(m, op, powers, COUNT(powers), false, FILL_DOMAIN);
}
