/* The operations of the library's table as functions of Python. */
#include "ext.h"
#include <stdlib.h>
#include <string.h>

static op_record *ops;

int op_count(void) { return tme_op_count(); }
const op_record *op_at(int i) { return &ops[i]; }

const op_record *op_named(const char *name) {
  const tme_op_info *info = tme_op_find(name);
  return info ? &ops[info->number] : NULL;
}

/* What a function knows: its operation, and the engine or first operand that it is bound to. */
typedef struct bound_op {
  PyObject_HEAD const op_record *op;
  PyObject *to; /* an engine_object, an array_object, or NULL */
} bound_op;

static PyTypeObject *bound_type;

static void bound_dealloc(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  Py_XDECREF(((bound_op *)self)->to);
  PyObject_Free(self);
  Py_DECREF(type);
}

/* ---- a call -------------------------------------------------------------------------------------------------------------------- */

static bool too_many(const op_record *op, Py_ssize_t n) {
  PyErr_Format(PyExc_TypeError, "%s() takes at most %d arguments, %zd were given", op->info->name, op->info->params, n);
  return false;
}

/* numpy.mean(x) calls x.mean(axis=None, dtype=None, out=None). */
static bool is_numpys_none(const bound_op *b, PyObject *name, PyObject *value) {
  return value == Py_None && b->to && is_array(b->to) &&
         (PyUnicode_CompareWithASCIIString(name, "out") == 0 || PyUnicode_CompareWithASCIIString(name, "dtype") == 0);
}

/* NumPy's word for the standard's. */
static bool is_named(const op_args *a, int p, PyObject *name) {
  if (a->op->name[p] == name || PyUnicode_Compare(a->op->name[p], name) == 0) return true;
  return PyUnicode_CompareWithASCIIString(name, "ddof") == 0 && !strcmp(a->op->param[p]->name, "correction");
}

static bool take_keyword(op_args *a, const bound_op *b, PyObject *name, PyObject *value) {
  for (int p = 0; p < a->op->info->params; p++) {
    if (!is_named(a, p, name)) continue;
    if (a->given[p]) {
      PyErr_Format(PyExc_TypeError, "%s() got two values for '%U'", a->op->info->name, name);
      return false;
    }
    a->given[p] = value;
    return true;
  }
  if (is_numpys_none(b, name, value)) return true;
  PyErr_Format(PyExc_TypeError, "%s() has no argument '%U': %s(%s)", a->op->info->name, name, a->op->info->name,
               a->op->info->signature);
  return false;
}

/* x.reshape(2, 3): the whole numbers of a method's last argument may stand by themselves. */
static bool takes_loose_ints(const bound_op *b, int first, Py_ssize_t n, PyObject *const *args) {
  return b->to && is_array(b->to) && n > 1 && first == b->op->info->params - 1 &&
         b->op->param[first]->kind == TME_PARAM_INTS && PyLong_Check(args[0]);
}

static bool place(op_args *a, const bound_op *b, PyObject *const *args, Py_ssize_t n, PyObject *names,
                  PyObject **loose) {
  int at = 0;
  if (b->to && is_array(b->to)) a->given[at++] = b->to;
  Py_ssize_t keywords = names ? PyTuple_Size(names) : 0;
  if (takes_loose_ints(b, at, n, args)) {
    *loose = PyTuple_New(n);
    if (!*loose) return false;
    for (Py_ssize_t i = 0; i < n; i++) PyTuple_SetItem(*loose, i, Py_NewRef(args[i]));
    a->given[at] = *loose;
  } else {
    if (n > a->op->info->params - at) return too_many(a->op, n);
    for (Py_ssize_t i = 0; i < n; i++) a->given[at + i] = args[i];
  }
  for (Py_ssize_t k = 0; k < keywords; k++)
    if (!take_keyword(a, b, PyTuple_GetItem(names, k), args[n + k])) return false;
  return true;
}

/* The first array's, also one in a list. */
static engine_object *engine_among(const op_args *a) {
  for (int p = 0; p < a->op->info->params; p++) {
    PyObject *o = a->given[p];
    if (!o) continue;
    if (is_array(o)) return ((array_object *)o)->engine;
    bool list = PyList_Check(o), tuple = PyTuple_Check(o);
    Py_ssize_t n = list ? PyList_Size(o) : tuple ? PyTuple_Size(o) : 0;
    for (Py_ssize_t i = 0; i < n; i++) {
      PyObject *item = list ? PyList_GetItem(o, i) : PyTuple_GetItem(o, i);
      if (is_array(item)) return ((array_object *)item)->engine;
    }
  }
  return NULL;
}

