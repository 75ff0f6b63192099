/* Special functions that the C library lacks, in double: within a few units of the last place, and NaN where they have no value. */
#ifndef TME_SPECIAL_H
#define TME_SPECIAL_H

double erfinv(double x); /* the inverse of erf; infinite at -1 and 1 */

#endif
