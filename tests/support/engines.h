/* Engines and arrays for tests of evaluation. */
#ifndef TME_TEST_ENGINES_H
#define TME_TEST_ENGINES_H

#include "tme/tme.h"

/* An engine of that backend with precision float32 and no cache on disk. */
tme_engine *test_engine(const char *backend);
/* The same with a log, from info on. */
typedef struct test_log {
  char text[8192]; /* the messages, a line each */
  int warnings;
} test_log;
tme_engine *test_engine_logged(const char *backend, test_log *log);

/* Calls it with a scope of the engine, in which no error must be left, and lets go of both. */
typedef void test_scope_fn(tme_scope *s);
void test_in_engine(tme_engine *e, test_scope_fn *f);

/* A vector of n f32: start, start + 1, ... */
tme_array *test_vector(tme_scope *s, int64_t n, float start);
/* A matrix of f32 filled likewise. */
tme_array *test_matrix(tme_scope *s, int64_t rows, int64_t columns, float start);
/* Fails the test unless the array evaluates to these elements. */
void test_equal(tme_scope *s, tme_array *a, const float *want, int64_t n);
/* Fails the test unless the scope's error has this code and holds these words; clears it. */
void test_error(tme_scope *s, tme_status code, const char *words);

/* Whether n arrays of one element are these numbers; false with a line on the first that is not. An error is an answer: then
 * *failed is set. */
bool test_scalars(tme_scope *s, tme_array *const *a, const double *want, int n, bool *failed);
/* Evaluates something with the engine: false if an answer is wrong. */
typedef bool test_scenario_fn(tme_engine *e, bool *failed);
/* Runs it with each of its allocations failing, and after each once more, when it must succeed. */
void test_each_allocation_fails(tme_engine *e, test_scenario_fn *scenario);

#endif
