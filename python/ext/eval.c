/* tme.eval, tme.async_eval. */
#include "tree.h"
#include <time.h>
#include <unistd.h>

/* The arrays of trees, each with a reference. */
typedef struct leaves {
  tme_array **a;
  engine_object *e; /* a reference: the objects that the arrays were found in need not live on */
  int n, cap;
} leaves;

static bool collect(leaves *l, PyObject *o);

static bool collect_all(leaves *l, PyObject *items) {
  Py_ssize_t n = items ? PyTuple_Size(items) : 0;
  bool ok = items;
  for (Py_ssize_t i = 0; ok && i < n; i++) ok = collect(l, PyTuple_GetItem(items, i));
  Py_XDECREF(items);
  return ok;
}

static bool add(leaves *l, array_object *o) {
  if (l->n == l->cap) {
    int cap = l->cap ? 2 * l->cap : 16;
    tme_array **a = l->cap > INT32_MAX / 2 ? NULL : PyMem_Realloc(l->a, (size_t)cap * sizeof *a);
    if (!a) {
      PyErr_NoMemory();
      return false;
    }
    l->a = a;
    l->cap = cap;
  }
  if (l->e && l->e != o->engine) {
    PyErr_SetString(PyExc_ValueError, "eval: the arrays belong to different engines");
    return false;
  }
  if (!l->e) l->e = engine_ref(o->engine);
  l->a[l->n++] = tme_retain(o->array);
  array_forget(o);
  return true;
}

static bool collect(leaves *l, PyObject *o) {
  if (is_array(o)) return add(l, (array_object *)o);
  if (o == Py_None || PyLong_Check(o) || PyFloat_Check(o) || PyUnicode_Check(o)) return true;
  if (Py_EnterRecursiveCall(" in a tree of arrays")) return false;
  bool ok = true;
  if (PyList_Check(o) || PyTuple_Check(o)) {
    ok = collect_all(l, PySequence_Tuple(o));
  } else if (PyDict_Check(o)) {
    PyObject *values = PyDict_Values(o);
    ok = values && collect_all(l, PySequence_Tuple(values));
    Py_XDECREF(values);
  } else if (is_dataclass(o)) {
    ok = collect_all(l, dataclass_values(o));
  }
  Py_LeaveRecursiveCall();
  return ok;
}

static void drop(leaves *l) {
  for (int i = 0; i < l->n; i++) tme_release(l->a[i]);
  PyMem_Free(l->a);
  engine_drop(l->e);
}

static PyObject *eval(PyObject *module, PyObject *const *args, Py_ssize_t n) {
  (void)module;
  leaves l = {0};
  bool ok = true;
  for (Py_ssize_t i = 0; ok && i < n; i++) ok = collect(&l, args[i]);
  tme_scope *s = ok && l.n ? scope_open(l.e) : NULL;
  ok = ok && (!l.n || (s && array_eval(s, l.a, l.n)));
  scope_close(s);
  drop(&l);
  if (!ok) return NULL;
  Py_RETURN_NONE;
}

/* ---- asynchronous -------------------------------------------------------------------------------------------------------------------- */

typedef struct event_object {
  PyObject_HEAD tme_event *event;
  tme_scope *s; /* where its error is left */
  engine_object *e;
  pid_t process; /* whose threads are at work on it: it never ends in a child */
} event_object;

static PyTypeObject *event_type;

static void event_dealloc(PyObject *self) {
  event_object *o = (event_object *)self;
  PyTypeObject *type = Py_TYPE(self);
  Py_BEGIN_ALLOW_THREADS tme_event_free(o->event);
  Py_END_ALLOW_THREADS tme_scope_free(o->s);
  engine_drop(o->e);
  PyObject_Free(self);
  Py_DECREF(type);
}

/* With an eye on signals. False with the exception of a handler; then it is asked to stop. */
static bool wait_for(event_object *o) {
  const long least = 20000, most = 1000000;
  for (long pause = least; o->process == getpid() && !tme_event_done(o->event);) {
    const struct timespec t = {.tv_nsec = pause};
    Py_BEGIN_ALLOW_THREADS nanosleep(&t, NULL);
    Py_END_ALLOW_THREADS if (PyErr_CheckSignals() != 0) {
      tme_event_cancel(o->event);
      return false;
    }
    if (pause < most) pause *= 2;
  }
  return true;
}

static PyObject *event_wait(PyObject *self, PyObject *unused) {
  (void)unused;
  event_object *o = (event_object *)self;
  tme_status st = TME_OK;
  if (o->event && !wait_for(o)) return NULL;
  Py_BEGIN_ALLOW_THREADS if (o->event) st = tme_event_wait(o->event);
  Py_END_ALLOW_THREADS if (st == TME_ERR_CANCELLED) return raise_status(TME_ERR_DEVICE, tme_error(o->s));
  if (st != TME_OK) return scope_raise(o->s);
  Py_RETURN_NONE;
}

static PyObject *event_done(PyObject *self, PyObject *unused) {
  (void)unused;
  event_object *o = (event_object *)self;
  return PyBool_FromLong(!o->event || tme_event_done(o->event));
}

static PyObject *event_cancel(PyObject *self, PyObject *unused) {
  (void)unused;
  event_object *o = (event_object *)self;
  if (o->event) tme_event_cancel(o->event);
  Py_RETURN_NONE;
}

static PyObject *async_eval(PyObject *module, PyObject *const *args, Py_ssize_t n) {
  (void)module;
  leaves l = {0};
  bool ok = true;
  for (Py_ssize_t i = 0; ok && i < n; i++) ok = collect(&l, args[i]);
  event_object *o = ok ? PyObject_New(event_object, event_type) : NULL;
  if (o) {
    o->event = NULL;
    o->process = getpid();
    o->e = engine_ref(l.e);
    o->s = l.n ? scope_open(l.e) : NULL;
    if (o->s) o->event = tme_eval_async(o->s, l.a, l.n);
    if (l.n && !o->event) {
      if (o->s) scope_raise(o->s);
      Py_CLEAR(o);
    }
  }
  drop(&l);
  return (PyObject *)o;
}

static PyMethodDef event_methods[] = {
    {"wait", event_wait, METH_NOARGS, "wait($self, /)\n--\n\nWaits, and raises the evaluation's error if it had one."},
    {"done", event_done, METH_NOARGS, "done($self, /)\n--\n\nWhether it has ended."},
    {"cancel", event_cancel, METH_NOARGS, "cancel($self, /)\n--\n\nAsks it to stop at the next step."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {{Py_tp_doc, "An evaluation under way; tme.async_eval makes it."},
                              {Py_tp_dealloc, event_dealloc},
                              {Py_tp_methods, event_methods},
                              {0, NULL}};
static PyType_Spec spec = {"tme.Event", sizeof(event_object), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                           slots};

static PyMethodDef functions[] = {
    {"eval", (PyCFunction)(void (*)(void))eval, METH_FASTCALL,
     "eval(*trees)\n--\n\nComputes all arrays in lists, tuples, dicts and dataclasses, in one plan, and waits."},
    {"async_eval", (PyCFunction)(void (*)(void))async_eval, METH_FASTCALL,
     "async_eval(*trees)\n--\n\nStarts to compute them and returns an Event. The arrays may be used at once: what reads them waits."},
    {NULL, NULL, 0, NULL}};

bool eval_init(PyObject *module) {
  event_type = add_type(module, &spec);
  return event_type && add_functions(module, functions);
}
