/* What a graph of n operations costs: planned with all code in the cache, traced and found in the cache of plans, called
 * after tme_compile; a kernel's share of these. The graph is n / 4 layers of matmul, add, relu and softmax on matrices so
 * small that the arithmetic hardly counts. Usage: layers [n...] */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <tme/tme.h>

enum { SIDE = 4, RUNS = 5, PER_LAYER = 4, KERNELS_PER_LAYER = 2 };

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void check(tme_scope *s, bool ok) {
  if (ok) return;
  fprintf(stderr, "layers: %s\n", tme_error(s));
  exit(1);
}

static tme_array *layers(tme_scope *s, tme_array *x, tme_array *w, tme_array *b, int count) {
  for (int i = 0; i < count; i++) x = tme_softmax(s, tme_relu(s, tme_add(s, tme_matmul(s, x, w), b)), (int[]){-1}, 1);
  return x;
}

static double least(double a, double b) { return a < b ? a : b; }

static void measure(tme_engine *e, int count) {
  tme_scope *kept = tme_scope_new(e);
  float data[SIDE * SIDE];
  for (int i = 0; i < SIDE * SIDE; i++) data[i] = (float)(i % 7) * 0.25f - 0.5f;
  tme_array *value[3], *in[3];
  for (int i = 0; i < 3; i++) {
    value[i] = tme_from(kept, TME_F32, 2, (int64_t[]){SIDE, SIDE}, data);
    in[i] = tme_input(kept, TME_F32, 2, (int64_t[]){SIDE, SIDE});
    check(kept, value[i] && in[i]);
  }
  double plan = 1e30, eval = 1e30, compile = 1e30, call = 1e30;
  for (int run = 0; run <= RUNS; run++) { /* the first one fills the caches */
    tme_engine_clear_cache(e, false);     /* code comes from disk, once a kernel */
    tme_scope *s = tme_scope_new(e);
    tme_array *x = layers(s, in[0], in[1], in[2], count);
    double begin = now_ms();
    tme_function *f = tme_compile(s, in, 3, &x, 1);
    check(s, f);
    if (run) compile = least(compile, now_ms() - begin);
    for (int i = 0; i <= RUNS; i++) {
      tme_array *out;
      begin = now_ms();
      check(s, tme_call(s, f, value, 3, &out) == TME_OK);
      if (i) call = least(call, now_ms() - begin);
    }
    tme_function_free(f);
    tme_engine_clear_cache(e, false);
    for (int i = 0; i < 2; i++) {
      tme_array *y = layers(s, value[0], value[1], value[2], count);
      begin = now_ms();
      check(s, tme_eval(s, y) == TME_OK);
      double *best = i ? &eval : &plan;
      if (run) *best = least(*best, now_ms() - begin);
    }
    tme_scope_free(s);
  }
  double kernels = count * KERNELS_PER_LAYER;
  printf("%8d %10.2f %10.2f %10.2f %10.3f %12.3f %12.3f\n", count * PER_LAYER, plan, eval, compile, call,
         1e3 * eval / kernels, 1e3 * call / kernels);
  tme_scope_free(kept);
}

int main(int argc, char **argv) {
  static const int usual[] = {200, 1600, 3200, 6400, 12800};
  char why[256];
  tme_engine *e = tme_engine_open(NULL, why, sizeof why);
  if (!e) {
    fprintf(stderr, "layers: %s\n", why);
    return 1;
  }
  printf("%8s %10s %10s %10s %10s %12s %12s\n", "nodes", "plan ms", "eval ms", "compile ms", "call ms", "eval us/k",
         "call us/k");
  if (argc > 1)
    for (int i = 1; i < argc; i++) measure(e, atoi(argv[i]) / PER_LAYER);
  else
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) measure(e, usual[i] / PER_LAYER);
  tme_engine_free(e);
  return 0;
}
