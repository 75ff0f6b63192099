/* tme.Engine, and which engine is in use. */
#include "ext.h"
#include <pthread.h>
#include <stdlib.h>

PyTypeObject *engine_type;

static engine_object *first; /* the default engine, once it is there */
static PyObject *in_use;     /* a ContextVar: the engine of the innermost `with` */
static bool ever_used;       /* whether there was one */

/* ---- logging ------------------------------------------------------------------------------------------------------ */

/* The engine logs from any of its threads, perhaps while another one, which has the GIL, waits to log: messages are queued, and
 * handed to Python's logging by its main thread. */
typedef struct message {
  struct message *next;
  tme_log_level level;
  char text[];
} message;

enum { MOST_MESSAGES = 10000 };

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static message *log_head, **log_tail = &log_head;
static int log_count;
static PyObject *logger;

static message *take_messages(void) {
  pthread_mutex_lock(&log_lock);
  message *m = log_head;
  log_head = NULL;
  log_tail = &log_head;
  log_count = 0;
  pthread_mutex_unlock(&log_lock);
  return m;
}

static int hand_over(void *unused) {
  (void)unused;
  static const int levels[] = {[TME_LOG_ERROR] = 40, [TME_LOG_WARNING] = 30, [TME_LOG_INFO] = 20, [TME_LOG_DEBUG] = 10};
  if (!logger) {
    PyObject *logging = PyImport_ImportModule("logging");
    logger = logging ? PyObject_CallMethod(logging, "getLogger", "s", "tme") : NULL;
    Py_XDECREF(logging);
    if (!logger) PyErr_WriteUnraisable(NULL);
  }
  for (message *m = take_messages(), *next; m; m = next) {
    next = m->next;
    PyObject *r = logger ? PyObject_CallMethod(logger, "log", "iss", levels[m->level], "%s", m->text) : NULL;
    /* What a handler of the user raises is no error of whoever happens to run now. */
    if (!r && logger) PyErr_WriteUnraisable(logger);
    Py_XDECREF(r);
    free(m);
  }
  return 0;
}

static void queue_message(void *user, tme_log_level level, const char *text) {
  (void)user;
  size_t n = strlen(text) + 1;
  message *m = malloc(sizeof *m + n);
  if (!m) return;
  m->next = NULL;
  m->level = level;
  memcpy(m->text, text, n);
  pthread_mutex_lock(&log_lock);
  bool queued = log_count < MOST_MESSAGES;
  if (queued) {
    *log_tail = m;
    log_tail = &m->next;
    log_count++;
  }
  pthread_mutex_unlock(&log_lock);
  if (!queued)
    free(m);
  else
    Py_AddPendingCall(hand_over, NULL);
}

/* ---- opening ------------------------------------------------------------------------------------------------------- */

static bool level_of(const char *name, tme_log_level *out) {
  static const char *const names[] = {"", "error", "warning", "info", "debug"};
  for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
    if (!strcmp(name, names[i])) {
      *out = (tme_log_level)i;
      return true;
    }
  PyErr_Format(PyExc_ValueError, "Engine: log is '%s', expected 'error', 'warning', 'info' or 'debug'", name);
  return false;
}

static engine_object *open_engine(tme_options *o) {
  char why[1024] = "";
  o->log = queue_message;
  engine_object *e = PyObject_New(engine_object, engine_type);
  if (!e) return NULL;
  e->engine = tme_engine_open(o, why, sizeof why);
  if (e->engine) return e;
  Py_DECREF(e);
  PyErr_SetString(PyExc_ValueError, why);
  return NULL;
}

/* What is computed in Python is float32 unless the user, or the environment, wants something else. */
static engine_object *open_default(void) {
  tme_options o;
  tme_options_init(&o);
  const char *precision = getenv("TME_PRECISION");
  if (!precision || !*precision) o.precision = "float32";
  return open_engine(&o);
}

static engine_object *default_engine(void) {
  if (!first) first = open_default();
  return engine_ref(first);
}

engine_object *engine_current(void) {
  if (!ever_used) return default_engine();
  PyObject *e = PyObject_CallMethod(in_use, "get", "O", Py_None);
  if (e != Py_None) return (engine_object *)e;
  Py_DECREF(e);
  return default_engine();
}

