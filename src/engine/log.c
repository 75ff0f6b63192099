/* Messages to the caller's one callback, one call at a time. */
#include "engine/inside.h"
#include <stdio.h>
#include <string.h>

bool engine_logs(const tme_engine *e, tme_log_level level) { return e->config.log && level <= e->config.log_level; }

/* The engines whose callbacks this thread is in. */
typedef struct speaking {
  const tme_engine *engine;
  const struct speaking *outer;
} speaking;
static _Thread_local const speaking *now_speaking;

bool engine_is_logging(const tme_engine *e) {
  const speaking *s = now_speaking;
  while (s && s->engine != e) s = s->outer;
  return s;
}

/* What a callback makes the engine say is lost: the callback is at work on another message. */
static void put(tme_engine *e, tme_log_level level, const char *message) {
  if (engine_is_logging(e)) return;
  const speaking s = {e, now_speaking};
  lock_take(&e->log_lock);
  now_speaking = &s;
  e->config.log(e->config.log_user, level, message);
  now_speaking = s.outer;
  lock_give(&e->log_lock);
}

void engine_log(tme_engine *e, tme_log_level level, const char *fmt, ...) {
  if (!engine_logs(e, level)) return;
  char line[1400];
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(line, sizeof line, fmt, ap);
  va_end(ap);
  if (n >= 0) put(e, level, line);
}

void engine_log_text(tme_engine *e, tme_log_level level, const char *lines) {
  if (!engine_logs(e, level)) return;
  while (*lines) {
    size_t n = strcspn(lines, "\n");
    char line[1400];
    snprintf(line, sizeof line, "%.*s", n < sizeof line ? (int)n : (int)sizeof line - 1, lines);
    put(e, level, line);
    lines += n + (lines[n] == '\n');
  }
}
