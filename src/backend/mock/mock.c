/* A backend for tests: a device whose memory the host cannot read, whose work ends on a thread of its own, and which
 * lacks some operations. What it stores is scrambled; its worker makes plain copies, runs the reference's kernels on
 * them, and scrambles the results. */
#include "backend/backend.h"
#include "memory/view.h"
#include <pthread.h>
#include <string.h>

typedef struct job job;
typedef struct mock {
  backend base;
  backend *inner; /* the reference */
  pthread_mutex_t lock;
  pthread_cond_t more, ready;
  pthread_t thread;
  bool started, stop;
  job *first, **last;
} mock;

struct event {
  bool done;
  tme_status status;
  error err;
};

struct job {
  job *next;
  event *ev;
  void (*work)(mock *f, job *j);
  /* copies */
  void *to;
  const void *from;
  size_t bytes;
  /* regions */
  executable *x;
  const graph *g;
  const atomic_bool *cancel;
  array_view *in, *out; /* one reference to each buffer */
  uint64_t *args;
};

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static void scramble(void *to, const void *from, size_t bytes) {
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

static void free_job(job *j) {
  for (int i = 0; j->g && i < j->g->nleaves; i++) buffer_release(j->in[i].buf);
  for (int i = 0; j->g && i < j->g->nroots; i++) buffer_release(j->out[i].buf);
  mem_free(j->in);
  mem_free(j->out);
  mem_free(j->args);
  mem_free(j);
}

static void *worker(void *user) {
  mock *f = user;
  pthread_mutex_lock(&f->lock);
  for (;;) {
    while (!f->first && !f->stop) pthread_cond_wait(&f->more, &f->lock);
    job *j = f->first;
    if (!j) break;
    f->first = j->next;
    if (!f->first) f->last = &f->first;
    pthread_mutex_unlock(&f->lock);
    event *ev = j->ev;
    j->work(f, j);
    free_job(j);
    pthread_mutex_lock(&f->lock);
    ev->done = true;
    pthread_cond_broadcast(&f->ready);
  }
  pthread_mutex_unlock(&f->lock);
  return NULL;
}

/* Takes over the job; the event is the caller's. */
static tme_status submit(mock *f, job *j, event **done, error *e) {
  event *ev = mem_calloc(1, sizeof *ev);
  tme_status s = ev ? TME_OK : fail_memory(e, "mock", sizeof *ev);
  pthread_mutex_lock(&f->lock);
  if (s == TME_OK && !f->started) {
    f->started = pthread_create(&f->thread, NULL, worker, f) == 0;
    if (!f->started) s = fail(e, TME_ERR_DEVICE, "mock: its thread cannot be started");
  }
  if (s == TME_OK) {
    j->ev = *done = ev;
    *f->last = j;
    f->last = &j->next;
    pthread_cond_signal(&f->more);
  }
  pthread_mutex_unlock(&f->lock);
  if (s != TME_OK) {
    free_job(j);
    mem_free(ev);
  }
  return s;
}

static tme_status mock_wait(backend *b, event *ev, error *e) {
  mock *f = b->state;
  pthread_mutex_lock(&f->lock);
  while (!ev->done) pthread_cond_wait(&f->ready, &f->lock);
  pthread_mutex_unlock(&f->lock);
  tme_status s = ev->status;
  if (s != TME_OK) fail(e, s, "%s", ev->err.text);
  mem_free(ev);
  return s;
}

/* ---- copies ------------------------------------------------------------------------------------------------------ */

static void do_copy(mock *f, job *j) {
  (void)f;
  scramble(j->to, j->from, j->bytes);
}

static tme_status copy(backend *b, void *to, const void *from, size_t bytes, event **done, error *e) {
  job *j = mem_calloc(1, sizeof *j);
  if (!j) return fail_memory(e, "mock", sizeof *j);
  j->work = do_copy;
  j->to = to;
  j->from = from;
  j->bytes = bytes;
  return submit(b->state, j, done, e);
}

static tme_status mock_upload(backend *b, buffer *to, const void *from, size_t bytes, event **done, error *e) {
  return copy(b, to->data, from, bytes, done, e);
}

static tme_status mock_download(backend *b, void *to, const buffer *from, size_t offset, size_t bytes, event **done,
                                error *e) {
  return copy(b, to, (const char *)from->data + offset, bytes, done, e);
}

/* ---- regions ----------------------------------------------------------------------------------------------------- */

struct executable {
  const graph *g;
  executable *inner;
};

static const char *mock_supports(backend *b, const graph *g, int i) {
  (void)b;
  switch (graph_get(g, i)->op) {
  case OP_svd:
  case OP_svdvals: return "mock has no factorisations, for the tests";
  case OP_tanh: return "mock has no tanh, for the tests";
  case OP_concatenate: return "mock does not join, for the tests";
  default: return NULL;
  }
}

static void mock_free_executable(backend *b, executable *x) {
  mock *f = b->state;
  if (x->inner) f->inner->free_executable(f->inner, x->inner);
  mem_free(x);
}

static executable *mock_prepare(backend *b, const graph *g, error *e) {
  mock *f = b->state;
  executable *x = mem_calloc(1, sizeof *x);
  if (!x) {
    fail_memory(e, "mock", sizeof *x);
    return NULL;
  }
  x->g = g;
  x->inner = f->inner->prepare(f->inner, g, e);
  if (x->inner) return x;
  mock_free_executable(b, x);
  return NULL;
}

/* A plain copy of all of a mock buffer. */
static buffer *plain(mock *f, const buffer *b, error *e) {
  buffer *p = pool_get(f->base.context->pool, b->bytes);
  if (!p) {
    fail_memory(e, "mock", b->bytes);
    return NULL;
  }
  scramble(p->data, b->data, b->bytes);
  buffer_inherit(p, b);
  return p;
}

static tme_status store(array_view *from, array_view *to, error *e) {
  op_type t = view_type(from);
  size_t size = tme_dtype_size(t.dtype), bytes = (size_t)type_size(&t) * size;
  void *rows = mem_alloc(bytes);
  if (!rows) return fail_memory(e, "mock", bytes);
  view_pack(from, (const char *)from->buf->data + from->offset * (int64_t)size, rows);
  scramble(to->buf->data, rows, bytes);
  buffer_inherit(to->buf, from->buf);
  mem_free(rows);
  return TME_OK;
}

static void do_region(mock *f, job *j) {
  const graph *g = j->g;
  error *e = &j->ev->err;
  array_view *in = mem_calloc((size_t)g->nleaves + 1, sizeof *in), *out = mem_calloc((size_t)g->nroots, sizeof *out);
  tme_status s = in && out ? TME_OK : fail_memory(e, "mock", (size_t)g->nleaves * sizeof *in);
  for (int i = 0; i < g->nleaves && s == TME_OK; i++) {
    in[i] = j->in[i];
    in[i].buf = plain(f, j->in[i].buf, e);
    if (!in[i].buf) s = e->code;
  }
  if (s == TME_OK) {
    memcpy(out, j->out, sizeof *out * (size_t)g->nroots);
    for (int i = 0; i < g->nroots; i++) out[i].buf = NULL;
    run_args a = {.in = in, .args = j->args, .out = out, .cancel = j->cancel};
    event *done = NULL;
    s = f->inner->run(f->inner, j->x->inner, &a, &done, e);
    bool ran = s == TME_OK;
    for (int i = 0; i < g->nroots && s == TME_OK; i++) s = store(&out[i], &j->out[i], e);
    for (int i = 0; i < g->nroots && ran; i++) buffer_release(out[i].buf);
  }
  for (int i = 0; in && i < g->nleaves; i++) buffer_release(in[i].buf);
  mem_free(in);
  mem_free(out);
  j->ev->status = s;
}

static tme_status mock_run(backend *b, executable *x, run_args *a, event **done, error *e) {
  const graph *g = x->g;
  job *j = mem_calloc(1, sizeof *j);
  if (!j) return fail_memory(e, "mock", sizeof *j);
  j->work = do_region;
  j->x = x;
  j->cancel = a->cancel;
  j->in = mem_calloc((size_t)g->nleaves + 1, sizeof *j->in);
  j->out = mem_calloc((size_t)g->nroots, sizeof *j->out);
  j->args = mem_calloc(2 * (size_t)g->nargs + 1, sizeof *j->args);
  tme_status s = j->in && j->out && j->args ? TME_OK : fail_memory(e, "mock", (size_t)g->nroots * sizeof *j->out);
  if (s == TME_OK) {
    j->g = g;
    for (int i = 0; i < g->nleaves; i++) {
      j->in[i] = a->in[i];
      buffer_retain(j->in[i].buf);
    }
    if (g->nargs) memcpy(j->args, a->args, 2 * (size_t)g->nargs * sizeof *j->args);
  }
  for (int i = 0; i < g->nroots && s == TME_OK; i++) {
    op_type t = view_type(&a->out[i]);
    buffer *buf = mock_alloc(b, (size_t)type_size(&t) * tme_dtype_size(t.dtype), e);
    if (!buf) {
      s = e->code;
      break;
    }
    j->out[i] = a->out[i];
    j->out[i].buf = buf;
    a->out[i].buf = buffer_retain(buf);
  }
  if (s != TME_OK)
    free_job(j);
  else
    s = submit(b->state, j, done, e);
  if (s == TME_OK) return s;
  for (int i = 0; i < g->nroots; i++) {
    buffer_release(a->out[i].buf);
    a->out[i].buf = NULL;
  }
  return s;
}

static void mock_describe(backend *b, const graph *region, const executable *x, unsigned flags, text *out) {
  mock *f = b->state;
  text_add(out, "  on the device of the tests:\n");
  f->inner->describe(f->inner, region, x ? x->inner : NULL, flags, out);
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
                      .wait = mock_wait,
                      .alloc = mock_alloc,
                      .upload = mock_upload,
                      .download = mock_download,
                      .stats = mock_stats};
  f->inner = backend_reference_new(c, false, e);
  if (f->inner) return &f->base;
  mock_close(&f->base);
  return NULL;
}