static PyObject *engine_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
  (void)type;
  static char *names[] = {"precision",     "device",     "backend",     "threads",    "jit",
                          "cache_dir",     "pool_bytes", "cache_bytes", "disk_bytes", "plan_entries",
                          "quiet_numeric", "tune",       "strict",      "log",        NULL};
  tme_options o;
  tme_options_init(&o);
  PyObject *jit = Py_None;
  const char *log = "";
  Py_ssize_t pool = 0, cache = 0, disk = 0, plans = 0;
  o.precision = "float16";
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|szz$iOznnnnpppz:Engine", names, &o.precision, &o.device, &o.backend,
                                   &o.threads, &jit, &o.cache_dir, &pool, &cache, &disk, &plans, &o.quiet_numeric,
                                   &o.tune, &o.strict, &log))
    return NULL;
  if (pool < 0 || cache < 0 || disk < 0 || plans < 0 || o.threads < 0) {
    PyErr_SetString(PyExc_ValueError, "Engine: threads, *_bytes and plan_entries are not negative");
    return NULL;
  }
  o.pool_bytes = (size_t)pool;
  o.cache_bytes = (size_t)cache;
  o.disk_bytes = (size_t)disk;
  o.plan_entries = (size_t)plans;
  if (jit != Py_None) {
    int wanted = PyObject_IsTrue(jit);
    if (wanted < 0) return NULL;
    o.jit = wanted ? 1 : -1;
  }
  if (!level_of(log ? log : "", &o.log_level)) return NULL;
  return (PyObject *)open_engine(&o);
}

static void engine_dealloc(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  tme_engine *e = ((engine_object *)self)->engine;
  scope_forget(e);
  /* Its threads are waited for. */
  Py_BEGIN_ALLOW_THREADS tme_engine_free(e);
  Py_END_ALLOW_THREADS PyObject_Free(self);
  Py_DECREF(type);
}

/* ---- what an engine says of itself ----------------------------------------------------------------------------------- */

static bool put(PyObject *dict, const char *key, PyObject *value) {
  bool ok = value && PyDict_SetItemString(dict, key, value) == 0;
  Py_XDECREF(value);
  return ok;
}

static bool put_text(PyObject *dict, const char *key, const char *text) {
  return put(dict, key, PyUnicode_FromString(text));
}
static bool put_count(PyObject *dict, const char *key, uint64_t n) {
  return put(dict, key, PyLong_FromUnsignedLongLong(n));
}

static PyObject *stats_dict(const tme_stats *st) {
  PyObject *d = PyDict_New();
  if (!d) return NULL;
#define COUNT(field) put_count(d, #field, st->field)
  bool ok = COUNT(entries) && COUNT(hits) && COUNT(misses) && COUNT(evictions) && COUNT(bytes) &&
            put(d, "compile_ms", PyFloat_FromDouble(st->compile_ms)) && COUNT(failures) && COUNT(disk_hits) &&
            COUNT(disk_misses) && COUNT(compilations) && COUNT(plan_entries) && COUNT(plan_hits) &&
            COUNT(plan_misses) && COUNT(plan_evictions) && COUNT(pool_bytes_used) && COUNT(pool_bytes_kept) &&
            COUNT(pool_peak) && COUNT(pool_hits) && COUNT(pool_misses) && COUNT(evaluations) && COUNT(kernels_run) &&
            COUNT(fallbacks);
#undef COUNT
  if (!ok) Py_CLEAR(d);
  return d;
}

static PyObject *cache_stats(PyObject *self, PyObject *unused) {
  (void)unused;
  tme_stats st;
  tme_engine_stats(((engine_object *)self)->engine, &st);
  return stats_dict(&st);
}

static PyObject *jit_status(PyObject *self, PyObject *unused) {
  (void)unused;
  static const char *const states[] = {
      [TME_JIT_ACTIVE] = "active", [TME_JIT_DISABLED] = "disabled", [TME_JIT_FAILED] = "failed"};
  tme_jit_status st;
  Py_BEGIN_ALLOW_THREADS tme_engine_status(((engine_object *)self)->engine, &st);
  Py_END_ALLOW_THREADS PyObject *d = PyDict_New();
  if (!d) return NULL;
  bool ok = put_text(d, "state", states[st.state]) &&
            put(d, "compiler_present", PyBool_FromLong(st.compiler_present)) && put_text(d, "reason", st.reason) &&
            put_text(d, "device", st.device) && put_text(d, "precision", st.precision) &&
            put_text(d, "backend", st.backend) && put_text(d, "target", st.target) &&
            put_text(d, "wanted", st.wanted) && put_text(d, "got", st.got) &&
            put_text(d, "wanted_reason", st.wanted_reason) && put(d, "stats", stats_dict(&st.stats));
  if (!ok) Py_CLEAR(d);
  return d;
}

