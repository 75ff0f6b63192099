/* tme bench: plain C, the JIT and other libraries side by side. */
#include "bench.h"
#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: tme bench [OPTIONS]\n\n"
    "Times one call of each operation, on arrays in memory, its result included: without the JIT (plain C loops; with\n"
    "--backend mlx: MLX uncompiled), with it, and with other libraries. Medians; everybody takes turns within the run. The error is the largest\n"
    "difference from a float64 reference over its largest value; of large products 64 rows are compared, of an SVD\n"
    "the product of its factors with the matrix.\n\n"
    "      --quick          small shapes and few repetitions: a few seconds\n"
    "      --headline       matmul 1024, svd 512 and gelu 1024 alone\n"
    "      --only PATTERN   rows whose \"op shape\" contains PATTERN (a shell pattern)\n"
    "      --dtype T        float32 (default), float64, float16, bfloat16\n"
    "      --vs LIST        other libraries, such as numpy,torch,jax,mlx; those that are missing are left out\n"
    "      --python PY      the interpreter that has them (default: python3)\n"
    "      --no-cblas       leave out the system's CBLAS\n"
    "      --no-plain       leave out the time of plain C, which takes long for large shapes\n"
    "      --json           a list of objects with op, shape, dtype, ms_nojit, ms_jit, factor, max_rel_error, peers\n"
    "      --plot FILE.svg  draw the table\n";

enum {
  OPT_QUICK = OPT_OWN,
  OPT_HEADLINE,
  OPT_ONLY,
  OPT_DTYPE,
  OPT_VS,
  OPT_PYTHON,
  OPT_NO_CBLAS,
  OPT_NO_PLAIN,
  OPT_JSON,
  OPT_PLOT,
  OPT_SERVE
};

typedef struct bench {
  cli *c;
  bool quick, headline, json, cblas, plain, serve;
  const char *only, *vs, *python, *plot;
  tme_dtype dtype;
  tme_engine *reference, *before; /* the errors' and the first column's: the same, but for MLX */
  worker peers[BENCH_PEERS];
  bench_table table;
  int failures;
} bench;

enum { PLAIN = 0, JIT = 1, FIRST_PEER = 2, CONTESTANTS = FIRST_PEER + BENCH_PEERS };

typedef struct samples {
  double ms[BENCH_SAMPLES];
  int n;
} samples;

/* ---- one row -----------------------------------------------------------------------------------------------------*/

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(samples *s) {
  if (s->n == 0) return (double)NAN;
  qsort(s->ms, (size_t)s->n, sizeof *s->ms, ascending);
  return s->n % 2 ? s->ms[s->n / 2] : 0.5 * (s->ms[s->n / 2 - 1] + s->ms[s->n / 2]);
}

/* A turn of an engine: an uncounted call, since others ran in between, then calls until the turn is over. A call that
 * outlasts all turns together is counted itself and ends the matter: false. */
static bool own_turn(own *o, const bench *b, double turn_ms, double all_ms, samples *s) {
  double first = own_call(o, b->c);
  if (first < 0) return false;
  if (first > all_ms && o->engine == b->before) {
    s->ms[s->n++] = first;
    return false;
  }
  for (double end = clock_ms() + turn_ms; s->n < BENCH_SAMPLES;) {
    double ms = own_call(o, b->c);
    if (ms < 0) return false;
    s->ms[s->n++] = ms;
    if (clock_ms() >= end) break;
  }
  return true;
}

static void time_row(bench *b, own *engines, samples *s, bool *active) {
  const bench_case *k = engines[JIT].k;
  int rounds = b->quick ? 3 : 7;
  double turn_ms = b->quick ? 15 : 60;
  for (int round = 0; round < rounds; round++) {
    for (int i = 0; i < FIRST_PEER + b->table.npeers; i++) {
      if (!active[i]) continue;
      progress("%s %s: %s", k->op, k->shape,
               i == PLAIN ? b->table.plain
               : i == JIT ? "tme"
                          : b->table.peers[i - FIRST_PEER]);
      if (i < FIRST_PEER) {
        active[i] = own_turn(&engines[i], b, turn_ms, turn_ms * rounds, &s[i]);
      } else {
        s[i].n = worker_run(&b->peers[i - FIRST_PEER], b->c, turn_ms, s[i].ms, s[i].n);
        /* Threads of some libraries spin for a while after their work. */
        usleep(5000);
      }
    }
  }
  progress_end();
}

