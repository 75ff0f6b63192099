/* Programs that closed their standard streams: what they print goes into no file of the library. */
#include "base/fd.h"
#include "support/engines.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64];

static bool all_closed(void) {
  for (int fd = 0; fd < 3; fd++)
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) return false;
  return true;
}

/* As a program prints that knows nothing: into whatever has the number. */
static void print_everywhere(void) {
  static const char words[] =
      "a message that is longer than the smallest function of machine code, and then some more\n";
  for (int fd = 0; fd < 3; fd++) (void)!write(fd, words, sizeof words - 1);
}

static void log_line(void *user, tme_log_level level, const char *message) {
  (void)level, (void)message;
  if (!all_closed()) *(bool *)user = false;
  print_everywhere();
}

static int evaluate_without(void) {
  bool apart = true;
  tme_options o;
  tme_options_init(&o);
  o.cache_dir = folder;
  o.precision = "float32";
  o.log = log_line;
  o.log_user = &apart;
  o.log_level = TME_LOG_DEBUG;
  setenv("TME_PERF_MAP", "1", 1);
  for (int fd = 0; fd < 3; fd++) close(fd);
  tme_engine *e = tme_engine_new(&o);
  for (int n = 1000; n < 1006; n++) {
    tme_scope *s = tme_scope_new(e);
    tme_array *x = test_vector(s, n, 1),
              *y = tme_sum(s, tme_sqrt(s, tme_multiply(s, x, x)), NULL, TME_ALL, false, TME_DTYPE_NONE);
    double sum = 0;
    if (tme_item(s, y, &sum) != TME_OK || sum != n * (n + 1) / 2) return 2;
    print_everywhere();
    char path[100];
    snprintf(path, sizeof path, "%s/x.npy", folder);
    if (tme_save(s, path, x) != TME_OK) return 3;
    tme_scope_free(s);
    if (!all_closed() || !apart) return 4;
  }
  tme_engine_free(e);
  return 0;
}

static void nothing_is_printed_into_code(void **state) {
  (void)state;
  strcpy(folder, "/tmp/tme-test-XXXXXX");
  assert_non_null(mkdtemp(folder));
  pid_t pid = fork();
  if (pid == 0) _exit(evaluate_without());
  int status = -1;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  char command[100];
  snprintf(command, sizeof command, "rm -r '%s' /tmp/perf-%ld.map", folder, (long)pid);
  (void)!system(command);
  assert_int_equal(status, 0);
}

static void numbers_from_three(void **state) {
  (void)state;
  int in = dup(0), low = open("/dev/null", O_RDONLY);
  assert_true(in >= 0 && low > 2);
  assert_int_equal(fd_apart(low), low);
  assert_int_equal(dup2(low, 0), 0);
  int apart = fd_apart(0);
  assert_true(apart > 2);
  assert_true(fcntl(apart, F_GETFD) & FD_CLOEXEC);
  assert_int_equal(fcntl(0, F_GETFD), -1);
  errno = ENOENT;
  assert_int_equal(fd_apart(-1), -1);
  assert_int_equal(errno, ENOENT);
  assert_int_equal(dup2(in, 0), 0);
  close(in);
  close(low);
  close(apart);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_from_three),
      cmocka_unit_test(nothing_is_printed_into_code),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
