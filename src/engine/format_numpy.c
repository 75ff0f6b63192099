/* Floating numbers in NumPy's style: as few digits as tell the number from others of its dtype, all of a column as wide, points
 * below points. */
#include "base/convert.h"
#include "engine/format.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int max_int(int a, int b) { return a > b ? a : b; }

/* The decimal digits that every number of t keeps, and those that tell all of its numbers apart. */
static int kept_digits(tme_dtype t) { return (int)((dtype_get(t)->digits - 1) * 0.30103); }
static int telling_digits(tme_dtype t) { return 2 + (int)(dtype_get(t)->digits * 0.30103); }

/* x as t rounds it. */
static double rounded(double x, tme_dtype t) {
  uint64_t bits;
  convert_run(TME_F64, &x, 1, t, &bits, 1, 1);
  convert_run(t, &bits, 1, TME_F64, &x, 1, 1);
  return x;
}

static void drop_zeros(char *word) {
  for (size_t n = strlen(word); n && word[n - 1] == '0';) word[--n] = '\0';
}

/* The numbers below a power of two are closer than those above, so that the decimal that is next to it may be read as one below,
 * and the decimal after that as the power. Takes that one if it is. */
static bool next_reads_as(char *word, double x, tme_dtype t) {
  int power;
  char next[FORMAT_NUMBER];
  if (frexp(x, &power) != 0.5) return false;
  strcpy(next, word);
  for (char *digit = strchr(next, 'e'); digit-- > next;) {
    if (*digit == '.') continue;
    bool carry = *digit == '9';
    *digit = carry ? '0' : (char)(*digit + 1);
    if (!carry) break;
  }
  if (!format_reads_as(next, x, t)) return false;
  strcpy(word, next);
  return true;
}

/* The shortest decimal that is read as x, a finite magnitude, as "%e" writes it; zeros may be behind it. */
static void shortest(double x, tme_dtype t, char word[static FORMAT_NUMBER]) {
  int most = telling_digits(t), n = x < tme_dtype_smallest_normal(t) ? 1 : kept_digits(t);
  do snprintf(word, FORMAT_NUMBER, "%.*e", n - 1, x);
  while (n++ < most && !format_reads_as(word, x, t) && !next_reads_as(word, x, t));
}

/* "1.250e-05" cut into its digits, without zeros behind them, and the exponent of the first one. */
static int take_apart(char *word) {
  char *e = strchr(word, 'e'), *point = strchr(word, '.');
  int exponent = atoi(e + 1);
  *e = '\0';
  if (point) memmove(point, point + 1, strlen(point));
  drop_zeros(word + 1);
  return exponent;
}

/* "1.", "-0.25" */
static void write_fixed(char out[static FORMAT_NUMBER], const format_column *c, double x) {
  char digits[FORMAT_NUMBER];
  shortest(fabs(x), c->dtype, digits);
  int whole = take_apart(digits) + 1, n = (int)strlen(digits);
  if (signbit(x)) *out++ = '-';
  if (n - whole <= c->most) {
    for (int i = whole < 1 ? whole - 1 : 0; i < n || i < whole; i++) {
      *out++ = i >= 0 && i < n ? digits[i] : '0';
      if (i == whole - 1) *out++ = '.';
    }
    *out = '\0';
  } else {
    snprintf(out, FORMAT_NUMBER - 1, c->most ? "%.*f" : "%.*f.", c->most, fabs(x));
    drop_zeros(strchr(out, '.'));
  }
}

/* "1.e+08", "-2.50e-100": the digits of numbers that have fewer are not zeros, but those that come next. */
static void write_exponent(char out[static FORMAT_NUMBER], const format_column *c, double x) {
  if (signbit(x)) *out++ = '-';
  shortest(fabs(x), c->dtype, out);
  if (strcspn(out, "e") != (size_t)c->decimals + 2) snprintf(out, FORMAT_NUMBER - 1, "%.*e", c->decimals, fabs(x));
  char *e = strchr(out, 'e');
  int exponent = atoi(e + 1);
  snprintf(e, FORMAT_NUMBER - 1 - (size_t)(e - out), "%se%c%0*d", c->decimals ? "" : ".", exponent < 0 ? '-' : '+',
           c->exponent_digits, abs(exponent));
}

static const char *sign_of(const format_column *c, double x) { return c->plus && (isnan(x) || !signbit(x)) ? "+" : ""; }

static void see_digits(format_column *c, double x) {
  char word[FORMAT_NUMBER];
  int sign = c->plus || signbit(x);
  if (!isfinite(x)) {
    return;
  } else if (c->exponent) {
    shortest(fabs(x), c->dtype, word);
    int exponent = take_apart(word);
    if ((int)strlen(word) - 1 > c->most) {
      snprintf(word, sizeof word, "%.*e", c->most, fabs(x));
      exponent = take_apart(word);
    }
    c->decimals = max_int(c->decimals, (int)strlen(word) - 1);
    c->exponent_digits = max_int(c->exponent_digits, snprintf(word, sizeof word, "%02d", abs(exponent)));
    c->left = max_int(c->left, 1 + sign);
    c->right = c->decimals + 2 + c->exponent_digits;
  } else {
    write_fixed(word, c, fabs(x));
    int left = (int)strcspn(word, ".");
    c->left = max_int(c->left, left + sign);
    c->right = max_int(c->right, (int)strlen(word) - left - 1);
  }
}

void format_numpy_look(format_column *c, int pass, double x) {
  double magnitude = fabs(x);
  if (pass == 1) {
    see_digits(c, x);
  } else if (!isfinite(x)) {
    c->special = max_int(c->special, 3 + (c->plus || (isinf(x) && x < 0)));
  } else if (x != 0) {
    c->largest = fmax(c->largest, magnitude);
    c->smallest = fmin(c->smallest, magnitude);
  }
}

/* Large numbers, small ones, and those of a wide range have exponents. The limits are numbers of the dtype. */
static bool wants_exponent(const format_column *c, bool suppress) {
  int kept = kept_digits(c->dtype);
  if (c->largest == 0) return false;
  if (c->largest >= pow(10, kept < 8 ? kept : 8)) return true;
  return !suppress && (c->smallest < rounded(1e-4, c->dtype) || rounded(c->largest / c->smallest, c->dtype) > 1000);
}

void format_numpy_decide(format_column *c, int pass, bool suppress) {
  if (pass == 0)
    c->exponent = wants_exponent(c, suppress);
  else
    c->left = max_int(c->left, c->special - c->right - 1);
}

void format_numpy_number(const format_column *c, double x, char out[static FORMAT_NUMBER]) {
  char word[FORMAT_NUMBER];
  const char *sign = sign_of(c, x);
  if (!isfinite(x)) {
    snprintf(word, sizeof word, "%s%s", sign, isnan(x) ? "nan" : x < 0 ? "-inf" : "inf");
    snprintf(out, FORMAT_NUMBER, "%*s", c->left + c->right + 1, word);
    return;
  }
  if (c->exponent)
    write_exponent(word, c, x);
  else
    write_fixed(word, c, x);
  int left = (int)(strlen(sign) + strcspn(word, ".")), right = (int)strlen(strchr(word, '.')) - 1;
  size_t n = (size_t)snprintf(out, FORMAT_NUMBER, "%*s%s", c->left - left, "", sign);
  strcpy(out + n, word);
  n += strlen(word);
  snprintf(out + n, FORMAT_NUMBER - n, "%*s", c->right - right, "");
}
