/* tme eval: evaluate an expression, print the results, write files. */
#include "output.h"
#include "print.h"
#include <stdlib.h>
#include <unistd.h>

static const char help[] =
    "usage: tme eval [OPTIONS] EXPR [NAME=FILE|NAME=NUMBER]...\n\n"
    "Evaluates EXPR over the arrays given by name and prints its results.\n\n"
    "  tme eval 'y = gelu(x @ w + b); y, mean(y, axis=0)' x=x.npy w=model.safetensors:layer.weight b=b.npy \\\n"
    "    -o y=y.npy\n\n"
    "  -o NAME=FILE     write the variable NAME to FILE (.npy, .npz, .safetensors, .gguf); -o FILE writes the only result.\n"
    "                   May be repeated; several names may go to one file but .npy. All files or none.\n"
    "      --json       print JSON: {\"results\": [{\"name\", \"dtype\", \"shape\", \"values\"}]}\n"
    "      --full       print all values (the default of --json)\n"
    "      --short      leave out the middle of arrays of more than 1000 elements (the default without --json)\n"
    "      --time       say how long reading, evaluating and writing took\n\n"
    "Files: x.npy, data.npz:NAME, model.safetensors:NAME, model.gguf:NAME.\n\n"
    "The language: statements separated by ';' or line breaks; the last one gives the results.\n"
    "  y = EXPR; u, s, vt = svd(a)      names for values\n"
    "  + - * / // % ** @  == != < <= > >=  & | ^ ~ << >>  and or not\n"
    "                                   with Python's precedence, elementwise but for @\n"
    "  gelu(x), sum(x, axis=(0, 1), keepdims=true)\n"
    "                                   every operation of `tme ops`\n"
    "  a[1:, ::-1], a[..., 0], a[:, none], a[indices], a[i, j], a[a > 0]\n"
    "  x.T, x.shape, x.dtype, x.ndim, x.size\n"
    "  1, 1e-5, 0xff, 2j, inf, nan, pi, e, true, false, none, float32, [1, 2, 3]\n"
    "  # to the end of the line         a comment\n\n"
    "Numbers and lists of numbers, and what is computed from them alone, have no dtype until they meet an array, whose\n"
    "dtype they take: x + sqrt(2) is float64 where x is. What it cannot hold is an error (x + 300 with x uint8);\n"
    "comparisons are of the values themselves. What met no array is float64, int64 (uint64 beyond it) or bool; a\n"
    "precision that was asked for rounds floating results once. 2 ** -1 and [2] ** -1 are 0.5; an array of integers to a\n"
    "negative power is an error.\n";

enum { OPT_JSON = OPT_OWN, OPT_FULL, OPT_SHORT, OPT_TIME };

typedef struct eval_options {
  bool json, full, shortened, time;
  outputs out;
} eval_options;

typedef struct times {
  double read, evaluate, write;
} times;

/* Evaluates; on a terminal, what takes over a second says so. */
static tme_status evaluate_arrays(tme_scope *s, tme_array *const *a, int n) {
  if (!isatty(STDERR_FILENO)) return tme_eval_all(s, a, n);
  tme_event *event = tme_eval_async(s, a, n);
  if (!event) return tme_error_code(s);
  double start = clock_ms();
  /* Waits a hundredth of the time gone, so that short evaluations stay short. */
  for (double gone = 0; !tme_event_done(event); gone = clock_ms() - start) {
    usleep((useconds_t)(gone < 1000 ? 20 + 10 * gone : 100000));
    if (gone > 1000) progress("evaluating, %.0f s", gone / 1000);
  }
  progress_end();
  tme_status status = tme_event_wait(event);
  tme_event_free(event);
  return status;
}

/* The results and the outputs in one plan. */
static int evaluate(session *s, const outputs *o) {
  int n = s->nresults + o->n;
  tme_array **a = arena_alloc(&s->memory, (size_t)n, sizeof *a);
  if (!a) {
    problem_memory(&s->problem);
    return session_report(s);
  }
  for (int i = 0; i < n; i++) a[i] = i < s->nresults ? s->results[i].array : o->all[i - s->nresults].array;
  return evaluate_arrays(s->in.scope, a, n) == TME_OK ? 0 : session_engine_error(s);
}

