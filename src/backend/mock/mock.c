/* A backend for tests: a device whose memory the host cannot read, whose work ends on a thread of its own, and which
 * lacks some operations. What it stores is scrambled; its worker makes plain copies, computes on them, and scrambles the
 * results: region by region with the reference's kernels, or step by step with compiled ones. */
#include "backend/mock/mock.h"
#include "ir/rewrite.h"
#include <pthread.h>
#include <string.h>

typedef struct job job;
typedef struct mock {
  backend base;
  backend *inner; /* whose kernels it runs: the reference, or the CPU's */
  bool compiled;
  pthread_mutex_t lock;
  pthread_cond_t more, ready;
  pthread_t thread;
  bool started, stop, held;
  int regions; /* that are not done */
  const char *planted;
  job *first, **last;
} mock;

typedef struct completion {
  event base;
  mock *f;
  atomic_bool done;
  tme_status status;
  error err;
} completion;

/* What the engine has as an executable. */
typedef struct region_code {
  atomic_int refs; /* the plan's, and one per run in flight */
  mock *f;
  graph *g; /* its own: a run may outlive the plan */
  executable *inner;
} region_code;

struct job {
  job *next;
  completion *ev; /* a reference */
  void (*work)(mock *f, job *j);
  /* copies; a reference to each buffer that is there */
  buffer *to, *from;
  size_t offset, bytes;
  void *host; /* of a download, instead of `to` */
  /* regions */
  region_code *x;       /* a reference */
  stop_request stop;    /* by its flag alone: the device's thread asks nobody */
  array_view *in, *out; /* one reference to each buffer */
  uint64_t *args;
};

/* ---- memory ------------------------------------------------------------------------------------------------------ */

void mock_scramble(void *to, const void *from, size_t bytes) {
  const uint8_t *s = from;
  uint8_t *d = to;
  for (size_t i = 0; i < bytes; i++) d[i] = s[i] ^ 0xa5;
}

static void release_block(void *p) { mem_free(p); }

static buffer *mock_alloc(backend *b, size_t bytes, error *e) {
  void *p = mem_alloc(bytes);
  buffer *buf = p ? buffer_wrap(p, bytes, release_block, p) : NULL;
  if (!buf) {
    mem_free(p);
    fail_memory(e, "mock", bytes);
    return NULL;
  }
  memset(p, 0x5a, bytes);
  buf->device = b;
  return buf;
}

/* ---- the worker -------------------------------------------------------------------------------------------------- */

static void code_release(region_code *x) {
  if (!x || atomic_fetch_sub(&x->refs, 1) != 1) return;
  if (x->inner) x->f->inner->free_executable(x->f->inner, x->inner);
  graph_free(x->g);
  mem_free(x);
}

static void free_job(job *j) {
  const graph *g = j->x ? j->x->g : NULL;
  for (int i = 0; g && j->in && i < g->nleaves; i++) buffer_release(j->in[i].buf);
  for (int i = 0; g && j->out && i < g->nroots; i++) buffer_release(j->out[i].buf);
  buffer_release(j->to);
  buffer_release(j->from);
  code_release(j->x);
  if (j->ev) event_release(&j->ev->base);
  mem_free(j->in);
  mem_free(j->out);
  mem_free(j->args);
  mem_free(j);
}

static void *worker(void *user) {
  mock *f = user;
  pthread_mutex_lock(&f->lock);
  for (;;) {
    while ((!f->first || f->held) && !f->stop) pthread_cond_wait(&f->more, &f->lock);
    job *j = f->first;
    if (!j) break;
    f->first = j->next;
    if (!f->first) f->last = &f->first;
    pthread_mutex_unlock(&f->lock);
    j->work(f, j);
    pthread_mutex_lock(&f->lock);
    if (j->x) f->regions--;
    atomic_store(&j->ev->done, true);
    pthread_cond_broadcast(&f->ready);
    pthread_mutex_unlock(&f->lock);
    free_job(j);
    pthread_mutex_lock(&f->lock);
  }
  pthread_mutex_unlock(&f->lock);
  return NULL;
}

static bool is_done(const event *ev) {
  return atomic_load_explicit(&((const completion *)(const void *)ev)->done, memory_order_acquire);
}

