/* Python's buffer protocol, both ways. */
#include "ext.h"

/* Its format in the module struct, NULL if there is none, and no such dtype in NumPy. */
const char *buffer_format(tme_dtype t) {
  static const char *const formats[TME_DTYPE_COUNT] = {
      [TME_BOOL] = "?", [TME_U8] = "B",  [TME_U16] = "H",  [TME_U32] = "I",  [TME_U64] = "Q",
      [TME_I8] = "b",   [TME_I16] = "h", [TME_I32] = "i",  [TME_I64] = "q",  [TME_F16] = "e",
      [TME_F32] = "f",  [TME_F64] = "d", [TME_C64] = "Zf", [TME_C128] = "Zd"};
  return formats[t];
}

/* ---- their memory as an array ------------------------------------------------------------------------------------------- */

static tme_dtype sized(char kind, Py_ssize_t size) {
  for (int t = 0; t < TME_DTYPE_COUNT; t++)
    if (tme_dtype_kind((tme_dtype)t) == kind && buffer_format((tme_dtype)t) &&
        tme_dtype_size((tme_dtype)t) == (size_t)size)
      return (tme_dtype)t;
  return TME_DTYPE_NONE;
}

/* The dtype of a format of the module struct, in this machine's byte order; NONE if there is none. */
static tme_dtype dtype_of_format(const char *f, Py_ssize_t size) {
  if (!f) return TME_U8;
  if (*f == '@' || *f == '=' || (*f == (PY_BIG_ENDIAN ? '>' : '<')) ||
      ((*f == '<' || *f == '>' || *f == '!') && size == 1))
    f++;
  bool complex = *f == 'Z';
  if (complex) f++;
  if (!*f || f[1]) return TME_DTYPE_NONE;
  if (complex) return strchr("fd", *f) ? sized('c', size) : TME_DTYPE_NONE;
  if (*f == '?') return TME_BOOL;
  if (strchr("bhilqn", *f)) return sized('i', size);
  if (strchr("BHILQN", *f)) return sized('u', size);
  if (strchr("efd", *f)) return sized('f', size);
  return TME_DTYPE_NONE;
}

/* By any thread, without the GIL. After the interpreter's end nothing is given back. */
static void let_go(void *user) {
  if (!Py_IsInitialized()) return;
  PyGILState_STATE g = PyGILState_Ensure();
  PyBuffer_Release(user);
  PyMem_Free(user);
  PyGILState_Release(g);
}

static tme_array *share(tme_scope *s, tme_dtype t, Py_buffer **held) {
  Py_buffer *v = *held;
  int64_t shape[TME_MAX_RANK], strides[TME_MAX_RANK];
  for (int d = 0; d < v->ndim; d++) {
    shape[d] = v->shape[d];
    if (v->strides) strides[d] = v->strides[d];
  }
  /* Arrays of ctypes have none, though they were asked for. */
  tme_array *a = tme_wrap(s, t, v->ndim, shape, v->strides ? strides : NULL, v->buf, let_go, v);
  if (a) *held = NULL;
  return a;
}

static tme_array *copy_of(tme_scope *s, tme_dtype t, Py_buffer *v) {
  int64_t shape[TME_MAX_RANK];
  for (int d = 0; d < v->ndim; d++) shape[d] = v->shape[d];
  if (PyBuffer_IsContiguous(v, 'C')) return tme_from(s, t, v->ndim, shape, v->buf);
  char *rows = PyMem_Malloc((size_t)v->len + 1);
  tme_array *a = NULL;
  if (!rows)
    PyErr_NoMemory();
  else if (PyBuffer_ToContiguous(rows, v, v->len, 'C') == 0)
    a = tme_from(s, t, v->ndim, shape, rows);
  PyMem_Free(rows);
  return a;
}

/* Bools are 0 or 1 in NumPy's memory, and need not be in others'. */
static tme_array *take(tme_scope *s, tme_dtype t, Py_buffer **held, copy_mode copy) {
  Py_buffer *v = *held;
  bool wanted = copy == COPY_NEVER || (copy == COPY_IF_NEEDED && v->readonly);
  tme_array *a = NULL;
  if (wanted && t != TME_BOOL) {
    a = share(s, t, held);
    if (a || copy == COPY_NEVER) return a;
    tme_clear_error(s);
  }
  if (copy == COPY_NEVER) {
    PyErr_SetString(PyExc_ValueError, "asarray: bools are looked at one by one, which copy=False forbids");
    return NULL;
  }
  return copy_of(s, t, v);
}

