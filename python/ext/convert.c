/* Arrays of Python's objects: numbers, nested lists, buffers, and whatever has __dlpack__ or __array__. */
#include "ext.h"

/* ---- numbers -------------------------------------------------------------------------------------------------------- */

/* A whole number beyond what int64 and uint64 hold is none of an array's. */
static tme_array *integer_literal(tme_scope *s, PyObject *o) {
  int overflow;
  long long v = PyLong_AsLongLongAndOverflow(o, &overflow);
  if (v == -1 && PyErr_Occurred()) return NULL;
  if (!overflow) return tme_integer(s, v);
  unsigned long long u = overflow > 0 ? PyLong_AsUnsignedLongLong(o) : 0;
  if (overflow > 0 && !PyErr_Occurred()) return tme_unsigned(s, u);
  PyErr_Clear();
  PyObject *text = number_text(o);
  if (text) PyErr_Format(PyExc_OverflowError, "%U is outside of int64 and uint64", text);
  Py_XDECREF(text);
  return NULL;
}

static tme_array *complex_literal(tme_scope *s, PyObject *o) {
  double v[2] = {PyComplex_RealAsDouble(o), PyComplex_ImagAsDouble(o)};
  if (PyErr_Occurred()) return NULL;
  return tme_untyped(s, tme_from(s, TME_C128, 0, NULL, v));
}

/* An untyped literal. NULL without an exception: not one of Python's numbers. */
static tme_array *literal_of(tme_scope *s, PyObject *o) {
  tme_array *a = NULL;
  if (PyBool_Check(o))
    a = tme_boolean(s, o == Py_True);
  else if (PyLong_Check(o))
    a = integer_literal(s, o);
  else if (PyFloat_Check(o))
    a = tme_number(s, PyFloat_AsDouble(o));
  else if (PyComplex_Check(o))
    a = complex_literal(s, o);
  else
    return NULL;
  if (!a && !PyErr_Occurred()) scope_raise(s);
  return a;
}

static bool is_number(PyObject *o) { return PyLong_Check(o) || PyFloat_Check(o) || PyComplex_Check(o); }
static bool is_list(PyObject *o) { return PyList_Check(o) || PyTuple_Check(o); }

/* ---- nested lists ----------------------------------------------------------------------------------------------------- */

/* What a list of lists of numbers is. */
typedef struct nest {
  int rank; /* -1: not known yet, no element was met */
  int64_t shape[TME_MAX_RANK];
  bool negative, beyond_int64;
  char kind;    /* of the widest number: 'b', 'i', 'f', 'c'; 0: no number */
  bool objects; /* there are others than Python's numbers */
} nest;

static Py_ssize_t list_size(PyObject *o) { return PyList_Check(o) ? PyList_Size(o) : PyTuple_Size(o); }
/* A reference of our own, since a number's __float__ may change the list; NULL with an exception if it has shrunk. */
static PyObject *list_at(PyObject *o, Py_ssize_t i) {
  return Py_XNewRef(PyList_Check(o) ? PyList_GetItem(o, i) : PyTuple_GetItem(o, i));
}

static bool ragged(int depth) {
  PyErr_Format(PyExc_ValueError, "array: the list is ragged: elements at depth %d have different lengths or depths",
               depth);
  return false;
}

static bool note_number(nest *n, PyObject *o) {
  char kind = PyBool_Check(o) ? 'b' : PyLong_Check(o) ? 'i' : PyFloat_Check(o) ? 'f' : 'c';
  static const char order[] = "bifc";
  if (!n->kind || strchr(order, kind) > strchr(order, n->kind)) n->kind = kind;
  if (kind != 'i') return true;
  int overflow;
  long long v = PyLong_AsLongLongAndOverflow(o, &overflow);
  if (v == -1 && PyErr_Occurred()) return false;
  n->negative |= overflow ? overflow < 0 : v < 0;
  n->beyond_int64 |= overflow != 0;
  return true;
}

static bool survey(nest *n, PyObject *o, int depth) {
  if (!is_list(o)) {
    n->objects |= !is_number(o);
    if (n->objects) return true;
    if (n->rank >= 0 && n->rank != depth) return ragged(depth);
    n->rank = depth;
    return note_number(n, o);
  }
  if (depth == TME_MAX_RANK) {
    PyErr_Format(PyExc_ValueError, "array: the list is nested more than %d deep", TME_MAX_RANK);
    return false;
  }
  Py_ssize_t size = list_size(o);
  if (n->shape[depth] >= 0 && n->shape[depth] != size) return ragged(depth);
  if (n->rank >= 0 && n->rank <= depth) return ragged(depth);
  n->shape[depth] = size;
  for (Py_ssize_t i = 0; i < size; i++) {
    PyObject *item = list_at(o, i);
    bool ok = item && survey(n, item, depth + 1);
    Py_XDECREF(item);
    if (!ok) return false;
    if (n->objects) return true;
  }
  return true;
}