static tme_status wait_for(event *ev, error *e) {
  completion *c = (completion *)(void *)ev;
  if (!is_done(ev)) {
    pthread_mutex_lock(&c->f->lock);
    while (!is_done(ev)) pthread_cond_wait(&c->f->ready, &c->f->lock);
    pthread_mutex_unlock(&c->f->lock);
  }
  return c->status == TME_OK ? TME_OK : fail(e, c->status, "%s", c->err.text);
}

static void free_completion(event *ev) { mem_free(ev); }

/* Takes over the job. A reference to its event, or NULL with the reason. */
static event *submit(mock *f, job *j, error *e) {
  completion *ev = mem_calloc(1, sizeof *ev);
  if (!ev) {
    fail_memory(e, "mock", sizeof *ev);
    free_job(j);
    return NULL;
  }
  ev->base = (event){.done = is_done, .wait = wait_for, .free = free_completion};
  atomic_init(&ev->base.refs, 2);
  ev->f = f;
  j->ev = ev;
  pthread_mutex_lock(&f->lock);
  if (!f->started) f->started = pthread_create(&f->thread, NULL, worker, f) == 0;
  bool ok = f->started;
  if (ok) {
    f->regions += j->x != NULL;
    *f->last = j;
    f->last = &j->next;
    pthread_cond_signal(&f->more);
  }
  pthread_mutex_unlock(&f->lock);
  if (ok) return &ev->base;
  fail(e, TME_ERR_DEVICE, "mock: its thread cannot be started");
  free_job(j);
  event_release(&ev->base);
  return NULL;
}

#ifdef TME_TEST_HOOKS
static atomic_bool compiled;
void mock_compiled(bool on) { atomic_store(&compiled, on); }
static bool mock_is_compiled(void) { return atomic_load(&compiled); }

static mock *locked(backend *b) {
  mock *f = b->state;
  pthread_mutex_lock(&f->lock);
  return f;
}

void mock_hold(backend *b, bool on) {
  mock *f = locked(b);
  f->held = on;
  pthread_cond_signal(&f->more);
  pthread_mutex_unlock(&f->lock);
}

int mock_in_flight(backend *b) {
  mock *f = locked(b);
  int n = f->regions;
  pthread_mutex_unlock(&f->lock);
  return n;
}

void mock_fail_next(backend *b, const char *why) {
  mock *f = locked(b);
  f->planted = why;
  pthread_mutex_unlock(&f->lock);
}
#else
static bool mock_is_compiled(void) { return false; }
#endif

/* ---- copies ------------------------------------------------------------------------------------------------------ */

static void do_copy(mock *f, job *j) {
  (void)f;
  mock_scramble(j->to ? j->to->data : j->host, (const char *)j->from->data + j->offset, j->bytes);
}

/* To a buffer, or to host memory. */
static event *copy(backend *b, buffer *to, void *host, buffer *from, size_t offset, size_t bytes, error *e) {
  job *j = mem_calloc(1, sizeof *j);
  if (!j) {
    fail_memory(e, "mock", sizeof *j);
    return NULL;
  }
  j->work = do_copy;
  if (to) j->to = buffer_retain(to);
  j->host = host;
  j->from = buffer_retain(from);
  j->offset = offset;
  j->bytes = bytes;
  return submit(b->state, j, e);
}

static tme_status mock_upload(backend *b, buffer *to, buffer *from, size_t offset, size_t bytes, error *e) {
  to->ready = copy(b, to, NULL, from, offset, bytes, e);
  return to->ready ? TME_OK : e->code;
}

static tme_status mock_download(backend *b, void *to, const buffer *from, size_t offset, size_t bytes, error *e) {
  /* Only its count of references changes. */
  event *ev = copy(b, NULL, to, (buffer *)(uintptr_t)from, offset, bytes, e);
  if (!ev) return e->code;
  tme_status s = ev->wait(ev, e);
  event_release(ev);
  return s;
}

/* ---- regions ----------------------------------------------------------------------------------------------------- */

static const char *mock_supports(backend *b, const graph *g, int i) {
  const mock *f = b->state;
  switch (graph_get(g, i)->op) {
  case OP_svd:
  case OP_svdvals: return "mock has no factorisations, for the tests";
  case OP_tanh: return "mock has no tanh, for the tests";
  case OP_concatenate: return "mock does not join, for the tests";
  default: return f->inner->supports(f->inner, g, i);
  }
}

static void mock_free_executable(backend *b, executable *x) {
  (void)b;
  code_release((region_code *)(void *)x);
}

static int keep(graph *to, const graph *from, int i, int *in, void *user) {
  (void)to;
  (void)from;
  (void)i;
  (void)in;
  (void)user;
  return REWRITE_KEEP;
}

