#include "bench/service.h"
#include "bench/worker.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { END_MS = 1000 /* that a process may take to end */ };

/* A library that was set to a slower kernel in the environment is timed with its own choice. OpenBLAS's threads wait for more
 * work without sleeping, 2^26 cycles and longer, and would hold a processor while others have their turn: 2^20 cycles
 * still bridge the time from one call to the next. */
static char **peer_environment(void) {
  static char timeout[] = "OPENBLAS_THREAD_TIMEOUT=20";
  static const char *const dropped[] = {"OPENBLAS_CORETYPE=", "OPENBLAS_L2_SIZE=", "OPENBLAS_THREAD_TIMEOUT="};
  size_t n = 0, kept = 0;
  while (environ[n]) n++;
  char **env = calloc(n + 2, sizeof *env);
  for (size_t i = 0; env && i < n; i++) {
    bool keep = true;
    for (size_t d = 0; d < sizeof dropped / sizeof *dropped; d++)
      keep &= strncmp(environ[i], dropped[d], strlen(dropped[d])) != 0;
    if (keep) env[kept++] = environ[i];
  }
  if (env) env[kept] = timeout;
  return env;
}

static bool spawn(worker *w, char *const *argv) {
  int in[2] = {-1, -1}, out[2] = {-1, -1}, code = ENOMEM;
  posix_spawn_file_actions_t actions;
  char **env = peer_environment();
  if (!env || pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || posix_spawn_file_actions_init(&actions) != 0) {
    for (int i = 0; i < 2; i++) {
      if (in[i] >= 0) close(in[i]);
      if (out[i] >= 0) close(out[i]);
    }
    free(env);
    return false;
  }
  if (posix_spawn_file_actions_adddup2(&actions, in[0], 0) == 0 &&
      posix_spawn_file_actions_adddup2(&actions, out[1], 1) == 0)
    code = posix_spawnp(&w->pid, argv[0], &actions, NULL, argv, env);
  posix_spawn_file_actions_destroy(&actions);
  free(env);
  close(in[0]);
  close(out[1]);
  w->to = in[1];
  w->from = out[0];
  if (code == 0) return true;
  close(w->to);
  close(w->from);
  w->pid = 0;
  errno = code;
  return false;
}

