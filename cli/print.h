/* Arrays as text and as JSON. */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include "tme/tme.h"
#include <stdio.h>

/* The elements of an array as the printers read them: 16-bit floats widened to f32. */
typedef struct view {
  const void *data;
  tme_dtype dtype;   /* of `data` */
  tme_dtype printed; /* of the array */
  int rank;
  const int64_t *shape;
  bool shortened; /* only the first and last EDGE of each axis */
} view;

enum { VIEW_EDGE = 3, VIEW_MANY = 1000 };

/* Evaluates and reads. False with the error in the scope. */
bool view_of(tme_scope *s, tme_array *a, bool shortened, view *out);
/* The next place to print after `i` of an axis: skips the middle of a shortened one. */
int64_t view_next(const view *v, int axis, int64_t i);
bool view_skips(const view *v, int axis, int64_t i);

/* "(3, 4)", "(3,)", "()" */
void print_shape(FILE *f, int rank, const int64_t *shape);
/* As NumPy's str(): brackets, columns, "..." for what is left out. */
void print_text(FILE *f, const view *v);
/* Nested lists; NaN and infinities as texts, complex numbers as [real, imaginary], what is left out as "...". */
void print_json(FILE *f, const view *v);
/* Room for any double. */
enum { NUMBER_TEXT = 400 };
/* The shortest decimal that reads back as the same f64 (f32, if `single`). */
void shortest_decimal(double x, bool single, char out[static NUMBER_TEXT]);

/* A text that somebody gave: control characters and what is not UTF-8 as escapes, so that nothing steers a terminal. */
void print_escaped(FILE *f, const char *text);
/* The same as a JSON string, where JSON has the escapes; what is not UTF-8 becomes U+FFFD. */
void print_json_string(FILE *f, const char *text);

#endif