static executable *mock_prepare(backend *b, const graph *g, error *e) {
  mock *f = b->state;
  region_code *x = mem_calloc(1, sizeof *x);
  if (!x) {
    fail_memory(e, "mock", sizeof *x);
    return NULL;
  }
  atomic_init(&x->refs, 1);
  x->f = f;
  x->g = graph_rewrite(g, NULL, keep, NULL, "mock", NULL, e);
  if (x->g) x->inner = f->inner->prepare(f->inner, x->g, e);
  if (x->inner) return (executable *)(void *)x;
  code_release(x);
  return NULL;
}

buffer *mock_plain(context *c, const buffer *b, error *e) {
  buffer *p = pool_get(c->pool, b->bytes);
  if (!p) {
    fail_memory(e, "mock", b->bytes);
    return NULL;
  }
  mock_scramble(p->data, b->data, b->bytes);
  buffer_inherit(p, b);
  return p;
}

static tme_status store(array_view *from, array_view *to, error *e) {
  op_type t = view_type(from);
  size_t size = tme_dtype_size(t.dtype), bytes = (size_t)type_size(&t) * size;
  void *rows = mem_alloc(bytes);
  if (!rows) return fail_memory(e, "mock", bytes);
  view_pack(from, (const char *)from->buf->data + from->offset * (int64_t)size, rows);
  mock_scramble(to->buf->data, rows, bytes);
  buffer_inherit(to->buf, from->buf);
  mem_free(rows);
  return TME_OK;
}

static tme_status run_compiled(mock *f, job *j, array_view *out, error *e) {
  run_args a = {.in = j->in, .args = j->args, .out = out, .stop = &j->stop};
  tme_status s = mock_run_steps(&f->base, j->x->inner, &a, e);
  for (int i = 0; i < j->x->g->nroots && s == TME_OK; i++) {
    /* Both are scrambled, byte by byte. */
    view_pack(&out[i], (char *)out[i].buf->data + out[i].offset * (int64_t)tme_dtype_size(out[i].dtype),
              j->out[i].buf->data);
    buffer_inherit(j->out[i].buf, out[i].buf);
    buffer_release(out[i].buf);
  }
  return s;
}

/* What failed before this is not computed from. */
static tme_status check_inputs(job *j) {
  for (int i = 0; i < j->x->g->nleaves; i++) {
    tme_status s = buffer_wait(j->in[i].buf, &j->ev->err);
    j->ev->base.inherited = s != TME_OK;
    if (s != TME_OK) return s;
  }
  return TME_OK;
}

static tme_status check_planted(mock *f, error *e) {
  pthread_mutex_lock(&f->lock);
  const char *why = f->planted;
  f->planted = NULL;
  pthread_mutex_unlock(&f->lock);
  return why ? fail(e, TME_ERR_DEVICE, "%s", why) : TME_OK;
}

/* The whole region, by the reference. */
static tme_status run_plain(mock *f, job *j, array_view *in, array_view *out, error *e) {
  const graph *g = j->x->g;
  tme_status s = TME_OK;
  for (int i = 0; i < g->nleaves && s == TME_OK; i++) {
    in[i] = j->in[i];
    in[i].buf = mock_plain(f->base.context, j->in[i].buf, e);
    if (!in[i].buf) s = e->code;
  }
  if (s == TME_OK) {
    run_args a = {.in = in, .args = j->args, .out = out, .stop = &j->stop};
    s = f->inner->run(f->inner, j->x->inner, &a, e);
    bool ran = s == TME_OK;
    for (int i = 0; i < g->nroots && s == TME_OK; i++) s = store(&out[i], &j->out[i], e);
    for (int i = 0; i < g->nroots && ran; i++) buffer_release(out[i].buf);
  }
  for (int i = 0; i < g->nleaves; i++) buffer_release(in[i].buf);
  return s;
}

static void do_region(mock *f, job *j) {
  const graph *g = j->x->g;
  error *e = &j->ev->err;
  array_view *in = mem_calloc((size_t)g->nleaves + 1, sizeof *in), *out = mem_calloc((size_t)g->nroots, sizeof *out);
  tme_status s = in && out ? check_inputs(j) : fail_memory(e, "mock", (size_t)g->nleaves * sizeof *in);
  if (s == TME_OK) s = check_planted(f, e);
  for (int i = 0; i < g->nroots && s == TME_OK; i++) {
    out[i] = j->out[i];
    out[i].buf = NULL;
  }
  if (s == TME_OK) s = f->compiled ? run_compiled(f, j, out, e) : run_plain(f, j, in, out, e);
  mem_free(in);
  mem_free(out);
  j->ev->status = s;
}

