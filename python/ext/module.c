/* tme._core: the C library's door to Python. Nothing is computed here. */
#include "ext.h"

PyTypeObject *add_type(PyObject *module, PyType_Spec *spec) {
  PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
  if (!type) return NULL;
  if (PyModule_AddType(module, (PyTypeObject *)type) < 0) Py_CLEAR(type);
  return (PyTypeObject *)type;
}

bool add_functions(PyObject *module, PyMethodDef *defs) { return PyModule_AddFunctions(module, defs) == 0; }

static bool (*const parts[])(PyObject *module) = {errors_init, dtype_init,   engine_init, ops_init,    array_init,
                                                  value_init,  convert_init, dlpack_init, assign_init, text_init,
                                                  eval_init,   compile_init, files_init};

static int exec_module(PyObject *module) {
  /* The types and the default engine are of the process: a second interpreter would share objects with the first. */
  static PyInterpreterState *owner;
  PyInterpreterState *here = PyInterpreterState_Get();
  if (owner) {
    PyErr_SetString(PyExc_ImportError, owner == here ? "tme cannot be loaded a second time in one process"
                                                     : "tme cannot be used in a second interpreter of one process");
    return -1;
  }
  owner = here;
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (!parts[i](module)) return -1;
  if (PyModule_AddIntConstant(module, "max_dimensions", TME_MAX_RANK) < 0) return -1;
  return PyModule_AddStringConstant(module, "__version__", tme_version());
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, exec_module}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "tme._core", "Arrays of the T-Mathematics Engine.", 0, NULL, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__core(void);
PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&definition); }
