"""Parts of arrays that are not computed, and are read one by one."""

import gc

import pytest
import tme


def compilations(f):
    before = tme.current_engine().cache_stats()
    f()
    after = tme.current_engine().cache_stats()
    return after["plan_misses"] - before["plan_misses"]


def lazy():
    return tme.reshape(tme.arange(30), (5, 6)) * 3 + 1


@pytest.mark.parametrize(
    "read",
    [
        lambda x: [int(x[i, j]) for i in range(5) for j in range(6)],
        lambda x: [x[i][j].item() for i in range(5) for j in range(6)],
        lambda x: [v for row in x for v in row.tolist()],
        lambda x: [float(v) for row in x for v in row],
    ],
)
def test_the_whole_is_computed_once(read):
    x = lazy()
    values = []
    assert compilations(lambda: values.extend(read(x))) <= 2
    assert values == [3 * i + 1 for i in range(30)]


def test_what_is_evaluated_lets_go_of_the_whole():
    big = tme.ones((1000, 1000)) + 1
    kept = [tme.sum(big * k, axis=0)[0] for k in range(3)]
    tme.eval(kept)
    assert [k.item() for k in kept] == [0.0, 2000.0, 4000.0]
    assert kept[1].eval().item() == 2000.0
    del big
    gc.collect()
    before = tme.current_engine().cache_stats()["pool_bytes_used"]
    assert before < 4_000_000


def test_the_whole_may_be_assigned_to_meanwhile():
    x = lazy()
    part = x[0, 0]
    x[0, 0] = 100
    assert (part.item(), x[0, 0].item()) == (1, 100)


def test_failures_are_those_of_the_whole():
    x = tme.linalg.svd(tme.full((2, 2), float("nan"))).S
    with pytest.raises(tme.NumericError):
        x[0].item()


def test_while_tracing():
    with pytest.raises(tme.TraceError):
        tme.compile(lambda x: x[0].item())(tme.arange(3))