static PyObject *apply(op_args *a) {
  tme_array *out[MOST_OUTPUTS];
  if (tme_apply_op(a->s, a->op->info->number, a->arg, a->op->info->params, out) != TME_OK) return scope_raise(a->s);
  return arrays_new(a->e, a->s, out, a->op->info->outputs);
}

static PyObject *call(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *names) {
  const bound_op *b = (const bound_op *)self;
  op_args a;
  a.op = b->op;
  for (int p = 0; p < b->op->info->params; p++) {
    a.given[p] = NULL;
    a.owned[p] = NULL;
  }
  PyObject *loose = NULL, *out = NULL;
  if (place(&a, b, args, n, names, &loose)) {
    engine_object *e = b->to && !is_array(b->to) ? (engine_object *)b->to : engine_among(&a);
    a.e = e ? engine_ref(e) : engine_current();
    a.s = a.e ? scope_open(a.e) : NULL;
    if (a.s && args_take(&a)) out = apply(&a);
    args_drop(&a);
    scope_close(a.s);
    engine_drop(a.e);
  }
  Py_XDECREF(loose);
  return out;
}

PyObject *op_function(const op_record *op, PyObject *to, PyObject *module) {
  bound_op *b = PyObject_New(bound_op, bound_type);
  if (!b) return NULL;
  b->op = op;
  b->to = Py_XNewRef(to);
  PyObject *f = PyCFunction_NewEx((PyMethodDef *)&op->def, (PyObject *)b, module);
  Py_DECREF(b);
  return f;
}

/* ---- the table ------------------------------------------------------------------------------------------------------------------ */

static bool fill(op_record *op, int i) {
  op->info = tme_op_get(i);
  if (op->info->params > MOST_PARAMS || op->info->outputs > MOST_OUTPUTS) {
    PyErr_Format(PyExc_ImportError, "the library's operation %s has more parameters or outputs than this module knows",
                 op->info->name);
    return false;
  }
  for (int p = 0; p < op->info->params; p++) {
    op->param[p] = tme_op_param(op->info, p);
    op->name[p] = PyUnicode_InternFromString(op->param[p]->name);
    if (!op->name[p]) return false;
  }
  op->def = (PyMethodDef){op->info->name, (PyCFunction)(void (*)(void))call, METH_FASTCALL | METH_KEYWORDS,
                          op_docstring(op->info)};
  return op->def.ml_doc;
}

/* Pickles ask a function for what it is bound to, and that, once it is there again, for the function. */
static PyObject *bound_reduce(PyObject *self, PyObject *unused) {
  (void)unused;
  PyObject *to = ((bound_op *)self)->to;
  const char *module = to ? "copy" : "importlib", *name = to ? "copy" : "import_module";
  PyObject *m = PyImport_ImportModule(module), *f = m ? PyObject_GetAttrString(m, name) : NULL, *out = NULL;
  if (f) out = to ? Py_BuildValue("(O(O))", f, to) : Py_BuildValue("(O(s))", f, "tme._core");
  Py_XDECREF(f);
  Py_XDECREF(m);
  return out;
}

static PyMethodDef bound_methods[] = {{"__reduce__", bound_reduce, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {{Py_tp_dealloc, bound_dealloc}, {Py_tp_methods, bound_methods}, {0, NULL}};
static PyType_Spec spec = {"tme._core.bound_op", sizeof(bound_op), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

bool ops_init(PyObject *module) {
  int n = tme_op_count();
  bound_type = (PyTypeObject *)PyType_FromSpec(&spec);
  ops = calloc((size_t)n, sizeof *ops);
  if (!ops) PyErr_NoMemory();
  if (!ops || !bound_type) return false;
  PyObject *places = PyDict_New(), *where = PyUnicode_FromString("tme");
  bool ok = places && where;
  for (int i = 0; ok && i < n; i++) {
    ok = fill(&ops[i], i);
    PyObject *f = ok ? op_function(&ops[i], NULL, where) : NULL;
    PyObject *place = f ? Py_BuildValue("(ss)", ops[i].info->place, ops[i].info->chapter) : NULL;
    ok = place && PyModule_AddObjectRef(module, ops[i].info->name, f) == 0 &&
         PyDict_SetItemString(places, ops[i].info->name, place) == 0;
    Py_XDECREF(place);
    Py_XDECREF(f);
  }
  ok = ok && PyModule_AddObjectRef(module, "operations", places) == 0;
  Py_XDECREF(places);
  Py_XDECREF(where);
  return ok;
}