/* Where the elements go, one behind the other. */
typedef struct filler {
  char *at, *end;
  tme_dtype t;
} filler;

static bool overflow_error(PyObject *o, tme_dtype t) {
  PyErr_Clear();
  PyObject *text = number_text(o);
  if (text) PyErr_Format(PyExc_OverflowError, "array: %U is outside of %s", text, tme_dtype_name(t));
  Py_XDECREF(text);
  return false;
}

static bool write_number(filler *f, PyObject *o) {
  union {
    uint8_t b;
    int64_t i;
    uint64_t u;
    float f;
    double d[2];
  } v;
  switch (f->t) {
  case TME_BOOL: v.b = o == Py_True; break;
  case TME_I64:
    v.i = PyLong_AsLongLong(o);
    if (v.i == -1 && PyErr_Occurred()) return overflow_error(o, TME_I64);
    break;
  case TME_U64:
    v.u = PyLong_AsUnsignedLongLong(o);
    if (PyErr_Occurred()) return overflow_error(o, TME_U64);
    break;
  case TME_F32: v.f = (float)PyFloat_AsDouble(o); break;
  case TME_F64: v.d[0] = PyFloat_AsDouble(o); break;
  default: v.d[0] = PyComplex_RealAsDouble(o); v.d[1] = PyComplex_ImagAsDouble(o);
  }
  if (PyErr_Occurred()) return false;
  size_t size = tme_dtype_size(f->t);
  if (f->at == f->end) return ragged(0);
  memcpy(f->at, &v, size);
  f->at += size;
  return true;
}

/* The list is looked at anew: it may have changed since it was surveyed. */
static bool fill(filler *f, PyObject *o, const nest *n, int depth) {
  if (depth == n->rank) return is_number(o) ? write_number(f, o) : ragged(depth);
  if (!is_list(o) || list_size(o) != n->shape[depth]) return ragged(depth);
  for (int64_t i = 0; i < n->shape[depth]; i++) {
    PyObject *item = list_at(o, i);
    bool ok = item && fill(f, item, n, depth + 1);
    Py_XDECREF(item);
    if (!ok) return false;
  }
  return true;
}

/* In which dtype the numbers are written down, before they are converted to t. */
static tme_dtype carrier_of(const nest *n, tme_dtype t) {
  char kind = n->kind ? n->kind : 'f';
  if (t == TME_F32 && kind != 'c') return TME_F32;
  if (kind == 'b') return TME_BOOL;
  if (kind == 'f' || (kind == 'i' && t != TME_DTYPE_NONE && strchr("fc", tme_dtype_kind(t)))) return TME_F64;
  if (kind == 'c') return TME_C128;
  return n->beyond_int64 && !n->negative ? TME_U64 : TME_I64;
}

/* Without a dtype: that of the numbers, floating ones in the engine's precision. */
static tme_dtype dtype_for(tme_dtype carrier, engine_object *e) {
  tme_dtype precision = tme_engine_default_dtype(e->engine);
  if (carrier == TME_F64) return precision;
  if (carrier == TME_C128) return precision == TME_F64 ? TME_C128 : TME_C64;
  return carrier;
}

/* Whole numbers must be ones of an integer dtype, as NumPy has it: nothing wraps. */
static bool check_range(tme_dtype t, tme_dtype carrier, const char *data, int64_t size) {
  char kind = tme_dtype_kind(t);
  if ((kind != 'i' && kind != 'u') || (carrier != TME_I64 && carrier != TME_U64)) return true;
  int bits = 8 * (int)tme_dtype_size(t) - (kind == 'i');
  uint64_t most = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
  int64_t least = kind == 'i' ? -(int64_t)most - 1 : 0;
  for (int64_t i = 0; i < size; i++) {
    uint64_t bits_of;
    memcpy(&bits_of, data + 8 * i, 8);
    bool negative = carrier == TME_I64 && (int64_t)bits_of < 0;
    if (negative ? (int64_t)bits_of >= least : bits_of <= most) continue;
    PyObject *o = carrier == TME_I64 ? PyLong_FromLongLong((int64_t)bits_of) : PyLong_FromUnsignedLongLong(bits_of);
    if (o) overflow_error(o, t);
    Py_XDECREF(o);
    return false;
  }
  return true;
}

