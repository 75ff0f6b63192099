/* Descriptors that are nobody's standard streams. In a program that closed one of those, the next file that is opened gets
 * its number, and whatever is printed then goes into that file. */
#ifndef TME_FD_H
#define TME_FD_H

#include <stdio.h>

/* Takes what open() gave, -1 with errno included, and gives a descriptor of at least 3. */
int fd_apart(int fd);
/* A file to be read; NULL with errno. */
FILE *fd_reader(const char *path);

#endif
