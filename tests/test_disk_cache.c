#include "base/hash.h"
#include "cache/disk_cache.h"
#include "cache/disk_files.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

typedef struct fixture {
  char root[64], dir[96];
  long live;
} fixture;

static int setup(void **state) {
  static fixture f;
  f.live = mem_live();
  snprintf(f.root, sizeof f.root, "/tmp/tme-test-XXXXXX");
  if (!mkdtemp(f.root)) return -1;
  snprintf(f.dir, sizeof f.dir, "%s/a/b", f.root);
  *state = &f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", f->root);
  if (system(command) != 0) return -1;
  return mem_live() == f->live ? 0 : -1;
}

static disk_cache *open_cache(const fixture *f, size_t max) {
  error e = {0};
  disk_cache *d = disk_cache_open(f->dir, max, &e);
  if (!d) fail_msg("%s", e.text);
  return d;
}

static bool get(disk_cache *d, const char *key, const char *expected) {
  uint8_t *value;
  size_t size;
  if (!disk_cache_get(d, key, strlen(key), &value, &size)) return false;
  assert_int_equal(size, strlen(expected));
  assert_memory_equal(value, expected, size);
  mem_free(value);
  return true;
}

static void put(disk_cache *d, const char *key, const char *value) {
  error e = {0};
  if (disk_cache_put(d, key, strlen(key), value, strlen(value), &e) != TME_OK) fail_msg("%s", e.text);
}

static const char *path_of(const fixture *f, const char *key) {
  static char path[160];
  char name[FILE_NAME_SIZE];
  disk_file_name(name, hash_bytes(key, strlen(key)));
  snprintf(path, sizeof path, "%s/%s", f->dir, name);
  return path;
}

static int files_in(const char *dir) {
  int n = 0;
  DIR *d = opendir(dir);
  assert_non_null(d);
  while (readdir(d)) n++;
  closedir(d);
  return n - 2;
}

static uint64_t rejected(const disk_cache *d) {
  disk_stats s;
  disk_cache_stats(d, &s);
  return s.rejected;
}

static void stores_and_finds(void **state) {
  fixture *f = *state;
  disk_cache *d = open_cache(f, 1 << 20);
  assert_string_equal(disk_cache_dir(d), f->dir);
  struct stat st;
  assert_int_equal(stat(f->dir, &st), 0);
  assert_int_equal(st.st_mode & 0777, 0700);
  assert_false(get(d, "one", ""));
  put(d, "one", "first");
  put(d, "two", "second");
  put(d, "empty", "");
  put(d, "", "no key");
  assert_true(get(d, "one", "first"));
  assert_true(get(d, "empty", ""));
  assert_true(get(d, "", "no key"));
  put(d, "one", "replaced");
  assert_true(get(d, "one", "replaced"));
  assert_int_equal(stat(path_of(f, "one"), &st), 0);
  assert_int_equal(st.st_mode & 0777, 0600);
  disk_stats s;
  disk_cache_scan(d, &s);
  assert_int_equal(s.entries, 4);
  assert_int_equal(s.hits, 4);
  assert_int_equal(s.misses, 1);
  assert_int_equal(s.rejected, 0);
  disk_cache_close(d);
  d = open_cache(f, 1 << 20); /* another process */
  assert_true(get(d, "two", "second"));
  int fd = open(f->dir, O_RDONLY | O_DIRECTORY);
  int other = openat(fd, "notes.txt", O_WRONLY | O_CREAT, 0600); /* not ours to delete */
  close(other);
  close(fd);
  assert_int_equal(disk_cache_clear(d, NULL), TME_OK);
  assert_false(get(d, "two", ""));
  assert_int_equal(files_in(f->dir), 1);
  disk_cache_close(d);
  disk_cache_close(NULL);
}

static void write_file(const char *path, const void *bytes, size_t n) {
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, n, file), n);
  assert_int_equal(fclose(file), 0);
}

static size_t read_all(const char *path, uint8_t *out, size_t room) {
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  size_t n = fread(out, 1, room, file);
  fclose(file);
  return n;
}