tme_array *array_of_buffer(tme_scope *s, PyObject *o, copy_mode copy) {
  Py_buffer *v = PyMem_Calloc(1, sizeof *v);
  if (!v) {
    PyErr_NoMemory();
    return NULL;
  }
  if (PyObject_GetBuffer(o, v, PyBUF_RECORDS_RO) != 0) {
    PyMem_Free(v);
    return NULL;
  }
  tme_array *a = NULL;
  tme_dtype t = dtype_of_format(v->format, v->itemsize);
  if (t == TME_DTYPE_NONE)
    PyErr_Format(PyExc_TypeError,
                 "array: elements of format '%s' have no dtype here (objects, texts, records, another byte order)",
                 v->format);
  else if (v->ndim > TME_MAX_RANK)
    PyErr_Format(PyExc_ValueError, "array: %d dimensions, at most %d are supported", v->ndim, TME_MAX_RANK);
  else
    a = take(s, t, &v, copy);
  if (!a && !PyErr_Occurred()) scope_raise(s);
  if (v) {
    PyBuffer_Release(v);
    PyMem_Free(v);
  }
  return a;
}

/* ---- an array's memory for others ------------------------------------------------------------------------------------------- */

/* What a view needs while it lives: the array of that moment, since the object may be assigned to. */
typedef struct exported {
  tme_array *array;
  Py_ssize_t shape[TME_MAX_RANK + 1], strides[TME_MAX_RANK + 1];
} exported;

static void describe(exported *x, Py_buffer *view, tme_array *a, const void *data, int flags) {
  tme_dtype t = tme_array_dtype(a);
  int rank = tme_array_rank(a);
  const int64_t *shape = tme_array_shape(a);
  Py_ssize_t step = (Py_ssize_t)tme_dtype_size(t);
  view->itemsize = step;
  for (int d = rank - 1; d >= 0; d--) {
    x->shape[d] = (Py_ssize_t)shape[d];
    x->strides[d] = step;
    step *= (Py_ssize_t)(shape[d] ? shape[d] : 1);
  }
  static char nothing[1];
  memcpy(&view->buf, &data, sizeof data);
  view->len = (Py_ssize_t)tme_array_size(a) * view->itemsize;
  if (!view->len) view->buf = nothing;
  view->readonly = 1;
  view->format = flags & PyBUF_FORMAT ? (char *)(uintptr_t)buffer_format(t) : NULL;
  /* Who wants no shape sees a row. */
  view->ndim = flags & PyBUF_ND || !rank ? rank : 1;
  view->shape = flags & PyBUF_ND ? x->shape : NULL;
  view->strides = (flags & PyBUF_STRIDES) == PyBUF_STRIDES ? x->strides : NULL;
  view->suboffsets = NULL;
  view->internal = x;
}

int array_getbuffer(PyObject *self, Py_buffer *view, int flags) {
  array_object *o = (array_object *)self;
  view->obj = NULL;
  if (flags & PyBUF_WRITABLE) {
    PyErr_SetString(PyExc_BufferError, "the memory of an array is not to be written");
    return -1;
  }
  tme_dtype t = tme_array_dtype(o->array);
  if (!buffer_format(t)) {
    PyErr_Format(PyExc_BufferError, "%s has no format in Python's buffers; take astype(tme.float32)",
                 tme_dtype_name(t));
    return -1;
  }
  exported *x = PyMem_Calloc(1, sizeof *x);
  tme_scope *s = x ? scope_open(o->engine) : NULL;
  if (!x) PyErr_NoMemory();
  tme_array *a = s ? tme_keep(s, o->array) : NULL;
  const void *data = a ? array_data(s, a) : NULL;
  if (data) {
    x->array = tme_retain(a);
    describe(x, view, x->array, data, flags);
    if ((flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS && !PyBuffer_IsContiguous(view, 'F')) {
      tme_release(x->array);
      PyErr_SetString(PyExc_BufferError, "the memory of an array is row-major");
      data = NULL;
    }
  }
  scope_close(s);
  if (!data) {
    PyMem_Free(x);
    return -1;
  }
  view->obj = Py_NewRef(self);
  return 0;
}

void array_releasebuffer(PyObject *self, Py_buffer *view) {
  (void)self;
  exported *x = view->internal;
  tme_release(x->array);
  PyMem_Free(x);
}
