/* The table as an SVG picture: a group of bars a row, on a logarithmic scale, and a roofline below. */
#include "bench/report.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LEFT = 250, WIDTH = 620, BAR = 12, GAP = 12, TOP = 76 };

typedef struct scale {
  double lo, hi; /* powers of ten, in ms */
} scale;

static double value(const bench_row *r, int series) {
  return series == 0 ? r->plain.ms : series == 1 ? r->jit.ms : r->peer[series - 2].ms;
}

static const char *series_name(const bench_table *t, int series) {
  return series == 0 ? t->plain : series == 1 ? "tme" : t->peers[series - 2].name;
}

static const char *color(int series) {
  static const char *const colors[] = {"#b0b0b0", "#d62728", "#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd",
                                       "#8c564b", "#e377c2", "#17becf", "#bcbd22", "#393b79", "#637939"};
  return colors[series % 12];
}

/* Somebody has a bar there. */
static bool present(const bench_table *t, int series) {
  for (int i = 0; i < t->nrows; i++)
    if (value(&t->rows[i], series) > 0) return true;
  return false;
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
  return (double)LEFT + (double)WIDTH * log10(ms / sc->lo) / log10(sc->hi / sc->lo);
}

static void draw_grid(FILE *f, const scale *sc, int bottom) {
  for (double x = sc->lo; x <= sc->hi * 1.01; x *= 10) {
    bool tiny = x < 0.99e-3, small = x < 0.99;
    double at = position(sc, x), shown = x * (tiny ? 1e6 : small ? 1e3 : 1);
    for (int end = 0; end < 2; end++)
      fprintf(f, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0f %s</text>\n", at, end ? bottom + 14 : TOP - 10,
              shown,
              tiny    ? "ns"
              : small ? "µs"
                      : "ms");
    fprintf(f, "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#dddddd\"/>\n", at, TOP - 4, at, bottom);
  }
}

static int bars_of(const bench_table *t, const bench_row *r) {
  int bars = 0;
  for (int s = 0; s < t->npeers + 2; s++) bars += value(r, s) > 0;
  return bars;
}

static int draw_row(FILE *f, const bench_table *t, const bench_row *r, const scale *sc, int y) {
  int bars = bars_of(t, r), at = y;
  for (int s = 0; s < t->npeers + 2; s++) {
    double v = value(r, s);
    if (!(v > 0)) continue;
    fprintf(f,
            "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>"
            "<text x=\"%.1f\" y=\"%d\" font-size=\"9\">%.*f</text>\n",
            LEFT, at, fmax(position(sc, v) - (double)LEFT, 1), BAR - 2, color(s),
            fmax(position(sc, v), (double)LEFT) + 4, at + BAR - 4, (int)fmax(0, 2 - floor(log10(v))), v);
    at += BAR;
  }
  fprintf(f, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s %s%s%s</text>\n", LEFT - 8, y + BAR * bars / 2 + 3,
          r->k->op, r->k->shape, r->dtype == TME_F32 ? "" : " ", r->dtype == TME_F32 ? "" : tme_dtype_name(r->dtype));
  return at + GAP;
}

static void draw_legend(FILE *f, const bench_table *t) {
  int x = LEFT;
  for (int s = 0; s < t->npeers + 2; s++) {
    if (!present(t, s)) continue;
    fprintf(f, "<rect x=\"%d\" y=\"30\" width=\"10\" height=\"10\" fill=\"%s\"/><text x=\"%d\" y=\"39\">%s</text>\n", x,
            color(s), x + 14, series_name(t, s));
    x += 34 + 7 * (int)strlen(series_name(t, s));
  }
}

static void draw(FILE *f, const bench_table *t) {
  enum { ROOFLINE = 560 };
  scale sc = find_scale(t);
  int bottom = TOP;
  for (int i = 0; i < t->nrows; i++) bottom += BAR * bars_of(t, &t->rows[i]) + GAP;
  fprintf(
      f,
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" "
      "font-size=\"11\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
      "<text x=\"%d\" y=\"18\" font-size=\"14\">tme bench: time of one call (numbers: ms), lower is better</text>\n",
      LEFT + WIDTH + 60, bottom + ROOFLINE, LEFT);
  draw_legend(f, t);
  draw_grid(f, &sc, bottom);
  int y = TOP;
  for (int i = 0; i < t->nrows; i++) y = draw_row(f, t, &t->rows[i], &sc, y);
  draw_roofline(f, t, bottom + 40);
  fprintf(f, "</svg>\n");
}

bool report_plot(const bench_table *t, const char *path) {
  FILE *f = fopen(path, "we");
  if (!f) return false;
  draw(f, t);
  bool written = !ferror(f);
  int why = errno;
  bool closed = fclose(f) == 0;
  if (!written) errno = why;
  return written && closed;
}
