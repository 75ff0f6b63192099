#include "output.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool ends_with(const char *s, const char *end) {
  size_t n = strlen(s), m = strlen(end);
  return n >= m && !strcmp(s + n - m, end);
}

static bool holds_names(const char *path) {
  return ends_with(path, ".npz") || ends_with(path, ".safetensors") || ends_with(path, ".gguf");
}

static bool same_file(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The folder of a path, and its name there. */
static bool find_folder(const char *path, struct stat *folder, const char **name) {
  const char *slash = strrchr(path, '/');
  char *text = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
  bool found = text && stat(text, folder) == 0;
  free(text);
  *name = slash ? slash + 1 : path;
  return found;
}

/* Whether two paths lead to one file, be it there already or not. */
static bool same_path(const char *a, const char *b) {
  struct stat x, y;
  const char *name, *other;
  if (!strcmp(a, b)) return true;
  if (find_folder(a, &x, &name) && find_folder(b, &y, &other) && same_file(&x, &y) && !strcmp(name, other)) return true;
  char *p = realpath(a, NULL), *q = realpath(b, NULL);
  bool same = p && q && !strcmp(p, q);
  free(p);
  free(q);
  return same;
}

int outputs_add(outputs *o, const cli *c, const char *text) {
  if (o->n == MAX_OUTPUTS) return usage_error(c, "-o: at most %d outputs", MAX_OUTPUTS);
  const char *equals = strchr(text, '=');
  struct output out = {.path = text};
  if (equals && valid_name(text, (size_t)(equals - text)))
    out = (struct output){.name = text, .name_len = (size_t)(equals - text), .path = equals + 1};
  if (!*out.path) return usage_error(c, "-o '%s': a file is missing", text);
  if (!holds_names(out.path) && !ends_with(out.path, ".npy"))
    return usage_error(c, "-o '%s': a name that ends in .npy, .npz, .safetensors or .gguf expected", text);
  out.file = o->n;
  for (int i = 0; i < o->n; i++) {
    const struct output *other = &o->all[i];
    if (!same_path(other->path, out.path)) continue;
    out.file = other->file;
    bool same = out.name_len == other->name_len && (!out.name || !memcmp(out.name, other->name, out.name_len));
    if (!holds_names(out.path) || !out.name || !other->name || same)
      return usage_error(c, "-o: two outputs to the file '%s'", out.path);
  }
  o->all[o->n++] = out;
  return 0;
}

int outputs_resolve(outputs *o, session *s) {
  for (int i = 0; i < o->n; i++) {
    struct output *out = &o->all[i];
    if (!out->name) {
      if (s->nresults != 1)
        return usage_error(s->c, "-o '%s': there are %d results; say which: -o NAME=FILE", out->path, s->nresults);
      out->array = s->results[0].array;
      continue;
    }
    const value *v = interp_get(&s->in, out->name, out->name_len);
    if (!v) {
      complain(s->c, "-o %.*s=%s: the expression assigns no '%.*s'", (int)out->name_len, out->name, out->path,
               (int)out->name_len, out->name);
      return EXIT_EVALUATION;
    }
    out->array = value_array(&s->in, v, 0, "-o");
    if (!out->array) {
      s->problem.placed = false;
      return session_report(s);
    }
  }
  return 0;
}

/* Gathers output i and all later ones of the same file. */
static bool file_of(const outputs *o, int i, session *s, tme_file *f) {
  const struct output *out = &o->all[i];
  size_t most = (size_t)(o->n - i);
  const char **names = arena_alloc(&s->memory, most, sizeof *names);
  tme_array **arrays = arena_alloc(&s->memory, most, sizeof *arrays);
  if (!names || !arrays) return problem_memory(&s->problem);
  *f = (tme_file){.path = out->path, .names = holds_names(out->path) && out->name ? names : NULL, .arrays = arrays};
  for (int k = i; k < o->n; k++) {
    const struct output *other = &o->all[k];
    if (other->file != i) continue;
    char *name = arena_alloc(&s->memory, other->name_len + 1, 1);
    if (!name) return problem_memory(&s->problem);
    if (other->name) memcpy(name, other->name, other->name_len);
    names[f->n] = name;
    arrays[f->n++] = other->array;
  }
  return true;
}

int outputs_write(outputs *o, session *s) {
  tme_file files[MAX_OUTPUTS];
  int n = 0;
  for (int i = 0; i < o->n; i++) {
    if (o->all[i].file != i) continue;
    if (!file_of(o, i, s, &files[n++])) return session_report(s);
  }
  return tme_save_files(s->in.scope, files, n) == TME_OK ? 0 : session_engine_error(s);
}
