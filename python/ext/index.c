/* x[...]: indices of Python as those of the library. */
#include "ext.h"

static bool bound(PyObject *o, int64_t *out, const char *what) {
  *out = TME_NONE;
  if (o == Py_None) return true;
  if (!PyIndex_Check(o)) {
    PyErr_Format(PyExc_TypeError, "index: the %s of a slice is %R, expected a whole number or None", what, Py_TYPE(o));
    return false;
  }
  /* Beyond 64 bits is beyond every array: the nearest that there is. */
  PyObject *i = PyNumber_Index(o);
  if (!i) return false;
  int overflow;
  *out = PyLong_AsLongLongAndOverflow(i, &overflow);
  if (overflow) *out = overflow > 0 ? INT64_MAX : INT64_MIN + 1;
  Py_DECREF(i);
  return !PyErr_Occurred();
}

static bool slice_entry(PyObject *o, tme_index *ix) {
  static const char *const names[] = {"start", "stop", "step"};
  int64_t *const to[] = {&ix->start, &ix->stop, &ix->step};
  ix->kind = TME_INDEX_SLICE;
  for (int k = 0; k < 3; k++) {
    PyObject *part = PyObject_GetAttrString(o, names[k]);
    bool ok = part && bound(part, to[k], names[k]);
    Py_XDECREF(part);
    if (!ok) return false;
  }
  return true;
}

static bool int_entry(PyObject *o, tme_index *ix) {
  ix->kind = TME_INDEX_INT;
  PyObject *i = PyNumber_Index(o);
  if (!i) return false;
  int overflow;
  ix->start = PyLong_AsLongLongAndOverflow(i, &overflow);
  PyObject *text = overflow ? number_text(i) : NULL;
  if (text) PyErr_Format(PyExc_IndexError, "index: %U is outside of every array", text);
  Py_XDECREF(text);
  Py_DECREF(i);
  return !PyErr_Occurred();
}

static bool array_entry(tme_scope *s, engine_object *e, PyObject *o, tme_index *ix) {
  ix->kind = TME_INDEX_ARRAY;
  /* An empty list has no numbers that could say that they are whole. */
  bool empty = PyList_Check(o) && PyList_Size(o) == 0;
  ix->array = array_of(s, e, o, empty ? TME_I64 : TME_DTYPE_NONE, COPY_IF_NEEDED);
  if (!ix->array) return false;
  if (strchr("bui", tme_dtype_kind(tme_array_dtype(ix->array)))) return true;
  PyErr_Format(PyExc_IndexError, "index: an array of %s, expected whole numbers or bools",
               tme_dtype_name(tme_array_dtype(ix->array)));
  return false;
}

static bool entry(tme_scope *s, engine_object *e, PyObject *o, tme_index *ix) {
  memset(ix, 0, sizeof *ix);
  if (PySlice_Check(o)) return slice_entry(o, ix);
  if (o == Py_None || o == Py_Ellipsis) {
    ix->kind = o == Py_None ? TME_INDEX_NEW_AXIS : TME_INDEX_ELLIPSIS;
    return true;
  }
  if (PyLong_Check(o) && !PyBool_Check(o)) return int_entry(o, ix);
  if (PyBool_Check(o) || is_array(o) || PyList_Check(o) || PyTuple_Check(o) || PyObject_CheckBuffer(o) ||
      PyObject_HasAttrString(o, "__dlpack__"))
    return array_entry(s, e, o, ix);
  if (PyIndex_Check(o)) return int_entry(o, ix);
  PyErr_Format(PyExc_IndexError,
               "index: %R, expected whole numbers, slices, None, ... and arrays of whole numbers or bools", Py_TYPE(o));
  return false;
}

int index_entries(tme_scope *s, engine_object *e, PyObject *key, tme_index ix[static MOST_ENTRIES]) {
  if (!PyTuple_Check(key)) return entry(s, e, key, ix) ? 1 : -1;
  Py_ssize_t n = PyTuple_Size(key);
  if (n > MOST_ENTRIES) {
    PyErr_Format(PyExc_IndexError, "index: %zd entries, at most %d are supported", n, MOST_ENTRIES);
    return -1;
  }
  for (Py_ssize_t i = 0; i < n; i++)
    if (!entry(s, e, PyTuple_GetItem(key, i), &ix[i])) return -1;
  return (int)n;
}

PyObject *array_subscript(PyObject *self, PyObject *key) {
  array_object *o = (array_object *)self;
  tme_index ix[MOST_ENTRIES];
  tme_scope *s = scope_open(o->engine);
  if (!s) return NULL;
  tme_array *x = tme_keep(s, o->array);
  int n = index_entries(s, o->engine, key, ix);
  PyObject *out = NULL;
  if (n >= 0) {
    tme_array *a;
    /* Masks are evaluated. */
    waiting w;
    wait_begin(&w, s);
    a = tme_get(s, x, ix, n);
    wait_end(&w);
    out = array_part(o, s, a);
  }
  scope_close(s);
  return out;
}

/* x[i] along the first axis, for iteration. */
PyObject *array_item(PyObject *self, Py_ssize_t i) {
  array_object *o = (array_object *)self;
  if (!tme_array_rank(o->array) || i < 0 || i >= tme_array_shape(o->array)[0])
    return PyErr_Format(PyExc_IndexError, "index %zd is out of bounds", i);
  tme_scope *s = scope_open(o->engine);
  tme_index ix = {.kind = TME_INDEX_INT, .start = i};
  PyObject *out = s ? array_part(o, s, tme_get(s, tme_keep(s, o->array), &ix, 1)) : NULL;
  scope_close(s);
  return out;
}

PyObject *array_iter(PyObject *self) {
  if (!tme_array_rank(((array_object *)self)->array))
    return PyErr_Format(PyExc_TypeError, "an array without dimensions cannot be iterated over");
  return PySeqIter_New(self);
}
