"""What Python adds: the cost of a call, and the seed's operations through Python, beside other libraries that can be imported.

Usage: PYTHONPATH=build/python python3 bench/python_door.py [--vs numpy,torch,jax,mlx] [--size 1024] [--seconds 1]

All libraries take turns in one process, with two threads; a figure is the median of their rounds, in microseconds. Last the
peak of the memory that a process with one product of matrices has.
"""

import argparse
import gc
import importlib.util
import os
import subprocess
import sys
import time

os.environ.setdefault("TME_THREADS", "2")
os.environ.setdefault("OMP_NUM_THREADS", "2")


def chain(lib, x, y):
    u, v = lib.tanh(x * y + 0.5), lib.exp(-lib.abs(x))
    w = lib.sqrt(u * u + v * v)
    return u * w / (v + 0.5) - y


class Tme:
    def __init__(self):
        import tme

        self.lib = tme
        self.compiled = tme.compile(lambda x, y: chain(tme, x, y))

    def array(self, values, shape):
        return self.lib.array(values, dtype="float32").reshape(shape).eval()

    def done(self, x):
        self.lib.eval(x)

    def gelu(self, x):
        return self.lib.gelu(x)

    def softmax(self, x):
        return self.lib.softmax(x)


class Numpy:
    def __init__(self):
        import numpy

        self.lib = numpy
        self.compiled = lambda x, y: chain(numpy, x, y)

    def array(self, values, shape):
        return self.lib.array(values, dtype="float32").reshape(shape)

    def done(self, x):
        pass

    def gelu(self, x):
        return 0.5 * x * (1 + self.lib.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))

    def softmax(self, x):
        e = self.lib.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)


class Torch:
    def __init__(self):
        import torch

        torch.set_num_threads(2)
        self.lib = torch
        self.compiled = lambda x, y: chain(torch, x, y)

    def array(self, values, shape):
        return self.lib.tensor(values, dtype=self.lib.float32).reshape(shape)

    def done(self, x):
        pass

    def gelu(self, x):
        return self.lib.nn.functional.gelu(x, approximate="tanh")

    def softmax(self, x):
        return self.lib.softmax(x, -1)


class Jax:
    def __init__(self):
        import jax
        import jax.numpy

        self.lib = jax.numpy
        self.compiled = jax.jit(lambda x, y: chain(jax.numpy, x, y))
        self.gelu = jax.jit(jax.nn.gelu)
        self.softmax = jax.jit(jax.nn.softmax)

    def array(self, values, shape):
        return self.lib.array(values, dtype="float32").reshape(shape)

    def done(self, x):
        x.block_until_ready()


class Mlx:
    def __init__(self):
        import mlx.core
        import mlx.nn

        self.lib, self.nn = mlx.core, mlx.nn
        self.compiled = mlx.core.compile(lambda x, y: chain(mlx.core, x, y))

    def array(self, values, shape):
        x = self.lib.array(values, dtype=self.lib.float32).reshape(shape)
        self.lib.eval(x)
        return x

    def done(self, x):
        self.lib.eval(x)

    def gelu(self, x):
        return self.nn.gelu_approx(x)

    def softmax(self, x):
        return self.lib.softmax(x, -1)


PEERS = {"numpy": Numpy, "torch": Torch, "jax": Jax, "mlx": Mlx}


def cases_of(peer, size):
    few = peer.array([i / 16 for i in range(16)], (16,))
    x64 = peer.array([i / 32 - 1 for i in range(64)], (64,))
    y64 = peer.array([0.1 - i / 64 for i in range(64)], (64,))
    x = peer.array([(i * 7919 % 1000) / 1000 - 0.5 for i in range(size * size)], (size, size))
    y = peer.array([(i * 104729 % 1000) / 1000 - 0.5 for i in range(size * size)], (size, size))
    shape = f"{size}x{size}"
    return {
        "call: a + b of 16, evaluated": lambda: peer.done(few + few),
        "call: compiled 13 operations of 64": lambda: peer.done(peer.compiled(x64, y64)),
        f"add {shape}": lambda: peer.done(x + y),
        f"mul {shape}": lambda: peer.done(x * y),
        f"gelu {shape}": lambda: peer.done(peer.gelu(x)),
        f"softmax {shape}": lambda: peer.done(peer.softmax(x)),
        f"matmul {shape}": lambda: peer.done(x @ y),
    }


def measure(call, seconds):
    """Seconds a call, of as many calls as fit into the time."""
    begin, n = time.perf_counter(), 0
    while True:
        for _ in range(1 if n < 3 else max(1, n // 3)):
            call()
            n += 1
        passed = time.perf_counter() - begin
        if passed >= seconds:
            return passed / n


def peak_memory():
    """Peak resident MiB of a process that multiplies two matrices of 1024 x 1024."""
    code = (
        "import tme; x = tme.ones((1024, 1024)); tme.eval(x @ x); "
        "print(next(int(line.split()[1]) / 1024 for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vs", default="numpy,torch,jax,mlx")
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    names = [name for name in args.vs.split(",") if name and importlib.util.find_spec(name.split(".")[0])]
    table = {name: cases_of(peer, args.size) for name, peer in [("tme", Tme())] + [(n, PEERS[n]()) for n in names]}
    print("| median, us | " + " | ".join(table) + " | over the best |")
    print("| --- |" + " --- |" * (len(table) + 1))
    gc.disable()
    for case in table["tme"]:
        times = {name: [] for name in table}
        for _ in range(args.rounds):
            for name, calls in table.items():
                times[name].append(measure(calls[case], args.seconds / args.rounds))
        medians = {name: sorted(t)[len(t) // 2] for name, t in times.items()}
        best = min((t for name, t in medians.items() if name != "tme"), default=None)
        over = f"{best / medians['tme']:.2f}x" if best else "-"
        print(f"| {case} | " + " | ".join(f"{t * 1e6:.3g}" for t in medians.values()) + f" | {over} |", flush=True)
    print(f"\npeak memory of a process with one product of 1024x1024: {peak_memory():.1f} MiB")


if __name__ == "__main__":
    main()
