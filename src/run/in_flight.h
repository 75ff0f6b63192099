/* Work of a plan's step that a device has not done yet. */
#ifndef TME_IN_FLIGHT_H
#define TME_IN_FLIGHT_H

#include "run/plan.h"

/* An event for the outputs of a step that backend `number` works on. Whoever waits for it learns which operations failed, and
 * the plan goes to the next backend from then on. `work` is the backend's own event. NULL when out of memory. */
event *in_flight_new(plan *p, int step, int number, event *work);
/* Waits, as the event does, with the backend's own words for a failure. */
tme_status in_flight_end(event *ev, error *e);

#endif
