/* tme info: the engine as it is set up. */
#include "cli.h"
#include <stdio.h>

static const char help[] = "usage: tme info [--json]\n\n"
                           "Shows the engine: version, device, precision, backend, threads, caches.\n\n"
                           "      --json       the same as one object\n";

enum { OPT_JSON = OPT_OWN };

static int print_info_json(const cli *c, tme_engine *e, const tme_jit_status *s) {
  const char *warning, *blas = tme_blas(&warning);
  json_t *root =
      json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:b, s:i, s:s, s:i, s:s, s:s}", "version", tme_version(), "device",
                s->device, "precision", s->precision, "backend", s->backend, "wish", wish_json(s), "target", s->target,
                "jit", tme_engine_has_jit(e), "threads", tme_engine_threads(e), "cache", tme_engine_cache_dir(e),
                "operations", tme_op_count(), "blas", blas, "blas_warning", warning);
  if (!root) {
    complain(c, "out of memory");
    return EXIT_EVALUATION;
  }
  write_json(root);
  json_decref(root);
  return 0;
}

static int run(cli *c, int argc, char **argv) {
  static const struct option own[] = {{"json", no_argument, NULL, OPT_JSON}, {0}};
  bool json = false;
  for (int opt; (opt = cli_option(c, argc, argv, "", own)) != -1;) {
    if (opt != OPT_JSON) return c->exit_code;
    json = true;
  }
  if (argc > optind) return usage_error(c, "unexpected argument '%s'", argv[optind]);
  tme_engine *e = cli_engine(c);
  if (!e) return EXIT_USAGE;
  tme_jit_status s;
  tme_engine_status(e, &s);
  if (json) return finish_output(c, print_info_json(c, e, &s));
  const char *dir = tme_engine_cache_dir(e);
  printf("tme        %s, %d operations\n", tme_version(), tme_op_count());
  printf("device     %s, %d thread%s\n", s.device, tme_engine_threads(e), PLURAL(tme_engine_threads(e)));
  printf("target     %s\n", s.target);
  printf("precision  %s\n", s.precision);
  printf("backend    %s\n", s.backend);
  print_wish(&s);
  printf("jit        %s%s%s\n", tme_engine_has_jit(e) ? "yes" : "no", s.reason[0] ? ": " : "", s.reason);
  printf("cache      %s\n", *dir ? dir : "none on disk");
  const char *warning, *blas = tme_blas(&warning);
  printf("blas       %s (the SVD, and products without JIT)\n", *blas ? blas : "none");
  if (*warning) printf("warning    %s; the JIT's products are unaffected\n", warning);
  return finish_output(c, 0);
}

const command cmd_info = {"info", "show the engine: device, precision, backend, threads", help, run};
