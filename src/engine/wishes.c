/* Which backend an engine gets, and whether that is the one that was asked for. */
#include "run/engine.h"
#include <stdio.h>
#include <string.h>

static bool is(const char *a, const char *b) { return strcmp(a, b) == 0; }

/* MLX is the way to a GPU; elsewhere than on Apple's machines it is asked for by name. */
static bool wants_mlx(const engine_config *c) {
  if (!is(c->backend, "auto")) return is(c->backend, "mlx");
#ifdef __APPLE__
  if (is(c->device, "auto")) return true;
#endif
  return is(c->device, "mlx") || is(c->device, "gpu");
}

static backend *open_mlx(tme_engine *e, error *why) {
  const engine_config *c = &e->context.config;
  backend *b = backend_mlx_new(&e->context, why);
  if (!b || !is(c->backend, "auto") || !is(c->device, "gpu") || is(b->device, "gpu")) return b;
  fail(why, TME_ERR_DEVICE, "MLX finds no GPU");
  b->close(b);
  return NULL;
}

/* The backend that runs what it can; NULL with the reason if it is not there. `mlx`: why MLX is not. */
static backend *open_main(tme_engine *e, error *mlx, error *err) {
  const engine_config *c = &e->context.config;
  backend *b = wants_mlx(c) ? open_mlx(e, mlx) : NULL;
  if (b) return b;
  if (is(c->backend, "reference")) return e->context.fallback;
  if (is(c->backend, "mock")) return backend_mock_new(&e->context, err);
  if (is(c->backend, "nojit")) {
    snprintf(e->main_why, sizeof e->main_why, "the backend \"nojit\" was asked for");
    return e->context.fallback;
  }
  if (!c->jit) {
    snprintf(e->main_why, sizeof e->main_why, "%s", c->jit_off);
    return e->context.fallback;
  }
  return backend_cpu_new(&e->context, err);
}

/* Something that was asked for by name is not there: noted, or refused. */
static tme_status unmet(tme_engine *e, const char *kind, const char *name, bool must, const char *reason, error *err) {
  const char *got = is(kind, "device") ? engine_main(e)->device : engine_main(e)->name;
  engine_wish *w = &e->wish;
  if (must)
    return fail(err, TME_ERR_DEVICE, "engine: the %s %s was asked for and is not there: %s", kind, name, reason);
  snprintf(w->wanted, sizeof w->wanted, "%s %s", kind, name);
  snprintf(w->got, sizeof w->got, "%s %s", kind, got);
  snprintf(w->reason, sizeof w->reason, "%.500s", reason);
  context_log(&e->context, TME_LOG_WARNING, "the %s %s is not there, %s is used: %s", kind, name,
              is(got, "cpu") && is(kind, "device") ? "the CPU" : got, reason);
  return TME_OK;
}

static bool device_met(const tme_engine *e) {
  const char *device = e->context.config.device;
  return is(device, "auto") || is(device, engine_main(e)->device) || is(device, engine_main(e)->name) ||
         (is(device, "cpu") && is(engine_main(e)->device, "mock"));
}

/* Where the CPU's backend must be had, its compiler must work. */
static tme_status check_compiler(tme_engine *e, error *err) {
  const engine_config *c = &e->context.config;
  if (!c->must_backend || !is(c->backend, "cpu") || !is(engine_main(e)->name, "cpu")) return TME_OK;
  tme_jit_status st = {.state = TME_JIT_ACTIVE};
  engine_main(e)->status(engine_main(e), &st);
  return st.state == TME_JIT_ACTIVE ? TME_OK : unmet(e, "backend", "cpu", true, st.reason, err);
}

static tme_status check_wishes(tme_engine *e, const char *mlx, error *err) {
  const engine_config *c = &e->context.config;
  if (!is(c->backend, "auto") && !is(c->backend, engine_main(e)->name))
    return unmet(e, "backend", c->backend, c->must_backend, *mlx ? mlx : e->main_why, err);
  if (device_met(e)) return check_compiler(e, err);
  char runs_on[120];
  snprintf(runs_on, sizeof runs_on, "the backend %s, which was asked for, runs on the device %s", engine_main(e)->name,
           engine_main(e)->device);
  bool none = is(c->device, "cuda") || is(c->backend, "auto");
  const char *reason = *mlx ? mlx : none ? "this build has no backend for it" : runs_on;
  return unmet(e, "device", c->device, c->must_device, reason, err);
}

/* Puts a backend before the last one. */
static void prefer(backend_list *l, backend *b) {
  l->at[l->n] = l->at[l->n - 1];
  l->at[l->n++ - 1] = b;
}

/* A device's backend leaves what it lacks to the CPU's compiled code. */
static void open_second(tme_engine *e) {
  error why = {.code = TME_OK};
  backend *b = backend_cpu_new(&e->context, &why);
  if (b)
    prefer(&e->backends, b);
  else
    context_log(&e->context, TME_LOG_WARNING, "the backend cpu is not there, %s does what %s lacks: %s",
                e->context.fallback->name, engine_main(e)->name, why.text);
}

tme_status backends_open(tme_engine *e, error *err) {
  const engine_config *c = &e->context.config;
  error mlx = {.code = TME_OK}, why = {.code = TME_OK};
  bool plain = is(c->backend, "reference");
  backend *last = backend_reference_new(&e->context, !plain, err);
  if (!last) return err->code;
  e->context.fallback = last;
  e->backends = (backend_list){.at = {last}, .n = 1};
  if (plain) snprintf(e->main_why, sizeof e->main_why, "the backend \"reference\" was asked for");
  backend *first = open_main(e, &mlx, &why);
  if (!first) {
    snprintf(e->main_why, sizeof e->main_why, "%.500s", why.text);
    if (is(c->backend, "auto"))
      context_log(&e->context, TME_LOG_WARNING, "the backend cpu is not there, %s is used: %s", last->name, why.text);
  } else if (first != last) {
    prefer(&e->backends, first);
    if (c->jit && !is(first->name, "cpu")) open_second(e);
  }
  return check_wishes(e, mlx.text, err);
}
