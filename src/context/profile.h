/* TME_PROFILE: a trace in Chrome's format, one event per step. Costs a comparison when it is off. */
#ifndef TME_PROFILE_H
#define TME_PROFILE_H

#include "base/base.h"

typedef struct profile profile;

/* NULL with the reason when out of memory. The file is written by profile_free. */
profile *profile_new(const char *path, error *e);
/* Writes the file and ends; the error says why it could not be written. NULL is allowed. */
tme_status profile_free(profile *p, error *e);
void profile_add(profile *p, const char *category, const char *name, double begin_ms, uint64_t bytes);

#endif
