#include "io/json.h"
#include <string.h>

static bool wrong(json_scan *s, const char *expected) {
  s->wrong = expected;
  return false;
}

static void skip_space(json_scan *s) {
  while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r')) s->p++;
}

bool json_take(json_scan *s, char c) {
  skip_space(s);
  if (s->p == s->end || *s->p != (uint8_t)c) return false;
  s->p++;
  return true;
}

bool json_expect(json_scan *s, char c) {
  static const char chars[] = "{}[],:";
  static const char *const names[] = {"'{'", "'}'", "'['", "']'", "','", "':'"};
  return json_take(s, c) || wrong(s, names[strchr(chars, c) - chars]);
}

bool json_end(json_scan *s) {
  skip_space(s);
  return s->p == s->end || wrong(s, "nothing more");
}

/* ---- strings ----------------------------------------------------------------------------------------------------- */

static int hex_digit(uint8_t c) {
  return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* The number behind "\u" at p; -1 if there is none. */
static int32_t unicode_escape(const uint8_t *p, const uint8_t *end) {
  if (end - p < 6 || p[0] != '\\' || p[1] != 'u') return -1;
  int32_t v = 0;
  for (int i = 2; i < 6; i++) {
    int d = hex_digit(p[i]);
    if (d < 0) return -1;
    v = v << 4 | d;
  }
  return v;
}

/* The character that the escape at p means, and its length; -1 if it is none. */
static int32_t escape(const uint8_t *p, const uint8_t *end, int *len) {
  static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  const char *letter = end - p > 1 && p[1] ? strchr(letters, p[1]) : NULL;
  *len = 2;
  if (letter) return meant[letter - letters];
  int32_t high = unicode_escape(p, end), low;
  *len = 6;
  if (high < 0xd800 || high > 0xdfff) return high;
  low = high < 0xdc00 ? unicode_escape(p + 6, end) : -1;
  *len = 12;
  return low < 0xdc00 || low > 0xdfff ? -1 : 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

bool json_string(json_scan *s, json_text *out) {
  skip_space(s);
  if (s->p == s->end || *s->p != '"') return wrong(s, "a string");
  const uint8_t *begin = ++s->p;
  while (s->p < s->end && *s->p != '"') {
    int len = 1;
    if (*s->p < 0x20) return wrong(s, "no control character in a string");
    if (*s->p == '\\' && escape(s->p, s->end, &len) <= 0) return wrong(s, "a valid escape");
    s->p += len;
  }
  if (s->p >= s->end) return wrong(s, "the end of a string");
  *out = (json_text){begin, (size_t)(s->p - begin)};
  if (!utf8_valid((const char *)out->p, out->n)) return wrong(s, "UTF-8");
  s->p++;
  return true;
}

/* The bytes that a string means, one after the other. */
typedef struct decoder {
  const uint8_t *p, *end;
  uint8_t more[4]; /* of the character at work */
  int n, at;
} decoder;

static decoder decode(const json_text *t) { return (decoder){.p = t->p, .end = t->p + t->n}; }

static void put_utf8(decoder *d, uint32_t c) {
  static const uint8_t first[] = {0, 0, 0xc0, 0xe0, 0xf0};
  d->n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  d->at = 0;
  for (int i = d->n - 1; i > 0; i--, c >>= 6) d->more[i] = (uint8_t)(0x80 | (c & 0x3f));
  d->more[0] = (uint8_t)(first[d->n] | c);
}

/* -1 behind the last. */
static int next_byte(decoder *d) {
  if (d->at < d->n) return d->more[d->at++];
  if (d->p >= d->end) return -1;
  if (*d->p != '\\') return *d->p++;
  int len;
  int32_t c = escape(d->p, d->end, &len);
  if (c < 0) return *d->p++; /* it was valid once */
  d->p += len;
  put_utf8(d, (uint32_t)c);
  return d->more[d->at++];
}

size_t json_decode(const json_text *t, char *out, size_t cap) {
  decoder d = decode(t);
  size_t n = 0;
  for (int c; n < cap && (c = next_byte(&d)) >= 0;) out[n++] = (char)c;
  return n;
}

int json_compare(const json_text *a, const json_text *b) {
  decoder x = decode(a), y = decode(b);
  for (;;) {
    int l = next_byte(&x), r = next_byte(&y);
    if (l != r || l < 0) return l - r;
  }
}

bool json_is(const json_text *t, const char *word) {
  decoder d = decode(t);
  int c;
  while ((c = next_byte(&d)) >= 0)
    if (c != (uint8_t)*word++ || !c) return false;
  return !*word;
}

/* ---- numbers and the rest ---------------------------------------------------------------------------------------- */

static size_t digits(json_scan *s) {
  const uint8_t *begin = s->p;
  while (s->p < s->end && *s->p >= '0' && *s->p <= '9') s->p++;
  return (size_t)(s->p - begin);
}

static bool is(const json_scan *s, char c) { return s->p < s->end && *s->p == (uint8_t)c; }

/* -? (0 | [1-9] digits) [. digits] [e [+-] digits] */
static bool number(json_scan *s, bool *whole) {
  if (is(s, '-')) s->p++;
  bool zero = is(s, '0');
  size_t n = digits(s);
  if (!n || (zero && n > 1)) return wrong(s, "a value");
  *whole = true;
  if (is(s, '.')) {
    s->p++;
    *whole = false;
    if (!digits(s)) return wrong(s, "a digit");
  }
  if (is(s, 'e') || is(s, 'E')) {
    s->p++;
    *whole = false;
    if (is(s, '+') || is(s, '-')) s->p++;
    if (!digits(s)) return wrong(s, "a digit");
  }
  return true;
}

bool json_integer(json_scan *s, int64_t *out) {
  skip_space(s);
  json_scan after = *s;
  bool whole;
  if (!number(&after, &whole) || !whole) return false;
  bool negative = *s->p == '-';
  int64_t v = 0;
  for (const uint8_t *p = s->p + negative; p < after.p; p++) {
    int digit = negative ? '0' - *p : *p - '0';
    if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v)) {
      return wrong(s, "a number that fits in 64 bits");
    }
  }
  s->p = after.p;
  *out = v;
  return true;
}

