/* DLPack: capsules of other libraries, and ours. */
#include "ext.h"
#include <tme/dlpack.h>

static const char plain[] = "dltensor", versioned[] = "dltensor_versioned";
static const char used_plain[] = "used_dltensor", used_versioned[] = "used_dltensor_versioned";

/* ---- theirs ----------------------------------------------------------------------------------------------------------------- */

/* Their capsule: in the newest protocol that they know, on the host. */
static PyObject *ask(PyObject *o, copy_mode copy) {
  PyObject *method = PyObject_GetAttrString(o, "__dlpack__");
  PyObject *version = method ? Py_BuildValue("(ii)", DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION) : NULL;
  PyObject *kwargs = version ? Py_BuildValue("{s:O}", "max_version", version) : NULL;
  PyObject *none = kwargs ? PyTuple_New(0) : NULL;
  PyObject *capsule = NULL;
  if (none && (copy == COPY_IF_NEEDED || copy == COPY_UNASKED ||
               PyDict_SetItemString(kwargs, "copy", copy == COPY_ALWAYS ? Py_True : Py_False) == 0))
    capsule = PyObject_Call(method, none, kwargs);
  /* Those of before the array API standard 2023.12 take no such arguments. */
  if (none && !capsule && PyErr_ExceptionMatches(PyExc_TypeError)) {
    PyErr_Clear();
    capsule = PyObject_CallNoArgs(method);
  }
  Py_XDECREF(none);
  Py_XDECREF(kwargs);
  Py_XDECREF(version);
  Py_XDECREF(method);
  return capsule;
}

/* The tensor goes over to the array, and the capsule is marked as used; on failure it keeps what it has. */
static tme_array *take(tme_scope *s, PyObject *capsule, uint64_t *flags) {
  tme_array *a = NULL;
  *flags = 0;
  if (PyCapsule_IsValid(capsule, versioned)) {
    struct DLManagedTensorVersioned *t = PyCapsule_GetPointer(capsule, versioned);
    a = tme_from_dlpack_versioned(s, t);
    if (a) *flags = t->flags;
    if (a) PyCapsule_SetName(capsule, used_versioned);
  } else if (PyCapsule_IsValid(capsule, plain)) {
    a = tme_from_dlpack(s, PyCapsule_GetPointer(capsule, plain));
    if (a) PyCapsule_SetName(capsule, used_plain);
  } else if (PyCapsule_IsValid(capsule, used_plain) || PyCapsule_IsValid(capsule, used_versioned)) {
    PyErr_SetString(PyExc_ValueError, "from_dlpack: the capsule was used before");
  } else {
    PyErr_Format(PyExc_TypeError, "from_dlpack: __dlpack__ gave %R, expected a capsule 'dltensor'", Py_TYPE(capsule));
  }
  if (!a && !PyErr_Occurred()) {
    if (tme_error_code(s) == TME_ERR_UNSUPPORTED)
      PyErr_SetString(PyExc_BufferError, tme_error(s));
    else
      scope_raise(s);
  }
  return a;
}

/* Of what its owner may change, in protocols that know no copies too. */
static tme_array *copy_of(tme_scope *s, tme_array *a) {
  const void *data = array_data(s, a);
  tme_array *out = data ? tme_from(s, tme_array_dtype(a), tme_array_rank(a), tme_array_shape(a), data) : NULL;
  if (data && !out) scope_raise(s);
  return out;
}

static bool on_host(PyObject *device) {
  if (!device || device == Py_None) return true;
  const char *name = PyUnicode_Check(device) ? PyUnicode_AsUTF8AndSize(device, NULL) : NULL;
  if (name && !strcmp(name, "cpu")) return true;
  if (!PyErr_Occurred()) PyErr_Format(PyExc_ValueError, "from_dlpack: device %R, expected 'cpu'", device);
  return false;
}

tme_array *array_of_dlpack(tme_scope *s, PyObject *o, PyObject *device, copy_mode copy) {
  if (!on_host(device)) return NULL;
  PyObject *capsule = PyCapsule_CheckExact(o) ? Py_NewRef(o) : ask(o, copy);
  uint64_t flags;
  tme_array *a = capsule ? take(s, capsule, &flags) : NULL;
  Py_XDECREF(capsule);
  if (!a) return NULL;
  if (copy == COPY_ALWAYS && !(flags & DLPACK_FLAG_BITMASK_IS_COPIED)) return copy_of(s, a);
  if (copy == COPY_IF_NEEDED && !(flags & (DLPACK_FLAG_BITMASK_IS_COPIED | DLPACK_FLAG_BITMASK_READ_ONLY)))
    return copy_of(s, a);
  return a;
}

static PyObject *from_dlpack(PyObject *module, PyObject *args, PyObject *kwargs) {
  (void)module;
  static char *names[] = {"x", "device", "copy", NULL};
  PyObject *o, *device = Py_None, *copy = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$OO:from_dlpack", names, &o, &device, &copy)) return NULL;
  int wanted = copy == Py_None ? 0 : PyObject_IsTrue(copy);
  if (wanted < 0) return NULL;
  copy_mode mode = copy == Py_None ? COPY_UNASKED : wanted ? COPY_ALWAYS : COPY_NEVER;
  engine_object *e = engine_current();
  tme_scope *s = e ? scope_open(e) : NULL;
  tme_array *a = s ? array_of_dlpack(s, o, device, mode) : NULL;
  PyObject *out = a ? array_new(e, s, a) : NULL;
  scope_close(s);
  engine_drop(e);
  return out;
}

