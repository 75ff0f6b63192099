/* What convolutions and poolings have in common: lists with a number for each spatial axis, windows along these axes. */
#ifndef TME_SPATIAL_H
#define TME_SPATIAL_H

#include "ir/graph.h"

/* So that an operand cut into groups and windows has no more dimensions than there can be. */
enum { SPATIAL_MOST = 5 };

/* A list of one number for each of n axes: of one number it becomes that for all, if none is given `none`. All are at least
 * `least`. */
tme_status spatial_list(const op_call *c, const char *what, op_list *l, int n, int64_t none, int64_t least, error *e);

/* That the first operand has a batch, n spatial axes, and channels. */
tme_status spatial_check_rank(const op_call *c, int n, error *e);

/* The extent along an axis becomes the number of windows; an error if not one fits. */
tme_status spatial_extent(const op_call *c, int axis, int64_t *extent, int64_t window, int64_t dilation, int64_t stride,
                          error *e);

/* Paddings of n spatial axes whose extents are given, with windows that reach over `span` elements: one number for all, one
 * for each, or a before and an after for each, which the list has afterwards. `same`: such that there are extent / stride
 * windows, rounded up. */
tme_status spatial_padding(const op_call *c, op_list *padding, bool same, int n, const int64_t *extent,
                           const int64_t *span, const op_list *stride, error *e);

/* (batch, channels, spatial...) as (batch, spatial..., channels), and back. */
int spatial_channels_last(graph *g, int x);
int spatial_channels_first(graph *g, int x);
/* Axes in another order. */
int spatial_turned(graph *g, int x, const int *order);
/* x with so many elements of that value before and after each of n axes from `first` on; negative numbers take elements away. */
int spatial_padded(graph *g, int x, int first, int n, const int64_t *before, const int64_t *after, double value);
/* x cut into windows along n axes from `first` on: new dimensions behind all others. */
int spatial_windows(graph *g, int x, int first, int n, const int64_t *window, const int64_t *stride,
                    const int64_t *dilation);

#endif
