/* -o NAME=FILE: which arrays go to which files. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "session.h"

enum { MAX_OUTPUTS = 64 };

typedef struct outputs {
  struct output {
    const char *name; /* of a variable, not terminated; NULL: the only result */
    size_t name_len;
    const char *path;
    int file; /* the first output to this file */
    tme_array *array;
  } all[MAX_OUTPUTS];
  int n;
} outputs;

/* Takes one -o; 0 or EXIT_USAGE after the message. */
int outputs_add(outputs *o, const cli *c, const char *text);
/* Finds the arrays. 0 or an exit code after the message. */
int outputs_resolve(outputs *o, session *s);
/* Writes all files or none. The arrays are evaluated before anything is written. */
int outputs_write(outputs *o, session *s);

#endif
