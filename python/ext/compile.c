/* tme.compile: a function of Python, traced once for each form, dtypes and shapes of its arguments. */
#include "tree.h"

enum { MOST_TRACES = 256 };

/* While a function of this thread is traced, calls of others are traced along. */
static _Thread_local int tracing;

bool is_tracing(void) { return tracing; }

/* ---- one trace ----------------------------------------------------------------------------------------------------------------------- */

typedef struct type_of {
  tme_dtype dtype;
  int rank;
  int64_t shape[TME_MAX_RANK];
} type_of;

/* Where a result comes from. */
typedef struct result {
  enum { FROM_OUTPUT, FROM_INPUT, FROM_CONSTANT } from;
  int number;
  tme_array *constant;
} result;

typedef struct trace_object {
  PyObject_HEAD tme_function *f; /* NULL: nothing is computed */
  engine_object *e;
  PyObject *form; /* of the results */
  bool plain;     /* the arguments are arrays, all positional */
  int nin, nout, nresults;
  type_of *in;
  result *results;
  unsigned long long calls;
} trace_object;

static PyTypeObject *trace_type;

/* A constant among the results may know the function, which ends that cycle. */
static int trace_traverse(PyObject *self, visitproc visit, void *arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(((trace_object *)self)->form);
  return 0;
}

static void trace_dealloc(PyObject *self) {
  trace_object *t = (trace_object *)self;
  PyTypeObject *type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  tme_function_free(t->f);
  for (int i = 0; i < t->nresults; i++) tme_release(t->results[i].constant);
  PyMem_Free(t->results);
  PyMem_Free(t->in);
  Py_XDECREF(t->form);
  engine_drop(t->e);
  PyObject_GC_Del(self);
  Py_DECREF(type);
}

static trace_object *trace_new(engine_object *e) {
  trace_object *t = PyObject_GC_New(trace_object, trace_type);
  if (!t) return NULL;
  t->f = NULL;
  t->e = engine_ref(e);
  t->form = NULL;
  t->plain = false;
  t->nin = t->nout = t->nresults = 0;
  t->in = NULL;
  t->results = NULL;
  t->calls = 0;
  PyObject_GC_Track(t);
  return t;
}

static tme_array *leaf(PyObject *leaves, Py_ssize_t i) { return ((array_object *)PyList_GetItem(leaves, i))->array; }

static bool same_type(const type_of *t, const tme_array *a) {
  if (t->dtype != tme_array_dtype(a) || t->rank != tme_array_rank(a)) return false;
  const int64_t *shape = tme_array_shape(a);
  for (int d = 0; d < t->rank; d++)
    if (t->shape[d] != shape[d]) return false;
  return true;
}

static bool note_types(trace_object *t, PyObject *leaves) {
  Py_ssize_t n = PyList_Size(leaves);
  t->in = n <= INT32_MAX ? PyMem_Calloc((size_t)n + 1, sizeof *t->in) : NULL;
  if (!t->in) {
    PyErr_NoMemory();
    return false;
  }
  t->nin = (int)n;
  for (int i = 0; i < t->nin; i++) {
    tme_array *a = leaf(leaves, i);
    t->in[i].dtype = tme_array_dtype(a);
    t->in[i].rank = tme_array_rank(a);
    memcpy(t->in[i].shape, tme_array_shape(a), (size_t)t->in[i].rank * sizeof(int64_t));
  }
  return true;
}

/* A list of objects for arrays without values. */
static PyObject *make_inputs(const trace_object *t, tme_scope *s, tme_array **in) {
  PyObject *out = PyList_New(t->nin);
  for (int i = 0; out && i < t->nin; i++) {
    in[i] = tme_input(s, t->in[i].dtype, t->in[i].rank, t->in[i].shape);
    PyObject *o = array_new(t->e, s, in[i]);
    if (!o || PyList_SetItem(out, i, o) < 0) Py_CLEAR(out);
  }
  return out;
}