/* False if the row could not be made; its message was given. */
static bool measure_row(bench *b, const bench_case *k, bench_row *row) {
  own engines[2] = {{0}, {0}};
  bool active[CONTESTANTS] = {false};
  samples *s = calloc(CONTESTANTS, sizeof *s);
  *row = (bench_row){.k = k, .dtype = b->dtype, .error = (double)NAN};
  progress("%s %s: inputs", k->op, k->shape);
  bool ok = s && own_prepare(&engines[JIT], b->c, cli_engine(b->c), k, b->dtype) &&
            (!b->plain || own_prepare(&engines[PLAIN], b->c, b->before, k, b->dtype));
  if (ok) {
    active[PLAIN] = b->plain;
    active[JIT] = true;
    for (int i = 0; i < b->table.npeers; i++) active[FIRST_PEER + i] = worker_prepare(&b->peers[i], b->c, k, b->dtype);
    time_row(b, engines, s, active);
    ok = s[JIT].n > 0 && (!b->plain || s[PLAIN].n > 0);
    row->ms_plain = median(&s[PLAIN]);
    row->ms_jit = median(&s[JIT]);
    for (int i = 0; i < b->table.npeers; i++) row->ms_peer[i] = median(&s[FIRST_PEER + i]);
    progress("%s %s: error", k->op, k->shape);
    double error = ok ? own_error(&engines[JIT], b->c, b->reference) : -1;
    if (error >= 0) row->error = error;
    ok = ok && error >= 0;
    progress_end();
  }
  own_free(&engines[PLAIN]);
  own_free(&engines[JIT]);
  free(s);
  return ok;
}

/* ---- who takes part ----------------------------------------------------------------------------------------------*/

static void add_peer(bench *b, const char *name, char *const *argv) {
  worker *w = &b->peers[b->table.npeers];
  progress("starting %s", name);
  bool started = worker_start(w, b->c, name, argv);
  progress_end();
  if (!started) return;
  b->table.peers[b->table.npeers++] = w->name;
  if (!b->json) printf("%s: %s\n", name, w->about);
}

/* The path of this program, then of "../share/tme/peers.py" beside it, which is so in the build folder too. */
static bool find_paths(char *self, size_t room, char *script, size_t script_room) {
  ssize_t n = readlink("/proc/self/exe", self, room - 1);
  if (n <= 0) return false;
  self[n] = '\0';
  const char *slash = strrchr(self, '/');
  snprintf(script, script_room, "%.*s/../share/tme/peers.py", (int)(slash - self), self);
  return true;
}

static int start_peers(bench *b) {
  char self[4000], script[4100], threads[16], names[200];
  snprintf(threads, sizeof threads, "%d", tme_engine_threads(cli_engine(b->c)));
  if (!find_paths(self, sizeof self, script, sizeof script)) {
    complain(b->c, "/proc/self/exe: %s", strerror(errno));
    return EXIT_EVALUATION;
  }
  signal(SIGPIPE, SIG_IGN); /* a peer that ends is left out */
  char bench_word[] = "bench", serve[] = "--serve-cblas", option[] = "--threads";
  if (b->cblas) add_peer(b, "cblas", (char *[]){self, bench_word, serve, option, threads, NULL});
  if (!b->vs) return 0;
  if (snprintf(names, sizeof names, "%s", b->vs) >= (int)sizeof names) return usage_error(b->c, "--vs: too long");
  char python[4000];
  snprintf(python, sizeof python, "%s", b->python);
  for (char *rest = names, *name; (name = strsep(&rest, ","));) {
    if (!*name) continue;
    if (b->table.npeers == BENCH_PEERS) return usage_error(b->c, "--vs: at most %d", BENCH_PEERS);
    add_peer(b, name, (char *[]){python, script, name, NULL});
  }
  return 0;
}

static bool chosen(const bench *b, const bench_case *k) {
  char name[64], pattern[200];
  if (b->headline && !k->headline) return false;
  if (b->quick && !b->headline && !k->quick) return false;
  if (!b->only) return true;
  snprintf(name, sizeof name, "%s %s", k->op, k->shape);
  snprintf(pattern, sizeof pattern, "*%s*", b->only);
  return fnmatch(pattern, name, 0) == 0;
}

static tme_engine *open_plain(bench *b, const char *backend) {
  char why[600] = "";
  tme_options o = b->c->options;
  o.backend = backend;
  o.jit = -1;
  tme_engine *e = tme_engine_open(&o, why, sizeof why);
  if (!e) complain(b->c, "the %s engine: %s", backend, why);
  return e;
}

