/* The first call in a new process, of this engine and of the libraries that compile, whose caches are kept in a folder of
 * their own: empty (cold), or filled by a process before (warm). */
#include "bench/bench.h"
#include <errno.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *place) {
  (void)info;
  (void)kind;
  (void)place;
  return remove(path);
}

static void remove_folder(const char *path) { nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS); }

/* The caches of all known libraries are where temporary files are, but for the engine's. */
static double first_call(bench *b, const bench_case *k, const char *name, const char *folder) {
  char env[] = "env", tmp[BENCH_PATH + 16], cache[BENCH_PATH + 16];
  char *argv[PEER_WORDS + 3] = {env, tmp, cache};
  worker w;
  double ms = -1;
  snprintf(tmp, sizeof tmp, "TMPDIR=%s", folder);
  snprintf(cache, sizeof cache, "TME_CACHE_DIR=%s/tme", folder);
  peer_command(b, name, argv + 3);
  if (!worker_start(&w, b->c, name, argv)) return -1;
  if (worker_prepare(&w, b->c, k, k->dtype)) ms = w.first_ms;
  worker_stop(&w);
  return ms;
}

static bool new_folder(const bench *b, char *path) {
  const char *base = secure_getenv("TMPDIR");
  snprintf(path, BENCH_PATH, "%s/tme-bench-XXXXXX", base && *base ? base : "/tmp");
  if (mkdtemp(path)) return true;
  complain(b->c, "%s: %s", path, strerror(errno));
  return false;
}

/* False after the message, or if the library cannot do it. */
static bool sample(bench *b, const bench_case *k, const char *name, double *ms) {
  char folder[BENCH_PATH];
  if (!new_folder(b, folder)) return false;
  *ms = first_call(b, k, name, folder);
  if (*ms >= 0 && k->moment == FIRST_CALL_WARM) *ms = first_call(b, k, name, folder);
  remove_folder(folder);
  return *ms >= 0;
}

bool measure_first(bench *b, const bench_case *k, bench_row *row) {
  enum { MOST = 5 };
  double ms[1 + BENCH_PEERS][MOST];
  int n[1 + BENCH_PEERS] = {0}, rounds = b->quick ? 1 : MOST;
  bench_case call = *k;
  call.op = "chain";
  *row = (bench_row){.k = k, .dtype = k->dtype, .error = (double)NAN, .limit_ms = (double)NAN};
  for (int round = 0; round < rounds; round++)
    for (int i = -1; i < b->table.npeers; i++) {
      const worker *peer = i < 0 ? NULL : &b->table.peers[i];
      if (peer && (!peer->compiles || peer->pid <= 0)) continue;
      progress("%s: %s, %d of %d", k->op, peer ? peer->name : "tme", round + 1, rounds);
      if (sample(b, &call, peer ? peer->name : "tme", &ms[i + 1][n[i + 1]])) n[i + 1]++;
    }
  progress_end();
  row->plain = summary(NULL, 0);
  row->jit = summary(ms[0], n[0]);
  for (int i = 0; i < b->table.npeers; i++) row->peer[i] = summary(ms[i + 1], n[i + 1]);
  return n[0] > 0;
}
