#include "context/profile.h"
#include "base/grow.h"
#include "base/lock.h"
#include "io/target.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST_EVENTS = 1 << 20 };

typedef struct record {
  char category[16], name[96];
  double begin, length; /* ms */
  uint64_t bytes;
  int thread;
} record;

struct profile {
  char *path;
  double start;
  lock lock;
  record *event;
  int n, cap;
};

profile *profile_new(const char *path, error *e) {
  profile *p = mem_calloc(1, sizeof *p);
  if (p) p->path = mem_strdup(path);
  if (!p || !p->path) {
    mem_free(p);
    fail_memory(e, "profile", sizeof *p);
    return NULL;
  }
  lock_init(&p->lock, LOCK_INNER);
  p->start = now_ms();
  return p;
}

static int thread_number(void) {
#ifdef SYS_gettid
  return (int)syscall(SYS_gettid);
#else
  return (int)getpid();
#endif
}

void profile_add(profile *p, const char *category, const char *name, double begin_ms, uint64_t bytes) {
  double end = now_ms();
  lock_take(&p->lock);
  if (p->n < MOST_EVENTS && grow(&p->event, &p->cap, p->n + 1, sizeof *p->event)) {
    record *r = &p->event[p->n++];
    snprintf(r->category, sizeof r->category, "%s", category);
    snprintf(r->name, sizeof r->name, "%s", name);
    r->begin = begin_ms - p->start;
    r->length = end - begin_ms;
    r->bytes = bytes;
    r->thread = thread_number();
  }
  lock_give(&p->lock);
}

/* A JSON string: names come from the library, but a backend may put anything into them. */
static void quote(FILE *f, const char *s) {
  fputc('"', f);
  for (; *s; s++) {
    unsigned char c = (unsigned char)*s;
    if (c == '"' || c == '\\')
      fprintf(f, "\\%c", c);
    else if (c >= ' ' && c < 0x7f)
      fputc(c, f);
    else
      fprintf(f, "\\u%04x", c);
  }
  fputc('"', f);
}

static void print(const profile *p, FILE *f) {
  fprintf(f, "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[");
  for (int i = 0; i < p->n; i++) {
    const record *r = &p->event[i];
    fprintf(f, "%s\n{\"ph\":\"X\",\"pid\":%d,\"tid\":%d,\"cat\":", i ? "," : "", (int)getpid(), r->thread);
    quote(f, r->category);
    fprintf(f, ",\"name\":");
    quote(f, r->name);
    fprintf(f, ",\"ts\":%.3f,\"dur\":%.3f,\"args\":{\"bytes\":%llu}}", r->begin * 1e3, r->length * 1e3,
            (unsigned long long)r->bytes);
  }
  fprintf(f, "\n]}\n");
}

static tme_status print_to(const io_place *at, const profile *p, int to) {
  int fd = fcntl(to, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
  if (!f) {
    int errnum = errno;
    if (fd >= 0) close(fd);
    return io_fail_errno(at, "cannot write", errnum);
  }
  print(p, f);
  bool ok = !ferror(f);
  int errnum = errno;
  if (fclose(f) != 0 && ok) {
    errnum = errno;
    ok = false;
  }
  return ok ? TME_OK : io_fail_errno(at, "cannot write", errnum);
}

static tme_status write_file(const profile *p, error *e) {
  io_place at = {"TME_PROFILE", p->path, NULL, e};
  io_target t;
  size_signal limit;
  size_signal_block(&limit);
  tme_status s = io_target_find(&at, &t);
  if (s == TME_OK) s = io_target_open(&at, &t, true);
  if (s == TME_OK) s = print_to(&at, p, t.temp.fd);
  if (s == TME_OK) s = io_target_finish(&at, &t);
  if (s == TME_OK) s = io_target_put(&at, &t);
  io_target_free(&t);
  size_signal_restore(&limit);
  return s;
}

tme_status profile_free(profile *p, error *e) {
  if (!p) return TME_OK;
  tme_status s = write_file(p, e);
  lock_end(&p->lock);
  mem_free(p->event);
  mem_free(p->path);
  mem_free(p);
  return s;
}
