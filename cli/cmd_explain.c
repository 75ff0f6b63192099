/* tme explain: what the compiler makes of an expression. */
#include "session.h"
#include <stdio.h>

static const char help[] =
    "usage: tme explain [OPTIONS] EXPR [NAME=FILE|NAME=NUMBER]...\n\n"
    "Plans the evaluation of EXPR (see: tme eval --help) without running it and shows the graph, what was fused and\n"
    "what not and why, the kernels, their sizes, and what the caches had.\n\n"
    "      --passes     the graph after each pass of the compiler\n"
    "      --source     each kernel as C, for people to read\n"
    "      --ir         each kernel's description\n"
    "      --asm        each kernel's machine code\n"
    "      --dot        only the graph, in Graphviz's language\n";

enum { OPT_PASSES = OPT_OWN, OPT_SOURCE, OPT_IR, OPT_ASM, OPT_DOT };

static int explain(session *s, unsigned flags) {
  tme_array **arrays = session_arrays(s);
  if (!arrays) return EXIT_EVALUATION;
  char *text = tme_explain(s->in.scope, arrays, s->nresults, flags);
  if (!text) return session_engine_error(s);
  fputs(text, stdout);
  tme_string_free(text);
  return finish_output(s->c, 0);
}

static int run(cli *c, int argc, char **argv) {
  static const struct option own[] = {
      {"passes", no_argument, NULL, OPT_PASSES}, {"source", no_argument, NULL, OPT_SOURCE},
      {"ir", no_argument, NULL, OPT_IR},         {"asm", no_argument, NULL, OPT_ASM},
      {"dot", no_argument, NULL, OPT_DOT},       {0}};
  unsigned flags = 0;
  for (int opt; (opt = cli_option(c, argc, argv, "", own)) != -1;) {
    switch (opt) {
    case OPT_PASSES: flags |= TME_EXPLAIN_PASSES; break;
    case OPT_SOURCE: flags |= TME_EXPLAIN_SOURCE; break;
    case OPT_IR: flags |= TME_EXPLAIN_IR; break;
    case OPT_ASM: flags |= TME_EXPLAIN_ASM; break;
    case OPT_DOT: flags |= TME_EXPLAIN_DOT; break;
    default: return c->exit_code;
    }
  }
  session s;
  int code = session_open(&s, c, argc - optind, argv + optind);
  if (code == 0) code = explain(&s, flags);
  session_close(&s);
  return code;
}

const command cmd_explain = {"explain", "show what the compiler makes of an expression", help, run};
