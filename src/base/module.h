/* Where the library's modules are. */
#ifndef TME_MODULE_H
#define TME_MODULE_H

#include "base/base.h"

/* The path of module `file`: beside this library, nowhere else, as a search path would let others choose what is loaded.
 * False if the library's folder is not known or the path does not fit. */
bool module_path(const char *file, char *out, size_t size);

#endif
