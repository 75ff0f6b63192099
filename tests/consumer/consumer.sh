#!/usr/bin/env bash
# Installs into a folder of its own and uses the library from there as an outside program does: by pkg-config and by
# CMake, from C11, C17 and C++; then looks at what the library exports.
# ctest: install timeout=300
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stage=$work/stage
passed=0 failed=0

# check NAME COMMAND...: one test case; its output is shown when it fails.
check() {
  if (set -e; "${@:2}") >"$work/log" 2>&1; then
    echo "ok - $1"
    passed=$((passed + 1))
  else
    echo "not ok - $1"
    cat "$work/log"
    failed=$((failed + 1))
  fi
}

install_tree() {
  cmake --install "$TME_BUILD_DIR" --prefix "$stage"
  # Moved after installing: nothing may remember where it was put first.
  mv "$stage" "$work/moved"
}
check install install_tree
stage=$work/moved
library=$(find "$stage" -name 'libtme.so' -print -quit)
libdir=$(dirname "$library")
export PKG_CONFIG_PATH=$libdir/pkgconfig

# gelu(x @ w + b), worked out by hand.
expect() { [[ $("$@") == *": -0.133 2.870 0.242 4.375" ]]; }

with_pkg_config() {
  # shellcheck disable=SC2046
  cc -std=c11 -Wall -Wextra -Werror "$here/main.c" -o "$work/a" $(pkg-config --cflags --libs tme) "-Wl,-rpath,$libdir"
  "$work/a"
  expect "$work/a"
}
binding_as() { # COMPILER STANDARD LANGUAGE
  # shellcheck disable=SC2046
  "$1" -std="$2" -Wall -Wextra -Werror -x "$3" "$here/binding.c" -x none -o "$work/binding" \
    $(pkg-config --cflags --libs tme) "-Wl,-rpath,$libdir"
  "$work/binding"
  [[ $("$work/binding") == "0 1: 5 7 10" ]]
}
with_cmake() {
  cmake -S "$here" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$stage"
  cmake --build "$work/cmake"
  "$work/cmake/consumer"
  expect "$work/cmake/consumer"
}
header_as() { # COMPILER STANDARD LANGUAGE
  printf '#include <tme/%s.h>\n' tme dlpack >"$work/header.txt"
  "$1" -std="$2" -Wall -Wextra -Wpedantic -Werror -fsyntax-only -x "$3" "$work/header.txt" -I "$stage/include"
}
# Only tme_* is exported, and no private name of the library is among them.
exports() {
  nm -D --defined-only "$library" >"$work/symbols"
  grep -q ' tme_engine_open$' "$work/symbols"
  ! grep -v ' tme_' "$work/symbols"
}
soname() {
  local major
  major=$(pkg-config --modversion tme | cut -d. -f1)
  readelf -d "$library" | grep -F "SONAME" | grep -F "[libtme.so.$major]"
}
program() { "$stage/bin/tme" --version; }

check "C program through pkg-config" with_pkg_config
check "C program through CMake" with_cmake
check "a binding in C" binding_as cc c11 c
check "header as C11" header_as cc c11 c
check "header as C17" header_as cc c17 c
if command -v c++ >/dev/null; then
  check "header as C++" header_as c++ c++11 c++
  check "a binding in C++" binding_as c++ c++11 c++
fi
check "exports tme_* alone" exports
check "SONAME" soname
check "installed program finds its library" program

echo "$passed passed, $failed failed"
[[ $failed == 0 ]]
