/* Trees of arrays: lists, tuples, named tuples, dicts and dataclasses, with None and other objects as constants.
 *
 * What a tree is besides its arrays is its form: tuples that two trees have equal exactly if they differ in arrays alone. */
#ifndef TME_EXT_TREE_H
#define TME_EXT_TREE_H

#include "ext.h"

/* The form of a tree whose arrays are appended to the list. Objects with a buffer or __dlpack__ become arrays. NULL with an
 * exception. */
PyObject *tree_flatten(PyObject *o, PyObject *leaves);
/* The tree again, with the leaves of the tuple or list from *at on. */
PyObject *tree_build(PyObject *form, PyObject *leaves, Py_ssize_t *at);
bool is_dataclass(PyObject *o);
/* The values of its fields: a new tuple, or NULL with an exception. */
PyObject *dataclass_values(PyObject *o);
/* The form of a single array; borrowed. */
PyObject *tree_leaf(void);

#endif
