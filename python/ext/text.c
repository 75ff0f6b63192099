/* Arrays as text: how is said by tme._text, which has the options. */
#include "ext.h"
#include <limits.h>

static PyObject *text_by(const char *function, PyObject *self) {
  PyObject *module = PyImport_ImportModule("tme._text");
  PyObject *text = module ? PyObject_CallMethod(module, function, "O", self) : NULL;
  Py_XDECREF(module);
  return text;
}

PyObject *array_repr(PyObject *self) { return text_by("array_repr", self); }
PyObject *array_str(PyObject *self) { return text_by("array_str", self); }

PyObject *array_html(PyObject *self, PyObject *unused) {
  (void)unused;
  return text_by("array_html", self);
}

/* A length of what is longer than any is as good as the longest. */
static int to_int(int64_t v) { return v < INT_MIN ? INT_MIN : v > INT_MAX ? INT_MAX : (int)v; }

static PyObject *format_array(PyObject *module, PyObject *args, PyObject *kwargs) {
  (void)module;
  static char *names[] = {"x",        "precision", "threshold", "edgeitems", "linewidth",
                          "suppress", "separator", "indent",    "reserve",   NULL};
  PyObject *x;
  tme_format f;
  long long precision, threshold, edge, width, indent, reserve;
  int suppress;
  tme_format_init(&f, TME_FORMAT_NUMPY);
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!LLLLpsLL:format_array", names, array_type, &x, &precision,
                                   &threshold, &edge, &width, &suppress, &f.separator, &indent, &reserve))
    return NULL;
  f.precision = to_int(precision);
  f.threshold = threshold;
  f.edge_items = edge;
  f.line_width = to_int(width);
  f.suppress = suppress;
  f.indent = to_int(indent);
  f.reserve = to_int(reserve);
  array_object *o = (array_object *)x;
  tme_scope *s = scope_open(o->engine);
  if (!s) return NULL;
  tme_array *a = tme_keep(s, o->array);
  waiting w;
  wait_begin(&w, s);
  char *text = tme_format_array(s, a, &f);
  wait_end(&w);
  PyObject *out = text ? PyUnicode_FromString(text) : scope_raise(s);
  tme_string_free(text);
  scope_close(s);
  return out;
}

static PyMethodDef functions[] = {
    {"format_array", (PyCFunction)(void (*)(void))format_array, METH_VARARGS | METH_KEYWORDS,
     "format_array(x, precision, threshold, edgeitems, linewidth, suppress, separator, indent, reserve)\n--\n\nThe "
     "elements as NumPy's array2string writes them."},
    {NULL, NULL, 0, NULL}};

bool text_init(PyObject *module) { return add_functions(module, functions); }
