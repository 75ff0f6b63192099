/* Chooses cells, runs them in batches on every backend, compares, counts. */
#include "support/matrix.h"
#include "support/mlx.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { REFERENCE, NOJIT, CPU, FAR, MLX, ENGINES, BATCH = 24, SHOWN = 40 };

static const char *const backends[ENGINES] = {"reference", "nojit", "cpu", "mock", "mlx"};

/* TME_MATRIX_BACKEND names the only one to be compared with the reference; MLX is compared if it is named. */
static bool takes_part(int e) {
  const char *only = getenv("TME_MATRIX_BACKEND");
  return e == REFERENCE || (only && *only ? !strcmp(backends[e], only) : e != MLX);
}

struct matrix {
  tme_engine *engine[ENGINES]; /* the first one's results are the right ones */
  const char *label[ENGINES];
  bool bits; /* engines with different numbers of threads, and the same bits from all of them */
  share share;
  uint64_t seed, spread;
  cell batch[BATCH];
  int n;
  int op;         /* the row at work */
  long row_cells; /* of this row */
  bool jit;       /* there is a compiler: nothing may be answered without it */
  cell *drawn;    /* cells are not run: one of them, each as likely as any other, is wanted here */
  uint64_t offered;
  long cells, failed, passed[OP_PUBLIC_COUNT];
  double ms[OP_PUBLIC_COUNT];
};

bool sanitized(void) { return SANITIZED; }

/* Sanitized programs are run with "quick": they get an eighth of the commit's share, all dtypes included. */
share matrix_share(void) {
  const char *s = getenv("TME_MATRIX");
  if (s && !strcmp(s, "full")) return SHARE_FULL;
  return s && !strcmp(s, "quick") && !SANITIZED ? SHARE_QUICK : SHARE_COMMIT;
}

uint64_t matrix_seed(void) {
  const char *s = getenv("TME_MATRIX_SEED");
  uint64_t h = 0;
  for (; s && *s; s++) h = (h ^ (unsigned char)*s) * 0x100000001b3u;
  return h ^ (h >> 29);
}

static void print_warning(void *user, tme_log_level level, const char *message) {
  (void)level;
  printf("  [%s] %s\n", (const char *)user, message);
}

tme_engine *engine_of(const char *backend, int threads) {
  tme_options o;
  char why[1024];
  tme_options_init(&o);
  o.precision = "float32";
  o.backend = backend;
  o.threads = threads;
  o.cache_dir = "";
  o.log = print_warning;
  o.log_user = (void *)(uintptr_t)backend;
  tme_engine *e = tme_engine_open(&o, why, sizeof why);
  if (!e) printf("  the engine %s: %s\n", backend, why);
  return e;
}

/* ---- which cells ------------------------------------------------------------------------------------------------------ */

bool matrix_takes(const matrix *m, tme_dtype t) { return m->share != SHARE_QUICK || t == TME_F32 || t == TME_I32; }

static bool chosen(const matrix *m, const cell *c, uint64_t hash) {
  bool first = !m->row_cells && !m->n;
  if (m->bits) return first || (c->core && (m->share == SHARE_FULL || (hash + m->seed) % (SANITIZED ? 64 : 24) == 0));
  bool mine = c->core || m->share == SHARE_FULL || (m->share == SHARE_COMMIT && (hash + m->seed) % 16 == 0);
  if (SANITIZED && m->share != SHARE_FULL) mine = mine && (first || (hash / 16 + m->seed) % 8 == 0);
  return mine;
}

/* Nearly all of the time is that of compilers: but for the full share they get the first cells of each row, and of the others
 * every third batch, other ones for another seed. */
static bool compiles(const matrix *m, int e) {
  if ((e != CPU && e != MLX) || m->bits || m->share == SHARE_FULL || !m->row_cells) return true;
  return ((uint64_t)m->row_cells / BATCH + m->seed) % 3 == 0;
}

