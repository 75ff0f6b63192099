/* The graph of a workload: its expression, in the language of `tme eval`. */
#include "bench/cases.h"
#include "eval.h"
#include <string.h>

bool expression_build(const bench_case *k, tme_scope *s, tme_array *const *in, tme_array **out, struct problem *p) {
  arena memory = {0};
  interp i = {.scope = s, .memory = &memory, .problem = p};
  value v;
  const json_t *inputs = json_object_get(k->drawn, "inputs");
  const statement *program = parse(&memory, k->text, p);
  bool ok = program != NULL;
  for (int n = 0; ok && n < k->ninputs; n++) {
    const char *name = json_string_value(json_object_get(json_array_get(inputs, (size_t)n), "name"));
    ok = (name && interp_set(&i, name, strlen(name), value_of_array(in[n]))) || problem_memory(p);
  }
  *out = ok && eval_program(&i, program, &v) ? value_array(&i, &v, program->at, "result") : NULL;
  arena_free(&memory);
  return *out != NULL;
}
