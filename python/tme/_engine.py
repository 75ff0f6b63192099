"""What an engine has beside the operations."""

from __future__ import annotations

import time
from collections.abc import Callable

from . import _core

TYPE_CHECKING = False  # as typing has it, whose import takes longer than that of all else
if TYPE_CHECKING:
    from typing import Any


def _median_ms(call: Callable[[], object], seconds: float = 0.3) -> float:
    call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return sorted(times)[len(times) // 2] * 1e3


def benchmark(self: _core.Engine, size: int = 1024) -> dict[str, float]:
    """Milliseconds a call, medians, of the operations that the engine is measured by, on matrices of size x size."""
    with self:
        count = size * size
        x = (_core.arange(count, dtype=self.dtype) / count - 0.5).reshape(size, size)
        y = x.T + 0.25
        _core.eval(x, y)
        small = x[: min(size, 256), : min(size, 256)]
        calls = {
            "matmul": lambda: _core.eval(x @ y),
            "add": lambda: _core.eval(x + y),
            "multiply": lambda: _core.eval(x * y),
            "gelu": lambda: _core.eval(_core.gelu(x)),
            "softmax": lambda: _core.eval(_core.softmax(x)),
            "svd 256": lambda: _core.eval(_core.svd(small.astype("float32"))),
        }
        return {name: _median_ms(call) for name, call in calls.items()}


def attention(self: _core.Engine, q: Any, k: Any, v: Any, scale: float | None = None, mask: Any = None) -> _core.Array:
    """scaled_dot_product_attention with the scale before the mask.

    >>> import tme
    >>> tme.Engine().attention([[1.0, 0.0]], [[1.0, 0.0]], [[3.0, 4.0]]).tolist()
    [[3.0, 4.0]]
    """
    return self.scaled_dot_product_attention(q, k, v, mask=mask, scale=scale)


def mul(self: _core.Engine, x: Any, y: Any) -> _core.Array:
    """The same as multiply."""
    return self.multiply(x, y)
