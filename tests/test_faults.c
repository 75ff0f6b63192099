/* Allocations that fail, one after the other: the answer is right or an error, and nothing is lost. */
#include "base/base.h"
#include "support/engines.h"
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* What is tried. Returns false if the answer is wrong; an error is an answer. */
static bool scenario(tme_engine *e, bool *failed) {
  tme_scope *s = tme_scope_new(e);
  if (!s) {
    *failed = true;
    return true;
  }
  tme_array *x = test_matrix(s, 4, 4, 1), *many[10];
  for (int i = 0; i < COUNT(many); i++) many[i] = x;
  tme_array *y = tme_add(s, tme_matmul(s, x, tme_transpose(s, x, NULL, TME_ALL)), tme_number(s, 0.25));
  tme_array *z = tme_tanh(
      s, tme_multiply(s, tme_sum(s, y, (int[]){0}, 1, true, TME_DTYPE_NONE), tme_full(s, NULL, 0, 1e-9, TME_F32)));
  tme_array *c = tme_sum(s, tme_concatenate(s, many, COUNT(many), 1), NULL, TME_ALL, false, TME_DTYPE_NONE);
  tme_array *small = tme_add(s, tme_from(s, TME_U8, 0, NULL, &(uint8_t){250}), /* the sum is computed: does it fit? */
                             tme_add(s, tme_integer(s, 2), tme_integer(s, 3)));
  tme_array *least = tme_from(s, TME_I64, 0, NULL, &(int64_t){-1});
  tme_array *signs = tme_less(s, least, tme_from(s, TME_U64, 0, NULL, &(uint64_t){3}));
  tme_array *all[] = {z, c, small, signs};
  float got[4] = {0}, sum = 0;
  double v[2] = {0};
  static const float want[4] = {361, 905, 1449, 1993};
  bool ok = true;
  if (tme_eval_all(s, all, COUNT(all)) == TME_OK && tme_item(s, small, &v[0]) == TME_OK &&
      tme_item(s, signs, &v[1]) == TME_OK && tme_read(s, z, got, sizeof got) == TME_OK &&
      tme_read(s, c, &sum, sizeof sum) == TME_OK) {
    for (int i = 0; i < 4; i++) ok = ok && got[i] > want[i] * 0.99e-9f && got[i] < want[i] * 1.01e-9f;
    ok = ok && sum == 1360 && v[0] == 255 && v[1] == 1;
  } else {
    ok = tme_error_code(s) != TME_OK && *tme_error(s);
    *failed = true;
  }
  if (y) {
    tme_event *ev = tme_eval_async(s, &y, 1);
    if (ev && tme_event_wait(ev) != TME_OK) ok = ok && tme_error_code(s) != TME_OK;
    tme_event_free(ev);
    tme_string_free(tme_explain(s, &y, 1, 0));
  }
  tme_scope_free(s);
  return ok;
}

static void fail_everywhere(const char *backend, bool forever) {
  long live = mem_live();
  for (long k = 1;; k++) {
    bool failed = false;
    mem_fail_at(k, forever);
    tme_engine *e = test_engine(backend);
    bool ok = !e || scenario(e, &failed);
    mem_fail_at(0, false);
    /* The engine is as good as before. */
    bool again = false;
    if (e) ok = ok && scenario(e, &again) && !again;
    tme_engine_free(e);
    if (!ok) fail_msg("%s: wrong with allocation %ld failing", backend, k);
    if (mem_live() != live)
      fail_msg("%s: %ld allocations lost with allocation %ld failing", backend, mem_live() - live, k);
    if (e && !failed && k > 400) break;
    assert_true(k < 20000);
  }
}

static void one_fails(void **state) {
  (void)state;
  fail_everywhere("nojit", false);
  fail_everywhere("mock", false);
}

static void all_fail_from_there(void **state) {
  (void)state;
  fail_everywhere("nojit", true);
  fail_everywhere("mock", true);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(one_fails), cmocka_unit_test(all_fail_from_there)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
