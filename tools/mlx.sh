# Sourced by ./check: a private Python environment with MLX's CPU build, from which the module tme-mlx is built.
# shellcheck shell=bash disable=SC2034

# shellcheck source=tools/pypi.sh
source tools/pypi.sh
# The version that the tests were written with: MLX changes its C++ interface in patch releases.
mlx_version=0.32.4
mlx_venv=build-mlx-venv

# ensure_mlx INSTALL: sets `mlx_python` to an interpreter that has MLX, or to nothing after saying why.
ensure_mlx() {
  mlx_python=
  if from_pypi "$1" "$mlx_venv" "its backend is left out" "mlx[cpu]==$mlx_version"; then
    mlx_python=$PWD/$mlx_venv/bin/python
  fi
}
