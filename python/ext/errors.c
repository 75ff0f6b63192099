/* The library's errors as exceptions. */
#include "ext.h"

static PyObject *base_error, *axis_error, *file_error, *numeric_error, *trace_error;

PyObject *exception_of(tme_status st) {
  switch (st) {
  case TME_ERR_ARGUMENT:
  case TME_ERR_SHAPE:
  case TME_ERR_FORMAT: return PyExc_ValueError;
  case TME_ERR_DTYPE: return PyExc_TypeError;
  case TME_ERR_MEMORY: return PyExc_MemoryError;
  case TME_ERR_INDEX: return PyExc_IndexError;
  case TME_ERR_AXIS: return axis_error;
  case TME_ERR_IO: return file_error;
  case TME_ERR_NUMERIC: return numeric_error;
  case TME_ERR_NO_VALUE: return trace_error;
  case TME_ERR_CANCELLED: return PyExc_KeyboardInterrupt;
  default: return base_error;
  }
}

/* Where the caller stands, " (file.py:12)"; NULL if that cannot be found out. */
static PyObject *caller_line(void) {
  PyObject *sys = PyImport_ImportModule("sys");
  PyObject *frame = sys ? PyObject_CallMethod(sys, "_getframe", NULL) : NULL;
  PyObject *code = frame ? PyObject_GetAttrString(frame, "f_code") : NULL;
  PyObject *file = code ? PyObject_GetAttrString(code, "co_filename") : NULL;
  PyObject *line = frame ? PyObject_GetAttrString(frame, "f_lineno") : NULL;
  PyObject *text = file && line ? PyUnicode_FromFormat(" (%U:%S)", file, line) : NULL;
  Py_XDECREF(line);
  Py_XDECREF(file);
  Py_XDECREF(code);
  Py_XDECREF(frame);
  Py_XDECREF(sys);
  if (!text) PyErr_Clear();
  return text;
}

PyObject *raise_status(tme_status st, const char *text) {
  if (PyErr_Occurred()) return NULL;
  if (st != TME_ERR_NO_VALUE) {
    PyErr_SetString(exception_of(st), text);
    return NULL;
  }
  PyObject *line = caller_line();
  PyErr_Format(trace_error, line ? "%s%U" : "%s", text, line);
  Py_XDECREF(line);
  return NULL;
}

PyObject *number_text(PyObject *o) {
  PyObject *text = PyObject_Str(o);
  if (text) return text;
  if (!PyErr_ExceptionMatches(PyExc_ValueError)) return NULL;
  PyErr_Clear();
  return PyUnicode_FromString("a number of thousands of digits");
}

PyObject *scope_raise(const tme_scope *s) { return raise_status(tme_error_code(s), tme_error(s)); }

/* The scope of the last call, for the next one. */
static tme_scope *spare;

tme_scope *scope_open(engine_object *e) {
  tme_scope *s = spare;
  if (s && tme_scope_engine(s) == e->engine) {
    spare = NULL;
    return s;
  }
  s = tme_scope_new(e->engine);
  if (!s) PyErr_NoMemory();
  return s;
}

void scope_close(tme_scope *s) {
  tme_scope_reset(s); /* which may run code that opens and closes others */
  if (s && !spare)
    spare = s;
  else
    tme_scope_free(s);
}

void scope_forget(const tme_engine *e) {
  tme_scope *s = spare;
  if (!s || tme_scope_engine(s) != e) return;
  spare = NULL;
  tme_scope_free(s);
}

static PyObject *add_class(PyObject *module, const char *name, const char *doc, PyObject *bases) {
  char full[64];
  snprintf(full, sizeof full, "tme.%s", name);
  PyObject *class = PyErr_NewExceptionWithDoc(full, doc, bases, NULL);
  if (class && PyModule_AddObjectRef(module, name, class) < 0) Py_CLEAR(class);
  return class;
}

static PyObject *add_derived(PyObject *module, const char *name, const char *doc, PyObject *builtin) {
  PyObject *bases = PyTuple_Pack(2, base_error, builtin);
  PyObject *class = bases ? add_class(module, name, doc, bases) : NULL;
  Py_XDECREF(bases);
  return class;
}

bool errors_init(PyObject *module) {
  base_error = add_class(module, "Error", "What the engine could not do, and why.", PyExc_RuntimeError);
  if (!base_error) return false;
  PyObject *bases = PyTuple_Pack(2, PyExc_ValueError, PyExc_IndexError);
  axis_error = bases ? add_class(module, "AxisError", "An axis that is out of range.", bases) : NULL;
  Py_XDECREF(bases);
  if (!axis_error) return false;
  file_error = add_derived(module, "FileError", "A file that could not be read or written.", PyExc_OSError);
  numeric_error = add_derived(module, "NumericError", "No convergence, a singular matrix.", PyExc_ArithmeticError);
  trace_error =
      add_derived(module, "TraceError", "The value of an array was asked for that has none while a function is traced.",
                  PyExc_TypeError);
  return file_error && numeric_error && trace_error;
}
