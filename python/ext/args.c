/* What Python gives for an operation's parameters. */
#include "ext.h"
#include <math.h>

static bool expected(const op_args *a, int p, const char *what) {
  if (!PyErr_Occurred())
    PyErr_Format(PyExc_TypeError, "%s: %s must be %s, not %R", a->op->info->name, a->op->param[p]->name, what,
                 Py_TYPE(a->given[p]));
  return false;
}

/* A whole number; those beyond 64 bits are none. */
static bool int_of(PyObject *o, int64_t *out) {
  PyObject *i = PyNumber_Index(o);
  if (!i) return false;
  *out = PyLong_AsLongLong(i);
  Py_DECREF(i);
  return *out != -1 || !PyErr_Occurred();
}

static bool is_index(PyObject *o) { return PyLong_Check(o) || PyIndex_Check(o); }
static bool is_sequence(PyObject *o) {
  return PyList_Check(o) || PyTuple_Check(o) || (PySequence_Check(o) && !PyUnicode_Check(o));
}

int ints_of(PyObject *o, int64_t *out, int most, const char *what) {
  if (PyLong_Check(o) || (PyIndex_Check(o) && !PyList_Check(o) && !PyTuple_Check(o))) return int_of(o, out) ? 1 : -1;
  PyObject *items = PySequence_Tuple(o);
  if (!items) {
    /* What its own methods raise stays. */
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) return -1;
    PyErr_Clear();
    PyErr_Format(PyExc_TypeError, "%s must be a whole number or a list of them, not %R", what, Py_TYPE(o));
    return -1;
  }
  Py_ssize_t n = PyTuple_Size(items);
  if (n > most) {
    PyErr_Format(PyExc_ValueError, "%s has %zd entries, at most %d are supported", what, n, most);
    n = -1;
  }
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject *item = PyTuple_GetItem(items, i);
    if (item == Py_None)
      out[i] = TME_NONE;
    else if (!int_of(item, &out[i]))
      n = -1;
  }
  Py_DECREF(items);
  return (int)n;
}

static bool meets_wide(const op_args *a) {
  for (int p = 0; p < a->op->info->params; p++)
    if (a->given[p] && is_wide(a->given[p])) return true;
  return false;
}

static bool take_array(op_args *a, int p) {
  tme_array *x = operand_needed(a->s, a->e, a->given[p], meets_wide(a), a->op->info->name);
  a->arg[p] = (tme_arg){.kind = TME_ARG_ARRAY, .u.array = x};
  return x;
}

/* One array alone is a list of those along its first axis? No: it is most often a mistake. */
static bool take_arrays(op_args *a, int p) {
  if (is_array(a->given[p]) || !is_sequence(a->given[p])) return expected(a, p, "a list of arrays");
  PyObject *items = PySequence_Tuple(a->given[p]);
  if (!items) return false;
  Py_ssize_t n = PyTuple_Size(items);
  tme_array **list = n <= INT32_MAX ? PyMem_Malloc((size_t)n * sizeof *list + 1) : NULL;
  a->owned[p] = list;
  bool ok = list, wide = false;
  for (Py_ssize_t i = 0; i < n; i++) wide |= is_wide(PyTuple_GetItem(items, i));
  if (!list) PyErr_NoMemory();
  for (Py_ssize_t i = 0; ok && i < n; i++) {
    list[i] = operand_needed(a->s, a->e, PyTuple_GetItem(items, i), wide, a->op->info->name);
    ok = list[i];
  }
  Py_DECREF(items);
  a->arg[p] = (tme_arg){.kind = TME_ARG_ARRAYS, .n = (int)n, .u.arrays = list};
  return ok;
}

static bool take_int(op_args *a, int p) {
  int64_t v;
  if (!is_index(a->given[p]) || !int_of(a->given[p], &v)) return expected(a, p, "a whole number");
  a->arg[p] = (tme_arg){.kind = TME_ARG_INT, .u.i = v};
  return true;
}

static bool take_bool(op_args *a, int p) {
  int v = PyObject_IsTrue(a->given[p]);
  a->arg[p] = (tme_arg){.kind = TME_ARG_INT, .u.i = v};
  return v >= 0;
}

static bool take_ints(op_args *a, int p) {
  char what[64];
  snprintf(what, sizeof what, "%.30s: %.30s", a->op->info->name, a->op->param[p]->name);
  int n = ints_of(a->given[p], a->ints[p], TME_MAX_RANK, what);
  a->arg[p] = (tme_arg){.kind = TME_ARG_INTS, .n = n, .u.ints = a->ints[p]};
  return n >= 0;
}

