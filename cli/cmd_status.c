/* tme status: does the JIT work here? */
#include "cli.h"
#include <stdio.h>

static const char help[] =
    "usage: tme status [--json]\n\n"
    "Compiles a real 2x2 product around all caches, runs it and checks its value. Exit code 0 if the JIT is active or\n"
    "disabled, 1 if it failed.\n\n"
    "      --json       one object with the keys status (active, disabled, error), reason, compiler (present,\n"
    "                   missing), device, precision, backend, target, wish, cache; wish is null, or an object with the\n"
    "                   keys wanted, got and reason for a device or backend asked for by name that cannot be had\n";

enum { OPT_JSON = OPT_OWN };

static const char *state_name(tme_jit_state s) {
  return s == TME_JIT_ACTIVE ? "active" : s == TME_JIT_DISABLED ? "disabled" : "error";
}

void print_wish(const tme_jit_status *s) {
  if (*s->wanted) printf("wanted     %s\ngot        %s: %s\n", s->wanted, s->got, s->wanted_reason);
}

json_t *wish_json(const tme_jit_status *s) {
  if (!*s->wanted) return json_null();
  return json_pack("{s:s, s:s, s:s}", "wanted", s->wanted, "got", s->got, "reason", s->wanted_reason);
}

static int print_status_json(const cli *c, const tme_jit_status *s) {
  const tme_stats *t = &s->stats;
  json_t *root = json_pack(
      "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:{s:I, s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I}}", "status",
      state_name(s->state), "reason", s->reason, "compiler", s->compiler_present ? "present" : "missing", "device",
      s->device, "precision", s->precision, "backend", s->backend, "target", s->target, "wish", wish_json(s), "cache",
      "entries", (json_int_t)t->entries, "hits", (json_int_t)t->hits, "misses", (json_int_t)t->misses, "evictions",
      (json_int_t)t->evictions, "bytes", (json_int_t)t->bytes, "compile_ms", t->compile_ms, "failures",
      (json_int_t)t->failures, "disk_hits", (json_int_t)t->disk_hits, "disk_misses", (json_int_t)t->disk_misses);
  if (!root) {
    complain(c, "out of memory");
    return EXIT_EVALUATION;
  }
  write_json(root);
  json_decref(root);
  return 0;
}

static void print_status(const tme_jit_status *s) {
  const tme_stats *t = &s->stats;
  printf("status     %s%s%s\n", state_name(s->state), s->reason[0] ? ": " : "", s->reason);
  printf("compiler   %s\n", s->compiler_present ? "present" : "missing");
  printf("device     %s\nprecision  %s\nbackend    %s\ntarget     %s\n", s->device, s->precision, s->backend,
         s->target);
  print_wish(s);
  printf(
      "cache      %llu entr%s, %llu byte%s; %llu hit%s, %llu miss%s, %llu eviction%s; on disk %llu hit%s, %llu miss%s\n",
      (unsigned long long)t->entries, t->entries == 1 ? "y" : "ies", (unsigned long long)t->bytes, PLURAL(t->bytes),
      (unsigned long long)t->hits, PLURAL(t->hits), (unsigned long long)t->misses, t->misses == 1 ? "" : "es",
      (unsigned long long)t->evictions, PLURAL(t->evictions), (unsigned long long)t->disk_hits, PLURAL(t->disk_hits),
      (unsigned long long)t->disk_misses, t->disk_misses == 1 ? "" : "es");
  printf("compile    %.1f ms, %llu failure%s\n", t->compile_ms, (unsigned long long)t->failures, PLURAL(t->failures));
}

static int run(cli *c, int argc, char **argv) {
  static const struct option own[] = {{"json", no_argument, NULL, OPT_JSON}, {0}};
  bool json = false;
  for (int opt; (opt = cli_option(c, argc, argv, "", own)) != -1;) {
    if (opt != OPT_JSON) return c->exit_code;
    json = true;
  }
  if (argc > optind) return usage_error(c, "unexpected argument '%s'", argv[optind]);
  tme_engine *engine = cli_engine(c);
  if (!engine) return EXIT_USAGE;
  tme_jit_status s;
  tme_engine_status(engine, &s);
  int code = s.state == TME_JIT_FAILED ? EXIT_EVALUATION : 0;
  if (!json)
    print_status(&s);
  else if (print_status_json(c, &s))
    code = EXIT_EVALUATION;
  return finish_output(c, code);
}

const command cmd_status = {"status", "say whether the JIT works here", help, run};
