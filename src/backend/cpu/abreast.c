/* Independent kernels that do not fill the machine one by one run side by side. */
#include "backend/cpu/run.h"

enum {
  BUSY = 8,       /* pieces a thread from which a kernel keeps them all busy */
  LOOK_AHEAD = 64 /* steps */
};

static bool fills(const executable *x, int i, int threads) {
  return x->p->steps[i].kind != STEP_KERNEL || launch_pieces(&x->launch[i]) >= (int64_t)BUSY * threads;
}

/* Every slot is written by one step. */
static bool reads_from(const step *s, const step *writer) {
  if (s->kind != STEP_KERNEL) return true;
  for (int i = 0; i < s->nbind; i++) {
    if (s->bind[i] < 0) continue;
    if (writer->kind == STEP_KERNEL) {
      for (int k = 0; k < writer->nbind; k++)
        if (writer->bind[k] == s->bind[i] && writer->kernel->bufs[k].role == BUF_OUT) return true;
    }
    for (int k = 0; k < writer->nout; k++)
      if (writer->out[k] == s->bind[i]) return true;
  }
  return false;
}

/* Indices are checked before a kernel gathers with them: nothing moves over a check. */
static bool can_move(const program *p, int from, int to) {
  for (int i = to; i < from; i++)
    if (p->steps[i].kind == STEP_BOUNDS || reads_from(&p->steps[from], &p->steps[i])) return false;
  return true;
}

static void move(executable *x, int from, int to) {
  step s = x->p->steps[from];
  launch l = x->launch[from];
  for (int i = from; i > to; i--) {
    x->p->steps[i] = x->p->steps[i - 1];
    x->launch[i] = x->launch[i - 1];
  }
  x->p->steps[to] = s;
  x->launch[to] = l;
}

static double work(const executable *x, int i) { return (double)x->launch[i].tasks * x->p->steps[i].kernel->task_cost; }

void abreast_find(executable *x, int threads) {
  int n = x->p->nsteps;
  for (int i = 0; i < n; i++) x->abreast[i] = 1;
  for (int i = 0; i < n && threads > 1; i += x->abreast[i]) {
    if (fills(x, i, threads)) continue;
    double sum = work(x, i);
    int count = 1;
    for (int j = i + 1; j < n && j < i + LOOK_AHEAD && count < MOST_ABREAST; j++) {
      if (fills(x, j, threads) || !can_move(x->p, j, i)) continue;
      sum += work(x, j);
      move(x, j, i + count++);
    }
    if (sum >= (double)WORTH_A_THREAD || launch_is_finest()) x->abreast[i] = count;
  }
}
