/* Where the operations of a scope are to run. */
#include "array/scope.h"
#include "run/engine.h"
#include <string.h>

/* The backends that the engine has, each by its device and its name. */
static void add_backends(const backend_list *l, text *out) {
  for (int i = 0; i < l->n; i++) text_add(out, "%s%s (%s)", i ? ", " : "", l->at[i]->device, l->at[i]->name);
}

tme_status tme_scope_set_device(tme_scope *s, const char *device) {
  if (!s) return TME_ERR_ARGUMENT;
  const backend_list *l = &s->engine->backends;
  for (int i = 0; device && i < l->n; i++)
    if (!strcmp(l->at[i]->device, device) || !strcmp(l->at[i]->name, device)) {
      s->device = (uint8_t)(1 + i);
      return TME_OK;
    }
  if (!device) {
    s->device = 0;
    return TME_OK;
  }
  text has = {0};
  add_backends(l, &has);
  tme_status st =
      fail(&s->err, TME_ERR_DEVICE, "scope_set_device: the engine has no device '%.64s', expected one of %s", device,
           has.s ? has.s : "its own");
  text_free(&has);
  return st;
}
