/* Values of arrays as Python's objects. */
#include "ext.h"

/* ---- reading ------------------------------------------------------------------------------------------------------------------------- */

bool array_eval(tme_scope *s, tme_array *const *a, int n) {
  waiting w;
  wait_begin(&w, s);
  tme_status st = tme_eval_all(s, a, n);
  wait_end(&w);
  if (st != TME_OK) scope_raise(s);
  return st == TME_OK;
}

const void *array_data(tme_scope *s, tme_array *a) {
  waiting w;
  wait_begin(&w, s);
  const void *data = tme_data(s, a);
  wait_end(&w);
  if (!data) scope_raise(s);
  return data;
}

/* The elements of an object's array, which stays its until the scope is freed. */
typedef struct reading {
  tme_scope *s;
  tme_array *a;
  const char *data;
} reading;

/* Another thread that reads the same object meanwhile computes the part alone. */
bool array_whole(array_object *o, tme_scope *s) {
  tme_array *whole = o->whole;
  if (!whole) return true;
  o->whole = NULL;
  bool ok = tme_has_value(o->array) || array_eval(s, &whole, 1);
  tme_release(whole);
  return ok;
}

static bool read_array(PyObject *self, reading *r) {
  array_object *o = (array_object *)self;
  r->s = scope_open(o->engine);
  if (!r->s) return false;
  if (!array_whole(o, r->s)) {
    scope_close(r->s);
    return false;
  }
  r->a = tme_keep(r->s, o->array);
  tme_dtype t = tme_array_dtype(r->a);
  r->data = array_data(r->s, r->a);
  /* Numbers that C has no type for; they are there, rounded, and no longer part of the conversion's kernel. */
  if (r->data && tme_dtype_kind(t) == 'f' && tme_dtype_size(t) < sizeof(float)) {
    r->a = tme_astype(r->s, r->a, TME_F32);
    r->data = array_data(r->s, r->a);
  }
  if (r->data) return true;
  scope_close(r->s);
  return false;
}

PyObject *element_object(tme_dtype t, const char *at) {
  uint64_t bits = 0;
  double d[2] = {0, 0};
  float f[2];
  size_t size = tme_dtype_size(t);
  switch (tme_dtype_kind(t)) {
  case 'b': return PyBool_FromLong(*at);
  case 'u': memcpy(&bits, at, size); return PyLong_FromUnsignedLongLong(bits);
  case 'i': memcpy(&bits, at, size); return PyLong_FromLongLong((int64_t)(bits << (64 - 8 * size)) >> (64 - 8 * size));
  case 'f':
    if (t == TME_F32) {
      memcpy(f, at, size);
      return PyFloat_FromDouble((double)f[0]);
    }
    memcpy(d, at, size);
    return PyFloat_FromDouble(d[0]);
  default:
    if (t == TME_C64) {
      memcpy(f, at, size);
      return PyComplex_FromDoubles((double)f[0], (double)f[1]);
    }
    memcpy(d, at, size);
    return PyComplex_FromDoubles(d[0], d[1]);
  }
}

static PyObject *nested(const reading *r, int axis, const char **at) {
  tme_dtype t = tme_array_dtype(r->a);
  if (axis == tme_array_rank(r->a)) {
    PyObject *o = element_object(t, *at);
    *at += tme_dtype_size(t);
    return o;
  }
  Py_ssize_t n = (Py_ssize_t)tme_array_shape(r->a)[axis];
  PyObject *list = PyList_New(n);
  for (Py_ssize_t i = 0; list && i < n; i++) {
    PyObject *item = nested(r, axis + 1, at);
    if (!item || PyList_SetItem(list, i, item) < 0) Py_CLEAR(list);
  }
  return list;
}

static PyObject *tolist(PyObject *self, PyObject *unused) {
  (void)unused;
  reading r;
  if (!read_array(self, &r)) return NULL;
  const char *at = r.data;
  PyObject *out = nested(&r, 0, &at);
  scope_close(r.s);
  return out;
}

/* The only element. */
static PyObject *only(PyObject *self, const char *what) {
  int64_t n = tme_array_size(((array_object *)self)->array);
  if (n != 1)
    return PyErr_Format(PyExc_ValueError, "%s: the array has %lld elements, expected one", what, (long long)n);
  reading r;
  if (!read_array(self, &r)) return NULL;
  PyObject *out = element_object(tme_array_dtype(r.a), r.data);
  scope_close(r.s);
  return out;
}

static PyObject *item(PyObject *self, PyObject *args) {
  if (PyTuple_Size(args) == 0) return only(self, "item");
  PyObject *key = PyTuple_Size(args) == 1 ? PyTuple_GetItem(args, 0) : args;
  PyObject *part = PyObject_GetItem(self, key);
  PyObject *out = part ? only(part, "item") : NULL;
  Py_XDECREF(part);
  return out;
}

