/* einsum, by NumPy's rules for its subscripts. */
#include "ir/contract.h"
#include <ctype.h>
#include <string.h>

/* Subscripts read: each letter's label, and those of the axes that an ellipsis stands for, counted from their last one. */
typedef struct subscripts {
  const char *text;
  int nin;
  int8_t of_letter[128]; /* 1 + its label */
  int labels;
  int8_t dots[TME_MAX_RANK]; /* 1 + the label of the i-th axis from the last one */
  op_type out;
  int8_t result[TME_MAX_RANK];
  int64_t extent[MOST_LABELS];
} subscripts;

static tme_status refuse(const subscripts *p, error *e, const char *why) {
  return fail(e, TME_ERR_ARGUMENT, "einsum: '%s' %s", p->text, why);
}

static int8_t new_label(int8_t *at, int *labels) {
  if (!*at && *labels < MOST_LABELS) *at = (int8_t)++ * labels;
  return (int8_t)(*at - 1);
}

/* One operand's letters, up to ',' or '-' or the end; its axes' labels. */
static tme_status read_term(subscripts *p, const char **at, const op_type *x, int which, int8_t *label, error *e) {
  const char *s = *at;
  int letters = 0, before = -1, n = 0;
  int8_t named[TME_MAX_RANK];
  for (; *s && *s != ',' && *s != '-'; s++) {
    if (*s == ' ') continue;
    if (*s == '.') {
      if (before >= 0 || strncmp(s, "...", 3)) return refuse(p, e, "has a '.' that is not of one ellipsis '...'");
      before = letters;
      s += 2;
      continue;
    }
    if ((unsigned char)*s > 127 || !isalpha((unsigned char)*s))
      return refuse(p, e, "has others than expected: letters, '...', ',' and '->'");
    if (letters == x->rank) {
      letters++;
      break;
    }
    named[letters++] = new_label(&p->of_letter[(unsigned char)*s], &p->labels);
  }
  int dots = x->rank - letters;
  if (dots < 0 || (dots && before < 0)) {
    char shape[SHAPE_TEXT];
    type_shape_text(x, shape);
    return fail(e, TME_ERR_SHAPE, "einsum: '%s' does not name the axes of operand %d of shape %s", p->text, which,
                shape);
  }
  for (int i = 0; i <= letters; i++) {
    for (int d = dots; i == before && d > 0; d--) label[n++] = new_label(&p->dots[d - 1], &p->labels);
    if (i < letters) label[n++] = named[i];
  }
  for (int d = 0; d < n; d++) {
    if (label[d] < 0) return refuse(p, e, "has more labels than are supported");
    int64_t *extent = &p->extent[label[d]], v = x->shape[d];
    if (*extent != 1 && v != 1 && v != *extent)
      return fail(e, TME_ERR_SHAPE, "einsum: '%s': axis %d of operand %d has extent %lld, elsewhere it is %lld",
                  p->text, d, which, (long long)v, (long long)*extent);
    if (*extent == 1) *extent = v;
  }
  *at = s;
  return TME_OK;
}

static tme_status add_result(subscripts *p, int8_t label, error *e) {
  if (p->out.rank == TME_MAX_RANK) return refuse(p, e, "has a result of more dimensions than are supported");
  p->result[p->out.rank] = label;
  p->out.shape[p->out.rank++] = p->extent[label];
  return TME_OK;
}

static tme_status add_dots(subscripts *p, error *e) {
  tme_status s = TME_OK;
  for (int d = TME_MAX_RANK; d > 0 && s == TME_OK; d--)
    if (p->dots[d - 1]) s = add_result(p, (int8_t)(p->dots[d - 1] - 1), e);
  return s;
}

/* Without "->": the axes of ellipses, then the letters that are there once, in the alphabet's order. */
static tme_status implicit(subscripts *p, error *e) {
  tme_status s = add_dots(p, e);
  for (int letter = 'A'; letter <= 'z' && s == TME_OK; letter++) {
    if (!p->of_letter[letter]) continue;
    int times = 0;
    for (const char *c = p->text; *c; c++) times += *c == letter;
    if (times == 1) s = add_result(p, (int8_t)(p->of_letter[letter] - 1), e);
  }
  return s;
}

