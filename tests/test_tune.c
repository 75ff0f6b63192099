/* Products of which every way was timed: no way changes a bit, and a choice is made once for a folder.
 * ctest: timeout=300 */
#include "backend/cpu/tune.h"
#include "support/matrix.h"
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* Products (batch, m, k) x (batch, k, n), in one evaluation. */
static const struct {
  tme_dtype t;
  int64_t batch, m, k, n;
  bool transposed; /* the right operand */
} products[] = {
    {TME_F32, 1, 67, 130, 150, false}, {TME_F32, 1, 90, 300, 70, true},  {TME_F32, 3, 20, 33, 40, false},
    {TME_F64, 1, 70, 65, 48, false},   {TME_F16, 1, 33, 140, 64, false}, {TME_BF16, 1, 40, 50, 96, true},
    {TME_I32, 1, 30, 80, 33, false},   {TME_C64, 1, 24, 36, 31, false},  {TME_F32, 1, 16, 5000, 16, false},
};
enum { PRODUCTS = COUNT(products), MOST = 20000 };
static float numbers[MOST * 8];

typedef struct results {
  size_t bytes[PRODUCTS];
  char data[PRODUCTS][1 << 17];
} results;
static results want, got;

/* ---- engines --------------------------------------------------------------------------------------------------------- */

static int timed; /* lines of the log about products that were timed */

static void count_timed(void *user, tme_log_level level, const char *message) {
  (void)user;
  (void)level;
  timed += strstr(message, "tune:") != NULL;
}

static tme_engine *open_engine(const char *dir, int tune) {
  tme_options o;
  tme_options_init(&o);
  o.backend = "cpu";
  o.threads = 2;
  o.cache_dir = dir;
  o.tune = tune;
  o.log = count_timed;
  o.log_level = TME_LOG_DEBUG;
  tme_engine *e = tme_engine_new(&o);
  assert_non_null(e);
  timed = 0;
  return e;
}

static tme_array *operand_of(tme_scope *s, tme_dtype t, int64_t batch, int64_t rows, int64_t columns, bool transposed) {
  int64_t shape[] = {batch, transposed ? columns : rows, transposed ? rows : columns};
  tme_array *x = tme_astype(s, tme_from(s, TME_F32, 3, shape, numbers), t);
  assert_int_equal(tme_eval(s, x), TME_OK);
  return transposed ? tme_transpose(s, x, (int64_t[]){0, 2, 1}, 3) : x;
}

static void compute(tme_engine *e, results *r) {
  tme_scope *s = tme_scope_new(e);
  tme_array *z[PRODUCTS];
  for (int i = 0; i < PRODUCTS; i++) {
    tme_dtype t = products[i].t;
    tme_array *x = operand_of(s, t, products[i].batch, products[i].m, products[i].k, false);
    tme_array *y = operand_of(s, t, products[i].batch, products[i].k, products[i].n, products[i].transposed);
    z[i] = tme_add(s, tme_matmul(s, x, y), tme_integer(s, 1));
  }
  assert_int_equal(tme_eval_all(s, z, PRODUCTS), TME_OK);
  for (int i = 0; i < PRODUCTS; i++) {
    r->bytes[i] = (size_t)tme_array_size(z[i]) * tme_dtype_size(tme_array_dtype(z[i]));
    assert_true(r->bytes[i] <= sizeof r->data[i]);
    memcpy(r->data[i], tme_data(s, z[i]), r->bytes[i]);
  }
  tme_stats stats;
  tme_engine_stats(e, &stats);
  if (tme_engine_has_jit(e)) assert_int_equal(stats.fallbacks, 0);
  tme_scope_free(s);
}

static void expect_same(const char *what, int number) {
  for (int i = 0; i < PRODUCTS; i++)
    if (want.bytes[i] != got.bytes[i] || memcmp(want.data[i], got.data[i], want.bytes[i]) != 0)
      fail_msg("%s %d: product %d differs", what, number, i);
}

/* ---- the folder ------------------------------------------------------------------------------------------------------ */

static char folder[200];

/* Calls `each` with the path of every file; returns how many there are. */
static int files(void (*each)(const char *path)) {
  int n = 0;
  DIR *d = opendir(folder);
  for (struct dirent *f; d && (f = readdir(d));) {
    if (f->d_name[0] == '.') continue;
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, f->d_name);
    if (each) each(path);
    n++;
  }
  if (d) closedir(d);
  return n;
}

static void delete_file(const char *path) { unlink(path); }

static void damage(const char *path) {
  FILE *f = fopen(path, "r+");
  assert_non_null(f);
  fseek(f, -20, SEEK_END);
  fputs("nonsense", f);
  fclose(f);
}

static int open_folder(void **state) {
  (void)state;
  uint64_t seed = 5;
  for (int i = 0; i < COUNT(numbers); i++) numbers[i] = (float)(next_random(&seed) % 2001) / 1000 - 1;
  const char *tmp = getenv("TMPDIR");
  snprintf(folder, sizeof folder, "%s/tme-tune-XXXXXX", tmp && *tmp ? tmp : "/tmp");
  if (!mkdtemp(folder)) return -1;
  tme_engine *e = open_engine("", -1);
  compute(e, &want);
  tme_engine_free(e);
  return 0;
}

static int remove_folder(void **state) {
  (void)state;
  files(delete_file);
  return rmdir(folder);
}

/* ---- tests ----------------------------------------------------------------------------------------------------------- */

static void test_every_way_gives_the_same_bits(void **state) {
  (void)state;
  for (int choice = 0; choice < product_choices(32); choice++) {
    tuner_plant_choice(choice);
    tme_engine *e = open_engine("", 1);
    compute(e, &got);
    expect_same("way", choice);
    tme_engine_free(e);
  }
  tuner_plant_choice(-1);
}

static void test_a_choice_is_kept(void **state) {
  (void)state;
  for (int run = 0; run < 4; run++) {
    if (run == 2) files(damage);
    tme_engine *e = open_engine(folder, 1);
    compute(e, &got);
    expect_same("run", run);
    tme_stats stats;
    tme_engine_stats(e, &stats);
    if (tme_engine_has_jit(e)) {
      assert_int_equal(timed != 0, run % 2 == 0);
      assert_int_equal(stats.compilations != 0, run % 2 == 0);
    }
    tme_engine_free(e);
  }
}

static void test_off_leaves_no_trace(void **state) {
  (void)state;
  files(delete_file);
  for (int run = 0; run < 2; run++) {
    if (run) setenv("TME_TUNE", "1", 1);
    tme_engine *e = open_engine(folder, run ? -1 : 0);
    unsetenv("TME_TUNE");
    compute(e, &got);
    tme_stats stats;
    tme_engine_stats(e, &stats);
    assert_int_equal(timed, 0);
    assert_int_equal(stats.disk_hits + stats.disk_misses, stats.misses);
    if (!run) assert_int_equal(files(NULL), stats.compilations);
    tme_engine_free(e);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_way_gives_the_same_bits),
                                     cmocka_unit_test(test_a_choice_is_kept),
                                     cmocka_unit_test(test_off_leaves_no_trace)};
  return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