/* What each result is; those that are to be computed into `out`. */
static bool sort_results(trace_object *t, PyObject *leaves, tme_array *const *in, tme_array **out) {
  for (int i = 0; i < t->nresults; i++) {
    array_object *o = (array_object *)PyList_GetItem(leaves, i);
    result *r = &t->results[i];
    if (o->engine != t->e) {
      PyErr_SetString(PyExc_ValueError, "compile: a result belongs to another engine than the arguments");
      return false;
    }
    for (int k = 0; k < t->nin; k++)
      if (in[k] == o->array) *r = (result){FROM_INPUT, k, NULL};
    if (r->from == FROM_INPUT) continue;
    if (tme_has_value(o->array))
      *r = (result){FROM_CONSTANT, 0, tme_retain(o->array)};
    else {
      *r = (result){FROM_OUTPUT, t->nout, NULL};
      out[t->nout++] = o->array;
    }
  }
  return true;
}

static bool plan(trace_object *t, tme_scope *s, PyObject *leaves, tme_array *const *in) {
  Py_ssize_t n = PyList_Size(leaves);
  if (n > INT32_MAX) return false;
  t->results = PyMem_Calloc((size_t)n + 1, sizeof *t->results);
  tme_array **out = PyMem_Malloc((size_t)n * sizeof *out + 1);
  bool ok = t->results && out;
  if (!ok) PyErr_NoMemory();
  if (ok) {
    t->nresults = (int)n;
    ok = sort_results(t, leaves, in, out);
  }
  if (ok && t->nout) {
    Py_BEGIN_ALLOW_THREADS t->f = tme_compile(s, in, t->nin, out, t->nout);
    Py_END_ALLOW_THREADS ok = t->f;
    if (!ok) scope_raise(s);
  }
  PyMem_Free(out);
  return ok;
}

/* Calls the function with arrays that have no values. `form`: of (args, kwargs). */
static bool record(trace_object *t, PyObject *function, PyObject *form, tme_scope *s, tme_array **in) {
  PyObject *inputs = make_inputs(t, s, in), *arguments = NULL, *made = NULL, *results = NULL;
  Py_ssize_t at = 0;
  bool ok = false;
  if (inputs) arguments = tree_build(form, inputs, &at);
  if (arguments) {
    tracing++;
    made = PyObject_Call(function, PyTuple_GetItem(arguments, 0), PyTuple_GetItem(arguments, 1));
    tracing--;
  }
  if (made) results = PyList_New(0);
  if (results) t->form = tree_flatten(made, results);
  if (t->form) ok = plan(t, s, results, in);
  Py_XDECREF(results);
  Py_XDECREF(made);
  Py_XDECREF(arguments);
  Py_XDECREF(inputs);
  return ok;
}

static trace_object *trace(PyObject *function, PyObject *form, PyObject *leaves, engine_object *e) {
  trace_object *t = trace_new(e);
  if (!t) return NULL;
  bool ok = note_types(t, leaves);
  tme_scope *s = ok ? scope_open(e) : NULL;
  tme_array **in = s ? PyMem_Calloc((size_t)t->nin + 1, sizeof *in) : NULL;
  if (s && !in) PyErr_NoMemory();
  ok = in && record(t, function, form, s, in);
  PyMem_Free(in);
  scope_close(s);
  if (!ok) Py_CLEAR(t);
  return t;
}

/* ---- a call ------------------------------------------------------------------------------------------------------------------------------ */

enum { FEW = 16 };

static PyObject *result_object(trace_object *t, tme_scope *s, const result *r, tme_array *const *in,
                               tme_array *const *out) {
  tme_array *a = r->from == FROM_OUTPUT ? out[r->number] : r->from == FROM_INPUT ? in[r->number] : r->constant;
  return array_new(t->e, s, a);
}

static PyObject *results_of(trace_object *t, tme_scope *s, tme_array *const *in, tme_array *const *out) {
  if (t->form == tree_leaf()) return result_object(t, s, &t->results[0], in, out);
  PyObject *leaves = PyTuple_New(t->nresults), *made = NULL;
  for (int i = 0; leaves && i < t->nresults; i++) {
    PyObject *o = result_object(t, s, &t->results[i], in, out);
    if (!o || PyTuple_SetItem(leaves, i, o) < 0) Py_CLEAR(leaves);
  }
  Py_ssize_t at = 0;
  if (leaves) made = tree_build(t->form, leaves, &at);
  Py_XDECREF(leaves);
  return made;
}

