/* Arrays as text. */
#include "print.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DECIMALS = 8, LINE = 100, CELL = 64, COMPLEX_CELL = 2 * CELL + 2 };

static bool is_float(tme_dtype t) { return tme_dtype_kind(t) == 'f'; }
static bool is_complex(tme_dtype t) { return tme_dtype_kind(t) == 'c'; }

bool view_of(tme_scope *s, tme_array *a, bool shortened, view *out) {
  tme_dtype t = tme_array_dtype(a);
  bool narrow = is_float(t) && tme_dtype_size(t) < sizeof(float);
  tme_array *wide = narrow ? tme_astype(s, a, TME_F32) : a;
  if (!wide) return false;
  *out = (view){.data = tme_data(s, wide),
                .dtype = tme_array_dtype(wide),
                .printed = t,
                .rank = tme_array_rank(a),
                .shape = tme_array_shape(a),
                .shortened = shortened};
  return out->data != NULL;
}

static bool cut(const view *v, int axis) { return v->shortened && v->shape[axis] > 2 * VIEW_EDGE; }

bool view_skips(const view *v, int axis, int64_t i) { return cut(v, axis) && i == VIEW_EDGE - 1; }

int64_t view_next(const view *v, int axis, int64_t i) {
  return view_skips(v, axis, i) ? v->shape[axis] - VIEW_EDGE : i + 1;
}

void print_shape(FILE *f, int rank, const int64_t *shape) {
  fputc('(', f);
  for (int i = 0; i < rank; i++) fprintf(f, "%s%" PRId64, i ? ", " : "", shape[i]);
  fputs(rank == 1 ? ",)" : ")", f);
}

void shortest_decimal(double x, bool single, char out[static NUMBER_TEXT]) {
  for (int digits = single ? 6 : 15; digits <= 17; digits++) {
    snprintf(out, NUMBER_TEXT, "%.*g", digits, x);
    if (single ? strtof(out, NULL) == (float)x : strtod(out, NULL) == x) return;
  }
}

/* ---- how the floating elements of one array are written ----------------------------------------------------------*/

typedef struct style {
  bool exponent, single;
  int decimals, width; /* decimals: what the element that needs most of them needs */
} style;

static bool is_single(const view *v) {
  return tme_dtype_size(v->dtype) == (is_complex(v->dtype) ? 2 : 1) * sizeof(float);
}

/* Element i, or part 0 or 1 of a complex one. */
static double real_element(const view *v, int64_t i, int part) {
  if (is_complex(v->dtype)) i = 2 * i + part;
  return is_single(v) ? (double)((const float *)v->data)[i] : ((const double *)v->data)[i];
}

/* Those that its digits have, and one. */
static int max_decimals(tme_dtype printed) {
  int decimals = 1 + (int)((1 - log2(tme_dtype_epsilon(printed))) * 0.30103);
  return decimals < MAX_DECIMALS ? decimals : MAX_DECIMALS;
}

/* Decimals that x needs to read back as itself, at most `most`. */
static int needed_decimals(double x, bool single, bool exponent, int most) {
  char text[CELL];
  for (int d = 0; d < most; d++) {
    snprintf(text, sizeof text, exponent ? "%.*e" : "%.*f", d, x);
    if (single ? strtof(text, NULL) == (float)x : strtod(text, NULL) == x) return d;
  }
  /* cut off: without the zeros at the end */
  snprintf(text, sizeof text, "%.*f", most, x);
  for (size_t n = strlen(text); !exponent && most > 0 && text[n - 1] == '0'; n--) most--;
  return most;
}

/* In the fixed form each element has the decimals that it needs, then blanks: points stand below points. */
static void write_float(char out[static CELL], double x, const style *st) {
  if (isnan(x)) {
    snprintf(out, CELL, "nan");
  } else if (isinf(x)) {
    snprintf(out, CELL, x < 0 ? "-inf" : "inf");
  } else if (st->exponent) {
    snprintf(out, CELL, "%.*e", st->decimals, x);
  } else {
    int d = needed_decimals(x, st->single, false, st->decimals);
    snprintf(out, CELL, "%.*f%s", d, x, d ? "" : ".");
    snprintf(out + strlen(out), CELL - strlen(out), "%*s", st->decimals - d, "");
  }
}

typedef struct survey {
  double largest, smallest; /* magnitudes of the finite ones beside 0 */
  style st;
  int pass;
} survey;

/* An element that is no float, in two's complement. */
static uint64_t whole_element(const view *v, int64_t i) {
  size_t size = tme_dtype_size(v->dtype);
  uint64_t bits = 0, sign = (uint64_t)1 << (8 * size - 1);
  memcpy(&bits, (const char *)v->data + i * (int64_t)size, size);
  return tme_dtype_kind(v->dtype) == 'i' ? (bits ^ sign) - sign : bits;
}

static void write_element(const view *v, int64_t i, const style *st, char out[static COMPLEX_CELL]) {
  switch (tme_dtype_kind(v->dtype)) {
  case 'b': snprintf(out, CELL, "%s", whole_element(v, i) ? "True" : "False"); return;
  case 'u': snprintf(out, CELL, "%" PRIu64, whole_element(v, i)); return;
  case 'i': snprintf(out, CELL, "%" PRId64, (int64_t)whole_element(v, i)); return;
  default: break;
  }
  char real[CELL], imaginary[CELL];
  write_float(real, real_element(v, i, 0), st);
  if (is_float(v->dtype)) {
    snprintf(out, CELL, "%s", real);
    return;
  }
  write_float(imaginary, real_element(v, i, 1), st);
  real[strcspn(real, " ")] = imaginary[strcspn(imaginary, " ")] = '\0';
  snprintf(out, COMPLEX_CELL, "%s%s%sj", real, imaginary[0] == '-' ? "" : "+", imaginary);
}

