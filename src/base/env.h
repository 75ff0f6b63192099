/* The only place that reads the environment. Values are hostile input. */
#ifndef TME_ENV_H
#define TME_ENV_H

#include "base/base.h"

/* NULL if unset or empty, or when the process runs with raised privileges (AT_SECURE). */
const char *env_get(const char *name);
/* A whole number in [lo, hi], with an optional suffix K, M or G (powers of 1024) if `suffix`. Leaves *out alone when
 * unset; TME_ERR_ARGUMENT naming the variable, its value and what was expected when broken. */
tme_status env_int(const char *name, int64_t lo, int64_t hi, bool suffix, int64_t *out, error *e);
/* One of `n` words; *out becomes its number. */
tme_status env_choice(const char *name, const char *const *words, int n, int *out, error *e);
bool env_secure(void); /* AT_SECURE */

#endif
