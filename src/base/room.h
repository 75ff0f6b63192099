/* Room in the address space, for libraries that end the process where they get no memory. */
#ifndef TME_ROOM_H
#define TME_ROOM_H

#include <stdbool.h>
#include <stddef.h>

/* Whether this process has a limit (ulimit -v, ulimit -d). */
bool room_limited(void);
/* Whether so much could be mapped now. True without a look where there is no limit. */
bool room_for(size_t bytes);

#endif