/* Nested lists of Python's numbers, or one number (rank 0). */
static tme_array *array_of_numbers(tme_scope *s, engine_object *e, PyObject *o, nest *n, tme_dtype t, bool wide) {
  int64_t size = 1;
  if (n->rank < 0)
    for (n->rank = 0; n->rank < TME_MAX_RANK && n->shape[n->rank] >= 0;) n->rank++;
  for (int d = 0; d < n->rank; d++)
    if (__builtin_mul_overflow(size, n->shape[d], &size) || size > INT64_MAX / 16) {
      PyErr_NoMemory();
      return NULL;
    }
  tme_dtype carrier = carrier_of(n, t), result = t != TME_DTYPE_NONE ? t : wide ? carrier : dtype_for(carrier, e);
  size_t bytes = (size_t)size * tme_dtype_size(carrier);
  char *data = PyMem_Malloc(bytes + 1);
  if (!data) {
    PyErr_NoMemory();
    return NULL;
  }
  filler f = {data, data + bytes, carrier};
  tme_array *a = NULL;
  if (fill(&f, o, n, 0) && check_range(result, carrier, data, size)) {
    a = tme_from(s, carrier, n->rank, n->shape, data);
    if (carrier != result) a = tme_astype(s, a, result);
    if (!a) scope_raise(s);
  }
  PyMem_Free(data);
  return a;
}

static bool alike(tme_array *const *a, Py_ssize_t n) {
  int rank = tme_array_rank(a[0]);
  for (Py_ssize_t i = 1; i < n; i++)
    if (tme_array_dtype(a[i]) != tme_array_dtype(a[0]) || tme_array_rank(a[i]) != rank ||
        (rank && memcmp(tme_array_shape(a[i]), tme_array_shape(a[0]), (size_t)rank * sizeof(int64_t)) != 0))
      return false;
  return true;
}

/* By their values: a kernel that stacks many arrays would be compiled for that number of them. `items`: whose they are. */
static tme_array *stack_values(tme_scope *s, PyObject *items, tme_array *const *a, int n) {
  int rank = tme_array_rank(a[0]);
  size_t bytes = (size_t)tme_array_size(a[0]) * tme_dtype_size(tme_array_dtype(a[0])), all;
  char *rows = __builtin_mul_overflow(bytes, (size_t)n, &all) ? NULL : PyMem_Malloc(all + 1);
  if (!rows) PyErr_NoMemory();
  bool ok = rows;
  for (int i = 0; ok && i < n; i++) {
    PyObject *item = PyTuple_GetItem(items, i);
    const void *data = !is_array(item) || array_whole((array_object *)item, s) ? array_data(s, a[i]) : NULL;
    ok = data;
    if (ok) memcpy(rows + (size_t)i * bytes, data, bytes);
  }
  int64_t shape[TME_MAX_RANK] = {n};
  if (rank) memcpy(shape + 1, tme_array_shape(a[0]), (size_t)rank * sizeof *shape);
  tme_array *out = ok ? tme_from(s, tme_array_dtype(a[0]), rank + 1, shape, rows) : NULL;
  if (ok && !out) scope_raise(s);
  PyMem_Free(rows);
  return out;
}

/* Lists that hold arrays: one on top of the other. */
static tme_array *stack_of(tme_scope *s, engine_object *e, PyObject *o, tme_dtype t) {
  PyObject *items = PySequence_Tuple(o);
  Py_ssize_t n = items ? PyTuple_Size(items) : 0;
  tme_array **a = items && n <= INT32_MAX ? PyMem_Malloc((size_t)n * sizeof *a + 1) : NULL;
  tme_array *out = NULL;
  if (items && !a) PyErr_NoMemory();
  if (a) {
    Py_ssize_t i = 0;
    for (; i < n; i++) {
      a[i] = array_of(s, e, PyTuple_GetItem(items, i), t, COPY_IF_NEEDED);
      if (!a[i]) break;
    }
    enum { MOST_LAZY = 8 };
    if (i == n && n > MOST_LAZY && !is_tracing() && tme_array_rank(a[0]) < TME_MAX_RANK && alike(a, n)) {
      out = stack_values(s, items, a, (int)n);
    } else if (i == n) {
      out = tme_stack(s, a, (int)n, 0);
      if (!out) scope_raise(s);
    }
  }
  PyMem_Free(a);
  Py_XDECREF(items);
  return out;
}

