# Sourced: tools of one version, from the registry of Python packages, each in an environment of its own.
# shellcheck shell=bash

# from_pypi INSTALL FOLDER PACKAGE==VERSION OTHERWISE: is it in the virtual environment FOLDER? Fetched if INSTALL is
# "yes"; where it cannot be had, says why and OTHERWISE. PACKAGE may have extras in brackets.
from_pypi() {
  local install=$1 folder=$2 wanted=$3 otherwise=$4
  local name=${3%%[[=]*} version=${3##*==}
  if "$folder/bin/python" -c "import importlib.metadata as m; assert m.version('$name') == '$version'" 2>/dev/null; then
    return 0
  fi
  local what="$name $version"
  if [[ $install == no ]]; then
    echo "No $what in $folder, and nothing is to be installed: $otherwise." >&2
  elif ! python3 -m venv "$folder" >/dev/null 2>&1; then
    echo "Python cannot make a virtual environment here, for $what: $otherwise." >&2
  elif ! timeout 180 "$folder/bin/python" -m pip install -q --disable-pip-version-check --retries 1 --timeout 15 \
    "$wanted" >&2; then
    echo "$what could not be fetched: $otherwise." >&2
  else
    return 0
  fi
  return 1
}
