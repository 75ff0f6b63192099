/* Messages to the caller's one callback, one call at a time. */
#include "context/context.h"
#include <stdio.h>
#include <string.h>

bool context_logs(const context *c, tme_log_level level) { return c->config.log && level <= c->config.log_level; }

/* The engines whose callbacks this thread is in. */
typedef struct speaking {
  const context *context;
  const struct speaking *outer;
} speaking;
static _Thread_local const speaking *now_speaking;

bool context_is_logging(const context *c) {
  const speaking *s = now_speaking;
  while (s && s->context != c) s = s->outer;
  return s;
}

/* What a callback makes the engine say is lost: the callback is at work on another message. */
static void put(context *c, tme_log_level level, const char *message) {
  if (context_is_logging(c)) return;
  const speaking s = {c, now_speaking};
  lock_take(&c->log_lock);
  now_speaking = &s;
  c->config.log(c->config.log_user, level, message);
  now_speaking = s.outer;
  lock_give(&c->log_lock);
}

void context_log(context *c, tme_log_level level, const char *fmt, ...) {
  if (!context_logs(c, level)) return;
  char line[1400];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(line, sizeof line, fmt, ap);
  va_end(ap);
  if (n >= 0) put(c, level, line);
}

void context_log_text(context *c, tme_log_level level, const char *lines) {
  if (!context_logs(c, level)) return;
  while (*lines) {
    size_t n = strcspn(lines, "\n");
    char line[1400];
    snprintf(line, sizeof line, "%.*s", n < sizeof line ? (int)n : (int)sizeof line - 1, lines);
    put(c, level, line);
    lines += n + (lines[n] == '\n');
  }
}
