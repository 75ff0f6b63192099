/* Arrays as text, and plans. */
#include "ext.h"

static PyObject *text_of(PyObject *self) {
  PyObject *list = PyObject_CallMethod(self, "tolist", NULL), *text = list ? PyObject_Str(list) : NULL;
  Py_XDECREF(list);
  return text;
}

PyObject *array_repr(PyObject *self) { return text_of(self); }
PyObject *array_str(PyObject *self) { return text_of(self); }

bool text_init(PyObject *module) { return module; }
