/* The expression language: source text -> tokens -> tree. See docs of `tme eval --help`. */
#ifndef CLI_EXPR_H
#define CLI_EXPR_H

#include "arena.h"
#include "tme/tme.h"

/* What is wrong and where in the source; the first problem stays. */
typedef struct problem {
  bool set, placed;
  size_t at; /* byte offset, if placed */
  char text[1200];
} problem;
/* Both return false, for `return problem_at(...)`. */
bool problem_at(problem *p, size_t at, const char *fmt, ...) TME_PRINTF(3, 4);
bool problem_memory(problem *p);

/* Operators from loose to tight, as in Python. `op` stands behind a binary one, `prefix` behind a unary one. */
typedef enum binding {
  BIND_NONE,
  BIND_OR,
  BIND_AND,
  BIND_NOT,
  BIND_COMPARE,
  BIND_BITOR,
  BIND_BITXOR,
  BIND_BITAND,
  BIND_SHIFT,
  BIND_SUM,
  BIND_PRODUCT,
  BIND_SIGN,
  BIND_POWER
} binding;

#define OPERATORS(X)                                                                                                   \
  X(POW, "**", BIND_POWER, "pow", NULL)                                                                                \
  X(FLOORDIV, "//", BIND_PRODUCT, "floor_divide", NULL)                                                                \
  X(EQ, "==", BIND_COMPARE, "equal", NULL)                                                                             \
  X(NE, "!=", BIND_COMPARE, "not_equal", NULL)                                                                         \
  X(LE, "<=", BIND_COMPARE, "less_equal", NULL)                                                                        \
  X(GE, ">=", BIND_COMPARE, "greater_equal", NULL)                                                                     \
  X(SHL, "<<", BIND_SHIFT, "left_shift", NULL)                                                                         \
  X(SHR, ">>", BIND_SHIFT, "right_shift", NULL)                                                                        \
  X(LT, "<", BIND_COMPARE, "less", NULL)                                                                               \
  X(GT, ">", BIND_COMPARE, "greater", NULL)                                                                            \
  X(ADD, "+", BIND_SUM, "add", "positive")                                                                             \
  X(SUB, "-", BIND_SUM, "subtract", "negative")                                                                        \
  X(MUL, "*", BIND_PRODUCT, "multiply", NULL)                                                                          \
  X(DIV, "/", BIND_PRODUCT, "divide", NULL)                                                                            \
  X(MOD, "%", BIND_PRODUCT, "remainder", NULL)                                                                         \
  X(MATMUL, "@", BIND_PRODUCT, "matmul", NULL)                                                                         \
  X(BITAND, "&", BIND_BITAND, "bitwise_and", NULL)                                                                     \
  X(BITOR, "|", BIND_BITOR, "bitwise_or", NULL)                                                                        \
  X(BITXOR, "^", BIND_BITXOR, "bitwise_xor", NULL)                                                                     \
  X(INVERT, "~", BIND_NONE, NULL, "bitwise_invert")                                                                    \
  X(AND, "and", BIND_AND, "logical_and", NULL)                                                                         \
  X(OR, "or", BIND_OR, "logical_or", NULL)                                                                             \
  X(NOT, "not", BIND_NONE, NULL, "logical_not")

typedef enum operator_id {
#define X(id, text, binds, op, prefix) OPERATOR_##id,
  OPERATORS(X)
#undef X
      OPERATOR_COUNT
} operator_id;

typedef struct operator_row {
  const char *text;
  binding binds;
  const char *op, *prefix;
} operator_row;
extern const operator_row operators[OPERATOR_COUNT];

typedef enum token_kind {
  TOKEN_END,
  TOKEN_SEPARATOR, /* ; or a line break outside of brackets */
  TOKEN_NAME,
  TOKEN_INT,
  TOKEN_FLOAT,
  TOKEN_IMAGINARY, /* 2j: the number in `f` */
  TOKEN_TEXT,      /* 'ij,jk->ik', with its quotes */
  TOKEN_OPERATOR,
  TOKEN_ELLIPSIS,
  TOKEN_PUNCTUATION /* ( ) [ ] , : . = : the character is in `mark` */
} token_kind;

typedef struct token {
  token_kind kind;
  size_t at, len;
  char mark;
  operator_id op;
  uint64_t i;
  double f;
} token;

/* Tokens of the source, the last one TOKEN_END; NULL with a problem. */
token *lex(arena *memory, const char *source, problem *p);

typedef enum node_kind {
  NODE_INT,
  NODE_FLOAT,
  NODE_IMAGINARY,
  NODE_TEXT, /* its characters are the name */
  NODE_NAME,
  NODE_LIST,     /* [a, b]: the elements are the children */
  NODE_TUPLE,    /* a, b */
  NODE_UNARY,    /* op, child */
  NODE_CHAIN,    /* operand, then steps: applied from left to right, so that a long sum is not deep */
  NODE_STEP,     /* op, child */
  NODE_CALL,     /* name, children: arguments */
  NODE_ARGUMENT, /* name if by keyword, child */
  NODE_SUFFIXED, /* operand, then attributes and indices */
  NODE_ATTRIBUTE,
  NODE_INDEX, /* children: the places between the commas */
  NODE_SLICE, /* bound[0]:bound[1]:bound[2], NULL where left out */
  NODE_ELLIPSIS
} node_kind;

typedef struct node {
  node_kind kind;
  size_t at, end; /* the source text it was made from */
  struct node *next, *child;
  operator_id op;
  const char *name; /* not terminated */
  size_t name_len;
  uint64_t i;
  double f;
  struct node *bound[3];
} node;

typedef struct statement {
  struct statement *next;
  node *targets; /* NODE_NAME, linked; NULL: an expression */
  node *value;
  size_t at;
} statement;

/* The statements of the source, linked; NULL with a problem. */
statement *parse(arena *memory, const char *source, problem *p);

#endif
