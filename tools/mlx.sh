# Sourced by ./check: a private Python environment with MLX's CPU build, from which the module tme-mlx is built.
# shellcheck shell=bash

# The version that the tests were written with: MLX changes its C++ interface in patch releases.
mlx_version=0.32.4
mlx_venv=build-mlx-venv

# ensure_mlx INSTALL: sets `mlx_python` to an interpreter that has MLX, or to nothing after saying why.
ensure_mlx() {
  mlx_python=$PWD/$mlx_venv/bin/python
  if "$mlx_python" -c "import importlib.metadata as m; assert m.version('mlx') == '$mlx_version'" 2>/dev/null; then
    return 0
  fi
  if [[ $1 == no ]]; then
    say "No MLX $mlx_version in $mlx_venv, and nothing is to be installed: its backend is left out."
  elif ! python3 -m venv "$mlx_venv" >/dev/null 2>&1; then
    say "Python cannot make a virtual environment here: the MLX backend is left out."
  elif ! timeout 180 "$mlx_python" -m pip install -q --disable-pip-version-check --retries 1 --timeout 15 \
    "mlx[cpu]==$mlx_version" >&2; then
    say "MLX $mlx_version could not be fetched: its backend is left out."
  else
    return 0
  fi
  mlx_python=
}
