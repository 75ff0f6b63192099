"""tme.Engine: the seed's engine, precision, status, logging, contexts."""

import asyncio
import concurrent.futures
import logging
import subprocess
import sys

import pytest
import tme


def test_precisions():
    for precision in ("float16", "bfloat16", "float32", "float64"):
        with tme.Engine(precision) as e:
            assert e.dtype == precision and tme.ones(2).dtype == precision and tme.current_engine() is e
    assert tme.ones(2).dtype == "float32"


def test_operations_are_methods():
    e = tme.Engine()
    assert e.matmul([[1.0, 2.0]], [[3.0], [4.0]]).tolist() == [[11.0]]
    assert e.softmax([0.0, 0.0]).dtype == "float16"
    u, s, vt = e.svd(e.eye(2))
    assert s.tolist() == [1, 1]
    q = e.ones((2, 3))
    assert e.scaled_dot_product_attention(q, q, q, scale=0.5).tolist() == q.tolist()
    assert "gelu" in dir(e) and set(tme._core.operations) <= set(dir(e))
    with pytest.raises(AttributeError):
        e.nothing


def test_status():
    e = tme.Engine("float32")
    status = e.jit_status()
    assert status["state"] in ("active", "disabled", "failed") and status["device"] == "cpu"
    assert (status["state"] == "active") == (status["reason"] == "")
    tme.eval(e.add([1.0], [2.0]) * 3)
    stats = e.cache_stats()
    assert stats["evaluations"] >= 1 and stats["plan_misses"] >= 1
    e.clear_cache()
    assert e.cache_stats()["plan_entries"] == 0
    e.trim()
    assert e.threads >= 1 and isinstance(e.cache_dir, str)


def test_without_compiler():
    e = tme.Engine("float32", jit=False)
    assert e.jit_status()["state"] == "disabled" and not e.has_jit
    assert e.add([1.0], [2.0]).tolist() == [3.0]


@pytest.mark.parametrize(
    "options",
    [{"precision": "float99"}, {"threads": -1}, {"backend": "abacus"}, {"log": "loud"}, {"pool_bytes": -1},
     {"device": "cuda!"}],
)  # fmt: skip
def test_bad_options(options):
    with pytest.raises(ValueError):
        tme.Engine(**options)


def test_contexts():
    def work(precision):
        with tme.Engine(precision):
            return tme.ones(1).dtype.name

    async def task(precision):
        with tme.Engine(precision) as e:
            await asyncio.sleep(0.01)
            assert tme.current_engine() is e
            return tme.ones(1).dtype.name

    async def tasks():
        return await asyncio.gather(task("float64"), task("bfloat16"), task("float16"))

    with tme.Engine("float64"), concurrent.futures.ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, ["float16", "bfloat16"])) == ["float16", "bfloat16"]
        assert asyncio.run(tasks()) == ["float64", "bfloat16", "float16"]
        with tme.Engine("float16"):
            assert tme.ones(1).dtype == "float16"
        assert tme.ones(1).dtype == "float64"
    with pytest.raises(RuntimeError):
        tme.Engine().__exit__(None, None, None)


def test_an_engine_outlives_its_object():
    x = tme.Engine("float64").ones(3)
    assert (x + 1).tolist() == [2, 2, 2] and x.engine.dtype == "float64"


def test_logging(caplog):
    with caplog.at_level(logging.DEBUG, logger="tme"):
        e = tme.Engine("float32", log="debug")
        tme.eval(e.add([1.0, 2.0], [2.0, 3.0]))
        for _ in range(1000):
            if caplog.records:
                break
    assert any("precision float32" in record.getMessage() for record in caplog.records)
    assert all(record.name == "tme" for record in caplog.records)


def test_benchmark():
    times = tme.Engine("float32").benchmark(size=64)
    assert set(times) >= {"matmul", "add", "gelu"} and all(t > 0 for t in times.values())


def test_environment():
    code = "import tme; print(tme.ones(1).dtype.name)"
    for value, expected in (("float64", "float64"), ("", "float32")):
        done = subprocess.run([sys.executable, "-c", code], env={**__import__("os").environ, "TME_PRECISION": value},
                              capture_output=True, text=True, check=True)  # fmt: skip
        assert done.stdout.strip() == expected
