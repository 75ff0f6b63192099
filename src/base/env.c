#include "base/env.h"
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/auxv.h>
#else
#include <unistd.h>
#endif

bool env_secure(void) {
#ifdef __linux__
  return getauxval(AT_SECURE) != 0;
#else
  return issetugid() != 0;
#endif
}

const char *env_get(const char *name) {
  if (env_secure()) return NULL;
  const char *v = getenv(name);
  return v && *v ? v : NULL;
}

/* A value as it may stand in a message: short, and printable. */
typedef struct shown {
  char s[64];
} shown;

static shown show(const char *v) {
  shown r;
  size_t n = 0;
  for (; v[n] && n + 1 < sizeof r.s; n++) r.s[n] = v[n] >= ' ' && v[n] <= '~' ? v[n] : '?';
  r.s[n] = 0;
  return r;
}

/* Decimal digits with an optional sign and suffix; false if it is anything else or overflows. */
static bool parse_int(const char *v, bool suffix, int64_t *out) {
  bool negative = *v == '-';
  if (*v == '-' || *v == '+') v++;
  if (*v < '0' || *v > '9') return false;
  int64_t x = 0;
  for (; *v >= '0' && *v <= '9'; v++)
    if (__builtin_mul_overflow(x, 10, &x) || __builtin_sub_overflow(x, *v - '0', &x)) return false;
  if (suffix && *v) {
    static const char suffixes[] = "KMGkmg";
    const char *s = strchr(suffixes, *v);
    if (!s || __builtin_mul_overflow(x, (int64_t)1 << ((s - suffixes) % 3 + 1) * 10, &x)) return false;
    v++;
  }
  if (*v) return false;
  if (!negative && __builtin_sub_overflow((int64_t)0, x, &x)) return false;
  *out = x;
  return true;
}

tme_status env_int(const char *name, int64_t lo, int64_t hi, bool suffix, int64_t *out, error *e) {
  const char *v = env_get(name);
  if (!v) return TME_OK;
  int64_t x;
  if (!parse_int(v, suffix, &x) || x < lo || x > hi)
    return fail(e, TME_ERR_ARGUMENT, "%s=\"%s\": expected a whole number from %lld to %lld%s", name, show(v).s,
                (long long)lo, (long long)hi, suffix ? ", with K, M or G after it if you like" : "");
  *out = x;
  return TME_OK;
}

tme_status env_choice(const char *name, const char *const *words, int n, int *out, error *e) {
  const char *v = env_get(name);
  if (!v) return TME_OK;
  for (int i = 0; i < n; i++)
    if (!strcmp(v, words[i])) {
      *out = i;
      return TME_OK;
    }
  text list = {0};
  for (int i = 0; i < n; i++) text_add(&list, "%s%s", i ? ", " : "", words[i]);
  tme_status s = fail(e, TME_ERR_ARGUMENT, "%s=\"%s\": expected one of %s", name, show(v).s,
                      list.s && !list.failed ? list.s : "the documented words");
  text_free(&list);
  return s;
}
