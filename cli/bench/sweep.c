/* tme bench --sweep: workloads are drawn, checked and timed until the time is over or there are enough. */
#include "bench/sweep.h"
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const json_t *o, const char *key) {
  const char *s = json_string_value(json_object_get(o, key));
  return s ? s : "";
}

static bool chosen(const bench *b, const workload *x) {
  char name[sizeof x->label + 80], pattern[200];
  if (!b->only) return true;
  snprintf(name, sizeof name, "no. %ld, %s: %s", x->index, x->k.op, x->label);
  snprintf(pattern, sizeof pattern, "*%s*", b->only);
  return fnmatch(pattern, name, 0) == 0;
}

/* False if it is not as bench/workloads.py makes them. */
static bool read_input(const json_t *from, bench_input *in) {
  const json_t *shape = json_object_get(from, "shape");
  double low = json_number_value(json_object_get(from, "low")), high = json_number_value(json_object_get(from, "high"));
  *in = (bench_input){.rank = (int)json_array_size(shape), .offset = low, .scale = high - low};
  in->dtype = tme_dtype_parse(text_of(from, "dtype"));
  if (in->dtype == TME_DTYPE_NONE || in->rank > (int)(sizeof in->shape / sizeof *in->shape)) return false;
  in->fill = strchr("iu", tme_dtype_kind(in->dtype)) ? FILL_WHOLE : FILL_UNIFORM;
  for (int d = 0; d < in->rank; d++) {
    in->shape[d] = json_integer_value(json_array_get(shape, (size_t)d));
    if (in->shape[d] < 1) return false;
  }
  return true;
}

static void write_label(workload *x) {
  enum { SPACE = sizeof x->label };
  const json_t *inputs = json_object_get(x->drawn, "inputs");
  size_t len = (size_t)snprintf(x->label, SPACE, "%s", x->k.text);
  for (int i = 0; i < x->k.ninputs && len < SPACE; i++) {
    const char *name = text_of(json_array_get(inputs, (size_t)i), "name");
    len +=
        (size_t)snprintf(x->label + len, SPACE - len, "%s %s %s", i ? "," : ";", name, tme_dtype_name(x->in[i].dtype));
    for (int d = 0; d < x->in[i].rank && len < SPACE; d++)
      len += (size_t)snprintf(x->label + len, SPACE - len, "%s%lld", d ? "x" : " ", (long long)x->in[i].shape[d]);
  }
}

static bool read_workload(workload *x) {
  const json_t *inputs = json_object_get(x->drawn, "inputs");
  size_t n = json_array_size(inputs);
  if (n < 1 || n > SWEEP_INPUTS || !*text_of(x->drawn, "text")) return false;
  for (size_t i = 0; i < n; i++)
    if (!read_input(json_array_get(inputs, i), &x->in[i])) return false;
  x->k = (bench_case){.op = text_of(x->drawn, "kind"),
                      .text = text_of(x->drawn, "text"),
                      .drawn = x->drawn,
                      .tolerance = json_number_value(json_object_get(x->drawn, "tolerance")),
                      .ninputs = (int)n,
                      .noutputs = 1,
                      .in = x->in};
  write_label(x);
  return true;
}

/* The values that it should have lie in a file while it is timed. False after the message. */
static bool measure(sweep *w, workload *x) {
  bench *b = w->b;
  progress("%.60s: NumPy", x->k.text);
  json_t *answer = worker_ask(&w->drawer, b->c, json_pack("{s:O}", "workload", x->drawn));
  x->k.expected = text_of(answer, "expected");
  bool ok = *x->k.expected;
  progress_end();
  if (answer && !ok) complain(b->c, "%s: NumPy: %s", x->k.text, text_of(answer, "error"));
  ok = ok && measure_workload(b, &x->k, &x->row);
  x->k.expected = NULL;
  json_decref(answer);
  return ok;
}