/* A crash names the cells at work. */
static const matrix *at_work;
static void name_cells(int sig) {
  char name[400];
  for (int i = 0; at_work && i < at_work->n; i++) {
    cell_text(&at_work->batch[i], name, sizeof name);
    fprintf(stderr, "at work: %s\n", name);
  }
  signal(sig, SIG_DFL);
  raise(sig);
}

/* ---- one batch on one engine ------------------------------------------------------------------------------------------- */

typedef struct results {
  tme_scope *scope;
  tme_array *in[BATCH][CELL_INPUTS], *out[BATCH][OP_MAX_OUTPUTS], *bound[BATCH][OP_MAX_OUTPUTS];
  double ulps[BATCH];
  char error[BATCH][300];
} results;

static void wrap_operands(const cell *c, tme_scope *s, tme_array **in) {
  for (int i = 0; i < c->nin; i++) {
    const operand *o = &c->in[i];
    in[i] = tme_wrap(s, o->dtype, o->rank, o->shape, o->strides, o->data, NULL, NULL);
  }
}

static void note(results *r, int i) {
  snprintf(r->error[i], sizeof r->error[i], "%.250s", tme_error(r->scope));
  tme_clear_error(r->scope);
}

static void make_bounds(results *r, const cell *c, int i) {
  for (int o = 0; o < op_get(c->op)->outputs && !r->error[i][0]; o++) {
    bound b = {NULL, 0};
    if (!cell_bound(r->scope, c, r->in[i], r->out[i][o], &b)) note(r, i);
    r->bound[i][o] = b.array;
    r->ulps[i] = b.ulps;
  }
}

/* All cells in one evaluation; one by one where that fails. */
static void evaluate(matrix *m, results *r) {
  tme_array *all[BATCH * 2 * OP_MAX_OUTPUTS];
  int n = 0;
  for (int i = 0; i < m->n; i++)
    for (int o = 0; o < op_get(m->op)->outputs && !r->error[i][0]; o++) {
      all[n++] = r->out[i][o];
      if (r->bound[i][o]) all[n++] = r->bound[i][o];
    }
  if (!n || tme_eval_all(r->scope, all, n) == TME_OK) return;
  tme_clear_error(r->scope);
  for (int i = 0; i < m->n; i++)
    for (int o = 0; o < op_get(m->op)->outputs && !r->error[i][0]; o++)
      if (tme_eval(r->scope, r->out[i][o]) != TME_OK ||
          (r->bound[i][o] && tme_eval(r->scope, r->bound[i][o]) != TME_OK))
        note(r, i);
}

/* Names the cells that were answered by the fallback. */
static void find_fallbacks(matrix *m, int which, results *r, const tme_stats *before) {
  tme_stats now;
  tme_engine_stats(m->engine[which], &now);
  if (which == CPU && !m->jit) return;
  if (now.failures == before->failures && now.fallbacks == before->fallbacks) return;
  for (int i = 0; i < m->n; i++) {
    tme_stats start;
    tme_array *in[CELL_INPUTS], *out[OP_MAX_OUTPUTS];
    tme_engine_stats(m->engine[which], &start);
    tme_scope *s = tme_scope_new(m->engine[which]);
    wrap_operands(&m->batch[i], s, in);
    if (cell_apply(s, &m->batch[i], in, out) == TME_OK) tme_eval_all(s, out, op_get(m->op)->outputs);
    tme_scope_free(s);
    tme_engine_stats(m->engine[which], &now);
    if (now.failures != start.failures || now.fallbacks != start.fallbacks)
      snprintf(r->error[i], sizeof r->error[i], "answered by the fallback");
  }
}

static void run_batch(matrix *m, int which, results *r) {
  tme_stats before;
  tme_engine_stats(m->engine[which], &before);
  memset(r, 0, sizeof *r);
  r->scope = tme_scope_new(m->engine[which]);
  for (int i = 0; i < m->n; i++) {
    wrap_operands(&m->batch[i], r->scope, r->in[i]);
    if (cell_apply(r->scope, &m->batch[i], r->in[i], r->out[i]) != TME_OK)
      note(r, i);
    else if (which == REFERENCE && !m->bits)
      make_bounds(r, &m->batch[i], i);
  }
  evaluate(m, r);
  if (!m->bits && (which == CPU || which == MLX)) find_fallbacks(m, which, r, &before);
}

