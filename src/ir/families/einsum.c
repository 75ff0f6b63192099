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

tme_status infer_einsum(op_call *c, op_type *out, error *e) {
  subscripts p = {.text = c->attrs->einsum.subscripts};
  int8_t *label = mem_alloc((size_t)c->nin * TME_MAX_RANK);
  if (!label) return fail_memory(e, "einsum", (size_t)c->nin * TME_MAX_RANK);
  tme_status s = TME_OK;
  for (int i = 0; i < c->nin && s == TME_OK; i++)
    if (!c->in[i]) s = fail(e, TME_ERR_ARGUMENT, "einsum: array %d is missing", i);
  if (s == TME_OK) s = read_all(&p, c->in, c->nin, label, e);
  mem_free(label);
  if (s != TME_OK) return s;
  *out = p.out;
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
