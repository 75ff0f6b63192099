/* Operations a second over operations a byte: what the rows reach, under what the machine allows. */
#include "bench/report.h"
#include <math.h>
#include <stdio.h>

enum { LEFT = 70, TOP = 34, WIDTH = 440, HEIGHT = 420, LIST = 620, POINTS = 100 };

typedef struct axes {
  double x0, x1, y0, y1; /* decimal logarithms; y downwards from `top` */
  int top;
} axes;

static double clamp(double v, double lo, double hi) { return fmin(fmax(v, lo), hi); }

static double x_of(const axes *a, double v) {
  return (double)LEFT + (double)WIDTH * clamp((log10(v) - a->x0) / (a->x1 - a->x0), 0, 1);
}

static double y_of(const axes *a, double v) {
  return a->top + (double)HEIGHT * (1 - clamp((log10(v) - a->y0) / (a->y1 - a->y0), 0, 1));
}

static double intensity(const bench_row *r) { return r->k->operations / bench_bytes(r); }
static double speed(const bench_row *r, double ms) { return r->k->operations / ms * 1e-6; }

/* A row whose operations the limits can be held against, and that is more than the overhead of a call. */
static bool shown(const bench_row *r) { return r->limit_ms > 1e-4 && r->k->operations > 0; }

static axes find_axes(const bench_table *t, int top) {
  double peak = fmax(t->limits.f32[1], 1); /* slopes are seen over a decade at least */
  axes a = {-1, 2, floor(log10(peak) - 1), ceil(log10(fmax(peak, t->limits.bf16[1])) + 0.05), top};
  for (int i = 0; i < t->nrows; i++) {
    const bench_row *r = &t->rows[i];
    if (!shown(r)) continue;
    a.x0 = fmin(a.x0, floor(log10(intensity(r))));
    a.x1 = fmax(a.x1, ceil(log10(intensity(r))));
    a.y0 = fmin(a.y0, floor(log10(speed(r, r->jit.ms))));
  }
  return a;
}

static void draw_axes(FILE *f, const axes *a) {
  for (double e = a->x0; e <= a->x1; e++)
    fprintf(f,
            "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#dddddd\"/>"
            "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%g</text>\n",
            x_of(a, pow(10, e)), a->top, x_of(a, pow(10, e)), a->top + HEIGHT, x_of(a, pow(10, e)),
            a->top + HEIGHT + 14, pow(10, e));
  for (double e = a->y0; e <= a->y1; e++)
    fprintf(f,
            "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#dddddd\"/>"
            "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n",
            LEFT, y_of(a, pow(10, e)), LEFT + WIDTH, y_of(a, pow(10, e)), LEFT - 6, y_of(a, pow(10, e)) + 4,
            pow(10, e));
  fprintf(f, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">operations a byte</text>\n", LEFT + WIDTH / 2,
          a->top + HEIGHT + 30);
  fprintf(f, "<text transform=\"translate(18 %d) rotate(-90)\" text-anchor=\"middle\">GFLOP/s</text>\n",
          a->top + HEIGHT / 2);
}

/* The slope of a level up to the peak; its name so far along. */
static void draw_level(FILE *f, const axes *a, const char *name, double gbs, double peak, const char *color,
                       double along) {
  double ridge = peak / gbs, from = fmax(pow(10, a->x0), pow(10, a->y0) / gbs);
  if (!(gbs > 0) || !isfinite(gbs) || from >= ridge) return;
  fprintf(f, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x_of(a, from),
          y_of(a, from * gbs), x_of(a, ridge), y_of(a, peak), color);
  double x = x_of(a, from), y = y_of(a, from * gbs), angle = atan2(y_of(a, peak) - y, x_of(a, ridge) - x);
  fprintf(f, "<text transform=\"translate(%.1f %.1f) rotate(%.1f)\" fill=\"%s\" font-size=\"10\">%s %.0f GB/s</text>\n",
          x + along * cos(angle) + 4 * sin(angle), y + along * sin(angle) - 4 * cos(angle), angle * 57.29578, color,
          name, gbs);
}

