/* tme.float32 and the others: one object each. */
#include "ext.h"

typedef struct dtype_entry {
  PyObject_HEAD tme_dtype t;
} dtype_entry;

static PyTypeObject *dtype_type;
static PyObject *objects[TME_DTYPE_COUNT];

PyObject *dtype_object(tme_dtype t) { return objects[t]; }

static tme_dtype dtype_in(PyObject *self) { return ((dtype_entry *)self)->t; }

static PyObject *get_name(PyObject *self, void *unused) {
  (void)unused;
  return PyUnicode_FromString(tme_dtype_name(dtype_in(self)));
}

static PyObject *get_kind(PyObject *self, void *unused) {
  (void)unused;
  return PyUnicode_FromFormat("%c", tme_dtype_kind(dtype_in(self)));
}

static PyObject *get_itemsize(PyObject *self, void *unused) {
  (void)unused;
  return PyLong_FromSize_t(tme_dtype_size(dtype_in(self)));
}

static PyObject *get_eps(PyObject *self, void *unused) {
  (void)unused;
  return PyFloat_FromDouble(tme_dtype_epsilon(dtype_in(self)));
}

static PyObject *get_max(PyObject *self, void *unused) {
  (void)unused;
  return PyFloat_FromDouble(tme_dtype_largest(dtype_in(self)));
}

static PyObject *get_smallest_normal(PyObject *self, void *unused) {
  (void)unused;
  return PyFloat_FromDouble(tme_dtype_smallest_normal(dtype_in(self)));
}

static PyObject *dtype_repr(PyObject *self) { return PyUnicode_FromFormat("tme.%s", tme_dtype_name(dtype_in(self))); }

static PyObject *dtype_str(PyObject *self) { return get_name(self, NULL); }

/* The same as its name's, which it equals. */
static Py_hash_t dtype_hash(PyObject *self) {
  PyObject *name = get_name(self, NULL);
  Py_hash_t h = name ? PyObject_Hash(name) : -1;
  Py_XDECREF(name);
  return h;
}

/* The dtype of an object by its text, or of one of NumPy's by the name that it has; NONE, with an exception only if one of
 * its own methods raises it. */
static tme_dtype parse(PyObject *o) {
  PyObject *name = NULL;
  if (PyUnicode_Check(o)) {
    name = Py_NewRef(o);
  } else {
    const char *attribute = PyType_Check(o) ? "__name__" : "name";
    name = PyObject_GetAttrString(o, attribute);
    if (!name && PyErr_ExceptionMatches(PyExc_AttributeError)) PyErr_Clear();
  }
  const char *text = name && PyUnicode_Check(name) ? PyUnicode_AsUTF8AndSize(name, NULL) : NULL;
  tme_dtype t = text ? tme_dtype_parse(text) : TME_DTYPE_NONE;
  if (name && !text) PyErr_Clear();
  if (t == TME_DTYPE_NONE && text && !strcmp(text, "bool_")) t = TME_BOOL;
  Py_XDECREF(name);
  return t;
}

/* Python's own types. */
static bool builtin_dtype(PyObject *o, engine_object *e, tme_dtype *t) {
  if (o == (PyObject *)&PyBool_Type)
    *t = TME_BOOL;
  else if (o == (PyObject *)&PyLong_Type)
    *t = TME_I64;
  else if (o == (PyObject *)&PyFloat_Type)
    *t = e ? tme_engine_default_dtype(e->engine) : TME_F32;
  else if (o == (PyObject *)&PyComplex_Type)
    *t = e && tme_engine_default_dtype(e->engine) == TME_F64 ? TME_C128 : TME_C64;
  else
    return false;
  return true;
}

bool dtype_of(PyObject *o, engine_object *e, tme_dtype *t) {
  if (Py_TYPE(o) == dtype_type) {
    *t = dtype_in(o);
    return true;
  }
  if (builtin_dtype(o, e, t)) return true;
  *t = parse(o);
  if (*t != TME_DTYPE_NONE) return true;
  if (PyErr_Occurred()) return false;
  PyErr_Format(PyExc_TypeError, "%R is no dtype of tme, expected one of tme.float32, tme.int64, ... or its name", o);
  return false;
}

