/* JSON read where it lies, without memory: headers of files may be a hundred million bytes long. What is read may change
 * meanwhile (it may be a mapped file): then values may be wrong, but nothing outside of the text is read. */
#ifndef TME_IO_JSON_H
#define TME_IO_JSON_H

#include "base/base.h"

typedef struct json_scan {
  const uint8_t *p, *end;
  const char *wrong; /* what was expected at `p`, after a function gave false */
} json_scan;

/* A string as it is written between its quotes: valid UTF-8 and valid escapes, none of them of the character 0. */
typedef struct json_text {
  const uint8_t *p;
  size_t n;
} json_text;

/* Takes one of the characters { } [ ] , : if it comes next, with the spaces before it. */
bool json_take(json_scan *s, char c);
/* The same, and its absence is an error. */
bool json_expect(json_scan *s, char c);
bool json_string(json_scan *s, json_text *out);
/* False without an error if what comes next is no whole number. */
bool json_integer(json_scan *s, int64_t *out);
/* Passes over any value, nested no deeper than 100. */
bool json_skip(json_scan *s);
/* Nothing but spaces is left. */
bool json_end(json_scan *s);

/* The bytes that a string means, at most as many as it is written with; returns their number. */
size_t json_decode(const json_text *t, char *out, size_t cap);
/* In the order of the bytes that they mean. */
int json_compare(const json_text *a, const json_text *b);
bool json_is(const json_text *t, const char *word);

#endif
