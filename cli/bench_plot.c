/* The table as an SVG picture: a group of bars a row, on a logarithmic scale. */
#include "bench.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>

enum { LEFT = 150, WIDTH = 560, BAR = 12, GAP = 14, TOP = 56 };

typedef struct scale {
  double lo, hi; /* powers of ten, in ms */
} scale;

static double value(const bench_row *r, int series) {
  return series == 0 ? r->ms_plain : series == 1 ? r->ms_jit : r->ms_peer[series - 2];
}

static const char *series_name(const bench_table *t, int series) {
  return series == 0 ? t->plain : series == 1 ? "tme" : t->peers[series - 2];
}

static const char *color(int series) {
  static const char *const colors[] = {"#b0b0b0", "#d62728", "#1f77b4", "#ff7f0e", "#2ca02c",
                                       "#9467bd", "#8c564b", "#e377c2", "#17becf", "#bcbd22"};
  return colors[series % 10];
}

static scale find_scale(const bench_table *t) {
  double lo = (double)INFINITY, hi = 0;
  for (int i = 0; i < t->nrows; i++)
    for (int s = 0; s < t->npeers + 2; s++) {
      double v = value(&t->rows[i], s);
      if (!(v > 0)) continue;
      if (v < lo) lo = v;
      if (v > hi) hi = v;
    }
  if (!(hi > 0)) return (scale){0.1, 1};
  return (scale){pow(10, floor(log10(lo))), pow(10, ceil(log10(hi) + 1e-9))};
}

static double position(const scale *sc, double ms) {
  return LEFT + WIDTH * log10(ms / sc->lo) / log10(sc->hi / sc->lo);
}

static void draw_grid(FILE *f, const scale *sc, int height) {
  for (double x = sc->lo; x <= sc->hi * 1.01; x *= 10)
    fprintf(f,
            "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#dddddd\"/>"
            "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g ms</text>\n",
            position(sc, x), TOP - 4, position(sc, x), height - 20, position(sc, x), height - 6, x);
}

static int draw_row(FILE *f, const bench_table *t, const bench_row *r, const scale *sc, int y) {
  int bars = 0;
  for (int s = 0; s < t->npeers + 2; s++) {
    double v = value(r, s);
    if (!(v > 0)) continue;
    int at = y + BAR * bars++;
    fprintf(f,
            "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>"
            "<text x=\"%.1f\" y=\"%d\" font-size=\"9\">%.3g</text>\n",
            LEFT, at, fmax(position(sc, v) - LEFT, 1), BAR - 2, color(s), fmax(position(sc, v), LEFT) + 4, at + BAR - 4,
            v);
  }
  fprintf(f, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s %s</text>\n", LEFT - 8, y + BAR * bars / 2 + 3, r->k->op,
          r->k->shape);
  return y + BAR * bars + GAP;
}

bool report_plot(const bench_table *t, const char *path) {
  FILE *f = fopen(path, "we");
  if (!f) return false;
  scale sc = find_scale(t);
  int height = TOP + t->nrows * (BAR * (t->npeers + 2) + GAP) + 30, y = TOP;
  fprintf(f,
          "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" "
          "font-size=\"11\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
          "<text x=\"%d\" y=\"18\" font-size=\"14\">tme bench: time of one call, lower is better</text>\n",
          LEFT + WIDTH + 60, height, LEFT);
  for (int s = 0; s < t->npeers + 2; s++)
    fprintf(f, "<rect x=\"%d\" y=\"30\" width=\"10\" height=\"10\" fill=\"%s\"/><text x=\"%d\" y=\"39\">%s</text>\n",
            LEFT + 80 * s, color(s), LEFT + 80 * s + 14, series_name(t, s));
  draw_grid(f, &sc, height);
  for (int i = 0; i < t->nrows; i++) y = draw_row(f, t, &t->rows[i], &sc, y);
  fprintf(f, "</svg>\n");
  bool written = !ferror(f);
  int why = errno;
  bool closed = fclose(f) == 0;
  if (!written) errno = why;
  return written && closed;
}