static job *region_job(backend *b, region_code *x, const run_args *a, error *e) {
  const graph *g = x->g;
  job *j = mem_calloc(1, sizeof *j);
  if (!j) {
    fail_memory(e, "mock", sizeof *j);
    return NULL;
  }
  j->work = do_region;
  j->x = x;
  atomic_fetch_add(&x->refs, 1);
  j->stop.flag = a->stop ? a->stop->flag : NULL;
  j->in = mem_calloc((size_t)g->nleaves + 1, sizeof *j->in);
  j->out = mem_calloc((size_t)g->nroots, sizeof *j->out);
  j->args = mem_calloc(2 * (size_t)g->nargs + 1, sizeof *j->args);
  bool ok = j->in && j->out && j->args;
  if (!ok) fail_memory(e, "mock", (size_t)g->nroots * sizeof *j->out);
  for (int i = 0; i < g->nleaves && ok; i++) {
    j->in[i] = a->in[i];
    buffer_retain(j->in[i].buf);
  }
  if (g->nargs && ok) memcpy(j->args, a->args, 2 * (size_t)g->nargs * sizeof *j->args);
  for (int i = 0; i < g->nroots && ok; i++) {
    op_type t = view_type(&a->out[i]);
    j->out[i] = a->out[i];
    j->out[i].buf = mock_alloc(b, (size_t)type_size(&t) * tme_dtype_size(t.dtype), e);
    ok = j->out[i].buf;
  }
  if (ok) return j;
  free_job(j);
  return NULL;
}

static tme_status mock_run(backend *b, executable *of, run_args *a, error *e) {
  region_code *x = (region_code *)(void *)of;
  int n = x->g->nroots;
  job *j = region_job(b, x, a, e);
  if (!j) return e->code;
  for (int i = 0; i < n; i++) a->out[i].buf = buffer_retain(j->out[i].buf);
  event *ev = submit(b->state, j, e);
  for (int i = 0; i < n; i++) {
    if (ev)
      a->out[i].buf->ready = event_retain(ev);
    else
      buffer_release(a->out[i].buf);
  }
  event_release(ev);
  return ev ? TME_OK : e->code;
}

static void mock_describe(backend *b, const graph *region, const executable *x, unsigned flags, text *out) {
  mock *f = b->state;
  text_add(out, "  on the device of the tests:\n");
  f->inner->describe(f->inner, region, x ? ((const region_code *)(const void *)x)->inner : NULL, flags, out);
}

static void mock_stats(backend *b, tme_stats *out) {
  mock *f = b->state;
  f->inner->stats(f->inner, out);
}

static void mock_close(backend *b) {
  mock *f = b->state;
  if (f->started) {
    pthread_mutex_lock(&f->lock);
    f->stop = true;
    pthread_cond_signal(&f->more);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
  }
  if (f->inner) f->inner->close(f->inner);
  pthread_mutex_destroy(&f->lock);
  pthread_cond_destroy(&f->more);
  pthread_cond_destroy(&f->ready);
  mem_free(f);
}

backend *backend_mock_new(context *c, error *e) {
  mock *f = mem_calloc(1, sizeof *f);
  if (!f) {
    fail_memory(e, "engine", sizeof *f);
    return NULL;
  }
  f->last = &f->first;
  pthread_mutex_init(&f->lock, NULL);
  pthread_cond_init(&f->more, NULL);
  pthread_cond_init(&f->ready, NULL);
  f->base = (backend){.version = BACKEND_VERSION,
                      .name = "mock",
                      .device = "mock",
                      .state = f,
                      .context = c,
                      .close = mock_close,
                      .supports = mock_supports,
                      .prepare = mock_prepare,
                      .free_executable = mock_free_executable,
                      .run = mock_run,
                      .describe = mock_describe,
                      .alloc = mock_alloc,
                      .upload = mock_upload,
                      .download = mock_download,
                      .stats = mock_stats};
  f->compiled = mock_is_compiled() && c->config.jit;
  f->inner = f->compiled ? backend_cpu_new(c, e) : backend_reference_new(c, false, e);
  if (f->inner) return &f->base;
  mock_close(&f->base);
  return NULL;
}
