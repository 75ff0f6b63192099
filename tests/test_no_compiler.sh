#!/usr/bin/env bash
# Without the compiler's module the program says so and computes all the same; kernels that an earlier run left on disk
# are used without it.
set -uo pipefail
source_bin=$(dirname "$TME_PROGRAM")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/bin" "$folder/lib"
cp "$TME_PROGRAM" "$folder/bin/tme"
cp -L "$source_bin"/../lib/libtme.so* "$folder/lib/"
export XDG_CACHE_HOME=$folder/cache
passed=0 failed=0

# expect NAME PATTERN COMMAND...: the command succeeds and prints the pattern.
expect() {
  local name=$1 pattern=$2 out
  shift 2
  if out=$("$@" 2>&1) && grep -qE -- "$pattern" <<<"$out"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED %s: expected %s in:\n%s\n' "$name" "$pattern" "$out"
  fi
}

tme=$folder/bin/tme
expect 'status' '"status": *"disabled"' "$tme" status --json
expect 'reason' '"reason": *"[^"]+' "$tme" status --json
expect 'compiler' '"compiler": *"missing"' "$tme" status --json
expect 'a value' '(^|[^0-9])55([^0-9]|$)' "$tme" eval 'sum(square(arange(6)))'
expect 'a warning' 'without JIT' "$tme" eval 'tanh(ones([3]) * 2 - 1)'
expect 'an elementwise chain' '0\.76159' "$tme" eval 'tanh(ones([3]) * 2 - 1)'

expect 'explain: the reason' 'code: none, no compiler' "$tme" explain 'tanh(ones([3]) + 1)'
expect 'explain: passes' 'after decompose and simplify' "$tme" explain --passes 'tanh(ones([3]) + 1)'
expect 'explain: the description' 'loop i' "$tme" explain --ir 'tanh(ones([3]) + 1)'
expect 'explain: C' 'for \(' "$tme" explain --source 'tanh(ones([3]) + 1)'
expect 'explain: machine code' 'no machine code: no compiler' "$tme" explain --asm 'tanh(ones([3]) + 1)'

# Only where the module is there can an earlier run leave kernels.
if [[ -e $source_bin/../lib/libtme-llvm.so ]] &&
  "$TME_PROGRAM" status --json 2>/dev/null | grep -E '"status": *"active"' >/dev/null; then
  expect 'with the compiler' '0\.9640' "$TME_PROGRAM" eval 'tanh(ones([3]) * 3 - 1)'
  expect 'from disk without it' '0\.9640' "$tme" eval 'tanh(ones([3]) * 3 - 1)'
  expect 'and without a warning' '^0$' bash -c "$(printf '%q' "$tme") eval 'tanh(ones([3]) * 3 - 1)' 2>&1 | grep -c 'without JIT'; true"
  # The module says of which sources it was made: those of other ones mean something else by a kernel.
  module=$source_bin/../lib/libtme-llvm.so
  id=$(grep -aoE '[0-9a-f]{64}' "$module" | head -n 1)
  LC_ALL=C sed "s/$id/$(rev <<<"$id")/g" "$module" >"$folder/lib/libtme-llvm.so"
  # It is closed again, and what its constructors made stays.
  lenient=(env ASAN_OPTIONS="${ASAN_OPTIONS-}:detect_leaks=0" "$tme")
  expect 'a module of other sources' 'not the module of this version' "${lenient[@]}" status
  expect 'a value beside it' '0\.76159' "${lenient[@]}" eval 'tanh(ones([3]) * 5 - 4)'
fi

echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
