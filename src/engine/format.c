/* Arrays as text: brackets, rows and lines. */
#include "engine/format.h"
#include "array/array.h"
#include "run/transfer.h"
#include <limits.h>
#include <locale.h>
#include <string.h>

/* The most columns that a caller can have before and behind the text. */
enum { MOST_COLUMNS = 1 << 16 };

typedef struct layout {
  tme_format how;
  format_form form;
  array_view view;
  bool shortened;
  int ending;   /* bytes of the separator without the blanks at its end: what lines end with */
  int limit;    /* columns that the elements of a row may use */
  int64_t line; /* where the current line began in `out`, less the columns before the first one */
  text out;
} layout;

void tme_format_init(tme_format *f, tme_format_style style) {
  *f = (tme_format){.struct_size = sizeof *f,
                    .style = style,
                    .precision = 8,
                    .threshold = 1000,
                    .edge_items = 3,
                    .line_width = style == TME_FORMAT_NUMPY ? 75 : 100,
                    .separator = style == TME_FORMAT_JSON ? ", " : " "};
}

/* ---- which elements are shown -------------------------------------------------------------------------------------- */

/* Whether the middle of an axis is left out, and begins at i. */
static bool gap_at(const layout *l, int axis, int64_t i) {
  int64_t edge = l->how.edge_items;
  return l->shortened && i == edge && l->view.shape[axis] - edge > edge;
}

static const char *element_at(const layout *l, int64_t at) {
  return (const char *)l->view.buf->data + at * (int64_t)tme_dtype_size(l->view.dtype);
}

static void survey(layout *l, int pass, int axis, int64_t at) {
  if (axis == l->view.rank) {
    format_look(&l->form, pass, element_at(l, at));
    return;
  }
  int64_t n = l->view.shape[axis];
  for (int64_t i = 0; i < n; i++) {
    if (gap_at(l, axis, i)) i = n - l->how.edge_items;
    if (i < n) survey(l, pass, axis + 1, at + i * l->view.strides[axis]);
  }
}

/* ---- text ---------------------------------------------------------------------------------------------------------- */

static void cut_off(text *t, size_t bytes) {
  if (!t->failed) t->s[t->len -= bytes] = '\0';
}

static void new_line(layout *l, int margin) {
  l->line = (int64_t)l->out.len + 1;
  text_add(&l->out, "\n%*s", margin, "");
}

/* Between two that stand in one row, the second of which has `width` columns. */
static void next_in_row(layout *l, int width, bool may_break) {
  text *t = &l->out;
  text_add(t, "%s", l->how.separator);
  if (!may_break || (int64_t)t->len - l->line + width <= l->limit) return;
  cut_off(t, strlen(l->how.separator) - (size_t)l->ending);
  while (l->how.style == TME_FORMAT_NUMPY && !t->failed && t->s[t->len - 1] == ' ') cut_off(t, 1);
  new_line(l, l->how.indent + l->view.rank);
}

/* Between two rows; between larger blocks is a blank line for each axis below them. */
static void next_block(layout *l, int axis, bool blank) {
  text_bytes(&l->out, l->how.separator, (size_t)l->ending);
  for (int k = axis + 2; k < l->view.rank && blank; k++) text_add(&l->out, "\n");
  new_line(l, l->how.indent + axis + 1);
}

static void write_between(layout *l, int axis, bool gap) {
  static const int dots = (int)sizeof "..." - 1;
  bool numpy = l->how.style == TME_FORMAT_NUMPY;
  if (l->how.style == TME_FORMAT_JSON)
    text_add(&l->out, "%s", l->how.separator);
  else if (axis == l->view.rank - 1)
    next_in_row(l, gap ? dots : l->form.width, numpy || !gap);
  else
    next_block(l, axis, numpy || !gap);
}

static void write_axis(layout *l, int axis, int64_t at) {
  if (axis == l->view.rank) {
    char cell[FORMAT_CELL];
    format_element(&l->form, element_at(l, at), cell);
    text_add(&l->out, "%*s", l->form.width, cell);
    return;
  }
  int64_t n = l->view.shape[axis];
  text_add(&l->out, "[");
  for (int64_t i = 0; i < n && !l->out.failed; i++) {
    if (gap_at(l, axis, i)) {
      if (i > 0) write_between(l, axis, true);
      text_add(&l->out, l->how.style == TME_FORMAT_JSON ? "\"...\"" : "...");
      i = n - l->how.edge_items;
      if (i == n) break;
    }
    if (i > 0) write_between(l, axis, false);
    write_axis(l, axis + 1, at + i * l->view.strides[axis]);
  }
  text_add(&l->out, "]");
}

