/* Copies between devices. */
#ifndef TME_TRANSFER_H
#define TME_TRANSFER_H

#include "run/engine.h"

/* The view in host memory; a new reference in out->buf. Waits, also until the view is ready. */
tme_status view_to_host(tme_engine *e, const array_view *v, array_view *out, error *err);
/* A host view in memory of backend b; a new reference. It may not be ready. */
tme_status view_to_device(backend *b, const array_view *v, array_view *out, error *err);
/* A host view made row-major; a new reference. */
tme_status view_to_rows(tme_engine *e, const array_view *v, array_view *out, error *err);

#endif
