/* tme ops: the operations and their parameters. */
#include "cli.h"
#include "eval.h"
#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: tme ops [NAME...] [--json]\n\n"
    "Lists the operations with their signatures: \"name:kind=default\"; a name alone is an array. Kinds: array?,\n"
    "arrays, axis, axes, ints, perdim (one per dimension), int, bool, float, number, dtype,\n"
    "text, or the words among which to choose: constant|edge.\n\n"
    "      --json       a list of objects with name, signature, parameters, outputs, doc\n";

enum { OPT_JSON = OPT_OWN };

static int unknown(const cli *c, const char *name) {
  suggestion s;
  suggest_begin(&s, name, strlen(name));
  suggest_operations(&s);
  complain(c, "there is no operation '%s'%s", name, suggest_text(&s));
  return EXIT_EVALUATION;
}

static void print_operation(const tme_op_info *op) { printf("%s(%s)\n    %s\n", op->name, op->signature, op->doc); }

static json_t *default_of(const tme_param_info *p) {
  if (p->value.kind == TME_ARG_FLOAT) return json_real(p->value.u.f);
  if (p->value.kind == TME_ARG_TEXT) return json_string(p->value.u.text);
  if (p->value.kind != TME_ARG_INT) return json_null();
  return p->kind == TME_PARAM_BOOL ? json_boolean(p->value.u.i) : json_integer(p->value.u.i);
}

static json_t *parameters_of(const tme_op_info *op) {
  json_t *list = json_array();
  for (int i = 0; list && i < op->params; i++) {
    const tme_param_info *p = tme_op_param(op, i);
    json_t *o = json_pack("{s:s, s:s, s:b, s:s*}", "name", p->name, "kind", tme_param_kind_name(p->kind), "optional",
                          (int)p->optional, "choices", p->choices);
    bool ok = o && (!p->optional || json_object_set_new(o, "default", default_of(p)) == 0);
    if (ok) ok = json_array_append(list, o) == 0;
    json_decref(o);
    if (ok) continue;
    json_decref(list);
    list = NULL;
  }
  return list;
}

/* False when out of memory. */
static bool append(json_t *list, const tme_op_info *op) {
  json_t *parameters = parameters_of(op);
  if (!parameters) return false;
  json_t *o =
      json_pack("{s:s, s:s, s:o, s:i, s:s, s:s, s:s}", "name", op->name, "signature", op->signature, "parameters",
                parameters, "outputs", op->outputs, "doc", op->doc, "place", op->place, "chapter", op->chapter);
  return o && json_array_append_new(list, o) == 0;
}

static int run(cli *c, int argc, char **argv) {
  static const struct option own[] = {{"json", no_argument, NULL, OPT_JSON}, {0}};
  bool json = false, memory = true;
  for (int opt; (opt = cli_option(c, argc, argv, "", own)) != -1;) {
    if (opt != OPT_JSON) return c->exit_code;
    json = true;
  }
  for (int i = optind; i < argc; i++)
    if (!tme_op_find(argv[i])) return unknown(c, argv[i]);
  int n = argc > optind ? argc - optind : tme_op_count();
  json_t *list = json ? json_array() : NULL;
  for (int i = 0; i < n && memory; i++) {
    const tme_op_info *op = argc > optind ? tme_op_find(argv[optind + i]) : tme_op_get(i);
    if (json)
      memory = list && append(list, op);
    else
      print_operation(op);
  }
  if (json && memory) write_json(list);
  json_decref(list);
  if (!memory) complain(c, "out of memory");
  return finish_output(c, memory ? 0 : EXIT_EVALUATION);
}

const command cmd_ops = {"ops", "list the operations and their parameters", help, run};
