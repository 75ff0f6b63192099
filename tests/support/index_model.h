/* Indexing by NumPy's rules, element by element: what tme_get and tme_put are compared with. */
#ifndef TME_TEST_INDEX_MODEL_H
#define TME_TEST_INDEX_MODEL_H

#include "tme/tme.h"

enum { MODEL_ENTRIES = 12, MODEL_PLACES = 64, MODEL_ELEMENTS = 4096 };

/* An entry, an array with its shape and its elements. */
typedef struct model_entry {
  tme_index ix;
  bool mask;
  int rank;
  int64_t shape[TME_MAX_RANK], places[MODEL_PLACES]; /* of a mask 0 or 1 */
} model_entry;

typedef struct model_index {
  int n;
  model_entry entry[MODEL_ENTRIES];
} model_index;

/* Which elements of an array of that shape an index names. */
typedef struct model_result {
  int rank;
  int64_t shape[2 * TME_MAX_RANK], size;
  int64_t from[MODEL_ELEMENTS]; /* row-major numbers */
} model_result;

/* A random index; now and then one that is refused. */
void model_random(model_index *m, int rank, const int64_t *shape, uint64_t *seed);
/* As the library takes it. */
void model_entries(tme_scope *s, const model_index *m, tme_index *out);
/* False if the index is refused. */
bool model_apply(const model_index *m, int rank, const int64_t *shape, model_result *out);
/* As source text, for messages. */
void model_text(const model_index *m, char *out, size_t size);

#endif
