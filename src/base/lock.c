#include "base/lock.h"
#include "base/fork.h"

static pthread_mutex_t known = PTHREAD_MUTEX_INITIALIZER; /* guards the lists; taken before any lock that is on one */
static lock *first[LOCK_RANKS];

static void open_anew(lock *l) {
  pthread_mutex_init(&l->mutex, NULL);
  pthread_cond_init(&l->changed, NULL);
}

void lock_init(lock *l, lock_rank rank) {
  fork_watch();
  open_anew(l);
  l->rank = rank;
  l->previous = NULL;
  pthread_mutex_lock(&known);
  l->next = first[rank];
  if (l->next) l->next->previous = l;
  first[rank] = l;
  pthread_mutex_unlock(&known);
}

void lock_end(lock *l) {
  pthread_mutex_lock(&known);
  bool listed = l->previous || first[l->rank] == l;
  if (listed) *(l->previous ? &l->previous->next : &first[l->rank]) = l->next;
  if (listed && l->next) l->next->previous = l->previous;
  pthread_mutex_unlock(&known);
  if (!listed) return;
  pthread_cond_destroy(&l->changed);
  pthread_mutex_destroy(&l->mutex);
}

void lock_take_all(void) {
  pthread_mutex_lock(&known);
  for (int rank = 0; rank < LOCK_USERS; rank++)
    for (lock *l = first[rank]; l; l = l->next) lock_take(l);
}

void lock_give_all(void) {
  for (int rank = 0; rank < LOCK_USERS; rank++)
    for (lock *l = first[rank]; l; l = l->next) lock_give(l);
  pthread_mutex_unlock(&known);
}

void lock_renew_all(void) {
  pthread_mutex_init(&known, NULL);
  for (int rank = 0; rank < LOCK_RANKS; rank++)
    for (lock *l = first[rank]; l; l = l->next) open_anew(l);
}
