/* tme.Array: an object around one array of the library. */
#include "ext.h"
#include <stddef.h>
#include <stdlib.h>
#include <structmember.h>

PyTypeObject *array_type;

PyObject *array_new(engine_object *e, tme_scope *s, tme_array *a) {
  if (!a) return scope_raise(s);
  array_object *o = PyObject_New(array_object, array_type);
  if (!o) return NULL;
  o->array = tme_retain(a);
  o->engine = engine_ref(e);
  o->whole = NULL;
  o->weak = NULL;
  return (PyObject *)o;
}

PyObject *array_part(array_object *of, tme_scope *s, tme_array *a) {
  enum { LARGE = 1 << 16 };
  PyObject *out = array_new(of->engine, s, a);
  tme_array *whole = of->whole ? of->whole : of->array;
  if (out && !tme_has_value(whole) && tme_array_size(whole) <= LARGE) ((array_object *)out)->whole = tme_retain(whole);
  return out;
}

PyObject *arrays_new(engine_object *e, tme_scope *s, tme_array *const *a, int n) {
  if (n == 1) return array_new(e, s, a[0]);
  PyObject *out = PyTuple_New(n);
  for (int i = 0; out && i < n; i++) {
    PyObject *o = array_new(e, s, a[i]);
    if (!o || PyTuple_SetItem(out, i, o) < 0) Py_CLEAR(out);
  }
  return out;
}

bool is_wide(PyObject *o) {
  if (!is_array(o)) return false;
  tme_dtype t = tme_array_dtype(((array_object *)o)->array);
  return t == TME_F64 || t == TME_C128;
}

static void dealloc(PyObject *self) {
  array_object *o = (array_object *)self;
  PyTypeObject *type = Py_TYPE(self);
  if (o->weak) PyObject_ClearWeakRefs(self);
  array_forget(o);
  tme_release(o->array);
  engine_drop(o->engine);
  PyObject_Free(self);
  Py_DECREF(type);
}

/* ---- operators ------------------------------------------------------------------------------------------------------------------ */

/* Numbers of operations that Python has signs for. */
static struct {
  int add, subtract, multiply, divide, floor_divide, remainder, pow, matmul, bitwise_and, bitwise_or, bitwise_xor,
      left_shift, right_shift, negative, positive, abs, bitwise_invert, divmod, less, less_equal, equal, not_equal,
      greater, greater_equal;
} op;

typedef struct operation {
  int *number;
  const char *name;
} operation;

