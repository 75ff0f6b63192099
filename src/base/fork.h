/* What fork() did to this process. Threads do not survive it, and shared mappings are shared from then on. */
#ifndef TME_FORK_H
#define TME_FORK_H

/* Both count from the first call on. */
unsigned fork_generation(void); /* changes in the child alone */
unsigned fork_count(void);      /* changes in parent and child */

/* No fork begins between these two: one in another thread waits. For work under locks that the child would find locked,
 * on a thread that it will not have. */
void fork_hold(void);
void fork_release(void);

#endif
