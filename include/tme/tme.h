/* T-Mathematics Engine: lazily evaluated arrays, compiled for the machine at hand.
 *
 * Three nouns:
 *   engine  device, precision, threads, JIT, caches, memory pool, statistics. Thread-safe; share one.
 *   scope   where results live and where the first error is kept. Used by one thread at a time.
 *   array   an immutable value, perhaps not computed yet: a dtype, a shape and a node of the graph.
 *
 * Errors: a function that returns an array returns NULL on failure and leaves its message in the scope; given NULL for
 * an array it returns NULL and leaves the first message standing, so calls nest without a check between them. Functions
 * that return tme_status return TME_OK or the code of that error. The library never prints, exits or aborts.
 *
 * Ownership: every array that a call returns belongs to the scope named first in the call and dies with it, unless
 * tme_keep() hands it to another scope or tme_retain() counts a further reference.
 */
#ifndef TME_TME_H
#define TME_TME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TME_VERSION_MAJOR 0
#define TME_VERSION_MINOR 1
#define TME_VERSION_PATCH 0
#define TME_VERSION "0.1.0"

#if defined(__GNUC__)
#define TME_API __attribute__((visibility("default")))
#define TME_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define TME_API
#define TME_PRINTF(f, a)
#endif

/* The largest number of dimensions of an array. */
#define TME_MAX_RANK 16
/* For slice bounds: "not given", as the empty places of Python's a[::-1]. */
#define TME_NONE INT64_MIN
/* For the number of axes of a reduction: all of them. */
#define TME_ALL (-1)
/* For the axis of an operation that may do without one: all elements in row-major order, as a vector. */
#define TME_NO_AXIS INT32_MIN

typedef struct tme_engine tme_engine;
typedef struct tme_scope tme_scope;
typedef struct tme_array tme_array;
typedef struct tme_event tme_event;
typedef struct tme_function tme_function;

typedef enum tme_dtype {
  TME_DTYPE_NONE = -1, /* where an operation takes a dtype: its default */
  TME_BOOL,
  TME_U8,
  TME_U16,
  TME_U32,
  TME_U64,
  TME_I8,
  TME_I16,
  TME_I32,
  TME_I64,
  TME_F16,
  TME_BF16,
  TME_F32,
  TME_F64,
  TME_C64,    /* two f32: real, imaginary */
  TME_C128,   /* two f64 */
  TME_F8E4M3, /* a sign, 4 bits of exponent, 3 of mantissa; no infinities: what is more than 448 is NaN */
  TME_F8E5M2, /* a sign, 5 bits of exponent, 2 of mantissa */
  TME_DTYPE_COUNT
} tme_dtype;

typedef enum tme_status {
  TME_OK,
  TME_ERR_ARGUMENT,    /* a value that is not allowed: a negative dimension, NULL */
  TME_ERR_SHAPE,       /* shapes that do not fit */
  TME_ERR_DTYPE,       /* a dtype that the operation does not take */
  TME_ERR_MEMORY,      /* out of memory, or a size that overflows */
  TME_ERR_IO,          /* a file could not be read or written */
  TME_ERR_FORMAT,      /* a file is not what it claims */
  TME_ERR_UNSUPPORTED, /* valid, but no backend can do it */
  TME_ERR_NUMERIC,     /* no convergence, singular, not positive definite */
  TME_ERR_JIT,         /* the compiler failed; never reaches the caller of tme_eval, see tme_engine_status */
  TME_ERR_DEVICE,      /* a device or its driver failed */
  TME_ERR_CANCELLED,
  TME_ERR_INDEX,    /* an index that is out of range, or does not fit what it indexes */
  TME_ERR_AXIS,     /* an axis that is out of range */
  TME_ERR_NO_VALUE, /* an array is to be computed whose value is not known: of an input of tme_compile */
  TME_STATUS_COUNT
} tme_status;