static tme_array *array_of_list(tme_scope *s, engine_object *e, PyObject *o, tme_dtype t, bool wide) {
  nest n = {.rank = -1};
  for (int d = 0; d < TME_MAX_RANK; d++) n.shape[d] = -1;
  if (!survey(&n, o, 0)) return NULL;
  if (!n.objects) return array_of_numbers(s, e, o, &n, t, wide);
  if (Py_EnterRecursiveCall(" while a list becomes an array")) return NULL;
  tme_array *a = stack_of(s, e, o, t);
  Py_LeaveRecursiveCall();
  return a;
}

/* ---- other objects ------------------------------------------------------------------------------------------------------ */

static tme_array *array_of_method(tme_scope *s, engine_object *e, PyObject *o) {
  PyObject *made = PyObject_CallMethod(o, "__array__", NULL);
  tme_array *a = NULL;
  if (made && (is_array(made) || PyObject_CheckBuffer(made)))
    a = array_of(s, e, made, TME_DTYPE_NONE, COPY_IF_NEEDED);
  else if (made)
    PyErr_Format(PyExc_TypeError, "__array__ of %R gave no array", Py_TYPE(o));
  Py_XDECREF(made);
  return a;
}

static bool has(PyObject *o, const char *name) { return PyObject_HasAttrString((PyObject *)Py_TYPE(o), name); }

/* What has elements of its own. NULL without an exception: it has none. */
static tme_array *array_of_holder(tme_scope *s, engine_object *e, PyObject *o, copy_mode copy) {
  bool shares = has(o, "__dlpack__");
  if (PyObject_CheckBuffer(o)) {
    tme_array *a = array_of_buffer(s, o, copy);
    /* Of dtypes that have no format. */
    if (a || !shares || !(PyErr_ExceptionMatches(PyExc_BufferError) || PyErr_ExceptionMatches(PyExc_ValueError)))
      return a;
    PyErr_Clear();
  }
  if (shares) return array_of_dlpack(s, o, NULL, copy);
  if (has(o, "__array__")) return array_of_method(s, e, o);
  return NULL;
}

static tme_array *own_array(tme_scope *s, engine_object *e, PyObject *o) {
  array_object *a = (array_object *)o;
  if (a->engine == e) return tme_keep(s, a->array);
  /* Of another engine: by its values. */
  tme_scope *theirs = scope_open(a->engine);
  if (!theirs) return NULL;
  tme_dtype t = tme_array_dtype(a->array);
  tme_array *from = tme_keep(theirs, a->array), *out = NULL;
  const void *data = array_data(theirs, from);
  if (data) {
    out = tme_from(s, t, tme_array_rank(from), tme_array_shape(from), data);
    if (!out) scope_raise(s);
  }
  scope_close(theirs);
  return out;
}

static PyObject *no_array(PyObject *o, const char *what) {
  return PyErr_Format(PyExc_TypeError,
                      "%s: %R is no array, number, list of numbers or object with a buffer, __dlpack__ or __array__",
                      what, Py_TYPE(o));
}

tme_array *operand_of(tme_scope *s, engine_object *e, PyObject *o, bool wide) {
  if (is_array(o)) return own_array(s, e, o);
  tme_array *a = literal_of(s, o);
  if (a || PyErr_Occurred()) return a;
  if (is_list(o)) {
    a = array_of_list(s, e, o, TME_DTYPE_NONE, wide);
    return a ? tme_untyped(s, a) : NULL;
  }
  if (PyUnicode_Check(o) || PyBytes_Check(o)) return NULL;
  return array_of_holder(s, e, o, COPY_IF_NEEDED);
}

tme_array *operand_needed(tme_scope *s, engine_object *e, PyObject *o, bool wide, const char *what) {
  tme_array *a = operand_of(s, e, o, wide);
  if (!a && !PyErr_Occurred()) no_array(o, what);
  return a;
}