static void damage(void **state) {
  fixture *f = *state;
  disk_cache *d = open_cache(f, 1 << 20);
  put(d, "key", "a value of some length");
  uint8_t good[512], bad[512];
  size_t n = read_all(path_of(f, "key"), good, sizeof good);
  uint64_t expected = 0;
  for (size_t cut = 0; cut < n; cut++) { /* truncated */
    write_file(path_of(f, "key"), good, cut);
    assert_false(get(d, "key", ""));
    assert_int_equal(rejected(d), ++expected);
  }
  for (size_t i = 0; i < n; i++) /* any bit */
    for (int bit = 0; bit < 8; bit++) {
      memcpy(bad, good, n);
      bad[i] = (uint8_t)(bad[i] ^ 1 << bit);
      write_file(path_of(f, "key"), bad, n);
      assert_false(get(d, "key", ""));
      assert_int_equal(rejected(d), ++expected);
    }
  memcpy(bad, good, n);
  bad[n] = 0;
  write_file(path_of(f, "key"), bad, n + 1); /* longer */
  assert_false(get(d, "key", ""));
  assert_int_equal(rejected(d), ++expected);
  put(d, "key", "new"); /* replaced */
  assert_true(get(d, "key", "new"));
  /* A sound file of another key under this name: no match, and nothing wrong with it. */
  write_file(path_of(f, "other"), good, n);
  assert_false(get(d, "other", ""));
  assert_int_equal(rejected(d), expected);
  disk_cache_close(d);
}

static void not_trusted(void **state) {
  fixture *f = *state;
  disk_cache *d = open_cache(f, 1 << 20);
  char elsewhere[128];
  snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", f->root);
  uint64_t expected = 0;
  put(d, "key", "value");
  assert_int_equal(rename(path_of(f, "key"), elsewhere), 0);
  assert_int_equal(symlink(elsewhere, path_of(f, "key")), 0);
  assert_false(get(d, "key", ""));
  assert_int_equal(rejected(d), ++expected);
  put(d, "key", "mine"); /* replaces the link, not what it names */
  assert_true(get(d, "key", "mine"));
  assert_int_equal(unlink(path_of(f, "key")), 0);
  assert_int_equal(link(elsewhere, path_of(f, "key")), 0);
  assert_false(get(d, "key", "")); /* two links */
  assert_int_equal(rejected(d), ++expected);
  assert_int_equal(unlink(elsewhere), 0);
  assert_true(get(d, "key", "value"));
  assert_int_equal(chmod(path_of(f, "key"), 0622), 0);
  assert_false(get(d, "key", ""));
  assert_int_equal(rejected(d), ++expected);
  assert_int_equal(unlink(path_of(f, "key")), 0);
  assert_int_equal(mkfifo(path_of(f, "key"), 0600), 0);
  assert_false(get(d, "key", ""));
  assert_int_equal(rejected(d), ++expected);
  assert_int_equal(unlink(path_of(f, "key")), 0);
  assert_int_equal(mkdir(path_of(f, "key"), 0700), 0);
  assert_false(get(d, "key", ""));
  assert_int_equal(rejected(d), ++expected);
  error e = {0};
  assert_int_equal(disk_cache_put(d, "key", 3, "x", 1, &e), TME_ERR_IO);
  assert_int_equal(files_in(f->dir), 1); /* nothing left behind */
  if (geteuid() == 0) {
    put(d, "foreign", "value");
    assert_int_equal(chown(path_of(f, "foreign"), 65534, 65534), 0);
    assert_false(get(d, "foreign", ""));
    assert_int_equal(rejected(d), ++expected);
  }
  disk_cache_close(d);
}

static void refuses(const char *dir, const char *reason) {
  error e = {0};
  assert_null(disk_cache_open(dir, 1 << 20, &e));
  assert_int_equal(e.code, TME_ERR_IO);
  if (!strstr(e.text, reason)) fail_msg("\"%s\" does not say \"%s\"", e.text, reason);
}

static void folders(void **state) {
  fixture *f = *state;
  char path[160];
  snprintf(path, sizeof path, "%s/open", f->root);
  assert_int_equal(mkdir(path, 0700), 0);
  assert_int_equal(chmod(path, 0770), 0);
  refuses(path, "other users may write");
  assert_int_equal(chmod(path, 0755), 0);
  disk_cache_close(disk_cache_open(path, 1000, NULL));
  char link_path[160];
  snprintf(link_path, sizeof link_path, "%s/link", f->root);
  assert_int_equal(symlink(path, link_path), 0);
  refuses(link_path, "/link");
  strcat(link_path, "/");
  refuses(link_path, "/link/");
  snprintf(link_path, sizeof link_path, "%s/link/below", f->root); /* above it, links are the user's own choice */
  disk_cache *d = disk_cache_open(link_path, 1000, NULL);
  assert_non_null(d);
  disk_cache_close(d);
  snprintf(path, sizeof path, "%s/file", f->root);
  write_file(path, "x", 1);
  refuses(path, "directory");
  strcat(path, "/below");
  refuses(path, "directory");
  refuses("", "No such");
  if (geteuid() == 0) {
    snprintf(path, sizeof path, "%s/foreign", f->root);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chown(path, 65534, 65534), 0);
    refuses(path, "another user");
  } else {
    snprintf(path, sizeof path, "%s/fixed", f->root);
    assert_int_equal(mkdir(path, 0500), 0);
    refuses(path, "not writable");
  }
}