/* ---- comparing --------------------------------------------------------------------------------------------------------- */

static bool same_type(const tme_array *a, const tme_array *b) {
  if (tme_array_dtype(a) != tme_array_dtype(b) || tme_array_rank(a) != tme_array_rank(b)) return false;
  return !memcmp(tme_array_shape(a), tme_array_shape(b), sizeof(int64_t) * (size_t)tme_array_rank(a));
}

static bool compare(const cell *c, int engine, results *want, results *got, int i, char why[static 200]) {
  int outputs = op_get(c->op)->outputs;
  const void *data[OP_MAX_OUTPUTS];
  if (got->error[i][0]) {
    snprintf(why, 200, "%.190s", got->error[i]);
    return false;
  }
  for (int o = 0; o < outputs; o++) {
    tme_array *w = want->out[i][o], *g = got->out[i][o];
    data[o] = tme_data(got->scope, g);
    if (!same_type(w, g) || !data[o]) {
      snprintf(why, 200, "output %d has another type, or no data: %.100s", o, tme_error(got->scope));
      return false;
    }
  }
  if (op_has_identities(c->op)) return check_identities(c, (const tme_array *const *)got->out[i], data, why);
  for (int o = 0; o < outputs; o++) {
    tme_array *w = want->out[i][o], *b = want->bound[i][o];
    const double *absolute = b ? tme_data(want->scope, b) : NULL;
    if (!(engine == MLX ? mlx_compare : compare_output)(c, tme_array_dtype(w), tme_array_size(w), data[o],
                                                        tme_data(want->scope, w), absolute, want->ulps[i], why))
      return false;
  }
  return true;
}

static void report(matrix *m, const cell *c, const char *backend, const char *why) {
  char name[400];
  cell_text(c, name, sizeof name);
  if (m->failed++ < SHOWN) printf("FAILED %s: %s: %s\n", backend, name, why);
}

/* What engine `which` gives for cell i against the results of the first one. */
static bool same_bits(const matrix *m, results *r, int which, int i, char why[static 200]) {
  snprintf(why, 200, "%.190s", r[which].error[i]);
  for (int o = 0; o < op_get(m->op)->outputs && !why[0]; o++) {
    tme_array *want = r[0].out[i][o], *got = r[which].out[i][o];
    const void *a = tme_data(r[0].scope, want), *b = tme_data(r[which].scope, got);
    size_t bytes = (size_t)tme_array_size(want) * tme_dtype_size(tme_array_dtype(want));
    if (!a || !b || memcmp(a, b, bytes) != 0) snprintf(why, 200, "output %d has other bits than on one thread", o);
  }
  return !why[0];
}

static void flush(matrix *m) {
  static results r[ENGINES];
  double begin = now_ms();
  char why[200];
  bool at[ENGINES];
  for (int e = 0; e < ENGINES; e++) {
    at[e] = m->engine[e] && compiles(m, e);
    if (at[e]) run_batch(m, e, &r[e]);
  }
  for (int i = 0; i < m->n; i++) {
    const cell *c = &m->batch[i];
    bool good = true;
    if (r[REFERENCE].error[i][0]) {
      report(m, c, m->label[REFERENCE], r[REFERENCE].error[i]);
      good = false;
    }
    /* Decompositions are checked by what they must be, so the reference's are too. */
    int first = op_has_identities(c->op) && !m->bits ? REFERENCE : REFERENCE + 1;
    for (int e = first; e < ENGINES && good; e++) {
      if (!at[e]) continue;
      good = m->bits ? same_bits(m, r, e, i, why) : compare(c, e, &r[REFERENCE], &r[e], i, why);
      if (!good) report(m, c, m->label[e], why);
    }
    m->passed[m->op] += good;
  }
  for (int e = 0; e < ENGINES; e++)
    if (at[e]) tme_scope_free(r[e].scope);
  for (int i = 0; i < m->n; i++)
    for (int k = 0; k < m->batch[i].nin; k++) operand_free(&m->batch[i].in[k]);
  m->cells += m->n;
  m->row_cells += m->n;
  m->n = 0;
  m->ms[m->op] += now_ms() - begin;
}