static tme_status explicit(subscripts *p, const char *s, error *e) {
  bool dots = false;
  uint64_t seen = 0;
  for (; *s; s++) {
    tme_status status = TME_OK;
    if (*s == ' ') continue;
    if (*s == '.') {
      if (dots || strncmp(s, "...", 3)) return refuse(p, e, "has a '.' that is not of one ellipsis '...'");
      dots = true;
      status = add_dots(p, e);
      s += 2;
    } else {
      int letter = (unsigned char)*s < 128 ? (unsigned char)*s : 0, label = p->of_letter[letter] - 1;
      if (label < 0) return refuse(p, e, "has in its result what is in no operand");
      if (seen >> label & 1) return fail(e, TME_ERR_ARGUMENT, "einsum: '%s' has '%c' in its result twice", p->text, *s);
      seen |= (uint64_t)1 << label;
      status = add_result(p, (int8_t)label, e);
    }
    if (status != TME_OK) return status;
  }
  if (!dots && p->dots[0]) return refuse(p, e, "leaves axes of an ellipsis out of the result");
  return TME_OK;
}

/* `label`: TME_MAX_RANK of each operand. */
static tme_status read_all(subscripts *p, const op_type *const *in, int nin, int8_t *label, error *e) {
  const char *s = p->text;
  for (int i = 0; i < MOST_LABELS; i++) p->extent[i] = 1;
  for (int i = 0; i < nin; i++) {
    tme_status status = read_term(p, &s, in[i], i, label + (size_t)i * TME_MAX_RANK, e);
    if (status != TME_OK) return status;
    if (i + 1 < nin && *s++ != ',') return fail(e, TME_ERR_ARGUMENT, "einsum: '%s' for %d operands", p->text, nin);
  }
  if (*s == ',') return fail(e, TME_ERR_ARGUMENT, "einsum: '%s' for %d operand%s", p->text, nin, PLURAL(nin));
  if (!*s) return implicit(p, e);
  if (strncmp(s, "->", 2)) return refuse(p, e, "has a '-' without '>'");
  return explicit(p, s + 2, e);
}

/* *out: the shape of the result. */
static tme_status infer_subscripts(op_call *c, const char *words, op_type *out, error *e) {
  subscripts p = {.text = words};
  int8_t *label = mem_alloc((size_t)c->nin * TME_MAX_RANK);
  if (!label) return fail_memory(e, "einsum", (size_t)c->nin * TME_MAX_RANK);
  tme_status s = TME_OK;
  for (int i = 0; i < c->nin && s == TME_OK; i++)
    if (!c->in[i]) s = fail(e, TME_ERR_ARGUMENT, "einsum: array %d is missing", i);
  if (s == TME_OK) s = read_all(&p, c->in, c->nin, label, e);
  mem_free(label);
  *out = p.out;
  return s;
}

tme_status infer_einsum(op_call *c, op_type *out, error *e) {
  tme_status s = infer_subscripts(c, c->attrs->einsum.subscripts, out, e);
  if (s != TME_OK) return s;
  out->dtype = infer_promote(c, 0, c->nin);
  if (out->dtype == TME_BOOL) return fail(e, TME_ERR_DTYPE, "einsum: takes numbers, not bool");
  for (int i = 0; i < c->nin; i++) infer_want(c, i, out->dtype);
  return TME_OK;
}

int decompose_einsum(graph *g, const g_site *s) {
  int nin = s->node->nin, y = -1;
  subscripts p = {.text = s->attrs->einsum.subscripts};
  labelled *term = mem_alloc(sizeof *term * (size_t)nin);
  int8_t *label = mem_alloc((size_t)nin * TME_MAX_RANK);
  const op_type **in = mem_alloc(sizeof *in * (size_t)nin);
  error e = {0};
  if (!term || !label || !in) {
    g->failed = true;
    goto end;
  }
  for (int i = 0; i < nin; i++) {
    term[i] = (labelled){.x = s->in[i], .type = graph_get(g, s->in[i])->type};
    in[i] = &term[i].type;
  }
  if (read_all(&p, in, nin, label, &e) == TME_OK) {
    for (int i = 0; i < nin; i++) memcpy(term[i].label, label + (size_t)i * TME_MAX_RANK, TME_MAX_RANK);
    y = graph_contract(g, term, nin, p.result, p.out.rank);
    y = graph_broadcast(g, y, s->node->type.rank, s->node->type.shape);
  } else if (g->err.code == TME_OK) {
    g->err = e;
  }
end:
  mem_free(term);
  mem_free(label);
  mem_free(in);
  return y;
}