static bool word(json_scan *s, const char *w) {
  size_t n = strlen(w);
  if ((size_t)(s->end - s->p) < n || memcmp(s->p, w, n) != 0) return false;
  s->p += n;
  return true;
}

static bool skip_scalar(json_scan *s) {
  json_text string;
  bool whole;
  if (is(s, '"')) return json_string(s, &string);
  if (is(s, '-') || (s->p < s->end && *s->p >= '0' && *s->p <= '9')) return number(s, &whole);
  return word(s, "true") || word(s, "false") || word(s, "null") || wrong(s, "a value");
}

/* A key with its colon. */
static bool skip_key(json_scan *s) {
  json_text key;
  return json_string(s, &key) && json_expect(s, ':');
}

bool json_skip(json_scan *s) {
  enum { DEEPEST = 100 };
  char closing[DEEPEST];
  int depth = 0;
  for (;;) {
    bool object = json_take(s, '{');
    if (object || json_take(s, '[')) {
      if (depth == DEEPEST) return wrong(s, "less deeply nested values");
      closing[depth++] = object ? '}' : ']';
      if (!json_take(s, closing[depth - 1])) {
        if (object && !skip_key(s)) return false;
        continue;
      }
      depth--;
    } else if (!skip_scalar(s)) {
      return false;
    }
    /* Behind a value. */
    while (depth && !json_take(s, ',')) {
      if (!json_expect(s, closing[depth - 1])) return false;
      depth--;
    }
    if (!depth) return true;
    if (closing[depth - 1] == '}' && !skip_key(s)) return false;
  }
}
