/* One evaluation from the command line: EXPR NAME=FILE... to named results. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli.h"
#include "eval.h"

typedef struct result {
  const char *label; /* the source text that it came from, on one line */
  tme_array *array;
} result;

typedef struct session {
  cli *c;
  const char *source;
  arena memory;
  problem problem;
  interp in;
  statement *program;
  result *results;
  int nresults;
  double read_ms;
} session;

/* Parses, opens the engine, loads the inputs and evaluates lazily. 0, or the exit code after the message. In either
 * case session_close() is due. */
int session_open(session *s, cli *c, int argc, char **argv);
void session_close(session *s);
/* Says the problem, with a caret under its place. Returns EXIT_EVALUATION. */
int session_report(session *s);
/* The scope's error, said. Returns EXIT_EVALUATION. */
int session_engine_error(session *s);
/* All results, as tme_eval_all and tme_explain want them; NULL after the message. */
tme_array **session_arrays(session *s);
/* A name that the language accepts for a variable. */
bool valid_name(const char *s, size_t len);

#endif
