/* Files that are written beside their target: with a name and without, abandoned by a signal's handler, at any moment of
 * several threads.
 * ctest: concurrency */
#include "io/io.h"
#include "io/temporary.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[] = "/tmp/tme-test-temporary-XXXXXX";

static int make_dir(void **state) {
  (void)state;
  return mkdtemp(dir) ? 0 : -1;
}

/* The names in the folder, apart from `except`; the first is kept in `name`. */
static int others(const char *except, char name[300]) {
  int n = 0;
  DIR *d = opendir(dir);
  assert_non_null(d);
  for (struct dirent *f; (f = readdir(d));) {
    if (!strcmp(f->d_name, ".") || !strcmp(f->d_name, "..") || !strcmp(f->d_name, except)) continue;
    if (!n++) snprintf(name, 300, "%s/%s", dir, f->d_name);
  }
  closedir(d);
  return n;
}

static int empty_dir(void **state) {
  (void)state;
  char name[300];
  temporary_hook_named = false;
  while (others("", name)) unlink(name);
  return 0;
}

static int remove_dir(void **state) {
  (void)state;
  return rmdir(dir);
}

static const char *target(const char *name) {
  static char path[300];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  return path;
}

static void put_and_drop(void **state) {
  (void)state;
  char name[300];
  struct stat st;
  for (int named = 0; named < 2; named++) {
    for (int exists = 0; exists < 2; exists++) {
      temporary t;
      assert_true(temporary_open(&t, target("x"), 0600, !named));
      assert_int_equal(write(t.fd, "new", 3), 3);
      assert_true(named ? t.name != NULL : true);
      assert_int_equal(others("x", name), t.name != NULL);
      assert_true(temporary_finish(&t));
      assert_true(temporary_put(&t, target("x")));
      assert_int_equal(others("x", name), 0);
      assert_int_equal(stat(target("x"), &st), 0);
      assert_int_equal(st.st_size, 3);
      assert_true(temporary_open(&t, target("x"), 0600, !named));
      temporary_drop(&t);
      temporary_drop(&t);
      assert_int_equal(others("x", name), 0);
      if (exists) unlink(target("x"));
    }
  }
  temporary t;
  assert_false(temporary_open(&t, target("none/x"), 0600, true));
  assert_int_equal(others("", name), 0);
  assert_int_equal(mem_live(), 0);
}

static void on_signal(int number) {
  tme_save_abandon();
  signal(number, SIG_DFL);
  raise(number);
}

/* Ends a child in the middle of writing 64 MB. */
static int interrupted(int number, bool with_handler) {
  char name[300];
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    static const int64_t shape[] = {64 << 20};
    const io_source src = {"w", TME_U8, 1, shape, calloc(1, 64 << 20)};
    error e = {0};
    temporary_hook_named = true;
    if (with_handler) signal(number, on_signal);
    for (int i = 0; i < 100; i++) io_write(target("x.npy"), &src, 1, &e);
    _exit((int)e.code);
  }
  for (int i = 0; i < 1000000 && !others("x.npy", name); i++) usleep(10);
  assert_int_equal(kill(child, number), 0);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status) && WTERMSIG(status) == number);
  return others("x.npy", name);
}

static void abandoned_by_a_handler(void **state) {
  (void)state;
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  for (int i = 0; i < COUNT(numbers); i++) assert_int_equal(interrupted(numbers[i], true), 0);
}

/* A child of fork() has the parent's names, but they are not its own. */
static void a_child_abandons_nothing(void **state) {
  (void)state;
  char name[300];
  temporary t;
  temporary_hook_named = true;
  assert_true(temporary_open(&t, target("x"), 0600, true));
  pid_t child = fork();
  if (child == 0) {
    tme_save_abandon();
    _exit(0);
  }
  waitpid(child, &(int){0}, 0);
  assert_int_equal(others("", name), 1);
  tme_save_abandon();
  assert_int_equal(others("", name), 0);
  assert_true(temporary_finish(&t));
  assert_false(temporary_put(&t, target("x"))); /* the caller, were it still there, is told */
  temporary_drop(&t);
}

static void *write_often(void *user) {
  static const int64_t shape[] = {4};
  const io_source src = {"w", TME_U8, 1, shape, "abcd"};
  char path[300];
  snprintf(path, sizeof path, "%s/%d.npy", dir, *(int *)user);
  for (int i = 0; i < 300; i++) {
    error e = {0};
    tme_status s = io_write(path, &src, 1, &e);
    if (s != TME_OK && s != TME_ERR_IO) return user;
  }
  return NULL;
}

static void abandoned_beside_writers(void **state) {
  (void)state;
  char name[300];
  pthread_t id[4];
  int number[4];
  temporary_hook_named = true;
  for (int i = 0; i < COUNT(id); i++) {
    number[i] = i;
    assert_int_equal(pthread_create(&id[i], NULL, write_often, &number[i]), 0);
  }
  for (int i = 0; i < 300; i++) tme_save_abandon();
  for (int i = 0; i < COUNT(id); i++) {
    void *bad;
    pthread_join(id[i], &bad);
    assert_null(bad);
  }
  for (int i = 0; i < COUNT(id); i++) {
    char own[16];
    snprintf(own, sizeof own, "%d.npy", i);
    unlink(target(own));
  }
  assert_int_equal(others("", name), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, empty_dir, empty_dir)

int main(void) {
  const struct CMUnitTest tests[] = {TEST(put_and_drop), TEST(abandoned_by_a_handler), TEST(a_child_abandons_nothing),
                                     TEST(abandoned_beside_writers)};
  return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