/* Who has no figure, and why. A peer that ended is started anew for the next workload. */
static void note_peers(sweep *w, workload *x) {
  bench *b = w->b;
  for (int i = 0; i < b->table.npeers; i++) {
    worker *peer = &b->table.peers[i];
    char name[sizeof peer->name];
    memcpy(name, peer->name, sizeof name);
    if (!x->failed && !x->row.peer[i].samples)
      json_object_set_new(x->left_out, name, json_string(peer->pid > 0 ? peer->said : "it ended"));
    if (peer->pid <= 0) start_peer(b, peer, name);
    peer->quiet = true;
  }
}

static void free_workload(workload *x) {
  if (!x) return;
  json_decref(x->drawn);
  json_decref(x->left_out);
  free(x);
}

/* Makes room for one more. */
static bool grow(sweep *w) {
  if (w->n < w->room) return true;
  int room = w->room ? 2 * w->room : 64;
  workload **all = realloc(w->all, (size_t)room * sizeof(workload *));
  if (!all) return false;
  w->all = all;
  w->room = room;
  return true;
}

/* The workload of that number, or NULL after the message. */
static workload *draw(sweep *w, long index) {
  bench *b = w->b;
  workload *x = calloc(1, sizeof *x);
  if (!x || !(x->left_out = json_object())) {
    complain(b->c, "out of memory");
    free_workload(x);
    return NULL;
  }
  x->index = index;
  x->row.error = (double)NAN;
  x->drawn = worker_ask(
      &w->drawer, b->c,
      json_pack("{s:I, s:I, s:b}", "draw", (json_int_t)index, "seed", (json_int_t)b->c->seed, "small", (int)b->quick));
  if (x->drawn && read_workload(x)) return x;
  if (x->drawn) complain(b->c, "%s: %s", b->drawer, text_of(x->drawn, "error"));
  free_workload(x);
  return NULL;
}

/* False after the message. */
static bool draw_and_measure(sweep *w) {
  enum { IN_VAIN = 2000 }; /* draws without one that is wanted */
  bench *b = w->b;
  double start = clock_ms(), end = b->minutes > 0 ? start + 6e4 * b->minutes : (double)INFINITY;
  for (long i = 0, last = 0; i - last < IN_VAIN && (!b->count || w->n < b->count); i++) {
    if (w->n > 0 && clock_ms() >= end) break;
    workload *x = draw(w, i);
    if (!x) return false;
    if (!chosen(b, x)) {
      free_workload(x);
      continue;
    }
    if (!grow(w)) {
      complain(b->c, "out of memory");
      free_workload(x);
      return false;
    }
    w->all[w->n++] = x;
    x->failed = !measure(w, x);
    if (x->failed) complain(b->c, "this was no. %ld, %s: %s", i, x->k.op, x->label);
    b->failures += x->failed;
    note_peers(w, x);
    w->seconds = (clock_ms() - start) / 1e3;
    last = i;
  }
  return true;
}

static int report(sweep *w, bool complete) {
  bench *b = w->b;
  if (!complete) b->failures++;
  if (w->n == 0 && complete) return usage_error(b->c, "--only '%s': no such workload is drawn", b->only ? b->only : "");
  if (!b->json)
    report_sweep(w);
  else if (!report_sweep_json(w))
    b->failures++;
  return finish_output(b->c, b->failures ? EXIT_EVALUATION : 0);
}

int run_sweep(bench *b) {
  static char python[BENCH_PATH]; /* never written, but by the type of argv */
  sweep w = {.b = b};
  char *argv[] = {python, b->drawer, NULL};
  if (b->table.npeers == 0) {
    complain(b->c, "there is no library to compare with; --vs names libraries, --python the interpreter that has them");
    return EXIT_EVALUATION;
  }
  snprintf(python, sizeof python, "%s", b->python);
  if (!worker_start(&w.drawer, b->c, "workloads", argv)) return EXIT_EVALUATION;
  for (int i = 0; i < b->table.npeers; i++) b->table.peers[i].quiet = true;
  if (b->minutes <= 0 && !b->count) b->minutes = 1;
  bool complete = draw_and_measure(&w);
  int code = report(&w, complete);
  for (int i = 0; i < w.n; i++) free_workload(w.all[i]);
  free(w.all);
  worker_stop(&w.drawer);
  return code;
}