/* The name of a dtype as NumPy spells it: "float32", "bfloat16"; "none" for TME_DTYPE_NONE. */
TME_API const char *tme_dtype_name(tme_dtype t);
/* Accepts both spellings, "float32" and "f32". TME_DTYPE_NONE if unknown. */
TME_API tme_dtype tme_dtype_parse(const char *name);
/* Bytes of one element. */
TME_API size_t tme_dtype_size(tme_dtype t);
/* 'b' bool, 'u' unsigned, 'i' signed, 'f' floating, 'c' complex, as NumPy's dtype.kind; 0 for what is no dtype. */
TME_API char tme_dtype_kind(tme_dtype t);
/* The distance from 1 to the next larger number, of a complex dtype that of its parts; 0 for what is not floating. */
TME_API double tme_dtype_epsilon(tme_dtype t);
/* The largest finite number, and the least that has all of its digits, likewise. */
TME_API double tme_dtype_largest(tme_dtype t);
TME_API double tme_dtype_smallest_normal(tme_dtype t);
/* The dtype that operands of both are converted to (array API standard; an integer that meets a float becomes that float);
 * TME_DTYPE_NONE if one is no dtype. */
TME_API tme_dtype tme_dtype_promote(tme_dtype a, tme_dtype b);
TME_API const char *tme_status_name(tme_status s);
TME_API const char *tme_version(void);

/* ---- engine ------------------------------------------------------------------------------------------------------ */

typedef enum tme_log_level {
  TME_LOG_DEFAULT, /* in tme_options: what TME_LOG says, else warnings */
  TME_LOG_ERROR,
  TME_LOG_WARNING,
  TME_LOG_INFO,
  TME_LOG_DEBUG
} tme_log_level;
/* Called from any thread that uses the engine, one call at a time. `message` has no newline and lives for the call. It must
 * not use the engine that calls it: evaluations are an error there, so is dropping its caches, and its figures are 0. */
typedef void tme_log_fn(void *user, tme_log_level level, const char *message);

/* Zero means "the default" for every field; a TME_* environment variable overrides the default, an option that is set
 * overrides the variable. Fill with tme_options_init(), which also sets struct_size. */
typedef struct tme_options {
  size_t struct_size;
  const char *precision; /* "float16" (default), "bfloat16", "float32", "float64", "mixed"; TME_PRECISION */
  const char *device;    /* "auto" (default), "cpu", "mlx", "gpu": MLX's where there is one, else the CPU with a
                            warning; TME_DEVICE */
  const char *backend;   /* "auto" (default), "cpu", "mlx", "nojit", "reference"; TME_BACKEND */
  int threads;           /* threads that compute, the caller included; TME_THREADS; default: the processors allowed */
  size_t pool_bytes;     /* how much freed memory the pool keeps; TME_POOL_BYTES; default 1/4 of the memory */
  size_t cache_bytes;    /* bound of the compiled code in memory; TME_CACHE_BYTES; default 64 MiB */
  size_t plan_entries;   /* bound of the plan cache; TME_PLAN_ENTRIES; default 4096 */
  size_t disk_bytes;     /* bound of the cache on disk; TME_DISK_BYTES; default 256 MiB */
  const char *cache_dir; /* TME_CACHE_DIR; default $XDG_CACHE_HOME/tme or ~/.cache/tme; "" for no cache on disk */
  int jit;               /* 0: default (on), 1: on, -1: off; TME_JIT=0|1 */
  int quiet_numeric;     /* 1: a numerical failure leaves NaN and is not reported as an error */
  tme_log_fn *log;       /* NULL: no log */
  void *log_user;
  tme_log_level log_level; /* the most detailed level that is logged; TME_LOG; default: warnings */
  int tune;    /* 1: the ways to compute a product are timed at its first use, the choice is kept on disk; no result
               changes. 0: default (off), -1: off; TME_TUNE=0|1 */
  int strict;  /* 1: a device or backend that was asked for by name, here or in the environment, and cannot be had is an
                 error of tme_engine_open; of one of the two alone with a '!' behind its name: "mlx!". 0: default
                 (off: another one is used, see tme_jit_status), -1: off; TME_STRICT=0|1 */
  int untyped; /* 1: untyped floating numbers are float64, and so is what is computed from them, or made without a dtype:
                  untyped in its turn, until it meets an array. 0: default (off), -1: off: they have the precision, and
                  only numbers without dimensions stay untyped */
} tme_options;