static tme_array *of_any(tme_scope *s, engine_object *e, PyObject *o, tme_dtype t, copy_mode copy) {
  if (is_array(o)) return own_array(s, e, o);
  /* Scalars of NumPy's that are Python's numbers too have their own dtype, except in lists. */
  if (is_list(o) || (is_number(o) && !PyObject_CheckBuffer(o))) {
    if (copy != COPY_NEVER) return array_of_list(s, e, o, t, false);
    PyErr_Format(PyExc_ValueError, "asarray: a %R cannot be shared, and copy=False forbids to copy it", Py_TYPE(o));
    return NULL;
  }
  tme_array *a = PyUnicode_Check(o) ? NULL : array_of_holder(s, e, o, copy);
  if (!a && !PyErr_Occurred()) no_array(o, "array");
  return a;
}

tme_array *array_of(tme_scope *s, engine_object *e, PyObject *o, tme_dtype t, copy_mode copy) {
  tme_array *a = of_any(s, e, o, t, copy);
  if (!a || t == TME_DTYPE_NONE || tme_array_dtype(a) == t) return a;
  if (copy == COPY_NEVER) {
    PyErr_Format(PyExc_ValueError, "asarray: %s to %s needs a copy, which copy=False forbids",
                 tme_dtype_name(tme_array_dtype(a)), tme_dtype_name(t));
    return NULL;
  }
  a = tme_astype(s, a, t);
  if (!a) scope_raise(s);
  return a;
}

/* ---- tme.array, tme.asarray ------------------------------------------------------------------------------------------------ */

/* Whether there is such a device; None is any. */
static bool check_device(engine_object *e, PyObject *device) {
  if (!device || device == Py_None) return true;
  const char *name = PyUnicode_Check(device) ? PyUnicode_AsUTF8AndSize(device, NULL) : NULL;
  if (!name) {
    if (!PyErr_Occurred()) PyErr_Format(PyExc_TypeError, "device is %R, expected a name: 'cpu'", device);
    return false;
  }
  tme_scope *s = scope_open(e);
  bool ok = s && tme_scope_set_device(s, name) == TME_OK;
  if (s && !ok) raise_status(TME_ERR_ARGUMENT, tme_error(s));
  scope_close(s);
  return ok;
}

static PyObject *make(PyObject *args, PyObject *kwargs, const char *format, copy_mode unless_said) {
  static char *names[] = {"obj", "dtype", "copy", "device", NULL};
  PyObject *o, *dtype = Py_None, *copy = Py_None, *device = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, format, names, &o, &dtype, &copy, &device)) return NULL;
  copy_mode mode = unless_said;
  if (copy != Py_None) {
    int wanted = PyObject_IsTrue(copy);
    if (wanted < 0) return NULL;
    mode = wanted ? COPY_ALWAYS : COPY_NEVER;
  }
  engine_object *e = is_array(o) ? engine_ref(((array_object *)o)->engine) : engine_current();
  tme_dtype t = TME_DTYPE_NONE;
  PyObject *out = NULL;
  if (e && (dtype == Py_None || dtype_of(dtype, e, &t)) && check_device(e, device)) {
    tme_scope *s = scope_open(e);
    tme_array *a = s ? array_of(s, e, o, t, mode) : NULL;
    if (a) out = array_new(e, s, a);
    scope_close(s);
  }
  engine_drop(e);
  return out;
}

static PyObject *array(PyObject *module, PyObject *args, PyObject *kwargs) {
  (void)module;
  return make(args, kwargs, "O|OOO:array", COPY_ALWAYS);
}

static PyObject *asarray(PyObject *module, PyObject *args, PyObject *kwargs) {
  (void)module;
  return make(args, kwargs, "O|O$OO:asarray", COPY_IF_NEEDED);
}

static PyMethodDef functions[] = {
    {"array", (PyCFunction)(void (*)(void))array, METH_VARARGS | METH_KEYWORDS,
     "array(obj, dtype=None, copy=True, device=None)\n--\n\n"
     "An array with the values of obj: a number, nested lists, an array of any library. Floating numbers without a dtype have the "
     "engine's precision, whole ones are int64.\n\n>>> tme.array([[1, 2], [3, 4]]).shape\n(2, 2)"},
    {"asarray", (PyCFunction)(void (*)(void))asarray, METH_VARARGS | METH_KEYWORDS,
     "asarray(obj, /, dtype=None, *, copy=None, device=None)\n--\n\n"
     "The same without a copy where none is needed: of arrays, and of memory that nobody can write. copy=False shares memory, "
     "which then must not change, or is a ValueError."},
    {NULL, NULL, 0, NULL}};

bool convert_init(PyObject *module) { return add_functions(module, functions); }
