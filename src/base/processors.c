#include "base/threads.h"
#include "base/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The start of a file as a string; false if it cannot be read. */
static bool read_file(const char *path, char *buffer, size_t size) {
  int fd = fd_apart(open(path, O_RDONLY | O_CLOEXEC));
  if (fd < 0) return false;
  size_t n = 0;
  while (n + 1 < size) {
    ssize_t got = read(fd, buffer + n, size - 1 - n);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    n += (size_t)got;
  }
  buffer[n] = 0;
  close(fd);
  return n > 0;
}

/* `quota` of every `period` microseconds as processors, rounded up; 0 if it says "no limit". */
static int processors(const char *quota, const char *period) {
  long long q = strtoll(quota, NULL, 10), p = strtoll(period, NULL, 10);
  if (q <= 0 || p <= 0) return 0;
  long long n = q / p + (q % p != 0);
  return n > INT32_MAX ? INT32_MAX : (int)n;
}

static int tighter(int a, int b) { return a == 0 || (b != 0 && b < a) ? b : a; }

/* The limit that one folder sets; true if it has the files of one. */
static bool folder_quota(const char *folder, bool v2, int *quota) {
  char path[1024], a[64], b[64];
  int n = snprintf(path, sizeof path, v2 ? "%s/cpu.max" : "%s/cpu.cfs_quota_us", folder);
  if (n < 0 || (size_t)n >= sizeof path || !read_file(path, a, sizeof a)) return false;
  if (v2) { /* "QUOTA PERIOD" or "max PERIOD" */
    const char *space = strchr(a, ' ');
    *quota = tighter(*quota, space ? processors(a, space + 1) : 0);
    return true;
  }
  n = snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
  if (*a != '-' && n > 0 && (size_t)n < sizeof path && read_file(path, b, sizeof b))
    *quota = tighter(*quota, processors(a, b));
  return true;
}

/* The tightest limit from the group up to its root; true if there is one or could be. In a container the path may be that
 * of the host: then only the root is there, and it is the container's own. */
static bool tree_quota(const char *mount, const char *group, bool v2, int *quota) {
  char path[1024];
  int n = snprintf(path, sizeof path, "%s%s", mount, group);
  if (n < 0 || (size_t)n >= sizeof path) return folder_quota(mount, v2, quota);
  bool found = false;
  for (char *end = path + n; end && (size_t)(end - path) >= strlen(mount); end = strrchr(path, '/')) {
    *end = 0;
    if (end == path + strlen(mount) || end[-1] != '/') found |= folder_quota(path, v2, quota);
  }
  return found;
}

static bool has_word(const char *list, const char *word) {
  size_t n = strlen(word);
  for (const char *p = list; p; p = strchr(p, ','), p = p ? p + 1 : NULL)
    if (!strncmp(p, word, n) && (p[n] == 0 || p[n] == ',')) return true;
  return false;
}

int threads_quota(const char *membership, const char *root) {
  char lines[4096];
  if (!read_file(membership, lines, sizeof lines)) return 0;
  int quota = 0;
  char *rest = NULL;
  for (char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
    char *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group) continue;
    controllers++;
    *group++ = 0;
    bool v2 = *controllers == 0;
    if (!v2 && !has_word(controllers, "cpu")) continue;
    /* Version 2, alone or beside version 1; version 1. The first folder that there is will do: others are links. */
    const char *mounts[] = {"", "/unified", "/cpu", "/cpu,cpuacct"};
    bool found = false;
    for (int i = v2 ? 0 : 2; i < (v2 ? 2 : 4) && !found; i++) {
      char mount[512];
      int n = snprintf(mount, sizeof mount, "%s%s", root, mounts[i]);
      if (n > 0 && (size_t)n < sizeof mount) found = tree_quota(mount, group, v2, &quota);
    }
  }
  return quota;
}

static int affinity(void) {
#ifdef __linux__
  for (size_t bits = 1024; bits <= 1 << 20; bits *= 4) { /* the kernel's mask may be larger than cpu_set_t */
    size_t size = CPU_ALLOC_SIZE(bits);
    cpu_set_t *set = mem_calloc(1, size);
    if (!set) return 0;
    int n = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : -errno;
    mem_free(set);
    if (n != -EINVAL) return n > 0 ? n : 0;
  }
#endif
  return 0;
}

int threads_default(void) {
  int n = affinity();
  if (n == 0) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    n = online > 0 && online < INT32_MAX ? (int)online : 1;
  }
  return tighter(n, threads_quota("/proc/self/cgroup", "/sys/fs/cgroup"));
}