void matrix_add(matrix *m, cell *c) {
  if (m->drawn) {
    if (next_random(&m->seed) % ++m->offered == 0) *m->drawn = *c;
    return;
  }
  uint64_t hash = cell_hash(c);
  if (!chosen(m, c, hash)) return;
  for (int k = 0; k < c->nin; k++) operand_make(&c->in[k], hash, k);
  m->batch[m->n++] = *c;
  if (m->n == BATCH) flush(m);
}

/* ---- all rows ------------------------------------------------------------------------------------------------------------ */

static void print_slowest(const matrix *m) {
  bool shown[OP_PUBLIC_COUNT] = {false};
  printf("the slowest rows:");
  for (int k = 0; k < 8; k++) {
    int most = -1;
    for (int i = 0; i < OP_PUBLIC_COUNT; i++)
      if (!shown[i] && (most < 0 || m->ms[i] > m->ms[most])) most = i;
    shown[most] = true;
    printf("%s %s %.1f s", k ? "," : "", op_name(most), m->ms[most] * 1e-3);
  }
  printf("\n");
}

static cells_fn *const families[FAMILY_COUNT] = {
#define FAMILY(name, class, reference, decomposes, checks, mlx, derivative, batching) cells_##name,
#include "ops/families.def"
};

bool matrix_draw(int op, uint64_t seed, cell *out) {
  matrix m = {.share = SHARE_FULL, .seed = seed, .drawn = out};
  families[op_get(op)->family](&m, op);
  return m.offered > 0;
}

static matrix *matrix_new(void) {
  matrix *m = calloc(1, sizeof *m);
  if (!m) abort();
  m->share = matrix_share();
  m->seed = matrix_seed();
  at_work = m;
  signal(SIGSEGV, name_cells);
  signal(SIGILL, name_cells);
  return m;
}

/* Runs all rows, or TME_MATRIX_OP, and ends: how many cells and rows failed. */
static int run_rows(matrix *m, const char *name) {
  const char *only = getenv("TME_MATRIX_OP");
  int empty = 0;
  for (m->op = 0; m->op < OP_PUBLIC_COUNT; m->op++) {
    if (only && strcmp(only, op_name(m->op))) continue;
    m->row_cells = 0;
    families[op_get(m->op)->family](m, m->op);
    flush(m);
    if (m->passed[m->op]) continue;
    printf("FAILED %s: no cell of this row passed\n", op_name(m->op));
    empty++;
  }
  static const char *const shares[] = {"quick", "commit", "full"};
  printf("%s (%s): %ld cells, %ld failed\n", name, shares[m->share], m->cells, m->failed);
  print_slowest(m);
  int failed = (int)m->failed + empty;
  for (int e = 0; e < ENGINES && !m->bits; e++) tme_engine_free(m->engine[e]);
  at_work = NULL;
  free(m);
  return failed;
}

int matrix_run(void) {
  matrix *m = matrix_new();
  for (int e = 0; e < ENGINES; e++) {
    m->label[e] = backends[e];
    if (!takes_part(e)) continue;
    m->engine[e] = engine_of(backends[e], 0);
    if (!m->engine[e]) abort();
  }
  tme_jit_status status;
  tme_engine_status(m->engine[CPU], &status);
  m->jit = status.state != TME_JIT_DISABLED;
  if (m->engine[CPU] && !m->jit) printf("no compiler: %s\n", status.reason);
  return run_rows(m, "matrix");
}

int matrix_same_bits(tme_engine *const *engines, const char *const *labels, int n) {
  matrix *m = matrix_new();
  m->bits = true;
  for (int e = 0; e < n && e < ENGINES; e++) {
    m->engine[e] = engines[e];
    m->label[e] = labels[e];
  }
  return run_rows(m, "threads");
}
