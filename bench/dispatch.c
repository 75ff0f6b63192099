/* What a call costs besides the arithmetic: building a graph, finding its plan, running it, freeing it; and the first call
 * of a process. Usage: dispatch [first]
 *   first: the time from opening the engine to the first result of a 13-operation chain, once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <tme/tme.h>

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

/* 13 operations, the chain of `tme bench`. */
static tme_array *chain(tme_scope *s, tme_array *x, tme_array *y) {
  tme_array *half = tme_number(s, 0.5);
  tme_array *a = tme_tanh(s, tme_add(s, tme_multiply(s, x, y), half));
  tme_array *b = tme_exp(s, tme_negative(s, tme_abs(s, x)));
  tme_array *c = tme_sqrt(s, tme_add(s, tme_square(s, a), tme_square(s, b)));
  return tme_subtract(s, tme_divide(s, tme_multiply(s, a, c), tme_add(s, b, half)), y);
}

static tme_array *sum2(tme_scope *s, tme_array *x, tme_array *y) { return tme_add(s, x, y); }

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

enum { RUNS = 101, CALLS = 1000 };

static double median_call(tme_engine *e, tme_array *(*f)(tme_scope *, tme_array *, tme_array *), tme_array *x,
                          tme_array *y) {
  double us[RUNS];
  for (int r = 0; r < RUNS; r++) {
    double begin = now_us();
    for (int i = 0; i < CALLS; i++) {
      tme_scope *s = tme_scope_new(e);
      if (tme_eval(s, f(s, x, y)) != TME_OK) {
        fprintf(stderr, "%s\n", tme_error(s));
        exit(1);
      }
      tme_scope_free(s);
    }
    us[r] = (now_us() - begin) / CALLS;
  }
  qsort(us, RUNS, sizeof *us, compare);
  return us[RUNS / 2];
}

/* The same through tme_compile. */
static double median_compiled(tme_engine *e, tme_array *(*f)(tme_scope *, tme_array *, tme_array *), tme_array *x,
                              tme_array *y) {
  tme_scope *s = tme_scope_new(e);
  tme_array *in[2], *value[2] = {x, y}, *out;
  for (int i = 0; i < 2; i++) in[i] = tme_input(s, tme_array_dtype(x), tme_array_rank(x), tme_array_shape(x));
  out = f(s, in[0], in[1]);
  tme_function *function = tme_compile(s, in, 2, &out, 1);
  double us[RUNS];
  for (int r = 0; r < RUNS; r++) {
    double begin = now_us();
    for (int i = 0; i < CALLS; i++) {
      tme_scope *c = tme_scope_new(e);
      if (tme_call(c, function, value, 2, &out) != TME_OK) {
        fprintf(stderr, "%s%s\n", tme_error(s), tme_error(c));
        exit(1);
      }
      tme_scope_free(c);
    }
    us[r] = (now_us() - begin) / CALLS;
  }
  tme_function_free(function);
  tme_scope_free(s);
  qsort(us, RUNS, sizeof *us, compare);
  return us[RUNS / 2];
}

int main(int argc, char **argv) {
  double begin = now_us();
  tme_options o;
  tme_options_init(&o);
  o.precision = "float32";
  char why[256];
  tme_engine *e = tme_engine_open(&o, why, sizeof why);
  if (!e) {
    fprintf(stderr, "%s\n", why);
    return 1;
  }
  tme_scope *s = tme_scope_new(e);
  float v[64];
  for (int i = 0; i < 64; i++) v[i] = (float)i * 0.03F - 1;
  int64_t n = 16, m = 64;
  tme_array *x16 = tme_from(s, TME_F32, 1, &n, v), *y16 = tme_from(s, TME_F32, 1, &n, v);
  tme_array *x64 = tme_from(s, TME_F32, 1, &m, v), *y64 = tme_from(s, TME_F32, 1, &m, v);
  double opened = now_us();
  if (tme_eval(s, chain(s, x64, y64)) != TME_OK) {
    fprintf(stderr, "%s\n", tme_error(s));
    return 1;
  }
  tme_stats stats;
  tme_engine_stats(e, &stats);
  printf("first call of the 13-op chain: %.2f ms, of which opening the engine %.2f ms; %llu compilations\n",
         (now_us() - begin) * 1e-3, (opened - begin) * 1e-3, (unsigned long long)stats.compilations);
  if (argc < 2 || strcmp(argv[1], "first") != 0) {
    printf("a call: add of 16 elements %.3f us, 13-op chain of 64 elements %.3f us\n", median_call(e, sum2, x16, y16),
           median_call(e, chain, x64, y64));
    printf("a call of a compiled function: add of 16 elements %.3f us, 13-op chain of 64 elements %.3f us\n",
           median_compiled(e, sum2, x16, y16), median_compiled(e, chain, x64, y64));
  }
  tme_scope_free(s);
  tme_engine_free(e);
  return 0;
}