static bool take_float(op_args *a, int p) {
  double v = PyFloat_AsDouble(a->given[p]);
  if (v == -1 && PyErr_Occurred()) return expected(a, p, "a number");
  a->arg[p] = (tme_arg){.kind = TME_ARG_FLOAT, .u.f = v};
  return true;
}

/* Whole numbers keep their 64 bits. */
static bool take_number(op_args *a, int p) {
  PyObject *o = a->given[p];
  if (!is_index(o)) return take_float(a, p);
  PyObject *i = PyNumber_Index(o);
  if (!i) {
    /* An array has __index__ whatever its dtype is. */
    if (!PyErr_ExceptionMatches(PyExc_TypeError)) return false;
    PyErr_Clear();
    return take_float(a, p);
  }
  int overflow;
  int64_t v = PyLong_AsLongLongAndOverflow(i, &overflow);
  if (!overflow)
    a->arg[p] = (tme_arg){.kind = TME_ARG_INT, .u.i = v};
  else
    a->arg[p] = (tme_arg){.kind = TME_ARG_UINT, .u.u = PyLong_AsUnsignedLongLong(i)};
  Py_DECREF(i);
  return !PyErr_Occurred();
}

static bool take_dtype(op_args *a, int p) {
  tme_dtype t;
  if (!dtype_of(a->given[p], a->e, &t)) return false;
  a->arg[p] = (tme_arg){.kind = TME_ARG_INT, .u.i = t};
  return true;
}

static bool take_text(op_args *a, int p) {
  const char *s = PyUnicode_Check(a->given[p]) ? PyUnicode_AsUTF8AndSize(a->given[p], NULL) : NULL;
  if (!s) return expected(a, p, "a str");
  a->arg[p] = (tme_arg){.kind = TME_ARG_TEXT, .u.text = s};
  return true;
}

static bool take(op_args *a, int p) {
  switch (a->op->param[p]->kind) {
  case TME_PARAM_ARRAY:
  case TME_PARAM_OPTIONAL_ARRAY: return take_array(a, p);
  case TME_PARAM_ARRAYS: return take_arrays(a, p);
  case TME_PARAM_AXIS:
  case TME_PARAM_OPTIONAL_AXIS:
  case TME_PARAM_INT: return take_int(a, p);
  case TME_PARAM_AXES:
  case TME_PARAM_INTS:
  case TME_PARAM_PERDIM: return take_ints(a, p);
  case TME_PARAM_BOOL: return take_bool(a, p);
  case TME_PARAM_FLOAT: return take_float(a, p);
  case TME_PARAM_NUMBER: return take_number(a, p);
  case TME_PARAM_DTYPE: return take_dtype(a, p);
  case TME_PARAM_TEXT:
  case TME_PARAM_CHOICE: return take_text(a, p);
  }
  return expected(a, p, "of a kind that this module knows");
}

/* None where it is not the default: no axis, all axes. Elsewhere it stands for the default. */
static bool take_none(op_args *a, int p) {
  const tme_param_info *info = a->op->param[p];
  if (info->kind == TME_PARAM_AXIS) return expected(a, p, "a whole number");
  if (info->kind == TME_PARAM_OPTIONAL_AXIS) a->arg[p] = (tme_arg){.kind = TME_ARG_INT, .u.i = TME_NO_AXIS};
  if (info->kind == TME_PARAM_AXES) a->arg[p] = (tme_arg){.kind = TME_ARG_INTS, .n = TME_ALL};
  return true;
}

bool args_take(op_args *a) {
  for (int p = 0; p < a->op->info->params; p++) {
    const tme_param_info *info = a->op->param[p];
    a->arg[p] = (tme_arg){.kind = TME_ARG_ABSENT};
    if (a->given[p] == Py_None && (info->optional || info->kind == TME_PARAM_OPTIONAL_AXIS)) {
      if (!take_none(a, p)) return false;
      continue;
    }
    if (!a->given[p]) {
      if (info->optional) continue;
      PyErr_Format(PyExc_TypeError, "%s() needs '%s': %s(%s)", a->op->info->name, info->name, a->op->info->name,
                   a->op->info->signature);
      return false;
    }
    if (!take(a, p)) return false;
  }
  return true;
}

void args_drop(op_args *a) {
  for (int p = 0; p < a->op->info->params; p++) PyMem_Free(a->owned[p]);
}
