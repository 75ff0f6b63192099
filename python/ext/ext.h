/* What the files of the extension module share. All of it runs with the GIL held, but where a comment says otherwise. */
#ifndef TME_EXT_H
#define TME_EXT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <tme/tme.h>

/* ---- engines: engine.c -------------------------------------------------------------------------------------------- */

typedef struct engine_object {
  PyObject_HEAD tme_engine *engine;
} engine_object;

extern PyTypeObject *engine_type;

/* A further reference, and one less; NULL is allowed. */
static inline engine_object *engine_ref(engine_object *e) { return (engine_object *)Py_XNewRef((PyObject *)e); }
static inline void engine_drop(engine_object *e) { Py_XDECREF((PyObject *)e); }

/* The engine in use here: that of the innermost `with engine:` of this thread or task, else the default one, which is opened
 * when it is first needed. A new reference, or NULL with an exception. */
engine_object *engine_current(void);
bool engine_init(PyObject *module);

/* ---- errors: errors.c --------------------------------------------------------------------------------------------- */

/* A scope for the duration of a call; NULL with an exception. */
tme_scope *scope_open(engine_object *e);
/* NULL is allowed. */
void scope_close(tme_scope *s);
/* No scope of the engine is kept from now on. */
void scope_forget(const tme_engine *e);
/* Raises the error of the scope. Returns NULL. */
PyObject *scope_raise(const tme_scope *s);
PyObject *raise_status(tme_status st, const char *text);
/* The class that it raises; borrowed. */
PyObject *exception_of(tme_status st);
/* The number for a message: Python does not write those of thousands of digits. NULL with an exception. */
PyObject *number_text(PyObject *o);
bool errors_init(PyObject *module);

/* ---- dtypes: dtype.c ---------------------------------------------------------------------------------------------- */

/* The one object of a dtype; a borrowed reference. */
PyObject *dtype_object(tme_dtype t);
/* What the object names: one of ours, a name, one of NumPy's, or Python's bool, int, float and complex. False with an exception. */
bool dtype_of(PyObject *o, engine_object *e, tme_dtype *t);
bool dtype_init(PyObject *module);

/* ---- arrays: array.c ---------------------------------------------------------------------------------------------- */

typedef struct array_object {
  PyObject_HEAD tme_array *array; /* one reference; another array after an assignment */
  engine_object *engine;          /* one reference */
  tme_array *whole;               /* what it is a part of, to be computed when the part is read; or NULL */
  PyObject *weak;                 /* the weak references to it */
} array_object;

extern PyTypeObject *array_type;

static inline bool is_array(PyObject *o) { return Py_TYPE(o) == array_type; }
/* A new object with a reference of its own to the array. NULL for NULL: then the scope's error is raised. */
PyObject *array_new(engine_object *e, tme_scope *s, tme_array *a);
/* The same for a part of an object's array. Whoever reads it will read others: where the whole is not large, it is then computed
 * once, and parts are views of it; a kernel for each part would have to be compiled. */
PyObject *array_part(array_object *of, tme_scope *s, tme_array *a);
/* The whole is of no use any more. */
static inline void array_forget(array_object *o) {
  tme_array *whole = o->whole;
  o->whole = NULL;
  tme_release(whole);
}
/* Computes the whole that the object is a part of, if there is one. False with an exception. */
bool array_whole(array_object *o, tme_scope *s);
/* As many objects in a tuple, or the only one. */
PyObject *arrays_new(engine_object *e, tme_scope *s, tme_array *const *a, int n);
/* The time between: without the GIL, which the engine's evaluations of the scope take back for a moment now and then, to let
 * Python handle signals. An exception that this raises ends the evaluation. */
typedef struct waiting {
  tme_scope *s;
  PyThreadState *thread;
  int asked;
  double next; /* when signals are looked at again, seconds */
} waiting;
void wait_begin(waiting *w, tme_scope *s);
void wait_end(waiting *w);
/* Makes values without the GIL. False with an exception. */
bool array_eval(tme_scope *s, tme_array *const *a, int n);
/* The elements, row-major, evaluated without the GIL; NULL with an exception. */
const void *array_data(tme_scope *s, tme_array *a);
bool array_init(PyObject *module);

/* The value of an element of a dtype as Python's object. */
PyObject *element_object(tme_dtype t, const char *at);
/* value.c: what reads values. */
extern PyMethodDef array_value_methods[];
int array_bool(PyObject *self);
PyObject *array_int(PyObject *self);
PyObject *array_float(PyObject *self);
PyObject *array_index(PyObject *self);
bool value_init(PyObject *module);

/* ---- making arrays of objects: convert.c -------------------------------------------------------------------------- */

