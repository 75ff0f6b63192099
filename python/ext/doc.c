/* Docstrings of the operations: what the library's table says, and what the build found out by trying them. */
#include "ext.h"
#include <stdlib.h>

typedef struct failure {
  tme_status status;
  const char *text;
} failure;

typedef struct tried {
  const char *name, *dtypes, *shapes, *example;
  failure failures[5];
} tried;

static const tried all_tried[] = {
#include "pydoc_generated.h"
};

/* NULL of an operation of a newer library. */
static const tried *tried_of(const char *name) {
  for (size_t i = 0; i < sizeof all_tried / sizeof *all_tried; i++)
    if (!strcmp(all_tried[i].name, name)) return &all_tried[i];
  return NULL;
}

/* ---- text ---------------------------------------------------------------------------------------------------------- */

typedef struct text {
  char *s;
  size_t n, cap;
  bool failed;
} text;

static void add(text *t, const char *s) {
  size_t n = strlen(s);
  if (t->n + n + 1 > t->cap) {
    size_t cap = 2 * (t->n + n + 1);
    char *p = realloc(t->s, cap);
    t->failed |= !p;
    if (!p) return;
    t->s = p;
    t->cap = cap;
  }
  memcpy(t->s + t->n, s, n + 1);
  t->n += n;
}

static void add_all(text *t, const char *a, const char *b, const char *c) {
  add(t, a);
  add(t, b);
  add(t, c);
}

static void add_heading(text *t, const char *name) {
  char line[32];
  size_t n = strlen(name);
  memset(line, '-', n);
  line[n] = 0;
  add_all(t, "\n\n", name, "\n");
  add(t, line);
}

/* ---- parts of a docstring -------------------------------------------------------------------------------------------- */

static void add_default(text *t, const tme_param_info *p) {
  char number[40];
  switch (p->value.kind) {
  case TME_ARG_INT:
    if (p->kind == TME_PARAM_BOOL)
      snprintf(number, sizeof number, "%s", p->value.u.i ? "True" : "False");
    else
      snprintf(number, sizeof number, "%lld", (long long)p->value.u.i);
    add(t, number);
    return;
  case TME_ARG_FLOAT:
    snprintf(number, sizeof number, "%g", p->value.u.f);
    if (!strpbrk(number, ".en")) strcat(number, ".0");
    add(t, number);
    return;
  case TME_ARG_TEXT: add_all(t, "'", p->value.u.text, "'"); return;
  default: add(t, "None"); return;
  }
}

/* "softmax(x, axis=-1)\n--\n\n": what inspect.signature reads. */
static void add_signature(text *t, const tme_op_info *info) {
  add_all(t, info->name, "(", "");
  for (int i = 0; i < info->params; i++) {
    const tme_param_info *p = tme_op_param(info, i);
    add_all(t, i ? ", " : "", p->name, p->optional ? "=" : "");
    if (p->optional) add_default(t, p);
  }
  add(t, ")\n--\n\n");
}

static const char *type_words(tme_param_kind kind) {
  switch (kind) {
  case TME_PARAM_ARRAY:
  case TME_PARAM_OPTIONAL_ARRAY: return "array_like";
  case TME_PARAM_ARRAYS: return "sequence of array_like";
  case TME_PARAM_AXIS:
  case TME_PARAM_INT: return "int";
  case TME_PARAM_OPTIONAL_AXIS: return "int or None";
  case TME_PARAM_AXES:
  case TME_PARAM_INTS: return "int or sequence of int";
  case TME_PARAM_PERDIM: return "sequence of int or None, one for each dimension";
  case TME_PARAM_BOOL: return "bool";
  case TME_PARAM_FLOAT:
  case TME_PARAM_NUMBER: return "number";
  case TME_PARAM_DTYPE: return "Dtype, str or type";
  case TME_PARAM_TEXT: return "str";
  case TME_PARAM_CHOICE: break;
  }
  return "";
}

static void add_choices(text *t, const char *choices) {
  add(t, "{'");
  for (char c[2] = {0}; (*c = *choices); choices++) add(t, *c == '|' ? "', '" : c);
  add(t, "'}");
}

static void add_parameters(text *t, const tme_op_info *info) {
  add_heading(t, "Parameters");
  for (int i = 0; i < info->params; i++) {
    const tme_param_info *p = tme_op_param(info, i);
    add_all(t, "\n", p->name, " : ");
    if (p->choices)
      add_choices(t, p->choices);
    else
      add(t, type_words(p->kind));
    if (!p->optional) continue;
    add(t, ", default ");
    add_default(t, p);
  }
  char several[40];
  snprintf(several, sizeof several, "tuple of %d arrays", info->outputs);
  add_heading(t, "Returns");
  add_all(t, "\n", info->outputs == 1 ? "Array" : several, "");
}

static void add_failures(text *t, const tried *found) {
  if (!found->failures[0].text) return;
  add_heading(t, "Raises");
  for (const failure *f = found->failures; f->text; f++) {
    PyObject *name = PyObject_GetAttrString(exception_of(f->status), "__name__");
    const char *word = name ? PyUnicode_AsUTF8AndSize(name, NULL) : NULL;
    t->failed |= !word;
    if (word) add_all(t, "\n", word, "");
    add_all(t, "\n    ``", f->text, "``");
    Py_XDECREF(name);
  }
}

static void add_found(text *t, const tried *found) {
  if (*found->dtypes || *found->shapes) add_heading(t, "Notes");
  if (*found->dtypes) add_all(t, "\nDtypes: ", found->dtypes, ".\n");
  if (*found->shapes) add_all(t, "\nShapes: ", found->shapes, ".");
  add_failures(t, found);
  add_heading(t, "Examples");
  add_all(t, "\n", found->example, "");
}

char *op_docstring(const tme_op_info *info) {
  text t = {0};
  add_signature(&t, info);
  add_all(&t, info->doc, ".", "");
  add_parameters(&t, info);
  const tried *found = tried_of(info->name);
  if (found) add_found(&t, found);
  if (!t.failed) return t.s;
  free(t.s);
  if (!PyErr_Occurred()) PyErr_NoMemory();
  return NULL;
}

const char *op_doc(const op_record *op) { return strstr(op->def.ml_doc, "--\n\n") + 4; }