/* One look at a displayed element: pass 0 finds magnitudes, 1 decimals, 2 the width. */
static void look(const view *v, int64_t i, survey *sv) {
  char text[COMPLEX_CELL];
  if (sv->pass == 2) {
    write_element(v, i, &sv->st, text);
    if ((int)strlen(text) > sv->st.width) sv->st.width = (int)strlen(text);
    return;
  }
  for (int part = 0; part <= is_complex(v->dtype); part++) {
    double x = real_element(v, i, part), magnitude = fabs(x);
    if (!isfinite(x) || x == 0) continue;
    if (sv->pass == 0) {
      if (magnitude > sv->largest) sv->largest = magnitude;
      if (magnitude < sv->smallest) sv->smallest = magnitude;
    } else {
      int d = needed_decimals(x, sv->st.single, sv->st.exponent, max_decimals(v->printed));
      if (d > sv->st.decimals) sv->st.decimals = d;
    }
  }
}

static void walk(const view *v, int axis, int64_t at, survey *sv) {
  if (axis == v->rank) {
    look(v, at, sv);
    return;
  }
  for (int64_t i = 0; i < v->shape[axis]; i = view_next(v, axis, i)) walk(v, axis + 1, at * v->shape[axis] + i, sv);
}

static style choose_style(const view *v) {
  survey sv = {.smallest = (double)INFINITY};
  sv.st.single = is_single(v);
  if (is_float(v->dtype) || is_complex(v->dtype)) {
    walk(v, 0, 0, &sv);
    sv.st.exponent = sv.largest >= 1e8 || sv.smallest < 1e-4;
    sv.pass = 1;
    walk(v, 0, 0, &sv);
  }
  sv.pass = 2;
  walk(v, 0, 0, &sv);
  return sv.st;
}

static void print_axis(FILE *f, const view *v, int axis, int64_t at, const style *st) {
  char text[COMPLEX_CELL];
  if (axis == v->rank) {
    write_element(v, at, st, text);
    fprintf(f, "%*s", v->rank ? st->width : 0, text);
    return;
  }
  bool last = axis == v->rank - 1;
  int column = axis + 1;
  fputc('[', f);
  for (int64_t i = 0; i < v->shape[axis]; i = view_next(v, axis, i)) {
    if (i > 0 && last) {
      column += 1 + st->width;
      if (column > LINE) {
        fprintf(f, "\n%*s", axis + 1, "");
        column = axis + 1 + st->width;
      } else {
        fputc(' ', f);
      }
    } else if (i > 0) {
      /* a blank line between matrices, as many as there are axes below them */
      for (int k = axis + 1; k < v->rank; k++) fputc('\n', f);
      fprintf(f, "%*s", axis + 1, "");
    }
    print_axis(f, v, axis + 1, at * v->shape[axis] + i, st);
    if (!view_skips(v, axis, i)) continue;
    if (last) {
      fputs(" ...", f);
      column += 4;
    } else {
      fprintf(f, "\n%*s...", axis + 1, "");
    }
  }
  fputc(']', f);
}

void print_text(FILE *f, const view *v) {
  style st = choose_style(v);
  print_axis(f, v, 0, 0, &st);
  fputc('\n', f);
}

/* ---- JSON --------------------------------------------------------------------------------------------------------*/

static void json_number(FILE *f, double x, bool single) {
  char text[NUMBER_TEXT];
  if (isnan(x) || isinf(x)) {
    fputs(isnan(x) ? "\"nan\"" : x < 0 ? "\"-inf\"" : "\"inf\"", f);
    return;
  }
  shortest_decimal(x, single, text);
  fputs(text, f);
  if (!strpbrk(text, ".e")) fputs(".0", f); /* floating, for readers that tell them apart */
}

static void json_element(FILE *f, const view *v, int64_t i) {
  char text[COMPLEX_CELL];
  bool single = is_single(v);
  if (is_float(v->dtype)) {
    json_number(f, real_element(v, i, 0), single);
  } else if (is_complex(v->dtype)) {
    fputc('[', f);
    json_number(f, real_element(v, i, 0), single);
    fputs(", ", f);
    json_number(f, real_element(v, i, 1), single);
    fputc(']', f);
  } else if (v->dtype == TME_BOOL) {
    fputs(whole_element(v, i) ? "true" : "false", f);
  } else {
    write_element(v, i, NULL, text);
    fputs(text, f);
  }
}

static void json_axis(FILE *f, const view *v, int axis, int64_t at) {
  if (axis == v->rank) {
    json_element(f, v, at);
    return;
  }
  fputc('[', f);
  for (int64_t i = 0; i < v->shape[axis]; i = view_next(v, axis, i)) {
    if (i > 0) fputs(", ", f);
    json_axis(f, v, axis + 1, at * v->shape[axis] + i);
    if (view_skips(v, axis, i)) fputs(", \"...\"", f);
  }
  fputc(']', f);
}

void print_json(FILE *f, const view *v) { json_axis(f, v, 0, 0); }