/* MLX is compared with itself uncompiled. */
static bool open_plain_engines(bench *b) {
  const tme_options *o = &b->c->options;
  const char *asked = o->backend ? o->backend : secure_getenv("TME_BACKEND");
  bool mlx = asked && !strcmp(asked, "mlx");
  b->table.plain = mlx ? "uncompiled" : "plain C";
  b->reference = open_plain(b, "reference");
  b->before = mlx && b->reference ? open_plain(b, "mlx") : b->reference;
  return b->before != NULL;
}

static int run_rows(bench *b) {
  int n;
  const bench_case *cases = bench_cases(&n);
  b->table.rows = calloc((size_t)n, sizeof *b->table.rows);
  if (!b->table.rows) {
    complain(b->c, "out of memory");
    return EXIT_EVALUATION;
  }
  if (!b->json) report_header(&b->table);
  int matched = 0;
  for (int i = 0; i < n; i++) {
    if (!chosen(b, &cases[i])) continue;
    matched++;
    bench_row *row = &b->table.rows[b->table.nrows];
    if (!measure_row(b, &cases[i], row)) {
      b->failures++;
      continue;
    }
    b->table.nrows++;
    if (!b->json) report_row(&b->table, row);
  }
  if (matched == 0) return usage_error(b->c, "--only '%s' names no row", b->only ? b->only : "");
  if (b->json && !report_json(&b->table)) b->failures++;
  if (b->plot && !report_plot(&b->table, b->plot)) {
    complain(b->c, "%s: %s", b->plot, strerror(errno));
    b->failures++;
  }
  return finish_output(b->c, b->failures ? EXIT_EVALUATION : 0);
}

/* 0, or an exit code that ends the command. */
static int read_options(bench *b, int argc, char **argv, bool *done) {
  static const struct option own_options[] = {
      {"quick", no_argument, NULL, OPT_QUICK},       {"headline", no_argument, NULL, OPT_HEADLINE},
      {"only", required_argument, NULL, OPT_ONLY},   {"dtype", required_argument, NULL, OPT_DTYPE},
      {"vs", required_argument, NULL, OPT_VS},       {"python", required_argument, NULL, OPT_PYTHON},
      {"no-cblas", no_argument, NULL, OPT_NO_CBLAS}, {"no-plain", no_argument, NULL, OPT_NO_PLAIN},
      {"json", no_argument, NULL, OPT_JSON},         {"plot", required_argument, NULL, OPT_PLOT},
      {"serve-cblas", no_argument, NULL, OPT_SERVE}, {0}};
  *done = true;
  for (int opt; (opt = cli_option(b->c, argc, argv, "", own_options)) != -1;) {
    switch (opt) {
    case OPT_QUICK: b->quick = true; break;
    case OPT_HEADLINE: b->headline = true; break;
    case OPT_ONLY: b->only = optarg; break;
    case OPT_VS: b->vs = optarg; break;
    case OPT_PYTHON: b->python = optarg; break;
    case OPT_NO_CBLAS: b->cblas = false; break;
    case OPT_NO_PLAIN: b->plain = false; break;
    case OPT_JSON: b->json = true; break;
    case OPT_PLOT: b->plot = optarg; break;
    case OPT_SERVE: b->serve = true; break;
    case OPT_DTYPE:
      b->dtype = tme_dtype_parse(optarg);
      if (b->dtype < TME_F16 || b->dtype > TME_F64)
        return usage_error(b->c, "--dtype: float32, float64, float16 or bfloat16 expected, got '%s'", optarg);
      break;
    default: return b->c->exit_code;
    }
  }
  if (argc > optind) return usage_error(b->c, "unexpected argument '%s'", argv[optind]);
  *done = false;
  return 0;
}

static int run(cli *c, int argc, char **argv) {
  bench b = {.c = c, .cblas = true, .plain = true, .python = "python3", .dtype = TME_F32};
  bool done;
  int code = read_options(&b, argc, argv, &done);
  if (done) return code;
  if (b.serve) return serve_cblas(c->options.threads > 0 ? c->options.threads : 1);
  if (!cli_engine(c) || !open_plain_engines(&b)) return EXIT_USAGE;
  code = start_peers(&b);
  if (code == 0) code = run_rows(&b);
  for (int i = 0; i < b.table.npeers; i++) worker_stop(&b.peers[i]);
  free(b.table.rows);
  if (b.before != b.reference) tme_engine_free(b.before);
  tme_engine_free(b.reference);
  return code;
}

const command cmd_bench = {"bench", "time operations without the JIT, with it, and in other libraries", help, run};
