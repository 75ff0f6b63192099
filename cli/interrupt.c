/* Signals that end the program: no file is left half written. */
#include "cli.h"
#include <signal.h>

static const int ends[] = {SIGINT, SIGTERM, SIGHUP};

/* The signal's own action is back by now: it ends the program when the handler returns. */
static void on_end(int signal) {
  tme_save_abandon();
  raise(signal);
}

void handle_interrupts(void) {
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    struct sigaction old, new = {.sa_handler = on_end, .sa_flags = (int)SA_RESETHAND};
    /* What is ignored (nohup) stays so. */
    if (sigaction(ends[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL) sigaction(ends[i], &new, NULL);
  }
}
