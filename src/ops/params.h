/* The limits of a row of ops.def, which the build checks. */
#ifndef TME_PARAMS_H
#define TME_PARAMS_H

enum {
  OP_MAX_PARAMS = 16,
  OP_MAX_OUTPUTS = 8,
  OP_NAME = 16,  /* characters of a parameter's name */
  OP_KIND = 192, /* of its kind, which lists a choice's values */
  OP_TEXT = 128  /* of a text that a caller gives */
};

#endif