TME_API void tme_options_init(tme_options *o);
/* NULL options are the defaults. On failure returns NULL and, if `why` is not NULL, writes the reason there. */
TME_API tme_engine *tme_engine_open(const tme_options *o, char *why, size_t why_size);
/* tme_engine_open without the reason. */
TME_API tme_engine *tme_engine_new(const tme_options *o);
/* Drops the caller's reference; the engine ends when the last array and scope made from it are gone. NULL is allowed.
 * An engine that ends goes on compiling what it has begun to compile for later calls and processes, for 50 ms and the
 * kernel under way then. The process may fork at any moment, but not in a function that the engine calls; the child goes
 * on with the engine, but for asynchronous evaluations, which end as cancelled. It may also end at any moment, once what is
 * being compiled is compiled. */
TME_API void tme_engine_free(tme_engine *e);

typedef struct tme_stats {
  uint64_t entries, hits, misses, evictions, bytes; /* compiled kernels in memory */
  double compile_ms;
  uint64_t failures; /* JIT compilations or compiled calls that failed and were answered without JIT */
  uint64_t disk_hits, disk_misses;
  uint64_t compilations; /* kernels that went through the compiler in this engine; those of two tiers once or twice */
  uint64_t plan_entries, plan_hits, plan_misses, plan_evictions;
  uint64_t pool_bytes_used, pool_bytes_kept, pool_peak, pool_hits, pool_misses;
  uint64_t evaluations, kernels_run, fallbacks;
} tme_stats;

TME_API void tme_engine_stats(tme_engine *e, tme_stats *out);

typedef enum tme_jit_state { TME_JIT_ACTIVE, TME_JIT_DISABLED, TME_JIT_FAILED } tme_jit_state;

typedef struct tme_jit_status {
  tme_jit_state state;
  bool compiler_present;
  char reason[512]; /* why it is disabled or failed; empty when active */
  char device[64], precision[16], backend[16], target[128];
  tme_stats stats;
  /* What was asked for by name and could not be had: "backend mlx", "backend cpu", and why; empty if there is nothing. */
  char wanted[64], got[64], wanted_reason[512];
} tme_jit_status;

/* Compiles a real 2x2 product around all caches, runs it and checks its value (requirements E8). */
TME_API void tme_engine_status(tme_engine *e, tme_jit_status *out);
/* True until the JIT was found unusable at its first use. Opens no compiler. */
TME_API bool tme_engine_has_jit(tme_engine *e);
/* Drops all compiled code and plans from memory, and from the disk too if `disk`. What could not be deleted there is
 * logged and is an error. */
TME_API tme_status tme_engine_clear_cache(tme_engine *e, bool disk);
/* Whether the folder of the disk cache is one that the engine uses; else the reason is written to `why`, if that is not
 * NULL. Makes the folder if it is not there. No folder is no error. */
TME_API tme_status tme_engine_check_cache(tme_engine *e, char *why, size_t why_size);
/* Gives the memory that the pool keeps back to the system. */
TME_API void tme_engine_trim(tme_engine *e);
/* The dtype of floating arrays made without one. */
TME_API tme_dtype tme_engine_default_dtype(tme_engine *e);
/* The folder chosen for the disk cache, which need not exist; "" for no cache on disk. Valid while the engine lives. */
TME_API const char *tme_engine_cache_dir(tme_engine *e);
TME_API int tme_engine_threads(tme_engine *e);
/* What is drawn without a key takes the next one of the engine's stream, which this begins anew; an engine begins with seed 0. The
 * i-th key is row i of random_split(random_key(seed), n). A function of tme_compile that draws without a key takes the next key with
 * each call. By any thread; threads that draw at once share the keys in the order in which they come. */
TME_API void tme_seed(tme_engine *e, uint64_t seed);
/* The BLAS and LAPACK that answer the SVD, and products where there is no JIT: "openblas 0.3.21, core Zen", "" for none. The
 * JIT's products are the engine's own. *warning (NULL is allowed) says why that library is slow here, "" if it is not. Opens
 * the library; the texts live as long as the process. */
TME_API const char *tme_blas(const char **warning);

/* ---- scope ------------------------------------------------------------------------------------------------------- */

