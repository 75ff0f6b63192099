/* Which values depend on the group that is being made, other groups counted as wholes: one that loads a value of the group
 * runs after it, with everything it makes. */
#ifndef TME_DEPENDS_H
#define TME_DEPENDS_H

#include "lower/fuse.h"

typedef struct depends {
  const graph *g;
  const fusion *f;
  int group;
  int *top;   /* per node: no node that must be computed before it has a larger number than this */
  int *known; /* per node: 2 * epoch + whether it depends on the group; smaller: it is not known */
  int *queue;
  int epoch;
} depends;

/* False when out of memory. The fusion's users must be known. */
bool depends_init(depends *d, const graph *g, const fusion *f);
void depends_free(depends *d);
/* The group has begun, or has members now that depend on nothing of it. */
void depends_start(depends *d, int gr);
/* Whether node i, not a member, depends on the group. Also true where it would take long to tell. */
bool depends_on(depends *d, int i);
/* The group has all its members. */
void depends_end(depends *d);

#endif