static PyObject *clear_cache(PyObject *self, PyObject *args, PyObject *kwargs) {
  static char *names[] = {"disk", NULL};
  int disk = 0;
  tme_status st;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|p:clear_cache", names, &disk)) return NULL;
  Py_BEGIN_ALLOW_THREADS st = tme_engine_clear_cache(((engine_object *)self)->engine, disk);
  Py_END_ALLOW_THREADS if (st !=
                           TME_OK) return raise_status(st, "clear_cache: not all files of the cache could be deleted");
  Py_RETURN_NONE;
}

static PyObject *trim(PyObject *self, PyObject *unused) {
  (void)unused;
  tme_engine_trim(((engine_object *)self)->engine);
  Py_RETURN_NONE;
}

static PyObject *seed(PyObject *self, PyObject *value) {
  PyObject *whole = PyNumber_Index(value);
  uint64_t v = whole ? PyLong_AsUnsignedLongLongMask(whole) : 0;
  Py_XDECREF(whole);
  if (PyErr_Occurred()) return NULL;
  tme_seed(((engine_object *)self)->engine, v);
  Py_RETURN_NONE;
}

/* ---- with engine: ------------------------------------------------------------------------------------------------------ */

/* Tokens of the blocks entered and not left yet, the innermost last, for each context by itself: a ContextVar too. */
static PyObject *entered;

static PyObject *engine_enter(PyObject *self, PyObject *unused) {
  (void)unused;
  ever_used = true;
  PyObject *outer = PyObject_CallMethod(entered, "get", "O", Py_None);
  PyObject *token = outer ? PyObject_CallMethod(in_use, "set", "O", self) : NULL;
  PyObject *chain = token ? PyTuple_Pack(2, token, outer) : NULL;
  PyObject *r = chain ? PyObject_CallMethod(entered, "set", "(O)", chain) : NULL;
  Py_XDECREF(chain);
  Py_XDECREF(token);
  Py_XDECREF(outer);
  if (!r) return NULL;
  Py_DECREF(r);
  return Py_NewRef(self);
}

static PyObject *engine_exit(PyObject *self, PyObject *args) {
  (void)self;
  (void)args;
  PyObject *chain = PyObject_CallMethod(entered, "get", "O", Py_None);
  if (!chain) return NULL;
  PyObject *r = NULL;
  if (!PyTuple_Check(chain)) {
    PyErr_SetString(PyExc_RuntimeError, "Engine.__exit__: no block was entered in this thread or task");
  } else {
    PyObject *reset = PyObject_CallMethod(in_use, "reset", "O", PyTuple_GetItem(chain, 0));
    r = reset ? PyObject_CallMethod(entered, "set", "(O)", PyTuple_GetItem(chain, 1)) : NULL;
    Py_XDECREF(reset);
  }
  Py_DECREF(chain);
  if (!r) return NULL;
  Py_DECREF(r);
  Py_RETURN_NONE;
}

/* engine.matmul, ...: the operations. */
static PyObject *engine_getattr(PyObject *self, PyObject *name) {
  PyObject *found = PyObject_GenericGetAttr(self, name);
  if (found || !PyErr_ExceptionMatches(PyExc_AttributeError)) return found;
  const char *text = PyUnicode_AsUTF8AndSize(name, NULL);
  const op_record *op = text ? op_named(text) : NULL;
  if (!op) return NULL;
  PyErr_Clear();
  return op_function(op, self, NULL);
}

static PyObject *engine_dir(PyObject *self, PyObject *unused) {
  (void)unused;
  PyObject *names = PyObject_CallMethod((PyObject *)&PyBaseObject_Type, "__dir__", "O", self);
  for (int i = 0; names && i < op_count(); i++) {
    PyObject *name = PyUnicode_FromString(op_at(i)->info->name);
    if (!name || PyList_Append(names, name) < 0) Py_CLEAR(names);
    Py_XDECREF(name);
  }
  return names;
}

