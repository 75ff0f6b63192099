/* x[...] = v and x.at[...]: arrays with other elements in some places. */
#include "ext.h"

/* The array with the elements changed, of the scope. */
static tme_array *changed(tme_scope *s, engine_object *e, tme_array *x, PyObject *key, PyObject *value,
                          tme_put_mode mode) {
  tme_index ix[MOST_ENTRIES];
  int n = index_entries(s, e, key, ix);
  tme_array *v =
      n < 0 ? NULL : operand_needed(s, e, value, tme_dtype_size(tme_array_dtype(x)) > sizeof(float), "assignment");
  if (!v) return NULL;
  tme_array *a;
  waiting w;
  wait_begin(&w, s);
  a = tme_put(s, x, ix, n, v, mode);
  wait_end(&w);
  if (!a) scope_raise(s);
  return a;
}

int array_assign(PyObject *self, PyObject *key, PyObject *value) {
  array_object *o = (array_object *)self;
  if (!value) {
    PyErr_SetString(PyExc_TypeError, "elements of an array cannot be deleted");
    return -1;
  }
  tme_scope *s = scope_open(o->engine);
  tme_array *a = s ? changed(s, o->engine, tme_keep(s, o->array), key, value, TME_PUT_SET) : NULL;
  if (a) {
    tme_array *before = o->array;
    o->array = tme_retain(a);
    tme_release(before);
  }
  scope_close(s);
  return a ? 0 : -1;
}

/* ---- x.at[key].add(v) --------------------------------------------------------------------------------------------------------------- */

typedef struct place {
  PyObject_HEAD PyObject *array, *key; /* key: NULL of x.at itself */
} place;

static PyTypeObject *place_type;

static PyObject *place_new(PyObject *array, PyObject *key) {
  place *p = PyObject_GC_New(place, place_type);
  if (!p) return NULL;
  p->array = Py_NewRef(array);
  p->key = Py_XNewRef(key);
  PyObject_GC_Track(p);
  return (PyObject *)p;
}

PyObject *array_at(PyObject *self, void *unused) {
  (void)unused;
  return place_new(self, NULL);
}

/* A key may be a list that holds the place. */
static int place_traverse(PyObject *self, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(((place *)self)->key);
  return 0;
}

static int place_clear(PyObject *self) {
  Py_CLEAR(((place *)self)->key);
  return 0;
}

static void place_dealloc(PyObject *self) {
  place *p = (place *)self;
  PyTypeObject *type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  Py_XDECREF(p->array);
  Py_XDECREF(p->key);
  PyObject_GC_Del(self);
  Py_DECREF(type);
}

static PyObject *place_subscript(PyObject *self, PyObject *key) {
  place *p = (place *)self;
  if (p->key) return PyErr_Format(PyExc_TypeError, "x.at[...] takes one index");
  return place_new(p->array, key);
}

static PyObject *put(PyObject *self, PyObject *value, tme_put_mode mode) {
  place *p = (place *)self;
  if (!p->key) return PyErr_Format(PyExc_TypeError, "x.at needs an index: x.at[...].set(value)");
  array_object *o = (array_object *)p->array;
  tme_scope *s = scope_open(o->engine);
  tme_array *a = s ? changed(s, o->engine, tme_keep(s, o->array), p->key, value, mode) : NULL;
  PyObject *out = a ? array_new(o->engine, s, a) : NULL;
  scope_close(s);
  return out;
}

static PyObject *place_set(PyObject *self, PyObject *v) { return put(self, v, TME_PUT_SET); }
static PyObject *place_add(PyObject *self, PyObject *v) { return put(self, v, TME_PUT_ADD); }
static PyObject *place_multiply(PyObject *self, PyObject *v) { return put(self, v, TME_PUT_MULTIPLY); }
static PyObject *place_min(PyObject *self, PyObject *v) { return put(self, v, TME_PUT_MIN); }
static PyObject *place_max(PyObject *self, PyObject *v) { return put(self, v, TME_PUT_MAX); }

static PyObject *place_get(PyObject *self, PyObject *unused) {
  (void)unused;
  place *p = (place *)self;
  if (!p->key) return PyErr_Format(PyExc_TypeError, "x.at needs an index: x.at[...].get()");
  return PyObject_GetItem(p->array, p->key);
}

static PyMethodDef methods[] = {
    {"get", place_get, METH_NOARGS, "get($self, /)\n--\n\nThe elements."},
    {"set", place_set, METH_O, "set($self, values, /)\n--\n\nThe array with these values there."},
    {"add", place_add, METH_O,
     "add($self, values, /)\n--\n\nThe array with the values added there; every one of repeated indices counts."},
    {"multiply", place_multiply, METH_O,
     "multiply($self, values, /)\n--\n\nThe array with its elements there times the values."},
    {"min", place_min, METH_O, "min($self, values, /)\n--\n\nThe array with the smaller ones there."},
    {"max", place_max, METH_O, "max($self, values, /)\n--\n\nThe array with the larger ones there."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {
    {Py_tp_doc,
     "A place in an array, x.at[...]: its methods return the array with other elements there, and leave x as it is."},
    {Py_tp_dealloc, place_dealloc},
    {Py_tp_traverse, place_traverse},
    {Py_tp_clear, place_clear},
    {Py_mp_subscript, place_subscript},
    {Py_tp_methods, methods},
    {0, NULL}};
static PyType_Spec spec = {"tme.Place", sizeof(place), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

bool assign_init(PyObject *module) {
  place_type = add_type(module, &spec);
  return place_type;
}