/* An operand: an array, a number (an untyped literal), a list of them, what has a buffer, __dlpack__ or __array__. The array
 * belongs to the scope. `wide`: the numbers of lists keep all their digits, for the wide array that they meet. NULL with an exception, or without one if the object is nothing of these. */
tme_array *operand_of(tme_scope *s, engine_object *e, PyObject *o, bool wide);
/* The same with an exception for everything else, in which `what` names the operation. */
tme_array *operand_needed(tme_scope *s, engine_object *e, PyObject *o, bool wide, const char *what);
/* Whether the object is an array whose elements have more digits than float32 holds. */
bool is_wide(PyObject *o);
/* IF_NEEDED: unless nobody can write the memory. UNASKED: its owner decides. */
typedef enum copy_mode { COPY_IF_NEEDED, COPY_ALWAYS, COPY_NEVER, COPY_UNASKED } copy_mode;
/* An array with the values of the object, in dtype t unless that is TME_DTYPE_NONE. */
tme_array *array_of(tme_scope *s, engine_object *e, PyObject *o, tme_dtype t, copy_mode copy);
bool convert_init(PyObject *module);

/* ---- memory shared with others: buffer.c, dlpack.c ------------------------------------------------------------------ */

tme_array *array_of_buffer(tme_scope *s, PyObject *o, copy_mode copy);
const char *buffer_format(tme_dtype t);
int array_getbuffer(PyObject *self, Py_buffer *view, int flags);
void array_releasebuffer(PyObject *self, Py_buffer *view);
/* `o` has __dlpack__. */
tme_array *array_of_dlpack(tme_scope *s, PyObject *o, PyObject *device, copy_mode copy);
extern PyMethodDef array_dlpack_methods[];
bool dlpack_init(PyObject *module);

/* ---- operations: ops.c, args.c -------------------------------------------------------------------------------------- */

enum { MOST_PARAMS = 16, MOST_OUTPUTS = 8 };

typedef struct op_record {
  const tme_op_info *info;
  const tme_param_info *param[MOST_PARAMS];
  PyObject *name[MOST_PARAMS]; /* interned */
  PyMethodDef def;
} op_record;

/* NULL if there is none. */
const op_record *op_named(const char *name);
/* A function that applies the operation: in an engine, to an array as first argument, or to what it is given (bound is NULL). */
PyObject *op_function(const op_record *op, PyObject *bound, PyObject *module);
int op_count(void);
const op_record *op_at(int i);
/* doc.c: the docstring, whose first line is the signature; never freed. NULL with an exception. */
char *op_docstring(const tme_op_info *info);
/* Without the signature. */
const char *op_doc(const op_record *op);
bool ops_init(PyObject *module);

/* The arguments of one call, in the order of the parameters, and where they are kept. */
typedef struct op_args {
  tme_scope *s;
  engine_object *e;
  const op_record *op;
  PyObject *given[MOST_PARAMS]; /* borrowed; NULL: not given */
  tme_arg arg[MOST_PARAMS];
  int64_t ints[MOST_PARAMS][TME_MAX_RANK + 1];
  void *owned[MOST_PARAMS]; /* lists of arrays */
} op_args;

/* Converts what is given. False with an exception. */
bool args_take(op_args *a);
void args_drop(op_args *a);
/* A list of whole numbers, or one: at most `most`. -1 with an exception. */
int ints_of(PyObject *o, int64_t *out, int most, const char *what);

/* ---- indices: index.c, assign.c ----------------------------------------------------------------------------------------------- */

enum { MOST_ENTRIES = 4 * TME_MAX_RANK };

/* The entries of a key; their number, or -1 with an exception. */
int index_entries(tme_scope *s, engine_object *e, PyObject *key, tme_index ix[static MOST_ENTRIES]);
PyObject *array_subscript(PyObject *self, PyObject *key);
PyObject *array_item(PyObject *self, Py_ssize_t i);
PyObject *array_iter(PyObject *self);
int array_assign(PyObject *self, PyObject *key, PyObject *value);
PyObject *array_at(PyObject *self, void *unused);
bool assign_init(PyObject *module);

/* ---- text, trees, compiled functions, events, files --------------------------------------------------------------------- */

PyObject *array_repr(PyObject *self);
PyObject *array_str(PyObject *self);
PyObject *array_html(PyObject *self, PyObject *unused);
bool text_init(PyObject *module);
/* Whether a function of this thread is being traced. */
bool is_tracing(void);
bool compile_init(PyObject *module);
bool eval_init(PyObject *module);
bool files_init(PyObject *module);

/* Adds the type made of the spec to the module; NULL with an exception. */
PyTypeObject *add_type(PyObject *module, PyType_Spec *spec);
bool add_functions(PyObject *module, PyMethodDef *defs);

#endif
