/* What the commands share: global options, messages, the engine. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "tme/tme.h"
#include <getopt.h>
#include <jansson.h>

/* Exit codes besides 0. */
enum { EXIT_EVALUATION = 1, EXIT_USAGE = 2 };

typedef struct cli {
  const char *command; /* "eval", or NULL before a command was found */
  tme_options options;
  tme_engine *engine;
  uint64_t seed;        /* of the engine's random numbers */
  bool precision_asked; /* by the option or the variable */
  int exit_code;        /* set when cli_option returns OPT_STOP */
} cli;

/* The plural's letter in a message. */
#define PLURAL(n) ((n) == 1 ? "" : "s")

/* "tme: eval: MESSAGE" on standard error. */
void complain(const cli *c, const char *fmt, ...) TME_PRINTF(2, 3);
/* complain(), a hint at --help, and EXIT_USAGE. */
int usage_error(const cli *c, const char *fmt, ...) TME_PRINTF(2, 3);

/* getopt_long over the command's own options and the global ones, which it deals with itself. Returns an own option's
 * value, -1 at the end, or OPT_STOP when the command must return c->exit_code at once (--help, a usage error). */
enum { OPT_STOP = 256, OPT_OWN };
int cli_option(cli *c, int argc, char **argv, const char *shorts, const struct option *own);

/* Opens the engine on first use. NULL when that failed and was said: return EXIT_USAGE, since only settings fail it. */
tme_engine *cli_engine(cli *c);
/* A whole number in [lo, hi] and nothing else. */
bool parse_integer(const char *text, long lo, long hi, long *out);
/* Flushes standard output; EXIT_EVALUATION with a message if writing failed (a full disk), else `code`. */
int finish_output(const cli *c, int code);
/* What an interrupt would leave behind is removed. */
void handle_interrupts(void);
/* A value and a line's end on standard output, laid out as all JSON of the program is. False if that failed. */
bool write_json(const json_t *value);
/* What was asked for by name and could not be had, if there is something: as text, and as a value of JSON (null). */
void print_wish(const tme_jit_status *s);
json_t *wish_json(const tme_jit_status *s);
double clock_ms(void);
/* A line on standard error that the next one replaces, if that is a terminal; progress_end() removes it. */
void progress(const char *fmt, ...) TME_PRINTF(1, 2);
void progress_end(void);

typedef struct command {
  const char *name, *summary, *help;
  int (*run)(cli *c, int argc, char **argv);
} command;
extern const command cmd_eval, cmd_explain, cmd_bench, cmd_info, cmd_status, cmd_cache, cmd_ops;

#endif
