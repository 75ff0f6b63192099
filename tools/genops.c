/* Prints what is derived from ops.def as text: the public header tme/ops.h, the C functions behind it, the attributes of the
 * operations as C structures, where each parameter lies in them, or the list of operations for the documentation. A row that
 * does not parse fails the build. Run by the build: genops header|source|attrs|fields|docs */
#include "ops/params.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct param {
  char name[OP_NAME], kind[OP_KIND], fallback[OP_NAME]; /* the default, "" if there is none */
} param;

typedef struct row {
  const char *name, *family, *signature, *doc;
  int outputs, nparams;
  param params[OP_MAX_PARAMS];
} row;

static row rows[] = {
#define ELEMENTWISE(name, rule, signature, expression, gradient, lo, hi, ulp, doc)                                     \
  {#name, "elementwise", signature, doc, 1, 0, {{"", "", ""}}},
#define STRUCTURED(name, family, signature, outputs, doc) {#name, #family, signature, doc, outputs, 0, {{"", "", ""}}},
#include "ops/ops.def"
};
enum { NROWS = sizeof rows / sizeof *rows };

/* The public parameter and its argument, $ being its name; its type among the attributes, NULL of arrays. */
static const struct {
  const char *kind, *parameter, *argument, *attribute;
} kinds[] = {
#define PARAM(name, id, field, parameter, argument) {name, parameter, argument, field},
#include "ops/params.def"
};
enum { NKINDS = sizeof kinds / sizeof *kinds, CHOICE = NKINDS - 1 };

static const char *const taken[] = {"scope", "out", "given"};
enum { NTAKEN = sizeof taken / sizeof *taken };

__attribute__((format(printf, 2, 3), noreturn)) static void refuse(const row *r, const char *format, ...) {
  va_list args;
  va_start(args, format);
  fprintf(stderr, "ops.def: %s(%s): ", r->name, r->signature);
  vfprintf(stderr, format, args);
  fprintf(stderr, "\n");
  va_end(args);
  exit(1);
}

/* Copies the text up to one of `stop`; returns what follows. */
static const char *word(const row *r, const char *s, const char *stop, char *out, size_t size) {
  size_t n = strcspn(s, stop);
  if (!n || n >= size) refuse(r, "'%.*s' has %zu characters, expected 1 to %zu", (int)n, s, n, size - 1);
  snprintf(out, size, "%.*s", (int)n, s);
  return s + n;
}

/* What is between bars is a choice. */
static int kind_of(const row *r, const param *p) {
  if (strchr(p->kind, '|')) return CHOICE;
  for (int k = 0; k < CHOICE; k++)
    if (!strcmp(p->kind, kinds[k].kind)) return k;
  refuse(r, "there is no kind '%s'", p->kind);
}

static bool is_choice(const char *among, const char *name) {
  size_t length = strlen(name);
  for (const char *s = among; *s;) {
    size_t n = strcspn(s, "|");
    if (n == length && !memcmp(s, name, n)) return true;
    s += n + (s[n] == '|');
  }
  return false;
}

/* Splits "x, axis:axes=none" into names, kinds and defaults. */
static void parse(row *r) {
  for (const char *s = r->signature; *s; r->nparams++) {
    if (r->nparams == OP_MAX_PARAMS) refuse(r, "more than %d parameters", OP_MAX_PARAMS);
    param *p = &r->params[r->nparams];
    s = word(r, s, ":,=", p->name, sizeof p->name);
    for (int i = 0; i < NTAKEN; i++)
      if (!strcmp(p->name, taken[i])) refuse(r, "the C function has a '%s' of its own", p->name);
    snprintf(p->kind, sizeof p->kind, "array");
    if (*s == ':') s = word(r, s + 1, "=,", p->kind, sizeof p->kind);
    if (*s == '=') s = word(r, s + 1, ",", p->fallback, sizeof p->fallback);
    int kind = kind_of(r, p);
    if (!strcmp(kinds[kind].kind, "text") && p->fallback[0] && strcmp(p->fallback, "none"))
      refuse(r, "the default of a text is none");
    if (kind == CHOICE && p->fallback[0] && !is_choice(p->kind, p->fallback))
      refuse(r, "%s is none of %s", p->fallback, p->kind);
    s += strspn(s, ", ");
  }
  if (r->outputs < 1 || r->outputs > OP_MAX_OUTPUTS)
    refuse(r, "%d outputs, expected 1 to %d", r->outputs, OP_MAX_OUTPUTS);
}

/* The text with the parameter's name for each $. */
static void print_named(const char *text, const char *name) {
  for (; *text; text++) {
    if (*text == '$')
      printf("%s", name);
    else
      putchar(*text);
  }
}

static const char *attribute_of(const row *r, const param *p) { return kinds[kind_of(r, p)].attribute; }

/* "axes" is the field of kind axes, however the parameter is called. */
static const char *field_of(const param *p) { return strcmp(p->kind, "axes") ? p->name : p->kind; }

/* Whether an earlier parameter of the family has the field, which then is of the same kind. */
static bool met(const row *r, int at) {
  for (const row *f = rows; f <= r; f++) {
    if (strcmp(f->family, r->family)) continue;
    for (int i = 0; i < (f == r ? at : f->nparams); i++) {
      if (strcmp(field_of(&f->params[i]), field_of(&r->params[at])) || !attribute_of(f, &f->params[i])) continue;
      if (!strcmp(f->params[i].kind, r->params[at].kind)) return true;
      refuse(r, "%s is %s in %s, of the same family", r->params[at].name, f->params[i].kind, f->name);
    }
  }
  return false;
}

static bool is_first_of_family(const row *r) {
  for (const row *f = rows; f < r; f++)
    if (!strcmp(f->family, r->family)) return false;
  return true;
}

static bool family_has_attributes(const char *family) {
  for (const row *r = rows; r < rows + NROWS; r++)
    for (int i = 0; !strcmp(r->family, family) && i < r->nparams; i++)
      if (attribute_of(r, &r->params[i])) return true;
  return false;
}

/* The numbers of a choice's words: FAMILY_PARAMETER_WORD. */
static void print_choice(const row *r, const param *p) {
  printf("enum { /* %s */\n", p->kind);
  for (const char *s = p->kind; *s;) {
    char name[3 * OP_KIND];
    int n = (int)strcspn(s, "|");
    snprintf(name, sizeof name, "%s_%s_%.*s", r->family, p->name, n, s);
    for (char *c = name; *c; c++) {
      if (!isalnum((unsigned char)*c) && *c != '_') refuse(r, "'%.*s' is no word", n, s);
      *c = (char)toupper((unsigned char)*c);
    }
    printf("  %s,\n", name);
    s += n + (s[n] == '|');
  }
  printf("};\n");
}

static void print_choices(const char *family) {
  for (const row *r = rows; r < rows + NROWS; r++)
    for (int i = 0; !strcmp(r->family, family) && i < r->nparams; i++)
      if (kind_of(r, &r->params[i]) == CHOICE && !met(r, i)) print_choice(r, &r->params[i]);
}

/* One field for each parameter of the family that is no array, in the order in which they are met. */
static void print_struct(const char *family) {
  print_choices(family);
  printf("typedef struct %s_attrs {\n", family);
  for (const row *r = rows; r < rows + NROWS; r++) {
    if (strcmp(r->family, family)) continue;
    for (int i = 0; i < r->nparams; i++) {
      const param *p = &r->params[i];
      if (!attribute_of(r, p) || met(r, i)) continue;
      printf("  ");
      print_named(attribute_of(r, p), p->name);
      printf(";%s%s%s\n", strchr(p->kind, '|') ? " /* " : "", strchr(p->kind, '|') ? p->kind : "",
             strchr(p->kind, '|') ? ", by number */" : "");
    }
  }
  printf("} %s_attrs;\n\n", family);
}

static void print_attrs(void) {
  printf(
      "/* The parameters that are no arrays, by family. Generated from src/ops/ops.def; included by ops/ops.h. */\n");
  for (const row *r = rows; r < rows + NROWS; r++)
    if (is_first_of_family(r) && family_has_attributes(r->family)) print_struct(r->family);
  printf("#define OP_ATTRS_OF_FAMILIES");
  for (const row *r = rows; r < rows + NROWS; r++)
    if (is_first_of_family(r) && family_has_attributes(r->family)) printf(" \\\n  %s_attrs %s;", r->family, r->family);
  printf("\n");
}

static void print_fields(const row *r) {
  for (int i = 0; i < r->nparams; i++) {
    const param *p = &r->params[i];
    const char *family = r->family, *field = field_of(p);
    if (!attribute_of(r, p))
      printf("{0, 0, NULL, NULL},\n");
    else if (kind_of(r, p) != CHOICE)
      printf("{offsetof(op_attrs, %s.%s), sizeof(((op_attrs *)0)->%s.%s), NULL, NULL},\n", family, field, family,
             field);
    else
      printf("{offsetof(op_attrs, %s.%s), sizeof(int), \"%s\", %s%s%s},\n", family, field, p->kind,
             p->fallback[0] ? "\"" : "", p->fallback[0] ? p->fallback : "NULL", p->fallback[0] ? "\"" : "");
  }
}

static void prototype(const row *r) {
  printf("%stme_%s(tme_scope *scope", r->outputs > 1 ? "tme_status " : "tme_array *", r->name);
  for (int i = 0; i < r->nparams; i++) {
    printf(", ");
    print_named(kinds[kind_of(r, &r->params[i])].parameter, r->params[i].name);
  }
  if (r->outputs > 1) printf(", tme_array *out[%d]", r->outputs);
  printf(")");
}

static void print_declaration(const row *r) {
  printf("/* %s */\nTME_API ", r->doc);
  prototype(r);
  printf(";\n");
}

static void print_function(const row *r) {
  prototype(r);
  printf(" {\n");
  if (r->outputs == 1) printf("  tme_array *out[1];\n");
  printf("  tme_arg given[] = {");
  for (int i = 0; i < r->nparams; i++) {
    printf("%s", i ? ", " : "");
    print_named(kinds[kind_of(r, &r->params[i])].argument, r->params[i].name);
  }
  printf("};\n");
  if (r->outputs == 1)
    printf("  return apply(scope, OP_%s, given, %d, out) == TME_OK ? out[0] : NULL;\n}\n\n", r->name, r->nparams);
  else
    printf("  return apply(scope, OP_%s, given, %d, out);\n}\n\n", r->name, r->nparams);
}

static void print_docs(const row *r) { printf("| `%s(%s)` | %s |\n", r->name, r->signature, r->doc); }

static void each(void (*print)(const row *r)) {
  for (const row *r = rows; r < rows + NROWS; r++) print(r);
}

int main(int argc, char **argv) {
  const char *mode = argc == 2 ? argv[1] : "";
  for (row *r = rows; r < rows + NROWS; r++) parse(r);
  if (!strcmp(mode, "docs")) {
    each(print_docs);
  } else if (!strcmp(mode, "attrs")) {
    print_attrs();
  } else if (!strcmp(mode, "fields")) {
    each(print_fields);
  } else if (!strcmp(mode, "source")) {
    printf("/* Generated from src/ops/ops.def. */\n#include \"array/apply.h\"\n\n");
    each(print_function);
  } else if (!strcmp(mode, "header")) {
    printf(
        "/* The operations. Generated from src/ops/ops.def; included by tme/tme.h.\n"
        " *\n"
        " * Optional arrays may be NULL. Axes: a pointer and a count, TME_ALL for the default. Lists with one entry per\n"
        " * dimension may be NULL for their default. An optional float is not given by NAN, an optional text by NULL. Whole\n"
        " * numbers beyond 2^53, which a double does not hold: tme_apply, or tme_integer and tme_broadcast_to. */\n"
        "#ifndef TME_OPS_GENERATED_H\n#define TME_OPS_GENERATED_H\n\n#include \"tme/tme.h\"\n\n"
        "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    each(print_declaration);
    printf("\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
  } else {
    fprintf(stderr, "usage: genops header|source|attrs|fields|docs\n");
    return 2;
  }
  return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