static void environment(void **state) {
  fixture *f = *state;
  char expected[160];
  const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  char *old_xdg = xdg ? strdup(xdg) : NULL, *old_home = home ? strdup(home) : NULL;
  setenv("XDG_CACHE_HOME", f->root, 1);
  setenv("HOME", "/nowhere", 1);
  disk_cache *d = disk_cache_open(NULL, 1000, NULL);
  assert_non_null(d);
  snprintf(expected, sizeof expected, "%s/tme", f->root);
  assert_string_equal(disk_cache_dir(d), expected);
  disk_cache_close(d);
  setenv("XDG_CACHE_HOME", "relative", 1);
  setenv("HOME", f->root, 1);
  d = disk_cache_open(NULL, 1000, NULL);
  assert_non_null(d);
  snprintf(expected, sizeof expected, "%s/.cache/tme", f->root);
  assert_string_equal(disk_cache_dir(d), expected);
  disk_cache_close(d);
  unsetenv("HOME");
  refuses(NULL, "HOME");
  old_xdg ? setenv("XDG_CACHE_HOME", old_xdg, 1) : unsetenv("XDG_CACHE_HOME");
  if (old_home) setenv("HOME", old_home, 1);
  free(old_xdg);
  free(old_home);
}

static void set_age(const char *path, long seconds) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  now.tv_sec -= seconds;
  const struct timespec times[2] = {now, now};
  assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static long age(const char *path) {
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  struct timespec now; /* time() may be a tick behind */
  assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
  return (long)(now.tv_sec - st.st_mtim.tv_sec);
}

static void bound(void **state) {
  fixture *f = *state;
  disk_cache *d = open_cache(f, 20000);
  char value[1001], key[16];
  memset(value, 'v', 1000);
  value[1000] = 0;
  disk_stats s;
  for (int i = 0; i < 200; i++) {
    snprintf(key, sizeof key, "key%d", i);
    put(d, key, value);
    set_age(path_of(f, key), 100000 - 100 * i);
    if (i > 0) {
      assert_true(get(d, "key0", value)); /* always in use */
      assert_true(age(path_of(f, "key0")) < 10);
      set_age(path_of(f, "key0"), 90);
    }
    disk_cache_scan(d, &s);
    assert_true(s.bytes <= 20000 && s.entries <= 20);
  }
  assert_true(s.entries >= 10);
  assert_false(get(d, "key1", value));
  assert_true(get(d, "key199", value));
  set_age(path_of(f, "key199"), 30); /* touched at most once a minute */
  assert_true(get(d, "key199", value));
  assert_true(age(path_of(f, "key199")) >= 30);
  set_age(path_of(f, "key199"), -5000); /* the future would stay for ever */
  assert_true(get(d, "key199", value));
  assert_true(age(path_of(f, "key199")) >= 0);
  error e = {0};
  char *large = test_calloc(1, 20000);
  assert_int_equal(disk_cache_put(d, "large", 5, large, 20000, &e), TME_ERR_ARGUMENT);
  test_free(large);
  disk_cache_close(d);
  /* What others stored beyond a smaller bound goes at the first put. */
  d = open_cache(f, 5000);
  put(d, "last", value);
  disk_cache_scan(d, &s);
  assert_true(s.bytes <= 5000);
  assert_true(get(d, "last", value));
  disk_cache_close(d);
  d = open_cache(f, 0);
  assert_int_equal(disk_cache_put(d, "key", 3, "v", 1, &e), TME_ERR_ARGUMENT);
  assert_false(get(d, "last", value));
  disk_cache_close(d);
}