int array_bool(PyObject *self) {
  array_object *o = (array_object *)self;
  if (tme_array_size(o->array) > 1) {
    PyErr_SetString(PyExc_ValueError, "the truth of an array of several elements is ambiguous; use tme.any or tme.all");
    return -1;
  }
  PyObject *v = only(self, "bool");
  int truth = v ? PyObject_IsTrue(v) : -1;
  Py_XDECREF(v);
  return truth;
}

PyObject *array_int(PyObject *self) {
  PyObject *v = only(self, "int"), *out = v ? PyNumber_Long(v) : NULL;
  Py_XDECREF(v);
  return out;
}

PyObject *array_float(PyObject *self) {
  PyObject *v = only(self, "float"), *out = v ? PyNumber_Float(v) : NULL;
  Py_XDECREF(v);
  return out;
}

PyObject *array_index(PyObject *self) {
  array_object *o = (array_object *)self;
  char kind = tme_dtype_kind(tme_array_dtype(o->array));
  if (tme_array_rank(o->array) || (kind != 'i' && kind != 'u'))
    return PyErr_Format(PyExc_TypeError,
                        "an index is a whole number: an integer array without dimensions, not %d of %s",
                        tme_array_rank(o->array), tme_dtype_name(tme_array_dtype(o->array)));
  return only(self, "index");
}

static PyObject *to_complex(PyObject *self, PyObject *unused) {
  (void)unused;
  PyObject *v = only(self, "complex");
  PyObject *out = v ? PyObject_CallFunctionObjArgs((PyObject *)&PyComplex_Type, v, NULL) : NULL;
  Py_XDECREF(v);
  return out;
}

/* An array without dimensions as its number, others as text, of which there is one kind. */
static PyObject *format(PyObject *self, PyObject *spec) {
  bool single = tme_array_rank(((array_object *)self)->array) == 0;
  if (!single && PyUnicode_GetLength(spec) > 0)
    return PyErr_Format(PyExc_TypeError,
                        "an array of several elements has no format '%U': use str, or tme.printoptions", spec);
  PyObject *v = single ? only(self, "format") : PyObject_Str(self);
  PyObject *out = v ? PyObject_Format(v, spec) : NULL;
  Py_XDECREF(v);
  return out;
}

static PyObject *eval_here(PyObject *self, PyObject *unused) {
  (void)unused;
  array_object *o = (array_object *)self;
  tme_scope *s = scope_open(o->engine);
  tme_array *a = s ? tme_keep(s, o->array) : NULL;
  bool ok = s && array_eval(s, &a, 1);
  scope_close(s);
  if (ok) array_forget(o);
  return ok ? Py_NewRef(self) : NULL;
}

/* ---- copies --------------------------------------------------------------------------------------------------------------------------------- */

/* The array itself is immutable: another object around it. */
static PyObject *copy(PyObject *self, PyObject *unused) {
  (void)unused;
  array_object *o = (array_object *)self;
  return array_new(o->engine, NULL, o->array);
}

static PyObject *deepcopy(PyObject *self, PyObject *memo) { return copy(self, memo); }

/* (tme._core.restore, (dtype's name, shape, bytes)) */
static PyObject *reduce(PyObject *self, PyObject *unused) {
  (void)unused;
  array_object *o = (array_object *)self;
  PyObject *core = PyImport_ImportModule("tme._core"), *restore = core ? PyObject_GetAttrString(core, "restore") : NULL;
  PyObject *shape = PyObject_GetAttrString(self, "shape"), *out = NULL;
  tme_scope *s = scope_open(o->engine);
  if (s && restore && shape) {
    tme_array *a = tme_keep(s, o->array);
    tme_dtype t = tme_array_dtype(a);
    const char *data = array_data(s, a);
    if (data)
      out = Py_BuildValue("(O(sOy#))", restore, tme_dtype_name(t), shape, data,
                          (Py_ssize_t)(tme_array_size(a) * (int64_t)tme_dtype_size(t)));
  }
  scope_close(s);
  Py_XDECREF(shape);
  Py_XDECREF(restore);
  Py_XDECREF(core);
  return out;
}