static void write_elements(layout *l) {
  const tme_format *how = &l->how;
  int64_t size = 1;
  for (int d = 0; d < l->view.rank; d++) size *= l->view.shape[d];
  l->shortened = size > how->threshold;
  l->form = format_begin(l->view.dtype, l->view.rank, how);
  for (int pass = 0; pass < FORMAT_PASSES && how->style != TME_FORMAT_JSON; pass++) {
    survey(l, pass, 0, l->view.offset);
    format_decide(&l->form, pass);
  }
  size_t ending = strlen(how->separator);
  while (ending && how->separator[ending - 1] == ' ') ending--;
  l->ending = (int)ending;
  l->line = -how->indent;
  l->limit = how->line_width - how->reserve;
  /* NumPy keeps room for the brackets that may follow. */
  if (how->style == TME_FORMAT_NUMPY) l->limit -= l->view.rank - 1 + (l->ending > 1 ? l->ending : 1);
  if (how->style == TME_FORMAT_NUMPY && size == 0)
    text_add(&l->out, "[]");
  else
    write_axis(l, 0, l->view.offset);
}

/* ---- what the caller gives ----------------------------------------------------------------------------------------- */

static tme_status take_format(const tme_format *given, tme_format *how, error *e) {
  tme_format_init(how, TME_FORMAT_COLUMNS);
  if (!given) return TME_OK;
  if (given->struct_size < sizeof given->struct_size)
    return fail(e, TME_ERR_ARGUMENT, "format: the options were not initialised by tme_format_init");
  memcpy(how, given, given->struct_size < sizeof *how ? given->struct_size : sizeof *how);
  if ((unsigned)how->style > TME_FORMAT_JSON)
    return fail(e, TME_ERR_ARGUMENT, "format: there is no style %d", (int)how->style);
  if (how->precision < 0) return fail(e, TME_ERR_ARGUMENT, "format: a precision of %d digits", how->precision);
  if (how->edge_items < 0)
    return fail(e, TME_ERR_ARGUMENT, "format: %lld elements at the edges", (long long)how->edge_items);
  if (how->line_width < 0) return fail(e, TME_ERR_ARGUMENT, "format: lines of %d columns", how->line_width);
  if (how->indent < 0 || how->indent > MOST_COLUMNS || how->reserve < 0 || how->reserve > MOST_COLUMNS)
    return fail(e, TME_ERR_ARGUMENT, "format: indented by %d columns, %d kept behind, expected 0 to %d", how->indent,
                how->reserve, MOST_COLUMNS);
  if (!how->separator) return fail(e, TME_ERR_ARGUMENT, "format: the separator is NULL");
  size_t bytes = strlen(how->separator);
  if (bytes > MOST_COLUMNS)
    return fail(e, TME_ERR_ARGUMENT, "format: a separator of %zu bytes, expected at most %d", bytes, MOST_COLUMNS);
  return TME_OK;
}

static tme_status format_array(tme_scope *s, tme_array *a, const tme_format *given, text *out, error *e) {
  layout l = {0};
  tme_status st = take_format(given, &l.how, e);
  if (st != TME_OK) return st;
  if ((st = tme_eval_all(s, &a, 1)) != TME_OK) return st;
  array_view v = array_elements(a);
  if ((st = view_to_host(s->engine, &v, &l.view, e)) != TME_OK) return st;
  /* Numbers have a point, whatever the language of the process. */
  locale_t c = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0), before = c ? uselocale(c) : (locale_t)0;
  if (c) {
    write_elements(&l);
    uselocale(before);
    freelocale(c);
  }
  buffer_release(l.view.buf);
  *out = l.out;
  return c && !l.out.failed ? TME_OK : fail_memory(e, "format", l.out.len);
}

char *tme_format_array(tme_scope *s, tme_array *a, const tme_format *how) {
  if (!s) return NULL;
  if (!a) {
    scope_null(s, "format: the array");
    return NULL;
  }
  error err = {.code = TME_OK};
  text out = {0};
  if (format_array(s, a, how, &out, &err) == TME_OK) return out.s;
  text_free(&out);
  scope_fail(s, &err);
  return NULL;
}
