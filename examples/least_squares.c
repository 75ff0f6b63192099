/* A straight line through noisy points: the pseudo-inverse from a thin SVD, one scope per step.
 * cc least_squares.c $(pkg-config --cflags --libs tme) -lm */
#include <math.h>
#include <stdio.h>
#include <tme/tme.h>

enum { POINTS = 1000 };

/* Solves min |a c - y| by c = v diag(1/s) u' y. */
static tme_array *solve(tme_scope *s, tme_array *a, tme_array *y) {
  tme_array *usv[3];
  if (tme_svd(s, a, false, usv) != TME_OK) return NULL;
  tme_array *projected = tme_matmul(s, tme_transpose(s, usv[0], NULL, TME_ALL), y);
  return tme_matmul(s, tme_transpose(s, usv[2], NULL, TME_ALL), tme_divide(s, projected, usv[1]));
}

int main(void) {
  double noisy[POINTS];
  for (int i = 0; i < POINTS; i++) noisy[i] = 3 * (i / (double)POINTS) - 1 + 0.1 * sin(12345.678 * i);

  tme_engine *engine = tme_engine_new(NULL);
  tme_scope *s = engine ? tme_scope_new(engine) : NULL;
  if (!s) {
    fprintf(stderr, "no engine\n");
    return 1;
  }
  tme_array *x = tme_linspace(s, 0, 1, POINTS, false, TME_F64);
  tme_array *columns[2] = {x, tme_ones(s, (int64_t[]){POINTS}, 1, TME_F64)};
  /* The caller's memory, not copied. */
  tme_array *y = tme_wrap(s, TME_F64, 1, (int64_t[]){POINTS}, NULL, noisy, NULL, NULL);
  tme_array *line = solve(s, tme_stack(s, columns, 2, 1), y);
  double c[2];
  bool ok = tme_read(s, line, c, sizeof c) == TME_OK;
  if (ok)
    printf("y = %.3f x %+.3f\n", c[0], c[1]);
  else
    fprintf(stderr, "%s\n", tme_error(s));
  tme_scope_free(s);
  tme_engine_free(engine);
  return ok ? 0 : 1;
}