/* ---- einsum_order: the order of the products ------------------------------------------------------------------------ */

tme_status infer_einsum_order(op_call *c, op_type *out, error *e) {
  op_type y;
  tme_status s = infer_subscripts(c, c->attrs->einsum_order.subscripts, &y, e);
  *out = (op_type){.dtype = TME_I64, .rank = 2, .shape = {c->nin - 1, 2}};
  return s;
}

/* Where each of a pair is among the operands left, the earlier one first; both are taken out, and the product is the last. */
static void take_pair(int *left, int n, int a, int b, int product, int64_t *place) {
  int at = 0, kept = 0;
  for (int i = 0; i < n; i++) {
    if (left[i] == a || left[i] == b)
      place[at++] = i;
    else
      left[kept++] = left[i];
  }
  left[kept] = product;
}

/* `place`: two for each product. */
static bool find_path(const subscripts *p, const op_type *const *in, int n, const int8_t *label, int64_t *place) {
  uint64_t *set = mem_calloc((size_t)n, sizeof *set), out = 0;
  int(*pair)[2] = mem_alloc(sizeof *pair * (size_t)n), *left = mem_alloc(sizeof *left * (size_t)n);
  int *stands = mem_alloc(sizeof *stands * (size_t)n); /* contract_order's operands by their numbers here */
  bool ok = set && pair && left && stands;
  if (ok) {
    double extent[MOST_LABELS];
    for (int i = 0; i < MOST_LABELS; i++) extent[i] = (double)p->extent[i];
    for (int d = 0; d < p->out.rank; d++) out |= (uint64_t)1 << p->result[d];
    for (int i = 0; i < n; i++) {
      left[i] = stands[i] = i;
      for (int d = 0; d < in[i]->rank; d++) set[i] |= (uint64_t)1 << label[(size_t)i * TME_MAX_RANK + (size_t)d];
    }
    contract_order(set, n, out, extent, pair);
    for (int k = 0; k < n - 1; k++) {
      int *a = &stands[pair[k][0]], *b = &stands[pair[k][1]];
      take_pair(left, n - k, *a, *b, n + k, place + 2 * k);
      *a = n + k;
      *b = stands[n - k - 1];
    }
  }
  mem_free(set);
  mem_free(pair);
  mem_free(left);
  mem_free(stands);
  return ok;
}

int decompose_einsum_order(graph *g, const g_site *s) {
  const op_type *type = &s->node->type;
  int n = s->node->nin, y = -1;
  int8_t *label = mem_alloc((size_t)n * TME_MAX_RANK);
  const op_type **in = mem_alloc(sizeof *in * (size_t)n);
  int64_t *place = mem_alloc(sizeof *place * 2 * (size_t)n);
  int *item = mem_alloc(sizeof *item * 2 * (size_t)n);
  subscripts p = {.text = s->attrs->einsum_order.subscripts};
  error e = {0};
  bool ok = label && in && place && item;
  for (int i = 0; ok && i < n; i++) in[i] = &graph_get(g, s->in[i])->type;
  ok = ok && read_all(&p, in, n, label, &e) == TME_OK && find_path(&p, in, n, label, place);
  if (!ok) {
    g->failed = true;
  } else if (n == 1) {
    y = graph_broadcast(g, graph_number(g, TME_I64, 0), type->rank, type->shape);
  } else {
    op_attrs along = {.stack = {0}};
    for (int i = 0; i < 2 * (n - 1); i++) item[i] = graph_number(g, TME_I64, (double)place[i]);
    y = graph_reshape(g, graph_op(g, OP_stack, item, 2 * (n - 1), &along), type->rank, type->shape);
  }
  mem_free(label);
  mem_free(in);
  mem_free(place);
  mem_free(item);
  return y;
}