/* `in` belongs to the scope. */
static PyObject *replay(trace_object *t, tme_scope *s, tme_array *const *in) {
  tme_array *few[FEW], **out = t->nout > FEW ? PyMem_Malloc((size_t)t->nout * sizeof *out) : few;
  if (!out) return PyErr_NoMemory();
  tme_status st = TME_OK;
  t->calls++;
  if (t->f) {
    waiting w;
    wait_begin(&w, s);
    st = tme_call(s, t->f, in, t->nin, out);
    wait_end(&w);
  }
  PyObject *made = st == TME_OK ? results_of(t, s, in, out) : scope_raise(s);
  if (out != few) PyMem_Free(out);
  return made;
}

/* ---- the function ------------------------------------------------------------------------------------------------------------------------- */

typedef struct compiled {
  PyObject_HEAD PyObject *function;
  PyObject *traces;   /* a dict: (form, dtypes and shapes, engine's identity) -> trace */
  trace_object *last; /* of these, with a reference: other threads drop traces too */
  unsigned long long traced, evicted;
} compiled;

static PyTypeObject *compiled_type;

static int traverse(PyObject *self, visitproc visit, void *arg) {
  compiled *c = (compiled *)self;
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(c->function);
  Py_VISIT(c->traces);
  Py_VISIT(c->last);
  return 0;
}

static int clear(PyObject *self) {
  compiled *c = (compiled *)self;
  Py_CLEAR(c->last);
  Py_CLEAR(c->function);
  Py_CLEAR(c->traces);
  return 0;
}

static void compiled_dealloc(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  clear(self);
  PyObject_GC_Del(self);
  Py_DECREF(type);
}

static PyObject *key_of(PyObject *form, PyObject *leaves, engine_object *e) {
  Py_ssize_t n = PyList_Size(leaves);
  PyObject *types = PyTuple_New(n);
  for (Py_ssize_t i = 0; types && i < n; i++) {
    tme_array *a = leaf(leaves, i);
    PyObject *item = Py_BuildValue("(iy#)", (int)tme_array_dtype(a), (const char *)tme_array_shape(a),
                                   (Py_ssize_t)((size_t)tme_array_rank(a) * sizeof(int64_t)));
    if (!item || PyTuple_SetItem(types, i, item) < 0) Py_CLEAR(types);
  }
  PyObject *key = types ? Py_BuildValue("(OOO)", form, types, e) : NULL;
  Py_XDECREF(types);
  return key;
}

/* The oldest trace goes. */
static bool make_room(compiled *c) {
  while (PyDict_Size(c->traces) >= MOST_TRACES) {
    PyObject *iterator = PyObject_GetIter(c->traces), *oldest = iterator ? PyIter_Next(iterator) : NULL;
    Py_CLEAR(c->last);
    bool ok = oldest && PyDict_DelItem(c->traces, oldest) == 0;
    Py_XDECREF(oldest);
    Py_XDECREF(iterator);
    if (!ok) return false;
    c->evicted++;
  }
  return true;
}

/* A new reference. */
static trace_object *find(compiled *c, PyObject *form, PyObject *leaves, engine_object *e, bool plain) {
  PyObject *key = key_of(form, leaves, e);
  trace_object *t = key ? (trace_object *)PyDict_GetItemWithError(c->traces, key) : NULL;
  if (t) {
    Py_INCREF((PyObject *)t);
  } else if (key && !PyErr_Occurred()) {
    t = trace(c->function, form, leaves, e);
    if (t) {
      t->plain = plain;
      c->traced++;
      if (!make_room(c) || PyDict_SetItem(c->traces, key, (PyObject *)t) < 0) Py_CLEAR(t);
    }
  }
  if (t && t != c->last) {
    trace_object *before = c->last;
    c->last = (trace_object *)Py_NewRef((PyObject *)t);
    Py_XDECREF((PyObject *)before);
  }
  Py_XDECREF(key);
  return t;
}

/* That of the arrays, else the current one. */
static engine_object *engine_for(PyObject *leaves) {
  if (!PyList_Size(leaves)) return engine_current();
  engine_object *e = ((array_object *)PyList_GetItem(leaves, 0))->engine;
  for (Py_ssize_t i = 1; i < PyList_Size(leaves); i++)
    if (((array_object *)PyList_GetItem(leaves, i))->engine != e) {
      PyErr_SetString(PyExc_ValueError, "compile: the arguments belong to different engines");
      return NULL;
    }
  return engine_ref(e);
}

