/* Texts for people and as JSON. */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include <stdint.h>
#include <stdio.h>

/* "(3, 4)", "(3,)", "()" */
void print_shape(FILE *f, int rank, const int64_t *shape);
/* A text that somebody gave: control characters and what is not UTF-8 as escapes, so that nothing steers a terminal. */
void print_escaped(FILE *f, const char *text);
/* The same as a JSON string, where JSON has the escapes; what is not UTF-8 becomes U+FFFD. */
void print_json_string(FILE *f, const char *text);

#endif
