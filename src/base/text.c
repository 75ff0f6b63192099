#include "base/base.h"
#include <stdio.h>
#include <string.h>

/* Room for n more bytes and the end of the string. */
static bool reserve(text *t, size_t n) {
  size_t need;
  if (!add_size(t->len, n, &need) || !add_size(need, 1, &need)) return false;
  if (need <= t->cap) return true;
  size_t cap = t->cap < SIZE_MAX / 2 ? t->cap * 2 : need;
  if (cap < need) cap = need;
  if (cap < 64) cap = 64;
  char *s = mem_realloc(t->s, cap);
  if (!s) return false;
  t->s = s;
  t->cap = cap;
  return true;
}

void text_bytes(text *t, const void *p, size_t n) {
  if (t->failed || !reserve(t, n)) {
    t->failed = true;
    return;
  }
  if (n) memcpy(t->s + t->len, p, n);
  t->len += n;
  t->s[t->len] = 0;
}

void text_add(text *t, const char *fmt, ...) {
  va_list ap, again;
  va_start(ap, fmt);
  va_copy(again, ap);
  char few[256];
  int n = vsnprintf(few, sizeof few, fmt, ap);
  if (n < 0) {
    t->failed = true;
  } else if ((size_t)n < sizeof few) {
    text_bytes(t, few, (size_t)n);
  } else if (t->failed || !reserve(t, (size_t)n)) {
    t->failed = true;
  } else if (vsnprintf(t->s + t->len, (size_t)n + 1, fmt, again) == n) {
    t->len += (size_t)n;
  } else {
    t->s[t->len] = 0;
    t->failed = true;
  }
  va_end(again);
  va_end(ap);
}

void text_free(text *t) {
  mem_free(t->s);
  *t = (text){0};
}

/* Bytes of the character that begins here, or 0 if none does. */
static size_t character(const unsigned char *s, size_t n) {
  size_t more = *s < 0x80 ? 0 : *s >> 5 == 6 ? 1 : *s >> 4 == 14 ? 2 : *s >> 3 == 30 ? 3 : n;
  if (more >= n) return 0;
  static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
  uint32_t c = more ? *s & (0x3fu >> more) : *s;
  for (size_t i = 1; i <= more; i++) {
    if (s[i] >> 6 != 2) return 0;
    c = c << 6 | (s[i] & 0x3fu);
  }
  return c < least[more] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) ? 0 : more + 1;
}

bool utf8_valid(const char *from, size_t n) {
  for (size_t at = 0, length; at < n; at += length) {
    length = character((const unsigned char *)from + at, n - at);
    if (!length) return false;
  }
  return true;
}

void utf8_mend(char *s) {
  for (size_t n = strlen(s), length; n; s += length, n -= length) {
    length = character((unsigned char *)s, n);
    if (length) continue;
    *s = '?';
    length = 1;
  }
}
