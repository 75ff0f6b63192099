# Sourced by tests/lint: the one version of clang-format whose output the sources have. Others differ in details.
# shellcheck shell=bash disable=SC2034

# shellcheck source=tools/pypi.sh
source tools/pypi.sh
clang_format_version=14.0.6

# ensure_clang_format INSTALL: sets `clang_format` to that program, or to nothing after saying why.
ensure_clang_format() {
  local venv=build-clang-format-venv
  clang_format=
  if [[ $(clang-format --version 2>/dev/null) == *"version $clang_format_version"* ]]; then
    clang_format=clang-format
  elif from_pypi "$1" $venv "formatting is not checked" "clang-format==$clang_format_version"; then
    clang_format=$PWD/$venv/bin/clang-format
  fi
}
