/* The program: global options, then a command. */
#include "cli.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const command *const commands[] = {&cmd_eval,   &cmd_explain, &cmd_bench, &cmd_info,
                                          &cmd_status, &cmd_cache,   &cmd_ops};
enum { COMMANDS = sizeof commands / sizeof *commands };

static const char global_help[] =
    "Options of every command, before or after it:\n"
    "  --precision P    dtype of floating arrays made without one: float16, bfloat16, float32 (default), float64,\n"
    "                   mixed\n"
    "  --device D       auto (default), cpu, mlx, gpu (MLX's where there is one, else the CPU)\n"
    "  --backend B      auto (default), cpu, mlx, nojit, reference\n"
    "                   D! and B!: an error, instead of another one with a warning, where it cannot be had\n"
    "  --threads N      threads that compute\n"
    "  --seed N         of random numbers that are drawn without a key; default: 0\n"
    "  --cache-dir DIR  where compiled kernels are kept; '' for no cache on disk\n"
    "  --no-jit         compile nothing\n"
    "  --log LEVEL      error, warning (default), info, debug\n"
    "  --version        the version\n"
    "  -h, --help       this text\n";

enum {
  OPT_PRECISION = 1000,
  OPT_DEVICE,
  OPT_BACKEND,
  OPT_THREADS,
  OPT_SEED,
  OPT_CACHE_DIR,
  OPT_NO_JIT,
  OPT_LOG,
  OPT_VERSION
};

static const struct option global_options[] = {
    {"precision", required_argument, NULL, OPT_PRECISION},
    {"device", required_argument, NULL, OPT_DEVICE},
    {"backend", required_argument, NULL, OPT_BACKEND},
    {"threads", required_argument, NULL, OPT_THREADS},
    {"seed", required_argument, NULL, OPT_SEED},
    {"cache-dir", required_argument, NULL, OPT_CACHE_DIR},
    {"no-jit", no_argument, NULL, OPT_NO_JIT},
    {"log", required_argument, NULL, OPT_LOG},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, 'h'},
};
enum { GLOBALS = sizeof global_options / sizeof *global_options, MAX_OPTIONS = 32 };

/* Messages hold names and paths as they were given: nothing in them may steer a terminal. */
static void print_clean(const char *text) {
  for (; *text; text++) {
    bool control = ((unsigned char)*text < 0x20 && *text != '\n') || *text == 0x7f;
    fputc(control ? '?' : *text, stderr);
  }
  fputc('\n', stderr);
}

void complain(const cli *c, const char *fmt, ...) {
  char text[2000];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  fprintf(stderr, "tme: %s%s", c->command ? c->command : "", c->command ? ": " : "");
  print_clean(text);
}

int usage_error(const cli *c, const char *fmt, ...) {
  char text[1000];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  complain(c, "%s", text);
  fprintf(stderr, "Try: tme %s%s--help\n", c->command ? c->command : "", c->command ? " " : "");
  return EXIT_USAGE;
}

double clock_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

void progress(const char *fmt, ...) {
  if (!isatty(STDERR_FILENO)) return;
  va_list ap;
  va_start(ap, fmt);
  fputs("\r\033[K", stderr);
  vfprintf(stderr, fmt, ap);
  va_end(ap);
}

void progress_end(void) {
  if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
}

bool parse_integer(const char *text, long lo, long hi, long *out) {
  char *end;
  errno = 0;
  *out = strtol(text, &end, 10);
  return end != text && !*end && errno == 0 && *out >= lo && *out <= hi && !isspace((unsigned char)*text);
}

int finish_output(const cli *c, int code) {
  errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout)) return code;
  complain(c, "standard output could not be written%s%s", errno ? ": " : "", errno ? strerror(errno) : "");
  return EXIT_EVALUATION;
}

/* A standard stream that is closed would be the next file that is opened. What stands in for it is open the wrong way
 * round, so that who reads or writes is told. */
static void fill_missing_streams(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) exit(EXIT_EVALUATION);
  }
}

