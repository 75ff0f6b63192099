#include "tree.h"

/* What stands first in a form's tuple. */
enum { CONSTANT, LIST, TUPLE, NAMED_TUPLE, DICT, DATACLASS };

PyObject *tree_leaf(void) { return (PyObject *)array_type; }

static PyObject *children(PyObject *items, PyObject *leaves) {
  Py_ssize_t n = PyTuple_Size(items);
  PyObject *out = PyTuple_New(n);
  for (Py_ssize_t i = 0; out && i < n; i++) {
    PyObject *form = tree_flatten(PyTuple_GetItem(items, i), leaves);
    if (!form || PyTuple_SetItem(out, i, form) < 0) Py_CLEAR(out);
  }
  return out;
}

/* (kind, detail, forms); takes over the items. */
static PyObject *branch(int kind, PyObject *detail, PyObject *items, PyObject *leaves) {
  PyObject *forms = items ? children(items, leaves) : NULL;
  PyObject *out = forms ? Py_BuildValue("(iOO)", kind, detail, forms) : NULL;
  Py_XDECREF(forms);
  Py_XDECREF(items);
  return out;
}

static PyObject *flatten_dict(PyObject *o, PyObject *leaves) {
  PyObject *keys = PyDict_Keys(o), *values = PyDict_Values(o), *names = keys ? PySequence_Tuple(keys) : NULL;
  PyObject *out = names && values ? branch(DICT, names, PySequence_Tuple(values), leaves) : NULL;
  Py_XDECREF(names);
  Py_XDECREF(values);
  Py_XDECREF(keys);
  return out;
}

static PyObject *field_values(PyObject *o, PyObject *names) {
  Py_ssize_t n = PyTuple_Size(names);
  PyObject *out = PyTuple_New(n);
  for (Py_ssize_t i = 0; out && i < n; i++) {
    PyObject *v = PyObject_GetAttr(o, PyTuple_GetItem(names, i));
    if (!v || PyTuple_SetItem(out, i, v) < 0) Py_CLEAR(out);
  }
  return out;
}

bool is_dataclass(PyObject *o) { return !PyType_Check(o) && PyObject_HasAttrString(o, "__dataclass_fields__"); }

/* Of __dataclass_fields__ some are variables of the class, or arguments of its constructor alone. */
static PyObject *field_names(PyObject *o) {
  PyObject *module = PyImport_ImportModule("dataclasses");
  PyObject *fields = module ? PyObject_CallMethod(module, "fields", "O", o) : NULL;
  PyObject *list = fields ? PySequence_Tuple(fields) : NULL;
  Py_ssize_t n = list ? PyTuple_Size(list) : 0;
  PyObject *out = list ? PyTuple_New(n) : NULL;
  for (Py_ssize_t i = 0; out && i < n; i++) {
    PyObject *name = PyObject_GetAttrString(PyTuple_GetItem(list, i), "name");
    if (!name || PyTuple_SetItem(out, i, name) < 0) Py_CLEAR(out);
  }
  Py_XDECREF(list);
  Py_XDECREF(fields);
  Py_XDECREF(module);
  return out;
}

PyObject *dataclass_values(PyObject *o) {
  PyObject *names = field_names(o), *out = names ? field_values(o, names) : NULL;
  Py_XDECREF(names);
  return out;
}

static PyObject *flatten_dataclass(PyObject *o, PyObject *leaves) {
  PyObject *names = field_names(o);
  PyObject *detail = names ? PyTuple_Pack(2, Py_TYPE(o), names) : NULL;
  PyObject *out = detail ? branch(DATACLASS, detail, field_values(o, names), leaves) : NULL;
  Py_XDECREF(detail);
  Py_XDECREF(names);
  return out;
}

/* With its type: 1, 1.0 and True are equal. */
static PyObject *constant(PyObject *o) {
  if (PyObject_Hash(o) != -1 || o == Py_None) return Py_BuildValue("(iOO)", CONSTANT, Py_TYPE(o), o);
  if (!PyErr_ExceptionMatches(PyExc_TypeError)) return NULL;
  PyErr_Clear();
  return PyErr_Format(
      PyExc_TypeError,
      "compile: %R is neither an array nor a tree of arrays, and cannot be a constant, since it has no hash",
      Py_TYPE(o));
}

