/* Elements as text. */
#include "base/convert.h"
#include "engine/format.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_floating(tme_dtype t) { return dtype_is_float(t) || dtype_is_complex(t); }
static int parts(tme_dtype t) { return dtype_is_complex(t) ? 2 : 1; }

static double part_of(tme_dtype t, const void *element, int part) {
  tme_dtype real = dtype_real(t);
  double x;
  convert_run(real, (const char *)element + (size_t)part * tme_dtype_size(real), 1, TME_F64, &x, 1, 1);
  return x;
}

bool format_reads_as(const char *word, double x, tme_dtype t) {
  if (t == TME_F32) return strtof(word, NULL) == (float)x;
  double read = strtod(word, NULL);
  uint64_t bits;
  convert_run(TME_F64, &read, 1, t, &bits, 1, 1);
  return part_of(t, &bits, 0) == x;
}

/* ---- columns whose numbers have as many decimals as they need ------------------------------------------------------ */

/* Those that the digits of t have, and one. */
static int max_decimals(tme_dtype t, int most) {
  int decimals = 1 + (int)((1 - log2(tme_dtype_epsilon(t))) * 0.30103);
  return decimals < most ? decimals : most;
}

/* Decimals that x needs to read back as itself, at most `most`. */
static int needed_decimals(const format_column *c, double x, int most) {
  char word[FORMAT_NUMBER];
  for (int d = 0; d < most; d++) {
    snprintf(word, sizeof word, c->exponent ? "%.*e" : "%.*f", d, x);
    if (format_reads_as(word, x, c->dtype)) return d;
  }
  /* cut off: without the zeros at the end */
  if (c->exponent) return most;
  snprintf(word, sizeof word, "%.*f", most, x);
  for (size_t n = strlen(word); most > 0 && word[n - 1] == '0'; n--) most--;
  return most;
}

static void look_at_magnitude(format_column *c, double x) {
  if (!isfinite(x) || x == 0) return;
  c->largest = fmax(c->largest, fabs(x));
  c->smallest = fmin(c->smallest, fabs(x));
}

static void look_at_decimals(format_column *c, double x) {
  if (!isfinite(x) || x == 0) return;
  int d = needed_decimals(c, x, c->most);
  if (d > c->decimals) c->decimals = d;
}

/* In the fixed form each element has the decimals that it needs, then blanks: points stand below points. */
static void write_number(const format_column *c, double x, char out[static FORMAT_NUMBER]) {
  if (!isfinite(x)) {
    snprintf(out, FORMAT_NUMBER, isnan(x) ? "nan" : x < 0 ? "-inf" : "inf");
  } else if (c->exponent) {
    snprintf(out, FORMAT_NUMBER, "%.*e", c->decimals, x);
  } else {
    int d = needed_decimals(c, x, c->decimals);
    snprintf(out, FORMAT_NUMBER, "%.*f%s%*s", d, x, d ? "" : ".", c->decimals - d, "");
  }
}

/* ---- JSON ---------------------------------------------------------------------------------------------------------- */

/* The shortest that reads back as x; floating, for readers that tell them apart. */
static void write_json(const format_column *c, double x, char out[static FORMAT_NUMBER]) {
  if (!isfinite(x)) {
    snprintf(out, FORMAT_NUMBER, isnan(x) ? "\"nan\"" : x < 0 ? "\"-inf\"" : "\"inf\"");
    return;
  }
  int digits = c->dtype == TME_F32 ? 6 : 15;
  do snprintf(out, FORMAT_NUMBER, "%.*g", digits, x);
  while (digits++ < 17 && !format_reads_as(out, x, c->dtype));
  if (!strpbrk(out, ".e")) strcat(out, ".0");
}

/* ---- elements ------------------------------------------------------------------------------------------------------ */

format_form format_begin(tme_dtype t, int rank, const tme_format *how) {
  format_form f = {.style = how->style, .dtype = t, .ranked = rank > 0, .suppress = how->suppress};
  bool numpy = f.style == TME_FORMAT_NUMPY;
  for (int i = 0; is_floating(t) && i < 2; i++) {
    int most = how->precision < FORMAT_DECIMALS ? how->precision : FORMAT_DECIMALS;
    f.part[i] = (format_column){.smallest = (double)INFINITY,
                                .dtype = numpy ? dtype_real(t) : dtype_held(t),
                                .most = numpy ? most : max_decimals(t, most),
                                .plus = i == 1};
  }
  if (numpy && rank && t == TME_BOOL) f.width = (int)strlen("False");
  return f;
}

