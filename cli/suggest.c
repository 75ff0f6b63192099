/* "did you mean": the candidate at the smallest edit distance. */
#include "eval.h"
#include <stdio.h>
#include <string.h>

enum { LONGEST = 40 };

/* Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
static int distance(const char *a, size_t n, const char *b, size_t m) {
  int d[LONGEST + 1][LONGEST + 1];
  if (n > LONGEST || m > LONGEST) return LONGEST;
  for (size_t i = 0; i <= n; i++) d[i][0] = (int)i;
  for (size_t j = 0; j <= m; j++) d[0][j] = (int)j;
  for (size_t i = 1; i <= n; i++)
    for (size_t j = 1; j <= m; j++) {
      int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
      if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
        best = d[i - 2][j - 2] + 1;
      d[i][j] = best;
    }
  return d[n][m];
}

void suggest_begin(suggestion *s, const char *word, size_t len) {
  /* A third of the letters may be wrong, but never all. */
  *s = (suggestion){.word = word, .len = len, .distance = len < 3 ? 1 : (int)len / 3 + 1};
}

void suggest_offer(suggestion *s, const char *candidate, size_t len) {
  int d = distance(s->word, s->len, candidate, len);
  if (d >= s->distance + (s->best[0] ? 0 : 1) || (size_t)d >= s->len || len >= sizeof s->best) return;
  s->distance = d;
  memcpy(s->best, candidate, len);
  s->best[len] = '\0';
}

void suggest_operations(suggestion *s) {
  for (int i = 0; i < tme_op_count(); i++) suggest_offer(s, tme_op_get(i)->name, strlen(tme_op_get(i)->name));
}

const char *suggest_text(suggestion *s) {
  static char text[100];
  if (!s->best[0]) return "";
  snprintf(text, sizeof text, "; did you mean '%s'?", s->best);
  return text;
}
