#include "context/stop.h"

static _Thread_local int asking;

bool stop_ask(const stop_request *s) {
  asking++;
  bool stop = s->asked(s->user);
  asking--;
  return stop;
}

bool stop_is_asking(void) { return asking > 0; }
