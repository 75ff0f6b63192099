#!/usr/bin/env bash
# The matrix of tests on the MLX backend: all cells of this run's share without MLX's compile, which takes half a second a
# kernel, and a selection of rows with it.
# ctest: mlx timeout=1500
set -uo pipefail

if [[ ! -e $TME_BUILD_DIR/lib/libtme-mlx.so ]]; then
  echo "the module of MLX was not built: skipped"
  exit 77
fi
passed=0 failed=0
export TME_MATRIX_BACKEND=mlx

# run NAME: adds up the cells of one run.
run() {
  local log cells bad
  log=$("$TME_BUILD_DIR/tests/test_matrix" 2>&1)
  cells=$(sed -n 's/^matrix .*: \([0-9]*\) cells, [0-9]* failed$/\1/p' <<<"$log")
  bad=$(sed -n 's/^matrix .* cells, \([0-9]*\) failed$/\1/p' <<<"$log")
  if [[ $log != *"[  PASSED  ] 1 test"* || ${bad:-1} != 0 || ${cells:-0} == 0 ]]; then
    echo "not ok - $1"
    printf '%s\n' "$log"
    [[ ${bad:-0} != 0 ]] || bad=1
  fi
  passed=$((passed + ${cells:-0} - ${bad:-0}))
  failed=$((failed + ${bad:-0}))
}

TME_MLX_COMPILE=0 run "uncompiled"
export TME_MATRIX=quick TME_MLX_COMPILE=1
for op in add floor_divide gelu astype where sum softmax layer_norm matmul concatenate; do
  TME_MATRIX_OP=$op run "compiled: $op"
done
echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
