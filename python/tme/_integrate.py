"""Integrals by sampling."""

from __future__ import annotations

from . import _core

TYPE_CHECKING = False  # as typing has it, whose import takes longer than that of all else
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal

    from ._core import Array

_REPLICAS = 16


def integrate(
    f: Callable[[Array], Array],
    low: float | Sequence[float],
    high: float | Sequence[float],
    n: int = 1 << 16,
    method: Literal["sobol", "plain"] = "sobol",
    *,
    key: Array | None = None,
    dtype: Any = "float64",
) -> tuple[float, float]:
    """The integral of f over the numbers from low to high, or over the box between two points, by n samples or a few more;
    and the standard deviation of its error, as far as the samples show it.

    f takes all samples at once, (n,) or (n, d) of them, and gives (n,) values; it is called with arrays that are computed with it.
    "plain" draws them independently: the error falls as 1 / sqrt(n). "sobol" takes 16 scramblings of Sobol's points, up to 64
    dimensions: of smooth functions it falls nearly as 1 / n. Without a key the next one of the current engine's stream is taken.
    """
    bounds = [_core.asarray(bound, dtype=dtype) for bound in (low, high)]
    shapes = {bound.shape for bound in bounds}
    if len(shapes) > 1 or len(bounds[0].shape) > 1:
        raise ValueError(
            f"integrate: low and high have shapes {bounds[0].shape} and {bounds[1].shape}, expected two numbers or two points"
        )
    if n < 2:
        raise ValueError(f"integrate: n is {n}, expected 2 or more")
    if method not in ("sobol", "plain"):
        raise ValueError(f"integrate: method is {method!r}, expected 'sobol' or 'plain'")
    start, size = bounds[0], bounds[1] - bounds[0]
    shape = start.shape

    def values(unit: Array) -> Array:
        samples = unit.shape[0]
        y = f(start + size * unit)
        if y.shape != (samples,):
            raise ValueError(f"integrate: f gives {y.shape} for {samples} samples, expected ({samples},)")
        return _core.astype(y, dtype)

    volume = float(_core.prod(size))
    if method == "plain":
        y = values(_core.random_uniform(shape=[n, *shape], dtype=dtype, key=key))
        return (volume * float(_core.mean(y)), abs(volume) * float(_core.std(y, correction=1)) / n**0.5)
    dims = shape[0] if shape else 1
    each = 1 << (-(-n // _REPLICAS) - 1).bit_length()
    seed = key if key is not None else _core.random_bits([2])
    means = []
    for scramble in _core.random_split(seed, _REPLICAS):
        points = _core.random_sobol(each, dims, scramble=scramble, dtype=dtype)
        means.append(_core.mean(values(points if shape else _core.reshape(points, [each]))))
    all_means = _core.stack(means)
    return (volume * float(_core.mean(all_means)), abs(volume) * float(_core.std(all_means, correction=1)) / _REPLICAS**0.5)
