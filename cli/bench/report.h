/* What comes out: report.c, plot.c, roofline.c. */
#ifndef CLI_BENCH_REPORT_H
#define CLI_BENCH_REPORT_H

#include "bench/table.h"
#include <stdio.h>

double bench_bytes(const bench_row *r);
/* The fastest library of arrays, whose place is in *peer; -1 and NAN if there is none. */
double best_peer(const bench_table *t, const bench_row *r, int *peer);
void report_header(const bench_table *t);
void report_row(const bench_table *t, const bench_row *r);
void report_hash(const bench_row *r);
/* The limits, which are known best when all is done. */
void report_limits(const bench_table *t);
/* The share of the limit that a row reaches. NAN: none, or one that cannot be, above 110 %: then *why says so. */
double limit_share(const bench_row *r, const char **why);
bool report_json(const bench_table *t);
/* Bars on a logarithmic scale, and a roofline. False with errno. */
bool report_plot(const bench_table *t, const char *path);
/* The roofline as SVG, its top at y. */
void draw_roofline(FILE *f, const bench_table *t, int y);

#endif