/* The values as text, for tme_string_free; NULL with the error in the scope. */
static char *values_text(session *s, tme_array *a, const eval_options *o) {
  tme_format f;
  tme_format_init(&f, o->json ? TME_FORMAT_JSON : TME_FORMAT_COLUMNS);
  if (o->json ? !o->shortened : o->full) f.threshold = INT64_MAX;
  return tme_format_array(s->in.scope, a, &f);
}

static int print_results_json(session *s, const eval_options *o, const times *t) {
  fputs("{\"results\": [", stdout);
  for (int i = 0; i < s->nresults; i++) {
    tme_array *a = s->results[i].array;
    char *values = values_text(s, a, o);
    if (!values) return session_engine_error(s);
    fputs(i ? ",\n  {\"name\": " : "\n  {\"name\": ", stdout);
    print_json_string(stdout, s->results[i].label);
    printf(", \"dtype\": \"%s\", \"shape\": [", tme_dtype_name(tme_array_dtype(a)));
    for (int k = 0; k < tme_array_rank(a); k++) printf("%s%lld", k ? ", " : "", (long long)tme_array_shape(a)[k]);
    fputs("], \"values\": ", stdout);
    fputs(values, stdout);
    fputc('}', stdout);
    tme_string_free(values);
  }
  fputs("\n]", stdout);
  if (o->time)
    printf(", \"time_ms\": {\"read\": %.3f, \"evaluate\": %.3f, \"write\": %.3f}", t->read, t->evaluate, t->write);
  fputs("}\n", stdout);
  return 0;
}

static int print_results(session *s, const eval_options *o, const times *t) {
  for (int i = 0; i < s->nresults; i++) {
    tme_array *a = s->results[i].array;
    char *values = values_text(s, a, o);
    if (!values) return session_engine_error(s);
    print_escaped(stdout, s->results[i].label);
    printf("  %s ", tme_dtype_name(tme_array_dtype(a)));
    print_shape(stdout, tme_array_rank(a), tme_array_shape(a));
    printf("\n%s\n", values);
    tme_string_free(values);
  }
  if (o->time) {
    tme_stats st;
    tme_engine_stats(s->c->engine, &st);
    printf("read %.2f ms, evaluate %.2f ms (compile %.2f ms), write %.2f ms\n", t->read, t->evaluate, st.compile_ms,
           t->write);
  }
  return 0;
}

static int evaluate_and_print(session *s, eval_options *o) {
  int code = outputs_resolve(&o->out, s);
  if (code) return code;
  double start = clock_ms();
  if ((code = evaluate(s, &o->out))) return code;
  double evaluated = clock_ms();
  if ((code = outputs_write(&o->out, s))) return code;
  times t = {s->read_ms, evaluated - start, clock_ms() - evaluated};
  code = o->json ? print_results_json(s, o, &t) : print_results(s, o, &t);
  return finish_output(s->c, code);
}

static int run(cli *c, int argc, char **argv) {
  static const struct option own[] = {{"json", no_argument, NULL, OPT_JSON},    {"full", no_argument, NULL, OPT_FULL},
                                      {"short", no_argument, NULL, OPT_SHORT},  {"time", no_argument, NULL, OPT_TIME},
                                      {"output", required_argument, NULL, 'o'}, {0}};
  eval_options o = {0};
  for (int opt; (opt = cli_option(c, argc, argv, "o:", own)) != -1;) {
    switch (opt) {
    case OPT_JSON: o.json = true; break;
    case OPT_FULL: o.full = true; break;
    case OPT_SHORT: o.shortened = true; break;
    case OPT_TIME: o.time = true; break;
    case 'o':
      if (outputs_add(&o.out, c, optarg)) return EXIT_USAGE;
      break;
    default: return c->exit_code;
    }
  }
  if (o.full && o.shortened) return usage_error(c, "--full and --short exclude each other");
  session s;
  int code = session_open(&s, c, argc - optind, argv + optind);
  if (code == 0) code = evaluate_and_print(&s, &o);
  session_close(&s);
  return code;
}

const command cmd_eval = {"eval", "evaluate an expression over arrays from files", help, run};
