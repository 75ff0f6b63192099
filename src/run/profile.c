#include "run/profile.h"
#include "base/fd.h"
#include "engine/inside.h"
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
  pthread_mutex_t lock;
  record *event;
  size_t n, cap;
};

profile *profile_new(const char *path, error *e) {
  profile *p = mem_calloc(1, sizeof *p);
  if (p) p->path = mem_strdup(path);
  if (!p || !p->path) {
    mem_free(p);
    fail_memory(e, "profile", sizeof *p);
    return NULL;
  }
  pthread_mutex_init(&p->lock, NULL);
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
  pthread_mutex_lock(&p->lock);
  if (p->n == p->cap && p->cap < MOST_EVENTS) {
    size_t cap = p->cap ? 2 * p->cap : 256;
    record *more = mem_realloc(p->event, cap * sizeof *more);
    if (more) {
      p->event = more;
      p->cap = cap;
    }
  }
  if (p->n < p->cap) {
    record *r = &p->event[p->n++];
    snprintf(r->category, sizeof r->category, "%s", category);
    snprintf(r->name, sizeof r->name, "%s", name);
    r->begin = begin_ms - p->start;
    r->length = end - begin_ms;
    r->bytes = bytes;
    r->thread = thread_number();
  }
  pthread_mutex_unlock(&p->lock);
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
  for (size_t i = 0; i < p->n; i++) {
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

/* By temporary file and rename. */
static bool write_file(const profile *p) {
  text temp = {0};
  text_add(&temp, "%s.XXXXXX", p->path);
  if (temp.failed) {
    text_free(&temp);
    errno = ENOMEM;
    return false;
  }
  int fd = fd_apart(mkostemp(temp.s, O_CLOEXEC));
  FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
  bool ok = f != NULL;
  if (ok) {
    print(p, f);
    ok = !ferror(f);
    ok = fclose(f) == 0 && ok;
    ok = ok && rename(temp.s, p->path) == 0;
  }
  int why = errno;
  if (!ok && fd >= 0) unlink(temp.s);
  text_free(&temp);
  errno = why;
  return ok;
}

bool profile_free(profile *p) {
  if (!p) return true;
  bool ok = write_file(p);
  int why = errno;
  pthread_mutex_destroy(&p->lock);
  mem_free(p->event);
  mem_free(p->path);
  mem_free(p);
  errno = why;
  return ok;
}

profile *engine_profile(tme_engine *e) { return e->profile; }
