/* Prints what is derived from ops.def as text: the public header tme/ops.h, the C functions behind it, or the list of
 * operations for the documentation. Run by the build: genops header|source|docs */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct row {
  const char *name, *signature, *doc;
  int outputs;
} row;

static const row rows[] = {
#define ELEMENTWISE(name, rule, signature, expression, gradient, lo, hi, ulp, doc) {#name, signature, doc, 1},
#define STRUCTURED(name, family, signature, outputs, doc) {#name, signature, doc, outputs},
#include "ops/ops.def"
};

typedef struct param {
  char name[16], kind[12];
} param;

/* Splits "x, axis:axes=none" into names and kinds. */
static int parse(const char *s, param *p) {
  int n = 0;
  while (*s) {
    while (*s == ' ' || *s == ',') s++;
    size_t len = strcspn(s, ",");
    size_t name = strcspn(s, ":,");
    snprintf(p[n].name, sizeof p[n].name, "%.*s", (int)name, s);
    if (name < len) {
      size_t kind = strcspn(s + name + 1, "=,");
      snprintf(p[n].kind, sizeof p[n].kind, "%.*s", (int)kind, s + name + 1);
    } else {
      snprintf(p[n].kind, sizeof p[n].kind, "array");
    }
    n++;
    s += len;
  }
  return n;
}

static bool is(const param *p, const char *kind) { return strcmp(p->kind, kind) == 0; }

static void parameter(const param *p) {
  if (is(p, "array") || is(p, "array?"))
    printf(", tme_array *%s", p->name);
  else if (is(p, "arrays"))
    printf(", tme_array *const *%s, int n%s", p->name, p->name);
  else if (is(p, "axes"))
    printf(", const int *%s, int n%s", p->name, p->name);
  else if (is(p, "ints"))
    printf(", const int64_t *%s, int n%s", p->name, p->name);
  else if (is(p, "perdim"))
    printf(", const int64_t *%s", p->name);
  else if (is(p, "axis"))
    printf(", int %s", p->name);
  else if (is(p, "int"))
    printf(", int64_t %s", p->name);
  else if (is(p, "bool"))
    printf(", bool %s", p->name);
  else if (is(p, "float") || is(p, "number"))
    printf(", double %s", p->name);
  else
    printf(", tme_dtype %s", p->name);
}

static void prototype(const row *r, const param *p, int n) {
  printf("%stme_%s(tme_scope *s", r->outputs > 1 ? "tme_status " : "tme_array *", r->name);
  for (int i = 0; i < n; i++) parameter(&p[i]);
  if (r->outputs > 1) printf(", tme_array *out[%d]", r->outputs);
  printf(")");
}

static void argument(const param *p) {
  const char *n = p->name;
  if (is(p, "array"))
    printf("arg_array(%s)", n);
  else if (is(p, "array?"))
    printf("arg_optional(%s)", n);
  else if (is(p, "arrays"))
    printf("arg_arrays(%s, n%s)", n, n);
  else if (is(p, "axes"))
    printf("arg_axes(%s, n%s, (int64_t[TME_MAX_RANK]){0})", n, n);
  else if (is(p, "ints"))
    printf("arg_ints(%s, n%s)", n, n);
  else if (is(p, "perdim"))
    printf("arg_perdim(%s, x)", n);
  else if (is(p, "float") || is(p, "number"))
    printf("arg_float(%s)", n);
  else
    printf("arg_int((int64_t)%s)", n);
}

int main(int argc, char **argv) {
  const char *mode = argc == 2 ? argv[1] : "";
  bool header = !strcmp(mode, "header"), source = !strcmp(mode, "source"), docs = !strcmp(mode, "docs");
  if (!header && !source && !docs) {
    fprintf(stderr, "usage: genops header|source|docs\n");
    return 2;
  }
  if (header)
    printf(
        "/* The operations. Generated from src/ops/ops.def; included by tme/tme.h.\n"
        " *\n"
        " * Optional arrays may be NULL. Axes: a pointer and a count, TME_ALL for the default. Lists with one entry per\n"
        " * dimension may be NULL for their default. An optional float is not given by NAN. Whole\n"
        " * numbers beyond 2^53, which a double does not hold: tme_apply, or tme_integer and tme_broadcast_to. */\n"
        "#ifndef TME_OPS_GENERATED_H\n#define TME_OPS_GENERATED_H\n\n#include \"tme/tme.h\"\n\n"
        "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
  if (source) printf("/* Generated from src/ops/ops.def. */\n#include \"array/apply.h\"\n\n");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const row *r = &rows[i];
    param p[8];
    int n = parse(r->signature, p);
    if (docs) {
      printf("| `%s(%s)` | %s |\n", r->name, r->signature, r->doc);
    } else if (header) {
      printf("/* %s */\nTME_API ", r->doc);
      prototype(r, p, n);
      printf(";\n");
    } else {
      prototype(r, p, n);
      printf(" {\n");
      if (r->outputs == 1) printf("  tme_array *out[1];\n");
      printf("  tme_arg a[] = {");
      for (int k = 0; k < n; k++) {
        printf("%s", k ? ", " : "");
        argument(&p[k]);
      }
      printf("};\n");
      if (r->outputs == 1)
        printf("  return apply(s, OP_%s, a, %d, out) == TME_OK ? out[0] : NULL;\n}\n\n", r->name, n);
      else
        printf("  return apply(s, OP_%s, a, %d, out);\n}\n\n", r->name, n);
    }
  }
  if (header) printf("\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
  return 0;
}
