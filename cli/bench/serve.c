/* This program in the place of another library: serves the lines of bench/peers.py. */
#include "bench/own.h"
#include "bench/service.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say(json_t *answer) {
  json_dumpf(answer, stdout, JSON_COMPACT);
  putchar('\n');
  fflush(stdout);
  json_decref(answer);
}

int batch_of(double ms) { return ms > 0.02 ? 1 : (int)ceil(0.1 / fmax(ms, 1e-5)); }

static json_t *prepare(service *s, const json_t *question, int *batch) {
  if (!s->prepare(s->state, question)) return json_pack("{s:b}", "ready", false);
  double first = s->calls(s->state, 1), second = s->calls(s->state, 1);
  if (first < 0 || second < 0) return json_pack("{s:b}", "ready", false);
  *batch = batch_of(second);
  return json_pack("{s:b, s:f}", "ready", true, "first_ms", first);
}

static json_t *run(service *s, int batch, double budget_ms) {
  json_t *samples = json_array();
  double ms = s->calls(s->state, batch), end = clock_ms() + budget_ms;
  if (ms >= 0 && ms < (double)BENCH_LONG_MS) ms = s->calls(s->state, batch);
  for (; ms >= 0 && json_array_size(samples) < 1000; ms = s->calls(s->state, batch)) {
    json_array_append_new(samples, json_real(ms));
    if (clock_ms() >= end) break;
  }
  return json_pack("{s:o}", "ms", samples);
}

static void serve_lines(service *s) {
  char *line = NULL;
  size_t room = 0;
  int batch = 0; /* 0: not ready for a case */
  while (getline(&line, &room, stdin) > 0) {
    json_t *question = json_loads(line, 0, NULL);
    const json_t *budget = json_object_get(question, "run");
    if (budget) {
      say(batch ? run(s, batch, json_number_value(budget)) : json_pack("{s:[]}", "ms"));
    } else {
      batch = 0;
      say(prepare(s, question, &batch));
    }
    json_decref(question);
  }
  free(line);
}

/* ---- this engine, in a process of its own --------------------------------------------------------------------------*/

typedef struct engine_state {
  cli *c;
  own o;
  double opening_ms; /* part of the first call */
} engine_state;

/* The first case with the operation and the first shape of the question. */
static const bench_case *find_case(const json_t *question) {
  const char *op = json_string_value(json_object_get(question, "op"));
  const json_t *shape = json_object_get(json_array_get(json_object_get(question, "inputs"), 0), "shape");
  int n;
  const bench_case *cases = bench_cases(&n);
  for (int i = 0; op && i < n; i++) {
    const bench_input *in = &cases[i].in[0];
    bool same = !strcmp(cases[i].op, op) && (size_t)in->rank == json_array_size(shape);
    for (int d = 0; same && d < in->rank; d++)
      same = json_integer_value(json_array_get(shape, (size_t)d)) == in->shape[d];
    if (same) return &cases[i];
  }
  return NULL;
}

static bool engine_prepare(void *state, const json_t *question) {
  engine_state *e = state;
  const bench_case *k = find_case(question);
  const char *dtype = json_string_value(json_object_get(question, "dtype"));
  own_free(&e->o);
  double start = clock_ms();
  if (!k || !dtype || !cli_engine(e->c)) return false;
  e->opening_ms = clock_ms() - start;
  return own_prepare(&e->o, e->c, cli_engine(e->c), k, tme_dtype_parse(dtype));
}

static double engine_calls(void *state, int calls) {
  engine_state *e = state;
  double opening = e->opening_ms, ms = own_calls(&e->o, e->c, calls);
  e->opening_ms = 0;
  return ms < 0 ? ms : ms + opening;
}

static void engine_end(void *state) { own_free(&((engine_state *)state)->o); }

int serve(cli *c, const char *name) {
  service s = {.ok = true};
  engine_state e = {.c = c};
  if (!strcmp(name, "tme")) {
    s = (service){.ok = true, .state = &e, .prepare = engine_prepare, .calls = engine_calls, .end = engine_end};
    snprintf(s.ready, sizeof s.ready, "tme %s", tme_version());
  } else if (!routines_open(&s, name, c->options.threads > 0 ? c->options.threads : 1)) {
    return usage_error(c, "--serve: tme, cblas, onednn or libxsmm expected, got '%s'", name);
  }
  if (!s.ok) {
    say(json_pack("{s:s}", "error", s.ready));
    return 0;
  }
  say(json_pack("{s:s, s:b}", "ready", s.ready, "routine", s.state != &e));
  serve_lines(&s);
  s.end(s.state);
  return 0;
}