void format_look(format_form *f, int pass, const void *element) {
  bool numpy = f->style == TME_FORMAT_NUMPY, floating = is_floating(f->dtype);
  if (pass < FORMAT_PASSES - 1) {
    for (int part = 0; floating && part < parts(f->dtype); part++) {
      double x = part_of(f->dtype, element, part);
      if (numpy)
        format_numpy_look(&f->part[part], pass, x);
      else
        (pass ? look_at_decimals : look_at_magnitude)(&f->part[0], x);
    }
  } else if (!(numpy && floating)) { /* whose columns are known */
    char word[FORMAT_CELL];
    format_element(f, element, word);
    int width = (int)strlen(word);
    if (f->ranked && width > f->width) f->width = width;
  }
}

void format_decide(format_form *f, int pass) {
  if (!is_floating(f->dtype)) return;
  if (f->style != TME_FORMAT_NUMPY) {
    if (pass == 0) f->part[0].exponent = f->part[0].largest >= 1e8 || f->part[0].smallest < 1e-4;
  } else if (pass < FORMAT_PASSES - 1) {
    f->width = dtype_is_complex(f->dtype) ? (int)strlen("j") : 0;
    for (int part = 0; part < parts(f->dtype); part++) {
      format_column *c = &f->part[part];
      format_numpy_decide(c, pass, f->suppress);
      f->width += c->left + 1 + c->right;
    }
  }
}

static void write_part(const format_form *f, const void *element, int part, char out[static FORMAT_NUMBER]) {
  double x = part_of(f->dtype, element, part);
  switch (f->style) {
  case TME_FORMAT_NUMPY: format_numpy_number(&f->part[part], x, out); return;
  case TME_FORMAT_JSON: write_json(&f->part[0], x, out); return;
  default: write_number(&f->part[0], x, out); return;
  }
}

static void write_complex(const format_form *f, const void *element, char out[static FORMAT_CELL]) {
  char real[FORMAT_NUMBER], imaginary[FORMAT_NUMBER + 1];
  write_part(f, element, 0, real);
  write_part(f, element, 1, imaginary);
  if (f->style == TME_FORMAT_JSON) {
    snprintf(out, FORMAT_CELL, "[%s, %s]", real, imaginary);
  } else if (f->style == TME_FORMAT_NUMPY) {
    int n = (int)strlen(imaginary);
    while (n && imaginary[n - 1] == ' ') n--;
    memmove(imaginary + n + 1, imaginary + n, strlen(imaginary + n) + 1);
    imaginary[n] = 'j';
    snprintf(out, FORMAT_CELL, "%s%s", real, imaginary);
  } else {
    real[strcspn(real, " ")] = imaginary[strcspn(imaginary, " ")] = '\0';
    snprintf(out, FORMAT_CELL, "%s%s%sj", real, imaginary[0] == '-' ? "" : "+", imaginary);
  }
}

void format_element(const format_form *f, const void *element, char out[static FORMAT_CELL]) {
  int64_t i;
  uint64_t u;
  switch (dtype_get(f->dtype)->kind) {
  case KIND_BOOL:
    snprintf(out, FORMAT_CELL,
             f->style != TME_FORMAT_JSON ? *(const char *)element ? "True" : "False"
             : *(const char *)element    ? "true"
                                         : "false");
    break;
  case KIND_UNSIGNED:
    convert_run(f->dtype, element, 1, TME_U64, &u, 1, 1);
    snprintf(out, FORMAT_CELL, "%" PRIu64, u);
    break;
  case KIND_SIGNED:
    convert_run(f->dtype, element, 1, TME_I64, &i, 1, 1);
    snprintf(out, FORMAT_CELL, "%" PRId64, i);
    break;
  case KIND_FLOAT: write_part(f, element, 0, out); break;
  case KIND_COMPLEX: write_complex(f, element, out); break;
  }
}
