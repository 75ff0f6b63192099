/* A device or backend that is asked for by name: had, or said to be missing, or refused. */
#include "support/engines.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static tme_engine *open_with(const char *device, const char *backend, int jit, int strict, char *why) {
  tme_options o;
  tme_options_init(&o);
  o.device = device;
  o.backend = backend;
  o.jit = jit;
  o.strict = strict;
  o.cache_dir = "";
  return tme_engine_open(&o, why, 600);
}

static void gets(const char *device, const char *backend, int jit, const char *wanted, const char *got,
                 const char *reason) {
  char why[600];
  tme_engine *e = open_with(device, backend, jit, 0, why);
  if (!e) fail_msg("%s", why);
  tme_jit_status st;
  tme_engine_status(e, &st);
  assert_string_equal(st.wanted, wanted);
  assert_string_equal(st.got, got);
  if (*reason ? !strstr(st.wanted_reason, reason) : *st.wanted_reason)
    fail_msg("'%s', expected '%s'", st.wanted_reason, reason);
  tme_engine_free(e);
}

static void refuses(const char *device, const char *backend, int jit, int strict, const char *message) {
  char why[600];
  tme_engine *e = open_with(device, backend, jit, strict, why);
  if (e) fail_msg("%s, %s: opened, expected: %s", device ? device : "-", backend ? backend : "-", message);
  if (!strstr(why, message)) fail_msg("'%s', expected '%s'", why, message);
}

static void opens(const char *device, const char *backend, int strict) {
  char why[600];
  tme_engine *e = open_with(device, backend, 0, strict, why);
  if (!e) fail_msg("%s", why);
  tme_engine_free(e);
}

static void reported(void **state) {
  (void)state;
  gets(NULL, NULL, 0, "", "", "");
  gets("cpu", "nojit", 0, "", "", "");
  gets("auto", "reference", 0, "", "", "");
  gets("cpu", "cpu", 0, "", "", "");
  gets("cuda", NULL, 0, "device cuda", "device cpu", "this build has no backend for it");
  gets("mlx", "reference", 0, "device mlx", "device cpu",
       "the backend reference, which was asked for, runs on the device cpu");
  gets(NULL, "cpu", -1, "backend cpu", "backend nojit", "turned off by the option jit");
}

static void refused(void **state) {
  (void)state;
  refuses("cuda", NULL, 0, 1, "the device cuda was asked for and is not there: this build has no backend for it");
  refuses("cuda!", NULL, 0, 0, "the device cuda was asked for and is not there");
  refuses("cuda!", NULL, 0, -1, "the device cuda was asked for and is not there");
  refuses(NULL, "cpu!", -1, 0, "the backend cpu was asked for and is not there: turned off by the option jit");
  refuses("mlx", "nojit", 0, 1, "the device mlx was asked for");
  refuses("abacus!", NULL, 0, 0, "device 'abacus!' is unknown");
  refuses("!", NULL, 0, 0, "device '!' is unknown");
  opens("cuda", NULL, -1);
  opens("cuda", "nojit!", 0);
  opens("cpu!", "reference!", 1);
  opens("auto!", NULL, 1);
}

static void by_environment(void **state) {
  (void)state;
  setenv("TME_DEVICE", "cuda", 1);
  gets(NULL, NULL, 0, "device cuda", "device cpu", "no backend");
  setenv("TME_STRICT", "1", 1);
  refuses(NULL, NULL, 0, 0, "the device cuda was asked for");
  opens(NULL, NULL, -1);
  opens("cpu", NULL, 0);
  setenv("TME_STRICT", "0", 1);
  opens(NULL, NULL, 0);
  refuses(NULL, NULL, 0, 1, "the device cuda was asked for");
  setenv("TME_STRICT", "yes", 1);
  refuses(NULL, NULL, 0, 0, "TME_STRICT=\"yes\"");
  unsetenv("TME_STRICT");
  setenv("TME_DEVICE", "cuda!", 1);
  refuses(NULL, NULL, 0, 0, "the device cuda was asked for");
  setenv("TME_DEVICE", "abacus!", 1);
  refuses(NULL, NULL, 0, 0, "TME_DEVICE=\"abacus!\": expected one of");
  unsetenv("TME_DEVICE");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(reported), cmocka_unit_test(refused),
                                     cmocka_unit_test(by_environment)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