TME_API tme_scope *tme_scope_new(tme_engine *e);
/* Frees all arrays of the scope that nobody retained. NULL is allowed. */
TME_API void tme_scope_free(tme_scope *s);
/* The same, and the scope is as a new one: without an error, a device or a stop function. NULL is allowed. */
TME_API void tme_scope_reset(tme_scope *s);
TME_API tme_engine *tme_scope_engine(tme_scope *s);
/* The first error since the scope was made or cleared; "" if none. Valid until the next call on the scope. */
TME_API const char *tme_error(const tme_scope *s);
TME_API tme_status tme_error_code(const tme_scope *s);
TME_API void tme_clear_error(tme_scope *s);
/* Operations applied in this scope from now on are to run on `device`: the name of a device or of a backend that the engine has
 * ("cpu", "gpu", "nojit"); what that lacks runs where it would have run otherwise. NULL: where the engine prefers. A device that
 * the engine does not have is TME_ERR_DEVICE. */
TME_API tme_status tme_scope_set_device(tme_scope *s, const char *device);
/* Called between the steps of the scope's evaluations, by the thread that asked for them and waits; not by asynchronous ones.
 * True ends the evaluation with TME_ERR_CANCELLED. To ask for values of what is being evaluated is an error. */
typedef bool tme_stop_fn(void *user);
TME_API void tme_scope_set_stop(tme_scope *s, tme_stop_fn *stop, void *user);

/* ---- arrays ------------------------------------------------------------------------------------------------------ */

/* Makes `a` belong to `s` as well. Returns `a`. */
TME_API tme_array *tme_keep(tme_scope *s, tme_array *a);
/* For bindings: a reference that no scope holds. Atomic. */
TME_API tme_array *tme_retain(tme_array *a);
TME_API void tme_release(tme_array *a);

TME_API tme_dtype tme_array_dtype(const tme_array *a);
TME_API int tme_array_rank(const tme_array *a);
/* `rank` extents, valid while the array lives. */
TME_API const int64_t *tme_array_shape(const tme_array *a);
TME_API int64_t tme_array_size(const tme_array *a);
/* Whether the value is known: computed, or a number. */
TME_API bool tme_has_value(const tme_array *a);
/* In which device's memory the elements are, "cpu" for the host's; of what is not computed, where they will be if the
 * engine's first backend, or the device that was asked for, can do it. NULL for NULL. */
TME_API const char *tme_array_device(const tme_array *a);

/* A copy of `data`: row-major, contiguous, of the dtype given. */
TME_API tme_array *tme_from(tme_scope *s, tme_dtype t, int rank, const int64_t *shape, const void *data);
/* The caller's memory itself, not copied and never written. `strides` are in bytes, NULL for row-major. The memory must
 * live and stay unchanged until `release(user)` is called (NULL: until the engine ends). */
TME_API tme_array *tme_wrap(tme_scope *s, tme_dtype t, int rank, const int64_t *shape, const int64_t *strides,
                            const void *data, void (*release)(void *user), void *user);
/* An untyped literal: takes the dtype of what it meets, else the default of its kind. One that this dtype cannot hold (300
 * where uint8 is, 2^63 where int64 is, 1e6 where float16 is) is an error of the operation. Comparisons with a literal are of
 * the values themselves, except that floats are compared with the float that is nearest to it. */
TME_API tme_array *tme_number(tme_scope *s, double v);
TME_API tme_array *tme_integer(tme_scope *s, int64_t v);
TME_API tme_array *tme_unsigned(tme_scope *s, uint64_t v);
TME_API tme_array *tme_boolean(tme_scope *s, bool v);
/* The same array as an untyped one: a list of numbers, which takes the dtype of what it meets as a literal does. */
TME_API tme_array *tme_untyped(tme_scope *s, tme_array *a);
TME_API bool tme_is_untyped(const tme_array *a);

/* Computes `a` (or all `n`, in one plan) and waits. NULL in the list is an error that was already reported. */
TME_API tme_status tme_eval(tme_scope *s, tme_array *a);
TME_API tme_status tme_eval_all(tme_scope *s, tme_array *const *a, int n);
/* Starts the evaluation and returns; the event belongs to the caller. NULL on failure. The arrays may be used at once: what
 * reads them waits. On a device of its own memory evaluations overlap, and work is done in order; where the device fails after
 * it has taken the work, the event and whoever reads the arrays have that error (tme_eval and tme_call compute elsewhere). */
TME_API tme_event *tme_eval_async(tme_scope *s, tme_array *const *a, int n);
TME_API bool tme_event_done(const tme_event *ev);
/* Waits. An error is also left in the scope that started it. */
TME_API tme_status tme_event_wait(tme_event *ev);
/* Asks the evaluation to stop at the next step; it then ends with TME_ERR_CANCELLED unless it was done. */
TME_API void tme_event_cancel(tme_event *ev);
/* Waits and frees. */
TME_API void tme_event_free(tme_event *ev);

