#ifndef TME_ASYNC_H
#define TME_ASYNC_H

#include "run/engine.h"

/* Ends the worker, whose queue is empty: each event holds the engine. */
void async_end(tme_engine *e);

#endif
