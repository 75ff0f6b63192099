"""Threads, signals, forks, the interpreter's end."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest
import tme


def run(code, **kwargs):
    return subprocess.run([sys.executable, "-X", "dev", "-c", textwrap.dedent(code)], capture_output=True, text=True,
                          timeout=120, **kwargs)  # fmt: skip


def test_threads_share_everything():
    f = tme.compile(lambda x, y: tme.tanh(x @ y).sum())
    x = tme.linspace(-1, 1, 64 * 64).reshape(64, 64)
    expected, wrong = f(x, x).item(), []

    def work():
        for _ in range(30):
            y = (x + 1) - 1
            if abs(f(x, x).item() - expected) > 0 or abs((x * 2).sum().item()) > 1 or y.shape != (64, 64):
                wrong.append(1)
            shared[0] = 1
            shared.at[1].add(1).tolist()

    shared = tme.zeros(4)
    threads = [threading.Thread(target=work) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_long_work_leaves_the_gil():
    x = tme.ones((1200, 1200))
    tme.eval(x)
    ticks, stop = [], threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    t = threading.Thread(target=tick)
    t.start()
    y = x
    for _ in range(6):
        y = y @ x / 1200
    begin = time.perf_counter()
    tme.eval(y)
    end = time.perf_counter()
    stop.set()
    t.join()
    assert sum(begin < tick < end for tick in ticks) >= 3


def test_interrupt_stops_between_steps():
    x = tme.ones((1000, 1000))
    y = x
    for _ in range(60):
        y = y @ x / 1000
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    begin = time.perf_counter()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        tme.eval(y)
    stopped = time.perf_counter() - begin
    timer.join()
    begin = time.perf_counter()
    assert y.sum().item() == 1000 * 1000
    assert stopped < 0.2 + (time.perf_counter() - begin)


def test_interrupt_ends_the_wait_for_an_event():
    done = run("""
        import os, signal
        import tme

        x = y = tme.ones((300, 300)) / 300
        for _ in range(20000):
            y = y @ x
        event = tme.async_eval(y)
        if os.fork() == 0:
            try:
                event.wait()
            except tme.Error as error:
                os._exit(0 if "fork" in str(error) else 1)
            os._exit(2)
        assert os.wait()[1] == 0
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        try:
            event.wait()
        except KeyboardInterrupt:
            try:
                event.wait()
            except tme.Error as error:
                assert "cancelled" in str(error)
                print("done")
    """)
    assert done.stdout == "done\n", done.stderr


def test_handlers_that_ask_for_what_is_being_computed():
    done = run("""
        import signal
        import tme

        x = tme.ones((300, 300)) / 300

        def handler(*unused):
            assert ((x @ x)[0, 0] * 300).item() > 0.9
            what(y)

        signal.signal(signal.SIGALRM, handler)
        for what in (tme.eval, lambda y: tme.async_eval(y).wait(), str, lambda y: tme.sum(y).item()):
            # The signal may come too late, when all is computed.
            for _ in range(100):
                y = x
                for _ in range(300):
                    y = y @ x
                signal.setitimer(signal.ITIMER_REAL, 0.02)
                try:
                    y.eval()
                except ValueError as error:
                    assert "being computed" in str(error)
                    break
            else:
                raise AssertionError("no error")
            signal.setitimer(signal.ITIMER_REAL, 0)
            assert (y[0, 0] * 300).item() > 0.9
        print("done")
    """)
    assert done.stdout == "done\n", done.stderr


def test_fork():
    if not hasattr(os, "fork"):
        pytest.skip("no fork")
    x = tme.ones((64, 64))
    tme.eval(x @ x)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if (x @ x).sum().item() == 64**3 else 1)
    assert os.waitpid(pid, 0)[1] == 0


def test_multiprocessing():
    code = """
        import multiprocessing
        import tme

        def work(x):
            return (x * 2).sum().item(), x + 1

        if __name__ == "__main__":
            x = tme.arange(4)
            for method in ("fork", "spawn"):
                with multiprocessing.get_context(method).Pool(2) as pool:
                    total, y = pool.apply(work, (x,))
                    assert total == 12 and y.tolist() == [1, 2, 3, 4]
    """
    # A spawned child reads the program again.
    import tempfile

    with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
        file.write(textwrap.dedent(code))
        file.flush()
        done = subprocess.run([sys.executable, file.name], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_end_with_work_pending():
    done = run("""
        import tme
        x = tme.ones((600, 600))
        y = x
        for _ in range(50):
            y = y @ x / 600
        e = tme.async_eval(y)
        z = tme.compile(lambda a: a @ a)(x)
        kept = [tme.Engine("float64", log="debug").ones(3) + 1]
        print("done")
    """)
    assert done.returncode == 0 and done.stdout == "done\n", done.stderr


def test_end_with_shared_memory():
    done = run("""
        import sys, tme, numpy as np
        a = np.arange(5.0)
        x = tme.from_dlpack(a)
        y = tme.asarray(np.arange(3.0), copy=False)
        v = memoryview(tme.arange(3))
        n = np.asarray(tme.arange(4))
        sys.modules["kept"] = (x, y, v, n)
    """)
    assert done.returncode == 0, done.stderr


def test_daemon_threads_at_the_end():
    done = run("""
        import threading, tme
        def work():
            x = tme.ones((200, 200))
            while True:
                (x @ x).eval()
        for _ in range(3):
            threading.Thread(target=work, daemon=True).start()
        tme.ones(3).eval()
    """)
    assert done.returncode == 0, done.stderr


def test_subinterpreters():
    interpreters = pytest.importorskip("_xxsubinterpreters" if sys.version_info < (3, 13) else "_interpreters")
    tme.ones(1).eval()
    i = interpreters.create()
    try:
        failed = interpreters.run_string(i, "try:\n    import tme\nexcept ImportError:\n    pass\nelse:\n    raise SystemError")
        assert failed is None
    finally:
        interpreters.destroy(i)
