/* An outside program: knows the installed header alone. */
#include <stdio.h>
#include <tme/tme.h>

int main(void) {
  static const float xs[] = {1, 2, 3, 4, 5, 6}, ws[] = {0.5f, -1, 0.25f, 0.5f, -0.5f, 1}, bs[] = {0.125f, -0.125f};
  const int64_t x_shape[] = {2, 3}, w_shape[] = {3, 2}, b_shape[] = {2};

  tme_engine *e = tme_engine_new(NULL);
  tme_scope *s = tme_scope_new(e);
  tme_array *x = tme_from(s, TME_F32, 2, x_shape, xs);
  tme_array *w = tme_from(s, TME_F32, 2, w_shape, ws);
  tme_array *b = tme_from(s, TME_F32, 1, b_shape, bs);
  tme_array *y = tme_gelu(s, tme_add(s, tme_matmul(s, x, w), b));
  float out[4];
  int failed = tme_read(s, y, out, sizeof out) != TME_OK;
  if (failed)
    fprintf(stderr, "%s\n", tme_error(s));
  else
    printf("%s: %.3f %.3f %.3f %.3f\n", tme_version(), (double)out[0], (double)out[1], (double)out[2], (double)out[3]);
  tme_scope_free(s);
  tme_engine_free(e);
  return failed;
}