/* An array without a value, for tme_compile. What is computed from it cannot be evaluated. */
TME_API tme_array *tme_input(tme_scope *s, tme_dtype t, int rank, const int64_t *shape);
/* Plans once how `outputs` are computed from `inputs`, which are made with tme_input, for many calls with values of the
 * same dtypes and shapes: a call then costs neither a graph nor a look into the plan cache. Other arrays and numbers that
 * the outputs need are taken in. A graph of more than 16384 operations is cut into several plans. The function is the
 * caller's, belongs to no scope, and may be called by several threads at once. NULL on failure. */
TME_API tme_function *tme_compile(tme_scope *s, tme_array *const *inputs, int ninputs, tme_array *const *outputs,
                                  int noutputs);
/* Computes and waits. `outputs` receives as many arrays as the function has outputs: of the scope, and computed; on any
 * failure, a numerical one included, all of them are NULL. It may be the list of inputs. Inputs are evaluated if they were not; those that are not row-major are copied. */
TME_API tme_status tme_call(tme_scope *s, const tme_function *f, tme_array *const *inputs, int ninputs,
                            tme_array **outputs);
/* NULL is allowed. Not while a call runs. */
TME_API void tme_function_free(tme_function *f);

/* Evaluates, and returns the elements row-major and contiguous; valid while the array lives. NULL on failure. An array
 * without elements gives a pointer that must not be read. */
TME_API const void *tme_data(tme_scope *s, tme_array *a);
/* Evaluates and copies all elements, row-major, into `dst` of `bytes` bytes. */
TME_API tme_status tme_read(tme_scope *s, tme_array *a, void *dst, size_t bytes);
/* The value of an array with one element, as a double (complex: the real part); tme_read gives 64-bit integers whole. */
TME_API tme_status tme_item(tme_scope *s, tme_array *a, double *out);

/* ---- indexing ------------------------------------------------------------------------------------------------------ */

typedef enum tme_index_kind {
  TME_INDEX_SLICE,    /* start:stop:step, by Python's rules */
  TME_INDEX_INT,      /* one element, from the end if it is negative; the axis is dropped */
  TME_INDEX_NEW_AXIS, /* an axis of extent 1 */
  TME_INDEX_ELLIPSIS, /* all axes that the other entries leave; at most once, and if it is missing, at the end */
  TME_INDEX_ARRAY     /* the elements that the array names */
} tme_index_kind;

/* One entry of an index; what its kind does not need is not looked at. */
typedef struct tme_index {
  tme_index_kind kind;
  int64_t start, stop, step; /* of a slice, TME_NONE: not given; the number of an element in `start` */
  tme_array *array;          /* integers, along one axis; or booleans, a mask over as many axes as it has */
} tme_index;

/* x[ix[0], ix[1], ...] by NumPy's rules: at most 64 entries, fewer than axes or none at all. Slices and whole numbers give a
 * view, nothing is computed: of a computed array its buffer is shared. Arrays are broadcast together, a mask being the numbers of
 * its true elements along each of its axes; the axes of that shape stand where the arrays stood or, if a slice, a new axis or an
 * ellipsis is between two of them, in front of all others, whole numbers beside arrays counting as arrays. Masks are evaluated, as
 * they decide the result's shape: one that needs a value of tme_input is TME_ERR_NO_VALUE. Nothing else is; whole numbers in arrays are
 * checked at once where they are few and known, else when the result is computed (as those of tme_take). The dtype is that of x.
 * The result may be x itself. Errors: TME_ERR_INDEX for an element or an axis that x does not have, a mask of another shape,
 * arrays that do not broadcast, two ellipses; TME_ERR_ARGUMENT for a step of 0; TME_ERR_DTYPE for arrays that hold neither
 * integers nor booleans (untyped ones without elements may); TME_ERR_SHAPE for too many dimensions. */
TME_API tme_array *tme_get(tme_scope *s, tme_array *x, const tme_index *ix, int n);

