#include "array/scope.h"
#include "base/grow.h"

tme_scope *tme_scope_new(tme_engine *e) {
  if (!e) return NULL;
  tme_scope *s = mem_alloc(sizeof *s);
  if (!s) return NULL;
  s->engine = e;
  context_retain(context_of(e));
  atomic_init(&s->refs, 1);
  s->stop = (stop_request){NULL, NULL, NULL};
  s->device = 0;
  s->n = s->cap = 0;
  s->array = NULL;
  tme_clear_error(s);
  return s;
}

tme_scope *scope_retain(tme_scope *s) {
  atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
  return s;
}

void scope_release(tme_scope *s) {
  if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1) return;
  tme_engine *e = s->engine;
  mem_free(s);
  context_release(context_of(e));
}

static void let_go(tme_scope *s) {
  for (int i = 0; i < s->n; i++) node_release(s->array[i]->node);
  s->n = 0;
}

void tme_scope_free(tme_scope *s) {
  if (!s) return;
  let_go(s);
  mem_free(s->array);
  s->array = NULL;
  s->cap = 0;
  scope_release(s);
}

void tme_scope_reset(tme_scope *s) {
  if (!s) return;
  enum { MOST_KEPT = 1024 };
  let_go(s);
  if (s->cap > MOST_KEPT) {
    mem_free(s->array);
    s->array = NULL;
    s->cap = 0;
  }
  s->stop = (stop_request){NULL, NULL, NULL};
  s->device = 0;
  tme_clear_error(s);
}

void tme_scope_set_stop(tme_scope *s, tme_stop_fn *stop, void *user) {
  if (s) s->stop = (stop_request){.asked = stop, .user = user};
}

tme_engine *tme_scope_engine(tme_scope *s) { return s ? s->engine : NULL; }
const char *tme_error(const tme_scope *s) { return s ? s->err.text : "there is no scope"; }
tme_status tme_error_code(const tme_scope *s) { return s ? s->err.code : TME_ERR_ARGUMENT; }

void tme_clear_error(tme_scope *s) {
  if (!s) return;
  s->err.code = TME_OK;
  s->err.text[0] = 0;
}

bool scope_reserve(tme_scope *s, int n) {
  return n <= INT32_MAX - s->n && grow(&s->array, &s->cap, s->n + n, sizeof(tme_array *));
}

tme_array *scope_take(tme_scope *s, node *n, const char *what) {
  if (!n || !scope_reserve(s, 1)) {
    node_release(n);
    fail_memory(&s->err, what, sizeof *n);
    return NULL;
  }
  return scope_add(s, &n->out[0]);
}

tme_status scope_fail(tme_scope *s, const error *e) {
  if (e->code != TME_OK) fail(&s->err, e->code, "%s", e->text);
  return e->code;
}

tme_scope *scope_between(tme_scope *s, const char *what) {
  tme_scope *between = tme_scope_new(s->engine);
  if (between)
    between->device = s->device;
  else
    fail_memory(&s->err, what, sizeof *between);
  return between;
}

tme_array *scope_result(tme_scope *s, tme_scope *between, tme_array *a) {
  if (!a) scope_fail(s, &between->err);
  a = a ? tme_keep(s, a) : NULL;
  tme_scope_free(between);
  return a;
}

tme_status scope_null(tme_scope *s, const char *what) { return fail(&s->err, TME_ERR_ARGUMENT, "%s is NULL", what); }