/* ---- ours ------------------------------------------------------------------------------------------------------------------- */

/* Capsules that nobody has taken delete their tensors. */
static void end_plain(PyObject *capsule) {
  if (!PyCapsule_IsValid(capsule, plain)) return;
  struct DLManagedTensor *t = PyCapsule_GetPointer(capsule, plain);
  t->deleter(t);
}

static void end_versioned(PyObject *capsule) {
  if (!PyCapsule_IsValid(capsule, versioned)) return;
  struct DLManagedTensorVersioned *t = PyCapsule_GetPointer(capsule, versioned);
  t->deleter(t);
}

/* dl_device: only the host's memory is given. */
static bool check_device(PyObject *device) {
  int type, id;
  if (device == Py_None) return true;
  if (!PyTuple_Check(device) || !PyArg_ParseTuple(device, "ii", &type, &id)) {
    PyErr_Clear();
    PyErr_Format(PyExc_TypeError, "__dlpack__: dl_device is %R, expected a pair of numbers", device);
    return false;
  }
  if (type == kDLCPU) return true;
  PyErr_Format(PyExc_BufferError, "__dlpack__: device (%d, %d) cannot be given, only the host's, (1, 0)", type, id);
  return false;
}

static PyObject *capsule_of(tme_scope *s, tme_array *a, bool new_protocol, unsigned flags) {
  PyObject *out = NULL;
  if (new_protocol) {
    struct DLManagedTensorVersioned *t = tme_to_dlpack_versioned(s, a, flags);
    out = t ? PyCapsule_New(t, versioned, end_versioned) : NULL;
    if (t && !out) t->deleter(t);
  } else {
    struct DLManagedTensor *t = tme_to_dlpack(s, a, flags);
    out = t ? PyCapsule_New(t, plain, end_plain) : NULL;
    if (t && !out) t->deleter(t);
  }
  return out;
}

static PyObject *to_dlpack(PyObject *self, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"stream", "max_version", "dl_device", "copy", NULL};
  PyObject *stream = Py_None, *most = Py_None, *device = Py_None, *copy = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOO:__dlpack__", names, &stream, &most, &device, &copy))
    return NULL;
  if (stream != Py_None)
    return PyErr_Format(PyExc_BufferError, "__dlpack__: the host has no streams, stream must be None");
  int major = 0, minor = 0;
  if (most != Py_None && (!PyTuple_Check(most) || !PyArg_ParseTuple(most, "ii", &major, &minor))) {
    PyErr_Clear();
    return PyErr_Format(PyExc_TypeError, "__dlpack__: max_version is %R, expected a pair of numbers", most);
  }
  if (!check_device(device)) return NULL;
  unsigned flags = 0;
  if (copy != Py_None) {
    int wanted = PyObject_IsTrue(copy);
    if (wanted < 0) return NULL;
    flags = wanted ? TME_DLPACK_COPY : TME_DLPACK_NEVER_COPY;
  }
  array_object *o = (array_object *)self;
  tme_scope *s = scope_open(o->engine);
  if (!s) return NULL;
  tme_array *a = tme_keep(s, o->array);
  PyObject *out = array_eval(s, &a, 1) ? capsule_of(s, a, major >= DLPACK_MAJOR_VERSION, flags) : NULL;
  if (!out && !PyErr_Occurred()) {
    if (tme_error_code(s) == TME_ERR_UNSUPPORTED)
      PyErr_SetString(PyExc_BufferError, tme_error(s));
    else
      scope_raise(s);
  }
  scope_close(s);
  return out;
}

static PyObject *dlpack_device(PyObject *self, PyObject *unused) {
  (void)self;
  (void)unused;
  return Py_BuildValue("(ii)", kDLCPU, 0);
}

PyMethodDef array_dlpack_methods[] = {
    {"__dlpack__", (PyCFunction)(void (*)(void))to_dlpack, METH_VARARGS | METH_KEYWORDS,
     "__dlpack__($self, /, *, stream=None, max_version=None, dl_device=None, copy=None)\n--\n\nThe elements as a capsule, without a copy."},
    {"__dlpack_device__", dlpack_device, METH_NOARGS, "__dlpack_device__($self, /)\n--\n\n(1, 0): the host."},
    {NULL, NULL, 0, NULL}};

static PyMethodDef functions[] = {
    {"from_dlpack", (PyCFunction)(void (*)(void))from_dlpack, METH_VARARGS | METH_KEYWORDS,
     "from_dlpack(x, /, *, device=None, copy=None)\n--\n\n"
     "The memory of another library's array, without a copy; it must not change while the array lives."},
    {NULL, NULL, 0, NULL}};

bool dlpack_init(PyObject *module) { return add_functions(module, functions); }
