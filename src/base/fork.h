/* What fork() did to this process. Threads do not survive it, and shared mappings are shared from then on. */
#ifndef TME_FORK_H
#define TME_FORK_H

/* Both count from the first call on. */
unsigned fork_generation(void); /* changes in the child alone */
unsigned fork_count(void);      /* changes in parent and child */

#endif
