/* What every other folder stands on: errors, memory, overflow-checked sizes. */
#ifndef TME_BASE_H
#define TME_BASE_H

#include "base/dtype.h"
#include <stdarg.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))
/* The plural's letter in a message: "%d axis" is "1 axis", "%d array%s" is "2 arrays". */
#define PLURAL(n) ((n) == 1 ? "" : "s")

/* An error on its way up: the first one stays. */
typedef struct error {
  tme_status code;
  char text[1000];
} error;

/* Records the message unless there is one already; returns the recorded code. `e` may be NULL. */
tme_status fail(error *e, tme_status code, const char *fmt, ...) TME_PRINTF(3, 4);
tme_status vfail(error *e, tme_status code, const char *fmt, va_list ap);
/* The message for a failed allocation: "WHAT: out of memory (N bytes)". */
tme_status fail_memory(error *e, const char *what, size_t bytes);

/* All heap memory of the library goes through these, so that tests can fail the n-th allocation and count what is
 * left. mem_alloc(0) returns a pointer that may be freed. */
void *mem_alloc(size_t bytes);
void *mem_calloc(size_t n, size_t size);
void *mem_realloc(void *p, size_t bytes);
void mem_free(void *p);
char *mem_strdup(const char *s);
#ifdef TME_TEST_HOOKS
/* The k-th allocation from now fails (1 is the next one), and every later one if `forever`; 0 turns it off. */
void mem_fail_at(long k, bool forever);
/* Allocations not yet freed. */
long mem_live(void);
/* Allocations made so far. */
long mem_count(void);
#endif

/* a*b and a+b; false if they overflow. */
static inline bool mul_size(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool add_size(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }
/* a / b rounded up; a >= 0, b > 0. */
static inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
/* The largest divisor of n that is at most `most`; 1 if there is none. */
static inline int64_t largest_divisor(int64_t n, int64_t most) {
  for (int64_t c = most < n ? most : n; c > 1; c--)
    if (n % c == 0) return c;
  return 1;
}
/* The smallest divisor of n that is at least `least`, which is at most n. */
static inline int64_t smallest_divisor(int64_t n, int64_t least) {
  int64_t c = least > 1 ? least : 1;
  while (n % c) c++;
  return c;
}

/* The greatest common divisor. */
static inline int64_t gcd(int64_t a, int64_t b) {
  while (b) {
    int64_t r = a % b;
    a = b;
    b = r;
  }
  return a < 0 ? -a : a;
}

/* A growing text. After a failed allocation it stays as it was and `failed` is set. */
typedef struct text {
  char *s; /* NULL or a terminated string from mem_alloc */
  size_t len, cap;
  bool failed;
} text;
void text_add(text *t, const char *fmt, ...) TME_PRINTF(2, 3);
void text_bytes(text *t, const void *p, size_t n);
void text_free(text *t);
/* Without surrogates, overlong forms and values beyond Unicode. */
bool utf8_valid(const char *from, size_t n);
/* What is no such text, a byte at a time, becomes '?'. */
void utf8_mend(char *s);

/* Milliseconds of a clock that never goes back. */
double now_ms(void);

#endif
