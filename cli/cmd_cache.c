/* tme cache: the compiled kernels on disk. */
#include "cli.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char help[] = "usage: tme cache list|clear|path|stats [--json]\n\n"
                           "  list     the files of the cache on disk: name, bytes, when last used\n"
                           "  clear    remove them\n"
                           "  path     the folder\n"
                           "  stats    how many files and bytes\n\n"
                           "      --json       list and stats as JSON\n";

enum { OPT_JSON = OPT_OWN };

typedef struct entry {
  char *name;
  long long bytes;
  time_t used;
} entry;

typedef struct entries {
  entry *all;
  size_t n;
  long long bytes;
} entries;

static void free_entries(entries *e) {
  for (size_t i = 0; i < e->n; i++) free(e->all[i].name);
  free(e->all);
}

static int by_use(const void *a, const void *b) {
  const entry *x = a, *y = b;
  return x->used != y->used ? (x->used < y->used ? 1 : -1) : strcmp(x->name, y->name);
}

static bool add_entry(entries *e, const char *name, const struct stat *st) {
  entry *all = realloc(e->all, (e->n + 1) * sizeof *all);
  if (!all) return false;
  e->all = all;
  all[e->n] = (entry){strdup(name), (long long)st->st_size, st->st_mtime};
  if (!all[e->n].name) return false;
  e->bytes += all[e->n++].bytes;
  return true;
}

/* The regular files of the folder, the last used first. A folder that is not there yet is empty. */
static int read_entries(const cli *c, const char *path, entries *e) {
  DIR *dir = *path ? opendir(path) : NULL;
  if (!dir && *path && errno != ENOENT) {
    complain(c, "%s: %s", path, strerror(errno));
    return EXIT_EVALUATION;
  }
  bool memory = true;
  for (struct dirent *d; dir && memory && (d = readdir(dir));) {
    struct stat st;
    if (d->d_name[0] == '.' || fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(st.st_mode)) memory = add_entry(e, d->d_name, &st);
  }
  if (dir) closedir(dir);
  if (!memory) {
    complain(c, "out of memory");
    return EXIT_EVALUATION;
  }
  if (e->n) qsort(e->all, e->n, sizeof *e->all, by_use);
  return 0;
}

static int print_json(const cli *c, const char *what, const char *path, const entries *e) {
  json_t *root;
  if (!strcmp(what, "stats")) {
    root = json_pack("{s:s, s:I, s:I}", "path", path, "entries", (json_int_t)e->n, "bytes", (json_int_t)e->bytes);
  } else {
    root = json_array();
    for (size_t i = 0; root && i < e->n; i++)
      json_array_append_new(root, json_pack("{s:s, s:I, s:I}", "name", e->all[i].name, "bytes",
                                            (json_int_t)e->all[i].bytes, "used", (json_int_t)e->all[i].used));
  }
  if (!root) {
    complain(c, "out of memory");
    return EXIT_EVALUATION;
  }
  write_json(root);
  json_decref(root);
  return 0;
}

static void print_list(const entries *e) {
  for (size_t i = 0; i < e->n; i++) {
    char when[32] = "?";
    struct tm tm;
    if (localtime_r(&e->all[i].used, &tm)) strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S", &tm);
    printf("%s  %8lld  %s\n", when, e->all[i].bytes, e->all[i].name);
  }
}

static int show(const cli *c, tme_engine *engine, const char *what, const char *path, bool json) {
  entries e = {0};
  char why[600];
  int code = read_entries(c, path, &e);
  if (code == 0 && access(path, F_OK) == 0 && tme_engine_check_cache(engine, why, sizeof why) != TME_OK)
    complain(c, "the folder is not used: %s", why);
  if (code == 0 && json) {
    code = print_json(c, what, path, &e);
  } else if (code == 0 && !strcmp(what, "list")) {
    print_list(&e);
  } else if (code == 0) {
    printf("path     %s\nentries  %zu\nbytes    %lld\n", *path ? path : "none", e.n, e.bytes);
  }
  free_entries(&e);
  return code;
}

static int clear(const cli *c, tme_engine *e, const char *path) {
  char why[600];
  if (tme_engine_check_cache(e, why, sizeof why) != TME_OK)
    complain(c, "nothing is cleared: %s", why);
  else if (tme_engine_clear_cache(e, true) != TME_OK) /* the log says which file, and why */
    complain(c, "%s: not all of it could be cleared", path);
  else
    return 0;
  return EXIT_EVALUATION;
}

/* Nothing on standard output where there is no folder: a script would take an empty path for its own. */
static int print_path(const cli *c, const char *path) {
  if (*path) {
    puts(path);
    return 0;
  }
  complain(c, "there is no cache on disk: %s",
           c->options.cache_dir ? "its folder was given as ''" : "neither XDG_CACHE_HOME nor HOME names a folder");
  return EXIT_EVALUATION;
}

static int run(cli *c, int argc, char **argv) {
  static const struct option own[] = {{"json", no_argument, NULL, OPT_JSON}, {0}};
  bool json = false;
  for (int opt; (opt = cli_option(c, argc, argv, "", own)) != -1;) {
    if (opt != OPT_JSON) return c->exit_code;
    json = true;
  }
  if (argc != optind + 1) return usage_error(c, "one of list, clear, path, stats expected");
  const char *what = argv[optind];
  bool shows = !strcmp(what, "list") || !strcmp(what, "stats");
  if (!shows && strcmp(what, "clear") != 0 && strcmp(what, "path") != 0)
    return usage_error(c, "list, clear, path or stats expected, got '%s'", what);
  tme_engine *e = cli_engine(c);
  if (!e) return EXIT_USAGE;
  const char *path = tme_engine_cache_dir(e);
  int code = 0;
  if (shows)
    code = show(c, e, what, path, json);
  else if (!strcmp(what, "clear"))
    code = clear(c, e, path);
  else
    code = print_path(c, path);
  return finish_output(c, code);
}

const command cmd_cache = {"cache", "list, clear or measure the compiled kernels on disk", help, run};
