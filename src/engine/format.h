/* Numbers as text, for arrays as text. */
#ifndef TME_FORMAT_H
#define TME_FORMAT_H

#include "base/base.h"

/* Room for a part of a number, and for an element. */
enum { FORMAT_NUMBER = 512, FORMAT_CELL = 2 * FORMAT_NUMBER + 8, FORMAT_DECIMALS = 400 };

/* How the floating numbers of one column are written. */
typedef struct format_column {
  tme_dtype dtype;          /* real */
  bool plus;                /* what is not negative has a sign, too */
  bool exponent;            /* 1.5e+08 */
  int most, decimals;       /* behind the point: the most that are wanted, and those that there are */
  int left, right;          /* columns before and behind the point */
  int exponent_digits;      /* of the longest */
  int special;              /* columns of the longest that is not finite */
  double largest, smallest; /* magnitudes of the finite ones beside 0 */
} format_column;

/* How the elements of an array are written. Each of them is looked at in FORMAT_PASSES passes; format_decide ends a pass. */
typedef struct format_form {
  tme_format_style style;
  tme_dtype dtype;
  bool ranked, suppress;
  format_column part[2]; /* of real and imaginary parts; both are in the first one but in NumPy's style */
  int width;             /* of the widest element; 0 where there is but one, without dimensions */
} format_form;

enum { FORMAT_PASSES = 3 };

format_form format_begin(tme_dtype t, int rank, const tme_format *how);
void format_look(format_form *f, int pass, const void *element);
void format_decide(format_form *f, int pass);
/* Without blanks before it. */
void format_element(const format_form *f, const void *element, char out[static FORMAT_CELL]);

/* Whether a text is read as x, where it is read as a number of t. */
bool format_reads_as(const char *text, double x, tme_dtype t);

/* ---- columns as NumPy has them (format_numpy.c) -------------------------------------------------------------------- */

void format_numpy_look(format_column *c, int pass, double x);
void format_numpy_decide(format_column *c, int pass, bool suppress);
void format_numpy_number(const format_column *c, double x, char out[static FORMAT_NUMBER]);

#endif
