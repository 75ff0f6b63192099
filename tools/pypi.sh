# Sourced: tools of one version, from the registry of Python packages, each in an environment of its own.
# shellcheck shell=bash

# from_pypi INSTALL FOLDER OTHERWISE PACKAGE==VERSION...: are they in the virtual environment FOLDER? Fetched if INSTALL is
# "yes"; where they cannot be had, says why and OTHERWISE. A PACKAGE may have extras in brackets.
from_pypi() {
  local install=$1 folder=$2 otherwise=$3
  shift 3
  if "$folder/bin/python" -c '
import importlib.metadata, sys
for package in sys.argv[1:]:
    name, version = package.split("==")
    assert importlib.metadata.version(name.split("[")[0]) == version' "$@" 2>/dev/null; then
    return 0
  fi
  local what
  what=$(printf '%s\n' "$@" | sed 's/\[.*\]//; s/==/ /' | paste -sd , | sed 's/,/, /g')
  if [[ $install == no ]]; then
    echo "No $what in $folder, and nothing is to be installed: $otherwise." >&2
  elif ! python3 -m venv "$folder" >/dev/null 2>&1; then
    echo "Python cannot make a virtual environment here, for $what: $otherwise." >&2
  elif ! timeout 180 "$folder/bin/python" -m pip install -q --disable-pip-version-check --retries 1 --timeout 15 \
    "$@" >&2; then
    echo "$what could not be fetched: $otherwise." >&2
  else
    return 0
  fi
  return 1
}

# packages_of GROUP: what pyproject.toml names as that dependency group, PACKAGE==VERSION a line.
packages_of() {
  python3 -c '
import sys, tomllib
with open("pyproject.toml", "rb") as file:
    print(*tomllib.load(file)["dependency-groups"][sys.argv[1]], sep="\n")' "$1" 2>/dev/null
}

# group_from_pypi INSTALL FOLDER OTHERWISE GROUP: likewise a dependency group.
group_from_pypi() {
  local -a packages
  mapfile -t packages < <(packages_of "$4")
  if [[ ${#packages[@]} == 0 ]]; then
    echo "The Python package needs Python 3.11, which python3 is not: $3." >&2
    return 1
  fi
  from_pypi "$1" "$2" "$3" "${packages[@]}"
}
