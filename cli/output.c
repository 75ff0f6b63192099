#include "output.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool ends_with(const char *s, const char *end) {
  size_t n = strlen(s), m = strlen(end);
  return n >= m && !strcmp(s + n - m, end);
}

static bool holds_names(const char *path) { return ends_with(path, ".npz") || ends_with(path, ".safetensors"); }

int outputs_add(outputs *o, const cli *c, const char *text) {
  if (o->n == MAX_OUTPUTS) return usage_error(c, "-o: at most %d outputs", MAX_OUTPUTS);
  const char *equals = strchr(text, '=');
  struct output out = {.path = text};
  if (equals && valid_name(text, (size_t)(equals - text)))
    out = (struct output){.name = text, .name_len = (size_t)(equals - text), .path = equals + 1};
  if (!*out.path) return usage_error(c, "-o '%s': a file is missing", text);
  if (!holds_names(out.path) && !ends_with(out.path, ".npy"))
    return usage_error(c, "-o '%s': a name that ends in .npy, .npz or .safetensors expected", text);
  for (int i = 0; i < o->n; i++) {
    const struct output *other = &o->all[i];
    if (strcmp(other->path, out.path) != 0) continue;
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

/* Saves output i and all later ones for the same file to `target`. */
static bool save(outputs *o, int i, session *s, const char *target) {
  const struct output *out = &o->all[i];
  if (!holds_names(out->path) || !out->name) return tme_save(s->in.scope, target, out->array) == TME_OK;
  const char *names[MAX_OUTPUTS];
  tme_array *arrays[MAX_OUTPUTS];
  int n = 0;
  for (int k = i; k < o->n; k++) {
    if (strcmp(o->all[k].path, out->path) != 0) continue;
    char *name = arena_alloc(&s->memory, o->all[k].name_len + 1, 1);
    if (!name) return problem_memory(&s->problem);
    memcpy(name, o->all[k].name, o->all[k].name_len);
    names[n] = name;
    arrays[n++] = o->all[k].array;
  }
  return tme_save_all(s->in.scope, target, names, arrays, n) == TME_OK;
}

/* A new file beside `path` with the same ending, which decides the format. NULL after the message. */
static char *reserve(session *s, const char *path) {
  static const char mark[] = ".tme-XXXXXX";
  const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
  size_t room = strlen(path) + sizeof mark + 1;
  char *temp = arena_alloc(&s->memory, room, 1);
  if (!temp) {
    problem_memory(&s->problem);
    session_report(s);
    return NULL;
  }
  snprintf(temp, room, "%.*s%s%s", (int)(base - path), path, mark, dot);
  int fd = mkstemps(temp, (int)strlen(dot));
  if (fd < 0) {
    complain(s->c, "%s: %s", path, strerror(errno));
    return NULL;
  }
  close(fd);
  return temp;
}

static bool first_of_file(const outputs *o, int i) {
  for (int k = 0; k < i; k++)
    if (!strcmp(o->all[k].path, o->all[i].path)) return false;
  return true;
}

static int failed_save(session *s) { return s->problem.set ? session_report(s) : session_engine_error(s); }

/* Several files are written under other names first, so that a failure leaves none of them. */
static int write_several(outputs *o, session *s) {
  char *temps[MAX_OUTPUTS] = {NULL};
  int code = 0;
  for (int i = 0; i < o->n && code == 0; i++) {
    struct stat st;
    if (!first_of_file(o, i)) continue;
    if (stat(o->all[i].path, &st) == 0 && S_ISDIR(st.st_mode)) {
      complain(s->c, "%s: %s", o->all[i].path, strerror(EISDIR));
      code = EXIT_EVALUATION;
    } else if (!(temps[i] = reserve(s, o->all[i].path))) {
      code = EXIT_EVALUATION;
    } else if (!save(o, i, s, temps[i])) {
      code = failed_save(s);
    }
  }
  for (int i = 0; i < o->n; i++) {
    if (!temps[i]) continue;
    if (code == 0 && rename(temps[i], o->all[i].path) != 0) {
      complain(s->c, "%s: %s", o->all[i].path, strerror(errno));
      code = EXIT_EVALUATION;
    }
    if (code != 0) unlink(temps[i]);
  }
  return code;
}

int outputs_write(outputs *o, session *s) {
  tme_array *arrays[MAX_OUTPUTS] = {NULL};
  int files = 0;
  if (o->n == 0) return 0;
  for (int i = 0; i < o->n; i++) {
    arrays[i] = o->all[i].array;
    files += first_of_file(o, i);
  }
  if (tme_eval_all(s->in.scope, arrays, o->n) != TME_OK) return session_engine_error(s);
  if (files > 1) return write_several(o, s);
  return save(o, 0, s, o->all[0].path) ? 0 : failed_save(s);
}