bool write_json(const json_t *value) {
  bool ok = json_dumpf(value, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0;
  return putchar('\n') != EOF && ok;
}

static const command *find_command(const char *name) {
  for (int i = 0; i < COMMANDS; i++)
    if (!strcmp(name, commands[i]->name)) return commands[i];
  return NULL;
}

static void print_help(const char *name) {
  const command *cmd = name ? find_command(name) : NULL;
  if (cmd) {
    printf("%s\n%s", cmd->help, global_help);
    return;
  }
  printf("tme: mathematics over arrays, compiled for the machine at hand\n\n"
         "usage: tme [OPTIONS] COMMAND [ARGUMENTS]\n\nCommands (tme COMMAND --help says more):\n");
  for (int i = 0; i < COMMANDS; i++) printf("  %-9s %s\n", commands[i]->name, commands[i]->summary);
  printf("\n%s", global_help);
}

static const char *const log_levels[] = {"error", "warning", "info", "debug"}; /* from TME_LOG_ERROR on */

static bool log_level(const char *text, tme_log_level *out) {
  for (int i = 0; i < 4; i++)
    if (!strcmp(text, log_levels[i])) {
      *out = (tme_log_level)(TME_LOG_ERROR + i);
      return true;
    }
  return false;
}

static void log_line(void *user, tme_log_level level, const char *message) {
  (void)user;
  fprintf(stderr, "tme: %s: ", log_levels[level - TME_LOG_ERROR]);
  print_clean(message);
}

static int stop(cli *c, int code) {
  c->exit_code = code;
  return OPT_STOP;
}

/* Deals with a global option; OPT_STOP, or 0 to go on. */
static int global_option(cli *c, int option) {
  tme_options *o = &c->options;
  long n;
  switch (option) {
  case OPT_PRECISION: o->precision = optarg; return 0;
  case OPT_DEVICE: o->device = optarg; return 0;
  case OPT_BACKEND: o->backend = optarg; return 0;
  case OPT_CACHE_DIR: o->cache_dir = optarg; return 0;
  case OPT_NO_JIT: o->jit = -1; return 0;
  case OPT_THREADS:
    if (!parse_integer(optarg, 1, 4096, &n))
      return stop(c, usage_error(c, "--threads: a whole number from 1 to 4096 expected, got '%s'", optarg));
    o->threads = (int)n;
    return 0;
  case OPT_SEED:
    if (!parse_integer(optarg, 0, LONG_MAX, &n))
      return stop(c, usage_error(c, "--seed: a whole number, 0 or more, expected, got '%s'", optarg));
    c->seed = (uint64_t)n;
    return 0;
  case OPT_LOG:
    if (!log_level(optarg, &o->log_level))
      return stop(c, usage_error(c, "--log: error, warning, info or debug expected, got '%s'", optarg));
    return 0;
  case OPT_VERSION: printf("tme %s\n", tme_version()); return stop(c, finish_output(c, 0));
  default: print_help(c->command); return stop(c, finish_output(c, 0));
  }
}

/* getopt says neither the option's name nor why it dislikes it. */
static int bad_option(cli *c, int why, char **argv, const char *shorts) {
  const char *text = argv[optind > 0 ? optind - 1 : 0];
  if (why == ':') return stop(c, usage_error(c, "%s needs a value", text));
  if (optopt >= OPT_OWN) return stop(c, usage_error(c, "%s takes no value", text));
  if (optopt > 0 && !strchr(shorts, optopt)) {
    /* An expression such as -x looks like an option. */
    return stop(c, usage_error(c, "unknown option -%c (an expression that begins with - goes after --)", optopt));
  }
  return stop(c, usage_error(c, "unknown or ambiguous option %s", text));
}

int cli_option(cli *c, int argc, char **argv, const char *shorts, const struct option *own) {
  struct option all[MAX_OPTIONS];
  char letters[32];
  int n = 0;
  opterr = 0;
  for (; own && own[n].name && n < MAX_OPTIONS - GLOBALS - 1; n++) all[n] = own[n];
  memcpy(all + n, global_options, sizeof global_options);
  all[n + GLOBALS] = (struct option){0};
  /* ':' asks for a missing value to be told apart; it comes after '+' */
  snprintf(letters, sizeof letters, "%s:h%s", shorts[0] == '+' ? "+" : "", shorts + (shorts[0] == '+'));
  for (;;) {
    int o = getopt_long(argc, argv, letters, all, NULL);
    if (o == '?' || o == ':') return bad_option(c, o, argv, letters);
    if (o != 'h' && o < OPT_PRECISION) return o;
    if (global_option(c, o) == OPT_STOP) return OPT_STOP;
  }
}

tme_engine *cli_engine(cli *c) {
  if (c->engine) return c->engine;
  char why[600] = "";
  /* The program's default is float32, the library's float16; the variable stands above both. */
  const char *variable = secure_getenv("TME_PRECISION");
  c->precision_asked = c->options.precision || (variable && *variable);
  if (!c->precision_asked) c->options.precision = "float32";
  c->engine = tme_engine_open(&c->options, why, sizeof why);
  if (c->engine)
    tme_seed(c->engine, c->seed);
  else
    complain(c, "%s", *why ? why : "the engine could not be opened");
  return c->engine;
}

static int run(cli *c, int argc, char **argv) {
  int o = cli_option(c, argc, argv, "+", NULL);
  if (o == OPT_STOP) return c->exit_code;
  argc -= optind;
  argv += optind;
  if (argc < 1) return usage_error(c, "a command is missing");
  if (!strcmp(argv[0], "help")) {
    if (argc > 1 && !find_command(argv[1])) return usage_error(c, "there is no command '%s'", argv[1]);
    print_help(argc > 1 ? argv[1] : NULL);
    return finish_output(c, 0);
  }
  const command *cmd = find_command(argv[0]);
  if (!cmd) return usage_error(c, "there is no command '%s'", argv[0]);
  c->command = cmd->name;
  optind = 0; /* begin anew */
  return cmd->run(c, argc, argv);
}

int main(int argc, char **argv) {
  cli c = {0};
  fill_missing_streams();
  handle_interrupts();
  tme_options_init(&c.options);
  c.options.log = log_line;
  int code = run(&c, argc, argv);
  tme_engine_free(c.engine);
  return code;
}
