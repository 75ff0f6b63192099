/* Keys, and bits without a distribution. */
#include "ir/families/random.h"
#include "ir/threefry.h"

tme_status infer_key(const op_call *c, int i, error *e) {
  const op_type *k = c->in[i];
  if (!k || (k->dtype == TME_U32 && k->rank == 1 && k->shape[0] == 2)) return TME_OK;
  char shape[SHAPE_TEXT];
  type_shape_text(k, shape);
  bool dtype = k->dtype != TME_U32;
  return fail(e, dtype ? TME_ERR_DTYPE : TME_ERR_SHAPE,
              "%s: the key is %s %s, expected uint32 (2,), as random_key makes it of a number", op_name(c->op),
              tme_dtype_name(k->dtype), shape);
}

static tme_status infer_whole(op_call *c, int i, const char *name, error *e) {
  const op_type *x = c->in[i];
  if (!dtype_is_int(x->dtype) || x->rank)
    return fail(e, x->rank ? TME_ERR_SHAPE : TME_ERR_DTYPE, "%s: %s must be a whole number", op_name(c->op), name);
  infer_want(c, i, dtype_is_signed(x->dtype) ? TME_I64 : TME_U64);
  return TME_OK;
}

static tme_status infer_bits(op_call *c, op_type *out, error *e) {
  keys_attrs *a = &c->attrs->keys;
  tme_status s = infer_extents(c, &a->shape, out, e);
  if (a->shape.n < 0) a->shape.n = 0;
  switch (a->width) {
  case 1: out->dtype = TME_U8; break;
  case 2: out->dtype = TME_U16; break;
  case 4: out->dtype = TME_U32; break;
  case 8: out->dtype = TME_U64; break;
  default:
    return fail(e, TME_ERR_ARGUMENT, "%s: the width is %lld bytes, expected 1, 2, 4 or 8", op_name(c->op),
                (long long)a->width);
  }
  return s;
}

tme_status infer_keys(op_call *c, op_type *out, error *e) {
  tme_status s = c->op == OP_random_key ? TME_OK : infer_key(c, 0, e);
  if (s != TME_OK) return s;
  if (c->op == OP_random_bits) return infer_bits(c, out, e);
  *out = (op_type){.dtype = TME_U32, .rank = 1, .shape = {2}};
  if (c->op == OP_random_key) return infer_whole(c, 0, "the seed", e);
  if (c->op == OP_random_fold_in) return infer_whole(c, 1, "data", e);
  int64_t n = c->attrs->keys.num;
  if (n < 0) return fail(e, TME_ERR_ARGUMENT, "%s: num is %lld, expected 0 or more", op_name(c->op), (long long)n);
  *out = (op_type){.dtype = TME_U32, .rank = 2, .shape = {n, 2}};
  return TME_OK;
}

/* Along a new last axis. */
static int stack_words(graph *g, g_block b) {
  int in[2] = {b.hi, b.lo};
  op_attrs last = {.stack = {.axis = -1}};
  return graph_op(g, OP_stack, in, 2, &last);
}

static g_block halves(graph *g, int x) {
  if (x < 0) return (g_block){-1, -1};
  int high = graph_bin(g, OP_right_shift, x, graph_number(g, graph_get(g, x)->type.dtype, 32));
  return (g_block){graph_cast(g, high, TME_U32), graph_cast(g, x, TME_U32)};
}

int decompose_keys(graph *g, const g_site *s) {
  const op_type *type = &s->node->type;
  int key = s->in[0];
  switch (s->node->op) {
  case OP_random_key: return stack_words(g, halves(g, key));
  case OP_random_fold_in: return stack_words(g, graph_threefry(g, key, halves(g, s->in[1])));
  case OP_random_split: return stack_words(g, graph_blocks(g, key, type->shape[0], FIRST_BLOCKS));
  default: break;
  }
  g_block b = graph_blocks(g, key, type_size(type), FIRST_BLOCKS);
  int bits = type->dtype == TME_U64 ? graph_bits64(g, b) : graph_cast(g, graph_bits32(g, b), type->dtype);
  return graph_reshape(g, bits, type->rank, type->shape);
}