/* What becomes of an element that is named: the value, their sum or product, the smaller or the larger one. */
typedef enum tme_put_mode { TME_PUT_SET, TME_PUT_ADD, TME_PUT_MULTIPLY, TME_PUT_MIN, TME_PUT_MAX } tme_put_mode;
/* A new array: x with the elements that the index names set to `values`, or combined with them, which broadcast to the shape
 * that tme_get gives (axes of 1 in front of theirs may be too many). The dtype and shape are those of x, to which values are
 * converted; an untyped one that the dtype cannot hold is an error. Elements that arrays name several times are combined with
 * each of their values; TME_PUT_SET leaves the last one. One mask, and values that are the same along its true elements, is
 * where(): nothing is evaluated; other masks are evaluated, and nothing else is. Errors: those of tme_get; TME_ERR_SHAPE for
 * values that do not broadcast, TME_ERR_DTYPE for complex ones in an array that is not. */
TME_API tme_array *tme_put(tme_scope *s, tme_array *x, const tme_index *ix, int n, tme_array *values,
                           tme_put_mode mode);

/* ---- arrays as text ------------------------------------------------------------------------------------------------ */

typedef enum tme_format_style {
  TME_FORMAT_COLUMNS, /* numbers with the decimals that they need, points below points: as the program prints */
  TME_FORMAT_NUMPY,   /* as NumPy's array2string */
  TME_FORMAT_JSON     /* nested lists; NaN and infinities are texts, complex numbers [real, imaginary] */
} tme_format_style;

/* Filled with the defaults of a style by tme_format_init(), which also sets struct_size. */
typedef struct tme_format {
  size_t struct_size;
  tme_format_style style;
  int precision;         /* at most so many digits behind the point; JSON has all that are needed. Default 8 */
  int64_t threshold;     /* of an array of more elements the middle of long axes is left out: "...". Default 1000 */
  int64_t edge_items;    /* elements of such an axis that are shown at either end. Default 3 */
  int line_width;        /* columns of a line. Default 100; NUMPY: 75; JSON is one line */
  int indent;            /* columns before the first bracket, where the caller has written; blanks on further lines */
  int reserve;           /* columns that no line uses, for what the caller writes behind the last bracket */
  bool suppress;         /* NUMPY: small numbers have no exponent */
  const char *separator; /* between elements. Default " "; JSON: ", " */
} tme_format;

TME_API void tme_format_init(tme_format *f, tme_format_style style);
/* Evaluates, and writes the elements as text, without a line break at the end. NULL options are the defaults of
 * TME_FORMAT_COLUMNS. The text is freed with tme_string_free. NULL on failure. */
TME_API char *tme_format_array(tme_scope *s, tme_array *a, const tme_format *how);

/* ---- DLPack: memory shared with other libraries of arrays --------------------------------------------------------- */

/* The structures are those of DLPack's own header, or of tme/dlpack.h. */
struct DLManagedTensor;
struct DLManagedTensorVersioned;

/* The tensor's memory itself, not copied and never written, as in tme_wrap: of the host (kDLCPU), of one of tme's dtypes
 * and aligned to it, in any strides; bools are 0 or 1. It must stay unchanged until the tensor is deleted. The array takes
 * the tensor over: its deleter is called once, when no array needs the memory any more, nor anything that was exported of
 * them, by the thread that lets go of it last, with no lock of the engine held. On failure (NULL) the tensor is still the
 * caller's, who deletes it. Of a version other than 1.x (TME_ERR_UNSUPPORTED) nothing else is read. */
TME_API tme_array *tme_from_dlpack(tme_scope *s, struct DLManagedTensor *t);
TME_API tme_array *tme_from_dlpack_versioned(tme_scope *s, struct DLManagedTensorVersioned *t);

enum {
  TME_DLPACK_COPY = 1,       /* memory of its own, row-major */
  TME_DLPACK_NEVER_COPY = 2, /* an error (TME_ERR_UNSUPPORTED) where a copy is needed */
  TME_DLPACK_ROWS = 4        /* row-major, copied if it is not */
};
/* Evaluates, and gives the elements in host memory: those of the array, in its strides, or a copy if they are on another
 * device. `flags` is 0 or TME_DLPACK_*. Memory that is not a copy is shared with arrays that do not change, and must not
 * be written: the versioned protocol says so (read only), the other one has no words for it. The tensor is the caller's,
 * holds what it needs beyond scope and engine, and ends with its deleter, which any thread may call. NULL on failure. */
