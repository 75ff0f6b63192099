/* y = gelu(x @ w + b): one fused kernel, compiled for the shapes and the machine at hand.
 * cc quickstart.c $(pkg-config --cflags --libs tme) */
#include <stdio.h>
#include <tme/tme.h>

int main(void) {
  static const float x_data[] = {1, 2, 3, 4, 5, 6}, w_data[] = {0.5f, -1, 0.25f, 1, -0.75f, 0.5f};
  tme_options options;
  tme_options_init(&options);
  options.precision = "float32"; /* of literals and new arrays; the library's default is float16 */
  char why[256];
  tme_engine *engine = tme_engine_open(&options, why, sizeof why);
  if (!engine) {
    fprintf(stderr, "%s\n", why);
    return 1;
  }
  tme_scope *s = tme_scope_new(engine);
  tme_array *x = tme_from(s, TME_F32, 2, (int64_t[]){2, 3}, x_data);
  tme_array *w = tme_from(s, TME_F32, 2, (int64_t[]){3, 2}, w_data);
  tme_array *b = tme_full(s, (int64_t[]){2}, 1, 0.1, TME_F32);
  tme_array *y = tme_gelu(s, tme_add(s, tme_matmul(s, x, w), b)); /* nothing has run yet */

  /* The first thing that went wrong in any of the calls above is found here. */
  const float *data = tme_data(s, y);
  if (!data) fprintf(stderr, "%s\n", tme_error(s));
  for (int i = 0; data && i < 2; i++) printf("%8.4f %8.4f\n", (double)data[2 * i], (double)data[2 * i + 1]);

  tme_scope_free(s); /* frees every array made in it */
  tme_engine_free(engine);
  return data ? 0 : 1;
}