static void draw_peak(FILE *f, const axes *a, const char *name, double gflops, double gbs) {
  if (!(gflops > 0) || !isfinite(gflops)) return;
  fprintf(f,
          "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#333333\"/>"
          "<text x=\"%d\" y=\"%.1f\" font-size=\"10\">%s %.0f GFLOP/s</text>\n",
          x_of(a, gflops / gbs), y_of(a, gflops), LEFT + WIDTH, y_of(a, gflops), LEFT + WIDTH + 4, y_of(a, gflops) + 4,
          name, gflops);
}

typedef struct place {
  double x, y;
} place;

/* Beside the point, where no other label is. */
static place find_place(const place *taken, int n, double x, double y) {
  static const place around[] = {{10, 4}, {-10, 4}, {0, -8},  {0, 16}, {10, -8},  {-10, -8},  {10, 16}, {-10, 16},
                                 {22, 4}, {-22, 4}, {0, -20}, {0, 28}, {22, -12}, {-22, -12}, {22, 20}, {-22, 20}};
  place best = {x + 10, y + 4};
  for (size_t i = 0; i < sizeof around / sizeof *around; i++) {
    place p = {x + around[i].x, y + around[i].y};
    bool free = true;
    for (int k = 0; k < n; k++) free = free && (fabs(taken[k].x - p.x) > 9 || fabs(taken[k].y - p.y) > 10);
    if (free) return p;
  }
  return best;
}

static void draw_points(FILE *f, const axes *a, const bench_table *t) {
  place taken[2 * POINTS];
  int n = 0, shown_rows = 0, best;
  for (int i = 0; i < t->nrows && n < POINTS; i++) {
    const bench_row *r = &t->rows[i];
    if (!shown(r)) continue;
    double x = x_of(a, intensity(r)), ms = best_peer(t, r, &best);
    if (best >= 0)
      fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"none\" stroke=\"#1f77b4\"/>\n", x,
              y_of(a, speed(r, ms)));
    fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"#d62728\"/>\n", x, y_of(a, speed(r, r->jit.ms)));
    taken[n++] = (place){x, y_of(a, speed(r, r->jit.ms)) + 4};
  }
  for (int i = 0; i < t->nrows && shown_rows < POINTS; i++) {
    const bench_row *r = &t->rows[i];
    if (!shown(r)) continue;
    place at = find_place(taken, n, x_of(a, intensity(r)), y_of(a, speed(r, r->jit.ms)));
    taken[n++] = at;
    fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" font-size=\"10\">%d</text>\n", at.x, at.y,
            ++shown_rows);
    const char *why;
    double share = limit_share(r, &why);
    char reached[64] = "limit unclear";
    if (!why) snprintf(reached, sizeof reached, "%.0f%% of %s", 100 * share, r->limit);
    fprintf(f, "<text x=\"%d\" y=\"%d\" font-size=\"10\">%d: %s %s %s, %s</text>\n", LIST,
            a->top + 10 + 14 * (shown_rows - 1), shown_rows, r->k->op, r->k->shape, tme_dtype_name(r->dtype), reached);
  }
}

void draw_roofline(FILE *f, const bench_table *t, int y) {
  const bench_limits *l = &t->limits;
  axes a = find_axes(t, y + TOP);
  fprintf(
      f,
      "<text x=\"%d\" y=\"%d\" font-size=\"14\">Roofline on %d thread%s: filled tme, hollow the best library</text>\n",
      LEFT, y + 14, l->threads, PLURAL(l->threads));
  draw_axes(f, &a);
  draw_level(f, &a, "L2", l->copy[LEVEL_L2], l->f32[1], "#2ca02c", 24);
  draw_level(f, &a, "L3", l->copy[LEVEL_L3], l->f32[1], "#ff7f0e", 110);
  draw_level(f, &a, "memory", l->copy[LEVEL_MEMORY], l->f32[1], "#9467bd", 200);
  draw_peak(f, &a, "f32", l->f32[1], l->copy[LEVEL_L2]);
  draw_peak(f, &a, "f64", l->f64[1], l->copy[LEVEL_L2]);
  draw_peak(f, &a, "bf16", l->bf16[1], l->copy[LEVEL_L2]);
  draw_points(f, &a, t);
}