#define NAMED(name)                                                                                                    \
  { &op.name, #name }
static const operation operations[] = {NAMED(add),         NAMED(subtract),       NAMED(multiply),
                                       NAMED(divide),      NAMED(floor_divide),   NAMED(remainder),
                                       NAMED(pow),         NAMED(matmul),         NAMED(bitwise_and),
                                       NAMED(bitwise_or),  NAMED(bitwise_xor),    NAMED(left_shift),
                                       NAMED(right_shift), NAMED(negative),       NAMED(positive),
                                       NAMED(abs),         NAMED(bitwise_invert), NAMED(divmod),
                                       NAMED(less),        NAMED(less_equal),     NAMED(equal),
                                       NAMED(not_equal),   NAMED(greater),        NAMED(greater_equal)};
#undef NAMED

/* The operands as arrays of the scope; false without an exception if one of the objects is no operand. */
static bool operands(tme_scope *s, engine_object *e, PyObject *x, PyObject *y, tme_arg *args) {
  args[0] = (tme_arg){.kind = TME_ARG_ARRAY, .u.array = operand_of(s, e, x, is_wide(y))};
  if (!args[0].u.array) return false;
  args[1] = (tme_arg){.kind = TME_ARG_ARRAY, .u.array = operand_of(s, e, y, is_wide(x))};
  return args[1].u.array;
}

static PyObject *binary(PyObject *x, PyObject *y, int number) {
  engine_object *e = ((array_object *)(is_array(x) ? x : y))->engine;
  tme_scope *s = scope_open(e);
  if (!s) return NULL;
  tme_arg args[2];
  tme_array *out[MOST_OUTPUTS];
  PyObject *result = NULL;
  if (operands(s, e, x, y, args)) {
    if (tme_apply_op(s, number, args, 2, out) == TME_OK)
      result = arrays_new(e, s, out, tme_op_get(number)->outputs);
    else
      scope_raise(s);
  } else if (!PyErr_Occurred()) {
    result = Py_NewRef(Py_NotImplemented);
  }
  scope_close(s);
  return result;
}

static PyObject *unary(PyObject *x, int number) {
  array_object *o = (array_object *)x;
  tme_scope *s = scope_open(o->engine);
  if (!s) return NULL;
  tme_arg arg = {.kind = TME_ARG_ARRAY, .u.array = tme_keep(s, o->array)};
  tme_array *out;
  PyObject *result = tme_apply_op(s, number, &arg, 1, &out) == TME_OK ? array_new(o->engine, s, out) : scope_raise(s);
  scope_close(s);
  return result;
}

/* x += y gives the same object another array: of its dtype and shape, or it is an error as in NumPy. */
static PyObject *in_place(PyObject *x, PyObject *y, int number) {
  PyObject *made = binary(x, y, number);
  if (!made || made == Py_NotImplemented) return made;
  array_object *o = (array_object *)x, *m = (array_object *)made;
  tme_dtype want = tme_array_dtype(o->array), got = tme_array_dtype(m->array);
  int rank = tme_array_rank(o->array);
  static const char kinds[] = "buifc";
  bool fits = strchr(kinds, tme_dtype_kind(got)) <= strchr(kinds, tme_dtype_kind(want));
  bool same = tme_array_rank(m->array) == rank;
  for (int d = 0; same && d < rank; d++) same = tme_array_shape(m->array)[d] == tme_array_shape(o->array)[d];
  if (!fits || !same) {
    if (!fits)
      PyErr_Format(PyExc_TypeError, "%s in place: the result is %s, which does not go into %s",
                   tme_op_get(number)->name, tme_dtype_name(got), tme_dtype_name(want));
    else
      PyErr_Format(PyExc_ValueError, "%s in place: the result has another shape", tme_op_get(number)->name);
    Py_DECREF(made);
    return NULL;
  }
  tme_scope *s = want == got ? NULL : scope_open(o->engine);
  tme_array *a = want == got ? m->array : s ? tme_astype(s, tme_keep(s, m->array), want) : NULL;
  if (a) {
    tme_array *before = o->array;
    o->array = tme_retain(a);
    tme_release(before);
  } else if (s) {
    scope_raise(s);
  }
  scope_close(s);
  Py_DECREF(made);
  return a ? Py_NewRef(x) : NULL;
}

#define BINARY(name)                                                                                                   \
  static PyObject *nb_##name(PyObject *x, PyObject *y) { return binary(x, y, op.name); }
#define IN_PLACE(name)                                                                                                 \
  BINARY(name)                                                                                                         \
  static PyObject *nb_in_place_##name(PyObject *x, PyObject *y) { return in_place(x, y, op.name); }
#define UNARY(name)                                                                                                    \
  static PyObject *nb_##name(PyObject *x) { return unary(x, op.name); }
IN_PLACE(add)
IN_PLACE(subtract)
IN_PLACE(multiply)
IN_PLACE(divide)
IN_PLACE(floor_divide)
IN_PLACE(remainder)
IN_PLACE(matmul)
IN_PLACE(bitwise_and)
IN_PLACE(bitwise_or)
IN_PLACE(bitwise_xor)
IN_PLACE(left_shift)
IN_PLACE(right_shift)
BINARY(divmod)
UNARY(negative)
UNARY(positive)
UNARY(abs)
UNARY(bitwise_invert)

static PyObject *nb_pow(PyObject *x, PyObject *y, PyObject *modulus) {
  if (modulus != Py_None) return PyErr_Format(PyExc_TypeError, "pow: arrays have no pow with a modulus");
  return binary(x, y, op.pow);
}

static PyObject *nb_in_place_pow(PyObject *x, PyObject *y, PyObject *modulus) {
  (void)modulus;
  return in_place(x, y, op.pow);
}

static PyObject *compare(PyObject *x, PyObject *y, int how) {
  const int number[] = {[Py_LT] = op.less,      [Py_LE] = op.less_equal, [Py_EQ] = op.equal,
                        [Py_NE] = op.not_equal, [Py_GT] = op.greater,    [Py_GE] = op.greater_equal};
  return binary(x, y, number[how]);
}

/* By identity: == is an array. */
static Py_hash_t hash(PyObject *self) {
  Py_hash_t h = (Py_hash_t)((uintptr_t)self >> 4);
  return h == -1 ? -2 : h;
}

/* ---- what an array is ---------------------------------------------------------------------------------------------------------------- */

static tme_array *array_in(PyObject *self) { return ((array_object *)self)->array; }

static PyObject *get_shape(PyObject *self, void *unused) {
  (void)unused;
  int rank = tme_array_rank(array_in(self));
  PyObject *out = PyTuple_New(rank);
  for (int d = 0; out && d < rank; d++) {
    PyObject *n = PyLong_FromLongLong(tme_array_shape(array_in(self))[d]);
    if (!n || PyTuple_SetItem(out, d, n) < 0) Py_CLEAR(out);
  }
  return out;
}

static PyObject *get_dtype(PyObject *self, void *unused) {
  (void)unused;
  return Py_NewRef(dtype_object(tme_array_dtype(array_in(self))));
}

static PyObject *get_ndim(PyObject *self, void *unused) {
  (void)unused;
  return PyLong_FromLong(tme_array_rank(array_in(self)));
}

static PyObject *get_size(PyObject *self, void *unused) {
  (void)unused;
  return PyLong_FromLongLong(tme_array_size(array_in(self)));
}

static PyObject *get_itemsize(PyObject *self, void *unused) {
  (void)unused;
  return PyLong_FromSize_t(tme_dtype_size(tme_array_dtype(array_in(self))));
}

static PyObject *get_nbytes(PyObject *self, void *unused) {
  (void)unused;
  return PyLong_FromLongLong(tme_array_size(array_in(self)) * (int64_t)tme_dtype_size(tme_array_dtype(array_in(self))));
}

static PyObject *get_device(PyObject *self, void *unused) {
  (void)unused;
  return PyUnicode_FromString(tme_array_device(array_in(self)));
}

static PyObject *get_engine(PyObject *self, void *unused) {
  (void)unused;
  return (PyObject *)engine_ref(((array_object *)self)->engine);
}

/* The axes in reverse order, or the last two changed over. */
static PyObject *transposed(PyObject *self, bool matrices) {
  array_object *o = (array_object *)self;
  int rank = tme_array_rank(o->array);
  if (matrices && rank < 2)
    return PyErr_Format(PyExc_ValueError, "mT: the array has %d dimensions, expected at least 2", rank);
  int64_t axes[TME_MAX_RANK];
  for (int d = 0; d < rank; d++) axes[d] = matrices ? d : rank - 1 - d;
  if (matrices) {
    axes[rank - 1] = rank - 2;
    axes[rank - 2] = rank - 1;
  }
  tme_scope *s = scope_open(o->engine);
  PyObject *out = s ? array_new(o->engine, s, tme_transpose(s, tme_keep(s, o->array), axes, rank)) : NULL;
  scope_close(s);
  return out;
}

static PyObject *get_T(PyObject *self, void *unused) {
  (void)unused;
  return transposed(self, false);
}

static PyObject *get_mT(PyObject *self, void *unused) {
  (void)unused;
  return transposed(self, true);
}

/* An operation as a method, or an attribute where NumPy has one. */
static PyObject *get_method(PyObject *self, void *closure) { return op_function(closure, self, NULL); }

static PyObject *get_applied(PyObject *self, void *closure) {
  const op_record *record = closure;
  return unary(self, record->info->number);
}

static Py_ssize_t length(PyObject *self) {
  if (tme_array_rank(array_in(self))) return (Py_ssize_t)tme_array_shape(array_in(self))[0];
  PyErr_SetString(PyExc_TypeError, "len() of an array without dimensions");
  return -1;
}

static PyObject *namespace(PyObject *self, PyObject *args, PyObject *kwargs) {
  (void)self;
  static char *names[] = {"api_version", NULL};
  const char *version = NULL;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$z:__array_namespace__", names, &version)) return NULL;
  if (version && strcmp(version, "2021.12") && strcmp(version, "2022.12") && strcmp(version, "2023.12") &&
      strcmp(version, "2024.12"))
    return PyErr_Format(PyExc_ValueError, "__array_namespace__: version '%s' of the standard, expected up to '2024.12'",
                        version);
  return PyImport_ImportModule("tme");
}

/* ---- making the type ------------------------------------------------------------------------------------------------------------------- */

static const PyGetSetDef attributes[] = {
    {"shape", get_shape, NULL, "The extents, a tuple.", NULL},
    {"dtype", get_dtype, NULL, "The type of the elements.", NULL},
    {"ndim", get_ndim, NULL, "The number of dimensions.", NULL},
    {"size", get_size, NULL, "The number of elements.", NULL},
    {"itemsize", get_itemsize, NULL, "Bytes of an element.", NULL},
    {"nbytes", get_nbytes, NULL, "Bytes of all elements.", NULL},
    {"device", get_device, NULL, "In whose memory the elements are: 'cpu'.", NULL},
    {"engine", get_engine, NULL, "The engine that computes it.", NULL},
    {"T", get_T, NULL, "With the axes in reverse order.", NULL},
    {"at", array_at, NULL, "x.at[index].set(v), add, multiply, min, max: the array with other elements there.", NULL},
    {"mT", get_mT, NULL, "With the last two axes changed over.", NULL},
};
enum { ATTRIBUTES = sizeof attributes / sizeof *attributes };

/* Operations whose method has no parentheses. */
static bool is_attribute(const char *name) { return !strcmp(name, "real") || !strcmp(name, "imag"); }

/* All operations on an array are methods, but those named as an attribute above. */
static PyGetSetDef *make_getset(void) {
  PyGetSetDef *all = calloc((size_t)(ATTRIBUTES + tme_op_count() + 1), sizeof *all), *g = all;
  if (!all) return NULL;
  memcpy(g, attributes, sizeof attributes);
  g += ATTRIBUTES;
  for (int i = 0; i < tme_op_count(); i++) {
    const op_record *record = op_at(i);
    if (!record->info->params || record->param[0]->kind != TME_PARAM_ARRAY) continue;
    bool attribute = is_attribute(record->info->name);
    *g++ = (PyGetSetDef){record->info->name, attribute ? get_applied : get_method, NULL, op_doc(record),
                         (void *)(uintptr_t)record};
  }
  return all;
}

static const PyMethodDef own_methods[] = {
    {"__array_namespace__", (PyCFunction)(void (*)(void)) namespace, METH_VARARGS | METH_KEYWORDS,
     "__array_namespace__($self, /, *, api_version=None)\n--\n\nThe module tme, as the array API standard has it."}};

static size_t count_methods(const PyMethodDef *m) {
  size_t n = 0;
  while (m[n].ml_name) n++;
  return n;
}

static PyMethodDef *make_methods(void) {
  const PyMethodDef *parts[] = {array_value_methods, array_dlpack_methods};
  size_t n = sizeof own_methods / sizeof *own_methods, own = n;
  for (int i = 0; i < 2; i++) n += count_methods(parts[i]);
  PyMethodDef *all = calloc(n + 1, sizeof *all), *m = all;
  if (!all) return NULL;
  memcpy(m, own_methods, sizeof own_methods);
  m += own;
  for (int i = 0; i < 2; i++) {
    size_t k = count_methods(parts[i]);
    memcpy(m, parts[i], k * sizeof *m);
    m += k;
  }
  return all;
}

static PyMemberDef members[] = {{"__weaklistoffset__", T_PYSSIZET, offsetof(array_object, weak), READONLY, NULL}, {0}};

/* Not through the constructor: tme.array makes arrays. */
static bool make_type(PyObject *module) {
  PyMethodDef *methods = make_methods();
  PyGetSetDef *getset = make_getset();
  if (!methods || !getset) {
    PyErr_NoMemory();
    return false;
  }
  PyType_Slot slots[] = {{Py_tp_doc, "An array: elements of one dtype, perhaps not computed yet. tme.array makes one."},
                         {Py_tp_dealloc, dealloc},
                         {Py_tp_repr, array_repr},
                         {Py_tp_str, array_str},
                         {Py_tp_hash, hash},
                         {Py_tp_richcompare, compare},
                         {Py_tp_getset, getset},
                         {Py_tp_members, members},
                         {Py_tp_methods, methods},
                         {Py_nb_add, nb_add},
                         {Py_nb_subtract, nb_subtract},
                         {Py_nb_multiply, nb_multiply},
                         {Py_nb_true_divide, nb_divide},
                         {Py_nb_floor_divide, nb_floor_divide},
                         {Py_nb_remainder, nb_remainder},
                         {Py_nb_divmod, nb_divmod},
                         {Py_nb_power, nb_pow},
                         {Py_nb_matrix_multiply, nb_matmul},
                         {Py_nb_and, nb_bitwise_and},
                         {Py_nb_or, nb_bitwise_or},
                         {Py_nb_xor, nb_bitwise_xor},
                         {Py_nb_lshift, nb_left_shift},
                         {Py_nb_rshift, nb_right_shift},
                         {Py_nb_negative, nb_negative},
                         {Py_nb_positive, nb_positive},
                         {Py_nb_absolute, nb_abs},
                         {Py_nb_invert, nb_bitwise_invert},
                         {Py_nb_inplace_add, nb_in_place_add},
                         {Py_nb_inplace_subtract, nb_in_place_subtract},
                         {Py_nb_inplace_multiply, nb_in_place_multiply},
                         {Py_nb_inplace_true_divide, nb_in_place_divide},
                         {Py_nb_inplace_floor_divide, nb_in_place_floor_divide},
                         {Py_nb_inplace_remainder, nb_in_place_remainder},
                         {Py_nb_inplace_power, nb_in_place_pow},
                         {Py_nb_inplace_matrix_multiply, nb_in_place_matmul},
                         {Py_nb_inplace_and, nb_in_place_bitwise_and},
                         {Py_nb_inplace_or, nb_in_place_bitwise_or},
                         {Py_nb_inplace_xor, nb_in_place_bitwise_xor},
                         {Py_nb_inplace_lshift, nb_in_place_left_shift},
                         {Py_nb_inplace_rshift, nb_in_place_right_shift},
                         {Py_nb_bool, array_bool},
                         {Py_nb_int, array_int},
                         {Py_nb_float, array_float},
                         {Py_nb_index, array_index},
                         {Py_tp_iter, array_iter},
                         {Py_sq_item, array_item},
                         {Py_sq_length, length},
                         {Py_mp_length, length},
                         {Py_mp_subscript, array_subscript},
                         {Py_mp_ass_subscript, array_assign},
                         {Py_bf_getbuffer, array_getbuffer},
                         {Py_bf_releasebuffer, array_releasebuffer},
                         {0, NULL}};
  PyType_Spec spec = {"tme.Array", sizeof(array_object), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                      slots};
  array_type = add_type(module, &spec);
  return array_type;
}

bool array_init(PyObject *module) {
  for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
    const op_record *record = op_named(operations[i].name);
    if (!record) {
      PyErr_Format(PyExc_ImportError, "the library has no operation %s", operations[i].name);
      return false;
    }
    *operations[i].number = record->info->number;
  }
  if (!make_type(module)) return false;
  /* NumPy's operators leave those with one of ours to us; its functions take ours as arrays of theirs. */
  PyObject *priority = PyLong_FromLong(1000);
  bool ok = priority && PyObject_SetAttrString((PyObject *)array_type, "__array_priority__", priority) == 0;
  Py_XDECREF(priority);
  return ok;
}
