/* tme.load, save, savez, save_safetensors, save_gguf; explain. */
#include "ext.h"

/* The path as the file system has it, in bytes; a new reference. */
static const char *path_of(PyObject *o, PyObject **bytes) {
  if (!PyUnicode_FSConverter(o, bytes)) return NULL;
  return PyBytes_AsString(*bytes);
}

/* Of .npy its array, of others a dict. */
static PyObject *loaded(engine_object *e, tme_scope *s, const tme_members *m, const char *path) {
  size_t n = strlen(path);
  if (m->n == 1 && n > 4 && !strcmp(path + n - 4, ".npy")) return array_new(e, s, m->arrays[0]);
  PyObject *out = PyDict_New();
  for (int i = 0; out && i < m->n; i++) {
    PyObject *a = array_new(e, s, m->arrays[i]);
    if (!a || PyDict_SetItemString(out, m->names[i], a) < 0) Py_CLEAR(out);
    Py_XDECREF(a);
  }
  return out;
}

static PyObject *load(PyObject *module, PyObject *args, PyObject *kwargs) {
  (void)module;
  static char *names[] = {"path", "copy", "quantized", NULL};
  PyObject *given, *bytes = NULL, *out = NULL;
  int copy = 0, quantized = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$pp:load", names, &given, &copy, &quantized)) return NULL;
  const char *path = path_of(given, &bytes);
  engine_object *e = path ? engine_current() : NULL;
  tme_scope *s = e ? scope_open(e) : NULL;
  tme_members *m = NULL;
  if (s) {
    Py_BEGIN_ALLOW_THREADS m = (quantized ? tme_load_quantized : tme_load_all)(s, path, copy);
    Py_END_ALLOW_THREADS out = m ? loaded(e, s, m, path) : scope_raise(s);
  }
  tme_members_free(m);
  scope_close(s);
  engine_drop(e);
  Py_XDECREF(bytes);
  return out;
}

/* The arrays and their names in one go; the names' texts are the dict's. */
static int fill(tme_scope *s, engine_object *e, PyObject *dict, const char **names, tme_array **arrays) {
  PyObject *key, *value;
  Py_ssize_t at = 0;
  int n = 0;
  while (PyDict_Next(dict, &at, &key, &value)) {
    Py_ssize_t bytes = 0;
    names[n] = PyUnicode_Check(key) ? PyUnicode_AsUTF8AndSize(key, &bytes) : NULL;
    if (names[n] && strlen(names[n]) != (size_t)bytes) {
      PyErr_Format(PyExc_ValueError, "save: the name %R of an array has a null character", key);
      return -1;
    }
    if (!names[n]) {
      if (!PyErr_Occurred())
        PyErr_Format(PyExc_TypeError, "save: the name of an array is %R, expected a str", Py_TYPE(key));
      return -1;
    }
    arrays[n] = operand_needed(s, e, value, false, "save");
    if (!arrays[n++]) return -1;
  }
  return n;
}

/* save_named(path, {name: array}): the format by the path's ending. */
static PyObject *save_named(PyObject *module, PyObject *args) {
  (void)module;
  PyObject *given, *dict, *bytes = NULL, *copy = NULL;
  if (!PyArg_ParseTuple(args, "OO!:save", &given, &PyDict_Type, &dict)) return NULL;
  const char *path = path_of(given, &bytes);
  /* Of its own: what converts objects may change the caller's. */
  if (path) copy = PyDict_Copy(dict);
  Py_ssize_t most = copy ? PyDict_Size(copy) : 0;
  engine_object *e = copy ? engine_current() : NULL;
  tme_scope *s = e ? scope_open(e) : NULL;
  const char **names = PyMem_Calloc((size_t)most + 1, sizeof *names);
  tme_array **arrays = PyMem_Calloc((size_t)most + 1, sizeof *arrays);
  bool ok = false;
  if (s && (!names || !arrays)) PyErr_NoMemory();
  int n = s && names && arrays && most < INT32_MAX ? fill(s, e, copy, names, arrays) : -1;
  if (n >= 0) {
    tme_status st;
    Py_BEGIN_ALLOW_THREADS st = tme_save_all(s, path, names, arrays, n);
    Py_END_ALLOW_THREADS ok = st == TME_OK;
    if (!ok) scope_raise(s);
  }
  PyMem_Free(arrays);
  PyMem_Free(names);
  scope_close(s);
  engine_drop(e);
  Py_XDECREF(copy);
  Py_XDECREF(bytes);
  if (!ok) return NULL;
  Py_RETURN_NONE;
}

/* explain(arrays, flags): the list's arrays are of one engine. */
static PyObject *explain(PyObject *module, PyObject *args) {
  (void)module;
  PyObject *list, *items, *out = NULL;
  unsigned flags;
  if (!PyArg_ParseTuple(args, "OI:explain", &list, &flags)) return NULL;
  items = PySequence_Tuple(list);
  if (!items) return NULL;
  Py_ssize_t n = PyTuple_Size(items);
  tme_array **a = n && n < INT32_MAX ? PyMem_Calloc((size_t)n, sizeof *a) : NULL;
  engine_object *e =
      n && is_array(PyTuple_GetItem(items, 0)) ? ((array_object *)PyTuple_GetItem(items, 0))->engine : NULL;
  tme_scope *s = a && e ? scope_open(e) : NULL;
  bool ok = s;
  for (Py_ssize_t i = 0; ok && i < n; i++) {
    a[i] = operand_needed(s, e, PyTuple_GetItem(items, i), false, "explain");
    ok = a[i];
  }
  if (!a || !e) PyErr_SetString(PyExc_TypeError, "explain: there are no arrays");
  if (ok) {
    char *text;
    Py_BEGIN_ALLOW_THREADS text = tme_explain(s, a, (int)n, flags);
    Py_END_ALLOW_THREADS out = text ? PyUnicode_FromString(text) : scope_raise(s);
    tme_string_free(text);
  }
  scope_close(s);
  PyMem_Free(a);
  Py_DECREF(items);
  return out;
}

static PyMethodDef functions[] = {
    {"load_path", (PyCFunction)(void (*)(void))load, METH_VARARGS | METH_KEYWORDS,
     "load_path(path, *, copy=False, quantized=False)\n--\n\nThe array of an .npy file, or all of another file as a dict."},
    {"save_named", save_named, METH_VARARGS,
     "save_named(path, arrays, /)\n--\n\nWrites a dict of arrays, by the path's ending."},
    {"explain_arrays", explain, METH_VARARGS, "explain_arrays(arrays, flags, /)\n--\n\nThe text of their plan."},
    {NULL, NULL, 0, NULL}};

bool files_init(PyObject *module) {
  static const struct {
    const char *name;
    int flag;
  } flags[] = {{"EXPLAIN_PASSES", TME_EXPLAIN_PASSES},
               {"EXPLAIN_SOURCE", TME_EXPLAIN_SOURCE},
               {"EXPLAIN_ASM", TME_EXPLAIN_ASM},
               {"EXPLAIN_DOT", TME_EXPLAIN_DOT},
               {"EXPLAIN_IR", TME_EXPLAIN_IR}};
  for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
    if (PyModule_AddIntConstant(module, flags[i].name, flags[i].flag) < 0) return false;
  return add_functions(module, functions);
}
