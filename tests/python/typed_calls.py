"""Calls whose types are known: checked by mypy and pyright, never run (tests/types)."""

from typing import assert_type

import tme

x = tme.array([[1.0, 2.0], [3.0, 4.0]], dtype="float64")
assert_type(x, tme.Array)
assert_type(x.shape, tuple[int, ...])
assert_type(x + 1, tme.Array)
assert_type(2.0 @ x, tme.Array)
assert_type(x == x, tme.Array)
assert_type(divmod(x, 2), tuple[tme.Array, tme.Array])
assert_type(x[0, ..., None, ::2], tme.Array)
assert_type(x[x > 1], tme.Array)
assert_type(x.at[0].set(1.0), tme.Array)
assert_type(x.reshape(4, 1), tme.Array)
assert_type(x.reshape((4, 1)), tme.Array)
assert_type(x.real, tme.Array)
assert_type(x.sum(axis=0, keepdims=True), tme.Array)
assert_type(tme.svd(x), tuple[tme.Array, tme.Array, tme.Array])
assert_type(tme.softmax([0.5, 1.0], axis=0), tme.Array)
assert_type(tme.zeros((2, 3), dtype=tme.int64), tme.Array)
assert_type(tme.float32.eps, float)
assert_type(float(x.item(0, 1)), float)
x += 1
x[0] = 2.0

with tme.Engine(precision="float16", threads=2) as engine:
    assert_type(engine, tme.Engine)
    assert_type(engine.matmul(x, x), tme.Array)
    assert_type(engine.svd(x)[1], tme.Array)


@tme.compile
def f(a: tme.Array, scale: float = 1.0) -> dict[str, tme.Array]:
    return {"sum": tme.sum(a) * scale}


assert_type(f(x, scale=2.0), dict[str, tme.Array])
assert_type(f.lower(x), tme.Plan)
assert_type(tme.async_eval(f(x)), tme.Event)


class Model:
    def __init__(self) -> None:
        self.weight = tme.ones((2, 2))

    @tme.compile
    def forward(self, a: tme.Array) -> tme.Array:
        return a @ self.weight


assert_type(Model().forward(x), tme.Array)
tme.reshape(x, "4")  # type: ignore[arg-type] # pyright: ignore
f("x")  # type: ignore[arg-type] # pyright: ignore
