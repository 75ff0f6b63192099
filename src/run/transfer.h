/* Copies between devices, and what is still under way on them. */
#ifndef TME_TRANSFER_H
#define TME_TRANSFER_H

#include "run/engine.h"

/* Work that was started and buffers that it needs. */
typedef struct pending {
  struct {
    backend *b;
    event *done;
    int step; /* -1: a copy */
  } work[32];
  buffer *held[32];
  int nwork, nheld;
} pending;

/* Waits for all of it and lets go of the buffers. The first failure: *step and *b say whose it was. */
tme_status pending_wait(pending *p, int *step, backend **b, error *e);
bool pending_full(const pending *p);
void pending_add(pending *p, backend *b, event *done, int step);
/* Takes over a reference: released when all is done. */
void pending_hold(pending *p, buffer *buf);

/* The view in host memory; a new reference in out->buf. Waits. */
tme_status view_to_host(tme_engine *e, const array_view *v, array_view *out, error *err);
/* A host view in memory of backend b; a new reference. The source must be held until the work is done. */
tme_status view_to_device(backend *b, const array_view *v, array_view *out, event **done, error *err);
/* A host view made row-major; a new reference. */
tme_status view_to_rows(tme_engine *e, const array_view *v, array_view *out, error *err);

#endif