static PyObject *holder(PyObject *o, PyObject *leaves) {
  engine_object *e = engine_current();
  tme_scope *s = e ? scope_open(e) : NULL;
  tme_array *a = s ? array_of(s, e, o, TME_DTYPE_NONE, COPY_ALWAYS) : NULL;
  PyObject *made = a ? array_new(e, s, a) : NULL;
  PyObject *out = made && PyList_Append(leaves, made) == 0 ? Py_NewRef(tree_leaf()) : NULL;
  Py_XDECREF(made);
  scope_close(s);
  engine_drop(e);
  return out;
}

static bool has_elements(PyObject *o) {
  return !PyType_Check(o) && !PyUnicode_Check(o) && !PyBytes_Check(o) &&
         (PyObject_CheckBuffer(o) || PyObject_HasAttrString(o, "__dlpack__"));
}

static PyObject *flatten(PyObject *o, PyObject *leaves) {
  if (PyList_Check(o)) return branch(LIST, Py_None, PySequence_Tuple(o), leaves);
  if (PyTuple_Check(o)) {
    bool named = PyObject_HasAttrString(o, "_fields");
    return branch(named ? NAMED_TUPLE : TUPLE, named ? (PyObject *)Py_TYPE(o) : Py_None, PySequence_Tuple(o), leaves);
  }
  if (PyDict_Check(o)) return flatten_dict(o, leaves);
  if (is_dataclass(o)) return flatten_dataclass(o, leaves);
  if (has_elements(o)) return holder(o, leaves);
  return constant(o);
}

PyObject *tree_flatten(PyObject *o, PyObject *leaves) {
  if (is_array(o)) return PyList_Append(leaves, o) == 0 ? Py_NewRef(tree_leaf()) : NULL;
  if (o == Py_None || PyLong_Check(o) || PyFloat_Check(o) || PyUnicode_Check(o)) return constant(o);
  if (Py_EnterRecursiveCall(" in a tree of arrays")) return NULL;
  PyObject *out = flatten(o, leaves);
  Py_LeaveRecursiveCall();
  return out;
}

/* ---- back ------------------------------------------------------------------------------------------------------------------------------- */

static PyObject *build_items(PyObject *forms, PyObject *leaves, Py_ssize_t *at) {
  Py_ssize_t n = PyTuple_Size(forms);
  PyObject *out = PyTuple_New(n);
  for (Py_ssize_t i = 0; out && i < n; i++) {
    PyObject *o = tree_build(PyTuple_GetItem(forms, i), leaves, at);
    if (!o || PyTuple_SetItem(out, i, o) < 0) Py_CLEAR(out);
  }
  return out;
}

static PyObject *build_dict(PyObject *keys, PyObject *values) {
  PyObject *out = PyDict_New();
  for (Py_ssize_t i = 0; out && i < PyTuple_Size(keys); i++)
    if (PyDict_SetItem(out, PyTuple_GetItem(keys, i), PyTuple_GetItem(values, i)) < 0) Py_CLEAR(out);
  return out;
}

/* Without its constructor, whose parameters need not be the fields. */
static PyObject *build_dataclass(PyObject *detail, PyObject *values) {
  PyObject *type = PyTuple_GetItem(detail, 0), *names = PyTuple_GetItem(detail, 1);
  PyObject *out = PyObject_CallMethod((PyObject *)&PyBaseObject_Type, "__new__", "O", type);
  for (Py_ssize_t i = 0; out && i < PyTuple_Size(names); i++)
    if (PyObject_GenericSetAttr(out, PyTuple_GetItem(names, i), PyTuple_GetItem(values, i)) < 0) Py_CLEAR(out);
  return out;
}

PyObject *tree_build(PyObject *form, PyObject *leaves, Py_ssize_t *at) {
  if (form == tree_leaf()) return PySequence_GetItem(leaves, (*at)++);
  long kind = PyLong_AsLong(PyTuple_GetItem(form, 0));
  PyObject *detail = PyTuple_GetItem(form, 1), *rest = PyTuple_GetItem(form, 2);
  if (kind == CONSTANT) return Py_NewRef(rest);
  PyObject *items = build_items(rest, leaves, at), *out = NULL;
  if (!items) return NULL;
  switch (kind) {
  case LIST: out = PySequence_List(items); break;
  case TUPLE: return items;
  case NAMED_TUPLE: out = PyObject_CallObject(detail, items); break;
  case DICT: out = build_dict(detail, items); break;
  default: out = build_dataclass(detail, items);
  }
  Py_DECREF(items);
  return out;
}