/* Its input and output end, and so does it. How, as waitpid says. */
static int end_of(worker *w) {
  int status = 0;
  if (w->pid > 0) {
    close(w->to); /* the end of its input ends it */
    close(w->from);
    /* What it writes to its caches as it ends counts for the next. */
    pid_t ended = 0;
    for (int ms = 0; ms < END_MS && ended == 0; ms++) {
      ended = waitpid(w->pid, &status, WNOHANG);
      if (ended == 0) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    if (ended == 0) {
      kill(w->pid, SIGTERM);
      waitpid(w->pid, &status, 0);
    }
  }
  free(w->line);
  w->line = NULL;
  w->pid = 0;
  return status;
}

void worker_stop(worker *w) { end_of(w); }

static bool lost(worker *w, const cli *c, const char *why) {
  complain(c, "%s: %s; left out", w->name, why);
  worker_stop(w);
  return false;
}

/* It closed its output: how it ended says more than that it did. */
static void ended(worker *w, const cli *c) {
  int status = end_of(w);
  if (WIFSIGNALED(status))
    complain(c, "%s: it was ended by signal %d (%s); left out", w->name, WTERMSIG(status), strsignal(WTERMSIG(status)));
  else
    complain(c, "%s: it ended with exit code %d; left out", w->name, WEXITSTATUS(status));
}

/* The next line as an object; NULL after the message. */
static json_t *receive(worker *w, const cli *c) {
  enum { PATIENCE_MS = 180000, LONGEST = 1 << 20 };
  w->used = 0;
  for (;;) {
    struct pollfd p = {.fd = w->from, .events = POLLIN};
    if (w->used + 2 > w->room) {
      size_t room = w->room ? 2 * w->room : 4096;
      char *line = room <= LONGEST ? realloc(w->line, room) : NULL;
      if (!line) {
        lost(w, c, "its answer is too long");
        return NULL;
      }
      w->line = line;
      w->room = room;
    }
    int ready = poll(&p, 1, PATIENCE_MS);
    if (ready < 0 && errno == EINTR) continue;
    ssize_t n = ready > 0 ? read(w->from, w->line + w->used, w->room - w->used - 1) : -1;
    if (n <= 0) {
      if (ready == 0)
        lost(w, c, "no answer in three minutes");
      else
        ended(w, c);
      return NULL;
    }
    w->used += (size_t)n;
    w->line[w->used] = '\0';
    if (w->line[w->used - 1] == '\n') break;
  }
  json_t *answer = json_loads(w->line, 0, NULL);
  if (!answer) lost(w, c, "its answer is not JSON");
  return answer;
}

json_t *worker_ask(worker *w, const cli *c, json_t *question) {
  char *text = question ? json_dumps(question, JSON_COMPACT) : NULL;
  json_decref(question);
  bool sent = text && dprintf(w->to, "%s\n", text) > 0;
  if (sent) {
    free(text);
    return receive(w, c);
  }
  if (text)
    ended(w, c);
  else
    lost(w, c, "out of memory");
  free(text);
  return NULL;
}

static const char *text_of(const json_t *o, const char *key) {
  const char *s = json_string_value(json_object_get(o, key));
  return s ? s : "";
}

bool worker_start(worker *w, const cli *c, const char *name, char *const *argv) {
  *w = (worker){.to = -1, .from = -1};
  snprintf(w->name, sizeof w->name, "%s", name);
  if (!spawn(w, argv)) {
    complain(c, "%s: %s: %s; left out", name, argv[0], strerror(errno));
    return false;
  }
  json_t *hello = receive(w, c);
  if (!hello) return false;
  bool ready = json_is_string(json_object_get(hello, "ready"));
  if (ready) {
    w->compiles = json_is_true(json_object_get(hello, "compiles"));
    w->routine = json_is_true(json_object_get(hello, "routine"));
    snprintf(w->about, sizeof w->about, "%s", text_of(hello, "ready"));
    for (size_t n = strlen(w->about); n > 0 && w->about[n - 1] == ' '; n--) w->about[n - 1] = '\0';
  } else
    lost(w, c, text_of(hello, "error"));
  json_decref(hello);
  return ready;
}

/* Why it has no figure in a row; the same reason once. */
static void explain(worker *w, const cli *c, const json_t *answer) {
  const char *why = text_of(answer, "error");
  if (!*why || !strcmp(why, w->said)) return;
  if (!w->quiet) complain(c, "%s: %s: %s; left out of this row", w->name, w->row, why);
  snprintf(w->said, sizeof w->said, "%s", why);
}

static json_t *question_of(const bench_case *k, tme_dtype dtype) {
  if (k->drawn) return json_pack("{s:O, s:s}", "workload", k->drawn, "expected", k->expected);
  json_t *inputs = json_array();
  for (int i = 0; i < k->ninputs && !k->in[i].name; i++) {
    json_t *shape = json_array();
    for (int d = 0; d < k->in[i].rank; d++) json_array_append_new(shape, json_integer(k->in[i].shape[d]));
    json_array_append_new(
        inputs, json_pack("{s:o, s:f, s:f}", "shape", shape, "scale", k->in[i].scale, "offset", k->in[i].offset));
  }
  return json_pack("{s:s, s:o, s:s, s:s?}", "op", k->op, "inputs", inputs, "dtype", tme_dtype_name(dtype), "file",
                   k->file);
}

bool worker_prepare(worker *w, const cli *c, const bench_case *k, tme_dtype dtype) {
  if (w->pid <= 0) return false;
  json_t *answer = worker_ask(w, c, question_of(k, dtype));
  if (!answer) return false;
  bool ready = json_is_true(json_object_get(answer, "ready"));
  w->first_ms = json_number_value(json_object_get(answer, "first_ms"));
  w->about_ms = json_number_value(json_object_get(answer, "about_ms"));
  snprintf(w->row, sizeof w->row, "%s %s %s", k->op, k->shape, tme_dtype_name(dtype));
  if (!ready) explain(w, c, answer);
  json_decref(answer);
  return ready;
}

int worker_run(worker *w, const cli *c, double budget_ms, double *samples, int n) {
  if (w->pid <= 0) return n;
  json_t *answer = worker_ask(w, c, json_pack("{s:f}", "run", budget_ms));
  if (!answer) return n;
  explain(w, c, answer);
  size_t i;
  const json_t *v;
  json_array_foreach(json_object_get(answer, "ms"), i, v) {
    if (n < BENCH_SAMPLES) samples[n++] = json_number_value(v);
  }
  json_decref(answer);
  return n;
}
