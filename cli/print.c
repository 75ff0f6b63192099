/* Shapes, and texts that came from elsewhere. */
#include "print.h"
#include <inttypes.h>
#include <stdbool.h>

void print_shape(FILE *f, int rank, const int64_t *shape) {
  fputc('(', f);
  for (int i = 0; i < rank; i++) fprintf(f, "%s%" PRId64, i ? ", " : "", shape[i]);
  fputs(rank == 1 ? ",)" : ")", f);
}

/* The character at s and its length; -1 and 1 for a byte that belongs to none. */
static int32_t character(const char *text, int *len) {
  const unsigned char *s = (const unsigned char *)text;
  static const int32_t least[] = {0, 0x80, 0x800, 0x10000};
  int more = *s < 0x80 ? 0 : *s >> 5 == 6 ? 1 : *s >> 4 == 14 ? 2 : *s >> 3 == 30 ? 3 : -1;
  int32_t c = more > 0 ? *s & (0x3f >> more) : *s;
  for (int i = 1; i <= more; i++) {
    if (s[i] >> 6 != 2)
      more = -1;
    else
      c = c << 6 | (s[i] & 0x3f);
  }
  bool good = more >= 0 && c >= least[more] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
  *len = good ? more + 1 : 1;
  return good ? c : -1;
}

static void print_bytes(FILE *f, const char *s, int n) { fwrite(s, 1, (size_t)n, f); }

void print_escaped(FILE *f, const char *text) {
  for (int len; *text; text += len) {
    int32_t c = character(text, &len);
    if (c < 0 || c < 0x20 || c == 0x7f)
      fprintf(f, "\\x%02x", (unsigned char)*text);
    else if (c >= 0x80 && c < 0xa0)
      fprintf(f, "\\u%04x", (unsigned)c);
    else
      print_bytes(f, text, len);
  }
}

void print_json_string(FILE *f, const char *text) {
  fputc('"', f);
  for (int len; *text; text += len) {
    int32_t c = character(text, &len);
    if (c < 0)
      fputs("\xef\xbf\xbd", f);
    else if (c == '"' || c == '\\')
      fprintf(f, "\\%c", (int)c);
    else if (c < 0x20 || c == 0x7f)
      fprintf(f, "\\u%04x", (unsigned)c);
    else
      print_bytes(f, text, len);
  }
  fputc('"', f);
}