static bool all_arrays(PyObject *args) {
  for (Py_ssize_t i = 0; i < PyTuple_Size(args); i++)
    if (!is_array(PyTuple_GetItem(args, i))) return false;
  return true;
}

static PyObject *call_any(compiled *c, PyObject *args, PyObject *kwargs) {
  PyObject *none = kwargs ? Py_NewRef(kwargs) : PyDict_New();
  PyObject *both = none ? PyTuple_Pack(2, args, none) : NULL, *leaves = both ? PyList_New(0) : NULL;
  PyObject *form = leaves ? tree_flatten(both, leaves) : NULL, *out = NULL;
  engine_object *e = form ? engine_for(leaves) : NULL;
  bool plain = (!kwargs || !PyDict_Size(kwargs)) && all_arrays(args);
  trace_object *t = e ? find(c, form, leaves, e, plain) : NULL;
  tme_scope *s = t ? scope_open(e) : NULL;
  tme_array **in = s ? PyMem_Malloc((size_t)t->nin * sizeof *in + 1) : NULL;
  if (s && !in) PyErr_NoMemory();
  if (in) {
    for (int i = 0; i < t->nin; i++) in[i] = tme_keep(s, leaf(leaves, i));
    out = replay(t, s, in);
  }
  PyMem_Free(in);
  scope_close(s);
  Py_XDECREF((PyObject *)t);
  engine_drop(e);
  Py_XDECREF(form);
  Py_XDECREF(leaves);
  Py_XDECREF(both);
  Py_XDECREF(none);
  return out;
}

/* Arrays like those of the last call: no tree, no look into the dict. */
static bool fits_last(const compiled *c, PyObject *args, PyObject *kwargs) {
  const trace_object *t = c->last;
  if (!t || !t->plain || t->nin > FEW || t->nin < 1 || PyTuple_Size(args) != t->nin || (kwargs && PyDict_Size(kwargs)))
    return false;
  for (int i = 0; i < t->nin; i++) {
    PyObject *o = PyTuple_GetItem(args, i);
    if (!is_array(o) || ((array_object *)o)->engine != t->e || !same_type(&t->in[i], ((array_object *)o)->array))
      return false;
  }
  return true;
}

static PyObject *compiled_call(PyObject *self, PyObject *args, PyObject *kwargs) {
  compiled *c = (compiled *)self;
  if (tracing) return PyObject_Call(c->function, args, kwargs);
  if (!fits_last(c, args, kwargs)) return call_any(c, args, kwargs);
  trace_object *t = (trace_object *)Py_NewRef((PyObject *)c->last);
  tme_scope *s = scope_open(t->e);
  tme_array *in[FEW];
  for (int i = 0; s && i < t->nin; i++) in[i] = tme_keep(s, ((array_object *)PyTuple_GetItem(args, i))->array);
  PyObject *out = s ? replay(t, s, in) : NULL;
  scope_close(s);
  Py_DECREF((PyObject *)t);
  return out;
}

/* ---- what it says of itself ------------------------------------------------------------------------------------------------------------- */

static PyObject *stats(PyObject *self, PyObject *unused) {
  (void)unused;
  compiled *c = (compiled *)self;
  unsigned long long calls = 0;
  Py_ssize_t at = 0;
  PyObject *key, *t;
  while (PyDict_Next(c->traces, &at, &key, &t)) calls += ((trace_object *)t)->calls;
  return Py_BuildValue("{s:n,s:K,s:K,s:K}", "entries", PyDict_Size(c->traces), "traces", c->traced, "evictions",
                       c->evicted, "calls", calls);
}

/* The plan of such a call, in tme._plan's words. */
static PyObject *lower(PyObject *self, PyObject *args, PyObject *kwargs) {
  compiled *c = (compiled *)self;
  PyObject *module = PyImport_ImportModule("tme._plan"),
           *class = module ? PyObject_GetAttrString(module, "Plan") : NULL;
  PyObject *out = NULL, *made = NULL;
  if (class) {
    tracing++;
    made = PyObject_Call(c->function, args, kwargs);
    tracing--;
  }
  if (made) out = PyObject_CallFunctionObjArgs(class, made, NULL);
  Py_XDECREF(made);
  Py_XDECREF(class);
  Py_XDECREF(module);
  return out;
}