static PyObject *restore(PyObject *module, PyObject *args) {
  (void)module;
  const char *name, *data;
  PyObject *extents;
  Py_ssize_t bytes;
  int64_t shape[TME_MAX_RANK], size = 1;
  if (!PyArg_ParseTuple(args, "sOy#:restore", &name, &extents, &data, &bytes)) return NULL;
  tme_dtype t = tme_dtype_parse(name);
  int rank = ints_of(extents, shape, TME_MAX_RANK, "restore: the shape");
  if (rank < 0) return NULL;
  bool fits = t != TME_DTYPE_NONE;
  for (int d = 0; d < rank && fits; d++) fits = shape[d] >= 0 && !__builtin_mul_overflow(size, shape[d], &size);
  if (fits) fits = !__builtin_mul_overflow(size, (int64_t)tme_dtype_size(t), &size) && size == bytes;
  if (!fits) return PyErr_Format(PyExc_ValueError, "restore: %zd bytes are no array of %s and that shape", bytes, name);
  engine_object *e = engine_current();
  tme_scope *s = e ? scope_open(e) : NULL;
  PyObject *out = s ? array_new(e, s, tme_from(s, t, rank, shape, data)) : NULL;
  scope_close(s);
  engine_drop(e);
  return out;
}

/* NumPy's own array; float32 of a narrow float that NumPy does not have. */
static PyObject *to_numpy(PyObject *self, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"dtype", "copy", NULL};
  PyObject *dtype = Py_None, *copy = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:__array__", names, &dtype, &copy)) return NULL;
  tme_dtype t = tme_array_dtype(((array_object *)self)->array);
  bool held = buffer_format(t) != NULL;
  int wanted = copy == Py_None ? 0 : PyObject_IsTrue(copy);
  if (wanted < 0) return NULL;
  if (copy != Py_None && !wanted && !held)
    return PyErr_Format(PyExc_ValueError, "__array__: NumPy has no %s, and copy=False forbids to convert it",
                        tme_dtype_name(t));
  PyObject *source = held ? Py_NewRef(self) : PyObject_CallMethod(self, "astype", "s", "float32");
  PyObject *view = source ? PyMemoryView_FromObject(source) : NULL;
  PyObject *numpy = view ? PyImport_ImportModule("numpy") : NULL;
  PyObject *out = numpy ? PyObject_CallMethod(numpy, wanted ? "array" : "asarray", "OO", view, dtype) : NULL;
  Py_XDECREF(numpy);
  Py_XDECREF(view);
  Py_XDECREF(source);
  return out;
}

static PyObject *to_device(PyObject *self, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"device", "stream", NULL};
  const char *device;
  PyObject *stream = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "s|$O:to_device", names, &device, &stream)) return NULL;
  if (stream != Py_None) return PyErr_Format(PyExc_ValueError, "to_device: there are no streams, stream must be None");
  array_object *o = (array_object *)self;
  tme_scope *s = scope_open(o->engine);
  if (!s) return NULL;
  PyObject *out =
      tme_scope_set_device(s, device) == TME_OK ? Py_NewRef(self) : raise_status(TME_ERR_ARGUMENT, tme_error(s));
  scope_close(s);
  return out;
}

PyMethodDef array_value_methods[] = {
    {"tolist", tolist, METH_NOARGS,
     "tolist($self, /)\n--\n\nThe elements as nested lists; of an array without dimensions its element."},
    {"item", item, METH_VARARGS,
     "item($self, /, *index)\n--\n\nThe only element, or the one at an index, as a number of Python."},
    {"block_until_ready", eval_here, METH_NOARGS,
     "block_until_ready($self, /)\n--\n\nComputes it, waits, and returns it."},
    {"eval", eval_here, METH_NOARGS, "eval($self, /)\n--\n\nThe same as block_until_ready."},
    {"copy", copy, METH_NOARGS,
     "copy($self, /)\n--\n\nAn object of its own with the same elements: assignment to one leaves the other."},
    {"to_device", (PyCFunction)(void (*)(void))to_device, METH_VARARGS | METH_KEYWORDS,
     "to_device($self, device, /, *, stream=None)\n--\n\nThe array on a device that the engine has."},
    {"__array__", (PyCFunction)(void (*)(void))to_numpy, METH_VARARGS | METH_KEYWORDS,
     "__array__($self, /, dtype=None, copy=None)\n--\n\nNumPy's array of the elements, without a copy where none is needed."},
    {"_repr_html_", array_html, METH_NOARGS, "_repr_html_()\n--\n\nA table, for notebooks."},
    {"__copy__", copy, METH_NOARGS, NULL},
    {"__deepcopy__", deepcopy, METH_O, NULL},
    {"__reduce__", reduce, METH_NOARGS, NULL},
    {"__complex__", to_complex, METH_NOARGS, NULL},
    {"__format__", format, METH_O, NULL},
    {NULL, NULL, 0, NULL}};

static PyMethodDef functions[] = {{"restore", restore, METH_VARARGS, "What pickles of arrays call."},
                                  {NULL, NULL, 0, NULL}};

bool value_init(PyObject *module) { return add_functions(module, functions); }