static PyObject *dtype_compare(PyObject *self, PyObject *other, int op) {
  if (op != Py_EQ && op != Py_NE) Py_RETURN_NOTIMPLEMENTED;
  bool same = self == other;
  if (!same && Py_TYPE(other) != dtype_type) {
    if (!PyUnicode_Check(other) && !PyType_Check(other) && !PyObject_HasAttrString(other, "name"))
      Py_RETURN_NOTIMPLEMENTED;
    same = parse(other) == dtype_in(self);
    if (PyErr_Occurred()) return NULL;
  }
  return PyBool_FromLong(same == (op == Py_EQ));
}

/* tme.float32(x): the array of x in that dtype. */
static PyObject *dtype_call(PyObject *self, PyObject *args, PyObject *kwargs) {
  PyObject *x;
  if (kwargs && PyDict_Size(kwargs)) return PyErr_Format(PyExc_TypeError, "%S takes no keyword arguments", self);
  if (!PyArg_ParseTuple(args, "O", &x)) return NULL;
  engine_object *e = is_array(x) ? engine_ref(((array_object *)x)->engine) : engine_current();
  tme_scope *s = e ? scope_open(e) : NULL;
  tme_array *a = s ? array_of(s, e, x, dtype_in(self), COPY_IF_NEEDED) : NULL;
  PyObject *out = a ? array_new(e, s, a) : NULL;
  scope_close(s);
  engine_drop(e);
  return out;
}

static PyObject *dtype_reduce(PyObject *self, PyObject *unused) {
  (void)unused;
  return get_name(self, NULL);
}

/* Only the ones that exist: asked for by name. */
static PyObject *dtype_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  (void)type;
  PyObject *o;
  tme_dtype t;
  if (kwargs && PyDict_Size(kwargs)) return PyErr_Format(PyExc_TypeError, "Dtype takes no keyword arguments");
  if (!PyArg_ParseTuple(args, "O", &o) || !dtype_of(o, NULL, &t)) return NULL;
  return Py_NewRef(objects[t]);
}

static PyGetSetDef getset[] = {
    {"name", get_name, NULL, "The name, as NumPy spells it.", NULL},
    {"kind", get_kind, NULL, "'b', 'u', 'i', 'f' or 'c'.", NULL},
    {"itemsize", get_itemsize, NULL, "Bytes of an element.", NULL},
    {"eps", get_eps, NULL, "The distance from 1 to the next larger number; 0 of integers.", NULL},
    {"max", get_max, NULL, "The largest finite number; 0 of integers.", NULL},
    {"smallest_normal", get_smallest_normal, NULL, "The least number that has all of its digits; 0 of integers.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyMethodDef methods[] = {{"__reduce__", dtype_reduce, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Dtype(name, /)\n--\n\nThe type of an array's elements: tme.float32, tme.int64, ..."},
    {Py_tp_new, dtype_new},
    {Py_tp_repr, dtype_repr},
    {Py_tp_str, dtype_str},
    {Py_tp_hash, dtype_hash},
    {Py_tp_richcompare, dtype_compare},
    {Py_tp_call, dtype_call},
    {Py_tp_getset, getset},
    {Py_tp_methods, methods},
    {0, NULL}};
static PyType_Spec spec = {"tme.Dtype", sizeof(dtype_entry), 0, Py_TPFLAGS_DEFAULT, slots};

static PyObject *promote(PyObject *module, PyObject *args) {
  (void)module;
  PyObject *a, *b;
  if (!PyArg_ParseTuple(args, "O!O!:promote", dtype_type, &a, dtype_type, &b)) return NULL;
  return Py_NewRef(objects[tme_dtype_promote(dtype_in(a), dtype_in(b))]);
}

static PyMethodDef functions[] = {
    {"promote", promote, METH_VARARGS, "promote(a, b, /)\n--\n\nThe dtype that operands of both are converted to."},
    {NULL, NULL, 0, NULL}};

bool dtype_init(PyObject *module) {
  dtype_type = add_type(module, &spec);
  if (!dtype_type || !add_functions(module, functions)) return false;
  for (int t = 0; t < TME_DTYPE_COUNT; t++) {
    dtype_entry *d = PyObject_New(dtype_entry, dtype_type);
    if (!d) return false;
    d->t = (tme_dtype)t;
    objects[t] = (PyObject *)d;
    if (PyModule_AddObjectRef(module, tme_dtype_name(d->t), objects[t]) < 0) return false;
  }
  return true;
}