/* As a method of a class: bound to the object. */
static PyObject *bind(PyObject *self, PyObject *object, PyObject *type) {
  (void)type;
  if (!object || object == Py_None) return Py_NewRef(self);
  PyObject *types = PyImport_ImportModule("types");
  PyObject *out = types ? PyObject_CallMethod(types, "MethodType", "OO", self, object) : NULL;
  Py_XDECREF(types);
  return out;
}

static PyObject *get_wrapped(PyObject *self, void *unused) {
  (void)unused;
  return Py_NewRef(((compiled *)self)->function);
}

/* Name, docstring and the like are the function's. */
static PyObject *getattr(PyObject *self, PyObject *name) {
  PyObject *found = PyObject_GenericGetAttr(self, name);
  if (found || !PyErr_ExceptionMatches(PyExc_AttributeError)) return found;
  PyErr_Clear();
  return PyObject_GetAttr(((compiled *)self)->function, name);
}

static PyObject *get_doc(PyObject *self, void *unused) {
  (void)unused;
  return PyObject_GetAttrString(((compiled *)self)->function, "__doc__");
}

static PyObject *repr(PyObject *self) { return PyUnicode_FromFormat("tme.compile(%R)", ((compiled *)self)->function); }

static PyObject *compile(PyObject *module, PyObject *function) {
  (void)module;
  if (!PyCallable_Check(function))
    return PyErr_Format(PyExc_TypeError, "compile: %R is no function", Py_TYPE(function));
  compiled *c = PyObject_GC_New(compiled, compiled_type);
  if (!c) return NULL;
  c->function = Py_NewRef(function);
  c->traces = PyDict_New();
  c->last = NULL;
  c->traced = c->evicted = 0;
  if (!c->traces) {
    Py_DECREF(c);
    return NULL;
  }
  PyObject_GC_Track(c);
  return (PyObject *)c;
}

static PyGetSetDef getset[] = {{"__wrapped__", get_wrapped, NULL, "The function.", NULL},
                               {"__doc__", get_doc, NULL, NULL, NULL},
                               {NULL, NULL, NULL, NULL, NULL}};

static PyMethodDef methods[] = {
    {"stats", stats, METH_NOARGS,
     "stats($self, /)\n--\n\nTraces that are kept, were made and dropped, and calls of those kept: a dict."},
    {"lower", (PyCFunction)(void (*)(void))lower, METH_VARARGS | METH_KEYWORDS,
     "lower($self, /, *args, **kwargs)\n--\n\nThe plan of a call with these arguments, a tme.Plan, which prints as text and shows as a picture."},
    {"explain", (PyCFunction)(void (*)(void))lower, METH_VARARGS | METH_KEYWORDS,
     "explain($self, /, *args, **kwargs)\n--\n\nThe same as lower."},
    {NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {{Py_tp_dealloc, compiled_dealloc},
                              {Py_tp_traverse, traverse},
                              {Py_tp_clear, clear},
                              {Py_tp_call, compiled_call},
                              {Py_tp_repr, repr},
                              {Py_tp_getattro, getattr},
                              {Py_tp_descr_get, bind},
                              {Py_tp_getset, getset},
                              {Py_tp_methods, methods},
                              {0, NULL}};
static PyType_Spec spec = {"tme.CompiledFunction", sizeof(compiled), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

static PyType_Slot trace_slots[] = {{Py_tp_dealloc, trace_dealloc}, {Py_tp_traverse, trace_traverse}, {0, NULL}};
static PyType_Spec trace_spec = {"tme._core.trace", sizeof(trace_object), 0,
                                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                 trace_slots};

static PyMethodDef functions[] = {
    {"compile", compile, METH_O,
     "compile(function, /)\n--\n\n"
     "The function, traced at its first call with arguments of these dtypes, shapes and constants, and replayed after that. "
     "Arguments and results are trees of arrays: lists, tuples, dicts, dataclasses; all else in them is a constant."},
    {NULL, NULL, 0, NULL}};

bool compile_init(PyObject *module) {
  trace_type = (PyTypeObject *)PyType_FromSpec(&trace_spec);
  compiled_type = trace_type ? add_type(module, &spec) : NULL;
  return compiled_type && add_functions(module, functions);
}
