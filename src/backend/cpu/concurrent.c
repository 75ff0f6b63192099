/* Independent kernels that do not fill the machine one by one run concurrently. */
#include "backend/cpu/run.h"

enum {
  BUSY = 8,       /* pieces a thread from which a kernel keeps them all busy */
  LOOK_AHEAD = 64 /* steps */
};

static bool fills(const executable *x, int i, int threads) {
  return x->s.p->steps[i].kind != STEP_KERNEL || launch_pieces(&x->launch[i]) >= (int64_t)BUSY * threads;
}

/* Notes that steps from `at` on write what `s` writes. */
static void note_writes(const step *s, int at, int *written) {
  for (int i = 0; i < s->nbind; i++)
    if (s->bind[i] >= 0 && s->kernel->bufs[i].role == BUF_OUT) written[s->bind[i]] = at;
  for (int i = 0; i < s->nout; i++)
    if (s->out[i] >= 0) written[s->out[i]] = at;
}

/* Some step from `at` on writes what the kernel reads. Every slot is written by one step. */
static bool reads_from(const step *s, int at, const int *written) {
  for (int i = 0; i < s->nbind; i++)
    if (s->bind[i] >= 0 && written[s->bind[i]] == at) return true;
  return false;
}

static void move(executable *x, int from, int to) {
  step s = x->s.p->steps[from];
  launch l = x->launch[from];
  for (int i = from; i > to; i--) {
    x->s.p->steps[i] = x->s.p->steps[i - 1];
    x->launch[i] = x->launch[i - 1];
  }
  x->s.p->steps[to] = s;
  x->launch[to] = l;
}

static double work(const executable *x, int i) {
  return (double)x->launch[i].tasks * x->s.p->steps[i].kernel->task_cost;
}

/* The steps that run concurrently with step i, moved behind it. */
static void find(executable *x, int i, int threads, int *written) {
  double sum = work(x, i);
  int count = 1;
  note_writes(&x->s.p->steps[i], i, written);
  for (int j = i + 1; j < x->s.p->nsteps && j < i + LOOK_AHEAD && count < MOST_ABREAST; j++) {
    const step *s = &x->s.p->steps[j];
    if (s->kind == STEP_BOUNDS)
      break; /* indices are checked before a kernel gathers with them: nothing moves over it */
    bool stays = fills(x, j, threads) || reads_from(s, i, written);
    note_writes(s, i, written);
    if (stays) continue;
    sum += work(x, j);
    move(x, j, i + count++);
  }
  if (sum >= (double)WORTH_A_THREAD || launch_is_finest()) x->s.concurrent[i] = count;
}

bool concurrent_find(executable *x, int threads) {
  int n = x->s.p->nsteps;
  int *written = mem_alloc((size_t)x->s.p->nslots * sizeof *written); /* per slot: the step from which it was met */
  if (!written) return false;
  for (int s = 0; s < x->s.p->nslots; s++) written[s] = -1;
  for (int i = 0; i < n && threads > 1; i += x->s.concurrent[i])
    if (!fills(x, i, threads)) find(x, i, threads, written);
  mem_free(written);
  return true;
}