static PyObject *get_precision(PyObject *self, void *unused) {
  (void)unused;
  return Py_NewRef(dtype_object(tme_engine_default_dtype(((engine_object *)self)->engine)));
}

static PyObject *get_threads(PyObject *self, void *unused) {
  (void)unused;
  return PyLong_FromLong(tme_engine_threads(((engine_object *)self)->engine));
}

static PyObject *get_cache_dir(PyObject *self, void *unused) {
  (void)unused;
  return PyUnicode_DecodeFSDefault(tme_engine_cache_dir(((engine_object *)self)->engine));
}

static PyObject *get_has_jit(PyObject *self, void *unused) {
  (void)unused;
  return PyBool_FromLong(tme_engine_has_jit(((engine_object *)self)->engine));
}

static PyGetSetDef getset[] = {
    {"dtype", get_precision, NULL, "The dtype of floating arrays made without one.", NULL},
    {"threads", get_threads, NULL, "Threads that compute, the caller included.", NULL},
    {"cache_dir", get_cache_dir, NULL, "The folder of the cache on disk; '' for none.", NULL},
    {"has_jit", get_has_jit, NULL, "False once the compiler was found unusable.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyMethodDef methods[] = {
    {"jit_status", jit_status, METH_NOARGS,
     "jit_status($self, /)\n--\n\nCompiles a real product around all caches, runs it and checks its value. A dict: state, reason, backend, ..."},
    {"cache_stats", cache_stats, METH_NOARGS,
     "cache_stats($self, /)\n--\n\nCounts of the caches, plans and the memory pool: a dict."},
    {"clear_cache", (PyCFunction)(void (*)(void))clear_cache, METH_VARARGS | METH_KEYWORDS,
     "clear_cache($self, /, disk=False)\n--\n\nDrops compiled code and plans from memory, and from the disk too if asked."},
    {"seed", seed, METH_O,
     "seed($self, seed, /)\n--\n\nBegins anew, with a whole number, the stream of keys that random numbers without a key have. An engine "
     "begins with 0."},
    {"trim", trim, METH_NOARGS, "trim($self, /)\n--\n\nGives the memory that the pool keeps back to the system."},
    {"__enter__", engine_enter, METH_NOARGS, NULL},
    {"__exit__", engine_exit, METH_VARARGS, NULL},
    {"__dir__", engine_dir, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL}};

static PyType_Slot slots[] = {
    {Py_tp_doc,
     "Engine(precision='float16', device='auto', backend='auto', *, threads=0, jit=None, cache_dir=None, pool_bytes=0, "
     "cache_bytes=0, disk_bytes=0, plan_entries=0, quiet_numeric=False, tune=False, strict=False, log='')\n--\n\n"
     "Device, precision, threads, compiler, caches and memory. Every operation is a method; `with engine:` makes it the one in "
     "use. Zero, None and '' are the defaults, which TME_* environment variables change."},
    {Py_tp_new, engine_new},
    {Py_tp_dealloc, engine_dealloc},
    {Py_tp_getattro, engine_getattr},
    {Py_tp_getset, getset},
    {Py_tp_methods, methods},
    {0, NULL}};
static PyType_Spec spec = {"tme.Engine", sizeof(engine_object), 0, Py_TPFLAGS_DEFAULT, slots};

static PyObject *current(PyObject *module, PyObject *unused) {
  (void)module;
  (void)unused;
  return (PyObject *)engine_current();
}

static PyMethodDef functions[] = {
    {"current_engine", current, METH_NOARGS,
     "current_engine()\n--\n\nThe engine of the innermost `with engine:`, else the default one."},
    {NULL, NULL, 0, NULL}};

static PyObject *context_var(const char *name) {
  PyObject *module = PyImport_ImportModule("contextvars");
  PyObject *var = module ? PyObject_CallMethod(module, "ContextVar", "s", name) : NULL;
  Py_XDECREF(module);
  return var;
}

bool engine_init(PyObject *module) {
  in_use = context_var("tme.engine");
  entered = context_var("tme.entered");
  engine_type = in_use && entered ? add_type(module, &spec) : NULL;
  return engine_type && add_functions(module, functions);
}