static void abandoned_temporaries(void **state) {
  fixture *f = *state;
  disk_cache *d = open_cache(f, 1 << 20);
  char path[160];
  snprintf(path, sizeof path, "%s/0123456789abcdef0123456789abcdef.tmp", f->dir);
  write_file(path, "half", 4);
  disk_stats s;
  disk_cache_scan(d, &s);
  assert_int_equal(access(path, F_OK), 0); /* somebody may be writing it */
  set_age(path, 10000);
  disk_cache_scan(d, &s);
  assert_int_equal(access(path, F_OK), -1);
  assert_int_equal(s.entries, 0);
  disk_cache_close(d);
}

/* Writers and readers of the same keys: a reader sees a whole value or none. */
static int race(const char *dir, int seed, size_t max) {
  disk_cache *d = disk_cache_open(dir, max, NULL);
  if (!d) return 2;
  char key[16];
  uint8_t value[3000];
  for (int i = 0; i < 400; i++) {
    snprintf(key, sizeof key, "key%d", (i * 7 + seed) % 10);
    size_t size = 100 + (size_t)((i * 131 + seed * 17) % 2900);
    memset(value, (int)(size % 251), size);
    if (disk_cache_put(d, key, strlen(key), value, size, NULL) != TME_OK) return 3;
    uint8_t *found;
    snprintf(key, sizeof key, "key%d", (i * 3 + seed) % 10);
    if (!disk_cache_get(d, key, strlen(key), &found, &size)) continue;
    for (size_t k = 0; k < size; k++)
      if (found[k] != size % 251) return 4;
    mem_free(found);
  }
  int result = rejected(d) ? 5 : 0;
  disk_cache_close(d);
  return result;
}

static void processes(void **state) {
  fixture *f = *state;
  const size_t bounds[] = {1 << 20, 8000}; /* with and without deletions */
  for (int round = 0; round < 2; round++) {
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
      pids[i] = fork();
      assert_true(pids[i] >= 0);
      if (pids[i] == 0) _exit(race(f->dir, i, bounds[round]));
    }
    for (int i = 0; i < 3; i++) {
      int status;
      assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
      assert_true(WIFEXITED(status));
      assert_int_equal(WEXITSTATUS(status), 0);
    }
  }
  assert_true(files_in(f->dir) <= 10); /* no temporary file */
}

static void *race_thread(void *dir) { return (void *)(intptr_t)race(dir, 1, 8000); }

static void threads_share(void **state) {
  fixture *f = *state;
  pthread_t ids[2];
  for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&ids[i], NULL, race_thread, f->dir), 0);
  for (int i = 0; i < 2; i++) {
    void *result;
    pthread_join(ids[i], &result);
    assert_null(result);
  }
}

static void limited(void **state) {
  fixture *f = *state;
  disk_cache *d = open_cache(f, 1 << 20);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) { /* no signal kills it */
    char value[1000] = {0};
    struct rlimit small = {500, 500};
    if (setrlimit(RLIMIT_FSIZE, &small) != 0) _exit(2);
    _exit(disk_cache_put(d, "key", 3, value, sizeof value, NULL) == TME_ERR_IO ? 0 : 1);
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  assert_int_equal(files_in(f->dir), 0);
  /* The folder goes away. */
  assert_int_equal(rmdir(f->dir), 0);
  error e = {0};
  assert_int_equal(disk_cache_put(d, "key", 3, "v", 1, &e), TME_ERR_IO);
  assert_false(get(d, "key", ""));
  disk_cache_close(d);
}

static void failing_allocations(void **state) {
  fixture *f = *state;
  bool done = false;
  for (long k = 1; !done; k++) {
    error e = {0};
    uint8_t *value = NULL;
    size_t size = 0;
    long live = mem_live();
    mem_fail_at(k, false);
    disk_cache *d = disk_cache_open(f->dir, 1 << 20, &e);
    bool stored = d && disk_cache_put(d, "key", 3, "value", 5, &e) == TME_OK;
    bool found = stored && disk_cache_get(d, "key", 3, &value, &size);
    mem_fail_at(0, false);
    mem_free(value);
    if (!stored) assert_int_equal(e.code, TME_ERR_MEMORY);
    if (d) assert_int_equal(rejected(d), 0);
    disk_cache_close(d);
    assert_int_equal(mem_live(), live);
    done = found && k > 6;
    assert_true(k < 50);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(stores_and_finds), TEST(damage),  TEST(not_trusted),           TEST(folders),
      TEST(environment),      TEST(bound),   TEST(abandoned_temporaries), TEST(processes),
      TEST(threads_share),    TEST(limited), TEST(failing_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