TME_API struct DLManagedTensor *tme_to_dlpack(tme_scope *s, tme_array *a, unsigned flags);
TME_API struct DLManagedTensorVersioned *tme_to_dlpack_versioned(tme_scope *s, tme_array *a, unsigned flags);

/* ---- files: .npy, .npz, .safetensors, .gguf (by the ending of the path) -------------------------------------------- */

/* The file is mapped, not copied: truncating it while the array lives raises SIGBUS in its reader. "file.npz:name" and
 * "file.safetensors:name" name an array; without a name the file must hold exactly one. A member of an archive must agree
 * with its checksum, unless over 1 MiB lies behind the array in it: no more is read than the array needs.
 * .gguf: F32, F16, BF16, F64 and I8 to I64 are mapped, the numbers of Q8_0, Q4_0, Q4_1, Q4_K and Q6_K become float32. */
TME_API tme_array *tme_load(tme_scope *s, const char *path);
/* The same, read into memory. */
TME_API tme_array *tme_load_copy(tme_scope *s, const char *path);
/* All arrays of a file. The list is the caller's, its arrays are the scope's; NULL on failure. `copy`: as tme_load_copy. */
typedef struct tme_members {
  int n;
  const char *const *names; /* of .npy: "" */
  tme_array *const *arrays;
} tme_members;
TME_API tme_members *tme_load_all(tme_scope *s, const char *path, bool copy);
/* The same, but what is Q8_0, Q4_0 or Q4_1 in a .gguf file stays quantized, in groups of 32 numbers of 8 or 4 bits as tme_quantize
 * gives them: NAME.weight, NAME.scales and NAME.biases. Saved as .gguf they become what they were. */
TME_API tme_members *tme_load_quantized(tme_scope *s, const char *path, bool copy);
/* NULL is allowed. The arrays stay. */
TME_API void tme_members_free(tme_members *m);
/* Evaluates and writes one array (.npy, or the only member "arr_0" of .npz / .safetensors). Written to a temporary file
 * beside the target and renamed: a failure leaves the old file as it was. */
TME_API tme_status tme_save(tme_scope *s, const char *path, tme_array *a);
/* Several named arrays into one .npz or .safetensors file. */
TME_API tme_status tme_save_all(tme_scope *s, const char *path, const char *const *names, tme_array *const *a, int n);

/* One file of several: `names` may be NULL where there is one array. */
typedef struct tme_file {
  const char *path;
  const char *const *names;
  tme_array *const *arrays;
  int n;
} tme_file;
/* Several files, in one evaluation. All are whole under temporary names before the first is renamed, so that a failure
 * leaves none of them. The same file twice, by whatever spelling, is an error. */
TME_API tme_status tme_save_files(tme_scope *s, const tme_file *files, int n);
/* For the handler of a signal that ends the process: removes the files that are being written and have a name, which is
 * where the file system knows none without (O_TMPFILE). The saves under way fail. Safe in handlers. */
TME_API void tme_save_abandon(void);

/* ---- what the compiler does ---------------------------------------------------------------------------------------- */

enum {
  TME_EXPLAIN_PASSES = 1, /* the graph after each pass */
  TME_EXPLAIN_SOURCE = 2, /* each kernel as C, for people to read */
  TME_EXPLAIN_ASM = 4,    /* each kernel's machine code, where a compiler is present */
  TME_EXPLAIN_DOT = 8,    /* only the graph, in Graphviz's language */
  TME_EXPLAIN_IR = 16     /* each kernel's description */
};
/* Plans the evaluation of the arrays without running it and says what was fused, what not and why. The text is freed
 * with tme_string_free. NULL on failure. */
TME_API char *tme_explain(tme_scope *s, tme_array *const *a, int n, unsigned flags);
TME_API void tme_string_free(char *text);

/* ---- operations by name or number: for programs, bindings and tests ------------------------------------------------- */

