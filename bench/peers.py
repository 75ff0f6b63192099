#!/usr/bin/env python3
"""Times one other library for `tme bench`: python3 peers.py numpy|torch|jax|mlx

A process a library, so that they do not disturb each other. Lines of JSON in, a line of JSON out for each:

    (start)                                                    {"ready": "numpy 2.1"} or {"error": "why"}
    {"op": "matmul", "inputs": [[64, 64], ...], "dtype": ...}  {"ready": true} or {"ready": false, "error": "why"}
    {"run": 60}                                                {"ms": [...]}: samples of about 60 ms

A sample is one call that ends when its result is in memory; calls below 20 us are timed in batches. Each turn begins
with a call that does not count, since others used the machine in between. Two sets of inputs take turns.
"""
import json
import math
import os
import sys
import time


class NumPy:
    """What a case may ask of a library."""

    def __init__(self):
        import numpy
        self.xp = numpy
        self.version = numpy.__version__
        self.dtypes = {k: getattr(numpy, k) for k in ("float16", "float32", "float64")}

    def array(self, a, dtype):
        return a.astype(self.dtypes[dtype])

    def compiled(self, function, dtype):
        return function

    def finish(self, result):
        return result

    def matmul(self, a, b):
        return self.xp.matmul(a, b)

    def svd(self, a):
        return self.xp.linalg.svd(a, full_matrices=False)

    def sigmoid(self, x):
        return 1 / (1 + self.xp.exp(-x))

    def add(self, a, b):
        return a + b

    def gelu(self, x):
        return 0.5 * x * (1 + self.xp.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))

    def softmax(self, x):
        e = self.xp.exp(x - x.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    def layer_norm(self, x, w, b):
        d = x - x.mean(axis=-1, keepdims=True)
        v = (d * d).mean(axis=-1, keepdims=True)
        return d / self.xp.sqrt(v + 1e-5) * w + b

    def attention(self, q, k, v):
        s = self.matmul(q, k.swapaxes(-1, -2)) * (1 / math.sqrt(q.shape[-1]))
        return self.matmul(self.softmax(s), v)

    def chain(self, a, b, c):
        xp = self.xp
        return xp.tanh(a * b + c) * self.sigmoid(a) - xp.exp(-(b * b)) + xp.sqrt(xp.abs(c) + 1)


class Torch(NumPy):
    """Eager, as most programs call it."""

    def __init__(self):
        import torch
        self.xp = torch
        self.version = torch.__version__
        torch.set_grad_enabled(False)
        self.dtypes = {k: getattr(torch, k) for k in ("float16", "bfloat16", "float32", "float64")}

    def array(self, a, dtype):
        return self.xp.from_numpy(a).to(self.dtypes[dtype])

    def sigmoid(self, x):
        return self.xp.sigmoid(x)

    def gelu(self, x):
        return self.xp.nn.functional.gelu(x, approximate="tanh")

    def softmax(self, x):
        return self.xp.softmax(x, -1)

    def layer_norm(self, x, w, b):
        return self.xp.nn.functional.layer_norm(x, x.shape[-1:], w, b, 1e-5)

    def attention(self, q, k, v):
        return self.xp.nn.functional.scaled_dot_product_attention(q, k, v)


class Jax(NumPy):
    """Compiled by jit."""

    def __init__(self):
        import jax
        import jax.numpy
        self.jax, self.xp = jax, jax.numpy
        self.version = jax.__version__
        self.dtypes = {k: getattr(jax.numpy, k) for k in ("float16", "bfloat16", "float32", "float64")}

    def array(self, a, dtype):
        self.jax.config.update("jax_enable_x64", dtype == "float64")
        return self.jax.block_until_ready(self.xp.asarray(a, dtype=self.dtypes[dtype]))

    def compiled(self, function, dtype):
        return self.jax.jit(function)

    def finish(self, result):
        return self.jax.block_until_ready(result)

    def sigmoid(self, x):
        return self.jax.nn.sigmoid(x)

    def gelu(self, x):
        return self.jax.nn.gelu(x, approximate=True)

    def softmax(self, x):
        return self.jax.nn.softmax(x, axis=-1)


class Mlx(NumPy):
    """Compiled by mx.compile, on the CPU."""

    def __init__(self):
        import mlx.core
        self.xp = mlx.core
        self.version = mlx.core.__version__
        self.xp.set_default_device(self.xp.cpu)
        self.dtypes = {k: getattr(self.xp, k) for k in ("float16", "bfloat16", "float32", "float64")}

    def array(self, a, dtype):
        x = self.xp.array(a, dtype=self.xp.float64).astype(self.dtypes[dtype])
        self.xp.eval(x)
        return x

    def compiled(self, function, dtype):
        return self.xp.compile(function)

    def finish(self, result):
        self.xp.eval(result)
        return result

    def svd(self, a):
        return self.xp.linalg.svd(a)

    def sigmoid(self, x):
        return self.xp.sigmoid(x)

    def softmax(self, x):
        return self.xp.softmax(x, axis=-1)

    def layer_norm(self, x, w, b):
        return self.xp.fast.layer_norm(x, w, b, 1e-5)

    def attention(self, q, k, v):
        return self.xp.fast.scaled_dot_product_attention(q, k, v, scale=1 / math.sqrt(q.shape[-1]))


PEERS = {"numpy": NumPy, "torch": Torch, "jax": Jax, "mlx": Mlx}
OPERATIONS = ("matmul", "svd", "gelu", "add", "softmax", "layer_norm", "chain", "attention")


def prepare(peer, op, inputs, dtype):
    """A function of 0 or 1, the set of inputs, that makes one call and waits for its end."""
    import numpy
    if op not in OPERATIONS:
        raise ValueError(f"no operation {op}")
    if dtype not in peer.dtypes:
        raise ValueError(f"no dtype {dtype}")
    sets = []
    for seed in (1, 2):
        random = numpy.random.default_rng(seed)
        sets.append([peer.array(random.standard_normal(shape), dtype) for shape in inputs])
    function = peer.compiled(getattr(peer, op), dtype)
    call = lambda i: peer.finish(function(*sets[i]))
    call(0)
    call(1)
    return call


def turn(call, budget_ms):
    clock = time.perf_counter
    call(0)
    start = clock()
    call(1)
    estimate = clock() - start
    batch = 1 if estimate > 20e-6 else math.ceil(100e-6 / max(estimate, 1e-9))
    end = clock() + budget_ms * 1e-3
    samples, i = [], 0
    while not samples or (clock() < end and len(samples) < 1000):
        start = clock()
        for k in range(batch):
            call((i + k) & 1)
        samples.append((clock() - start) / batch * 1e3)
        i += batch
    return samples


def serve(name, out):
    def say(answer):
        out.write(json.dumps(answer) + "\n")
        out.flush()

    if name not in PEERS:
        say({"error": f"unknown library (known: {', '.join(PEERS)})"})
        return
    try:
        peer = PEERS[name]()
    except Exception as e:  # whatever keeps a library from loading
        say({"error": f"cannot be imported: {type(e).__name__}: {e}"})
        return
    say({"ready": f"{name} {peer.version}"})
    call = None
    for line in sys.stdin:
        question = json.loads(line)
        if "run" in question:
            say({"ms": turn(call, question["run"]) if call else []})
            continue
        call = None
        try:
            call = prepare(peer, **question)
            say({"ready": True})
        except Exception as e:  # what a library cannot do is left out of the table
            say({"ready": False, "error": f"{type(e).__name__}: {e}"})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    # Libraries that print while they load must not get between the lines.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(sys.argv[1], answers)
