#include "ir/graph.h"

node_class node_classify(int op) {
  switch (op) {
  case OP_leaf:
  case OP_literal:
  case OP_iota: return CLASS_SOURCE;
  case OP_pick: return CLASS_PICK;
  case OP_astype: return CLASS_MAP;
  case OP_reshape:
  case OP_transpose:
  case OP_slice:
  case OP_broadcast_to:
  case OP_pad:
  case OP_concatenate: return CLASS_VIEW;
  case OP_take: return CLASS_TAKE;
  case OP_matmul: return CLASS_MATMUL;
  case OP_scaled_dot_product_attention: return CLASS_ATTENTION;
  case OP_svd:
  case OP_svdvals: return CLASS_LIBRARY;
  default: break;
  }
  if (op < OP_PUBLIC_COUNT) {
    op_family family = op_get(op)->family;
    if (family == FAMILY_elementwise) return CLASS_MAP;
    if (family == FAMILY_reduce) return CLASS_REDUCE;
  }
  return CLASS_COMPOSITE;
}