/* What a parameter takes, and as what (tme_arg_kind). */
typedef enum tme_param_kind {
  TME_PARAM_ARRAY,          /* an array: ARRAY */
  TME_PARAM_OPTIONAL_ARRAY, /* an array or nothing: ARRAY, of which NULL is nothing */
  TME_PARAM_ARRAYS,         /* any number of arrays: ARRAYS */
  TME_PARAM_AXIS,           /* one axis, from the end if it is negative: INT */
  TME_PARAM_AXES,           /* several: INTS, or INT for one */
  TME_PARAM_INTS,           /* extents or axes, at most TME_MAX_RANK: INTS, or INT for one */
  TME_PARAM_PERDIM,         /* one number for each dimension of the first array: INTS; TME_NONE is the default of one */
  TME_PARAM_INT,            /* a whole number: INT */
  TME_PARAM_BOOL,           /* INT: 0 is false */
  TME_PARAM_FLOAT,          /* a number: FLOAT, INT or UINT */
  TME_PARAM_NUMBER,         /* a value of the result's dtype, which must hold it: FLOAT, INT or UINT */
  TME_PARAM_DTYPE,          /* INT: a tme_dtype */
  TME_PARAM_TEXT,           /* at most 127 bytes: TEXT */
  TME_PARAM_CHOICE,         /* one of those that `choices` lists: TEXT */
  TME_PARAM_OPTIONAL_AXIS   /* one axis, or TME_NO_AXIS: INT */
} tme_param_kind;

typedef enum tme_arg_kind {
  TME_ARG_ABSENT, /* not given: the default */
  TME_ARG_ARRAY,
  TME_ARG_ARRAYS,
  TME_ARG_INT, /* also booleans and dtypes */
  TME_ARG_INTS,
  TME_ARG_FLOAT,
  TME_ARG_UINT, /* where a number is taken: beyond INT64_MAX */
  TME_ARG_TEXT
} tme_arg_kind;

typedef struct tme_arg {
  tme_arg_kind kind;
  int n; /* length of ints or arrays */
  union {
    tme_array *array;
    tme_array *const *arrays;
    int64_t i;
    const int64_t *ints;
    double f;
    uint64_t u;
    const char *text; /* ends with 0 */
  } u;
} tme_arg;

/* The table of operations. What these functions return lives as long as the process and is the same for every engine; later
 * versions may add fields at the end of both structures, so they are looked at where they are, and not copied. */
typedef struct tme_param_info {
  const char *name;
  tme_param_kind kind;
  bool optional;
  tme_arg value; /* of an optional one: what stands for it if it is not given. ABSENT: "none", the operation decides */
  const char *choices; /* of TME_PARAM_CHOICE: "constant|edge|reflect"; of others NULL */
} tme_param_info;

/* `signature` says the same for people, "name:kind=default" for each parameter, a name alone being an array: "x,
 * axis:axes=none, keepdims:bool=false". */
typedef struct tme_op_info {
  const char *name, *signature, *doc;
  const char *place;   /* where bindings have it: "add", "random.normal" of random_normal */
  const char *chapter; /* of the documentation */
  int outputs;
  int number; /* as in tme_op_get; it may be another one in another version of the library */
  int params;
} tme_op_info;

TME_API int tme_op_count(void);
/* 0 <= i < tme_op_count(), else NULL. */
TME_API const tme_op_info *tme_op_get(int i);
/* NULL if there is none of that name. */
TME_API const tme_op_info *tme_op_find(const char *name);
/* Parameter i of an operation, 0 <= i < params, else NULL. */
TME_API const tme_param_info *tme_op_param(const tme_op_info *op, int i);
/* As signatures have it: "array?" for TME_PARAM_OPTIONAL_ARRAY; "none" for a number that is no kind. */
TME_API const char *tme_param_kind_name(tme_param_kind k);

/* Applies an operation to one tme_arg per parameter, in their order; trailing ones may be left out, and those that are
 * optional may be ABSENT. `args` and what it points to may go after the call: results hold the arrays that they need. `out`
 * receives as many arrays as the operation has outputs, which belong to the scope; on failure all of them are NULL, and
 * the scope has the error: TME_ERR_ARGUMENT where there is no such operation, where an argument is of another kind than its
 * parameter takes, missing or one too many; else what the operation finds. Shapes and dtypes are those that `doc` says. */
TME_API tme_status tme_apply(tme_scope *s, const char *op, const tme_arg *args, int nargs, tme_array **out);
/* The same by number, without looking for a name. */
TME_API tme_status tme_apply_op(tme_scope *s, int op, const tme_arg *args, int nargs, tme_array **out);

#ifdef __cplusplus
}
#endif

#include "tme/ops.h" /* one function per operation, generated from src/ops/ops.def */

#endif
