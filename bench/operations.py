"""Operations that are no product and no elementwise chain, beside other libraries that can be imported.

Usage: PYTHONPATH=build/python python3 bench/operations.py [--vs numpy,scipy,torch,jax,mlx] [--rounds 9] [--seconds 1] [ROW]...

A row is one computation, written for each library that has it. All take turns in one process, with two threads; a figure is the
median of their rounds, in milliseconds. ROW: only those whose name contains it.
"""

import argparse
import gc
import importlib.util
import sys

from python_door import measure  # which chooses the number of threads, before others are imported

import numpy as np  # isort: skip

RNG = np.random.default_rng(7)


def normal(*shape):
    return RNG.standard_normal(shape, dtype=np.float32)


def whole(high, *shape):
    return RNG.integers(0, high, shape, dtype=np.int32)


# name: (operands, {library: expression}). jax's expressions are compiled by jax.jit, tme's are evaluated.
million, table = normal(1_000_000), normal(4096, 4096)
rows64, places = normal(100_000, 64), whole(100_000, 1_000_000)
image, weight = normal(8, 56, 56, 64), normal(64, 3, 3, 64)
tokens, gate, experts = normal(512, 512), normal(512, 8), normal(8, 512, 512)

ROWS = {
    "sort 1e6": ({"x": million}, {
        "tme": "tme.sort(x)", "numpy": "np.sort(x)", "torch": "torch.sort(x)[0]", "jax": "jnp.sort(x)", "mlx": "mx.sort(x)"}),
    "argsort 1e6": ({"x": million}, {
        "tme": "tme.argsort(x)", "numpy": "np.argsort(x)", "torch": "torch.argsort(x)", "jax": "jnp.argsort(x)",
        "mlx": "mx.argsort(x)"}),
    "sort 64x16384": ({"x": normal(64, 16384)}, {
        "tme": "tme.sort(x)", "numpy": "np.sort(x)", "torch": "torch.sort(x)[0]", "jax": "jnp.sort(x)", "mlx": "mx.sort(x)"}),
    "argsort 64x16384": ({"x": normal(64, 16384)}, {
        "tme": "tme.argsort(x)", "numpy": "np.argsort(x)", "torch": "torch.argsort(x)", "jax": "jnp.argsort(x)",
        "mlx": "mx.argsort(x)"}),
    "topk 10 of 1e6": ({"x": million}, {
        "tme": "tme.topk(x, 10)", "numpy": "np.partition(x, len(x) - 10)[-10:]", "torch": "torch.topk(x, 10)[0]",
        "jax": "jax.lax.top_k(x, 10)[0]", "mlx": "mx.topk(x, 10)"}),
    "quantile .3 of 1e6": ({"x": million}, {
        "tme": "tme.quantile(x, 0.3)", "numpy": "np.quantile(x, 0.3)", "torch": "torch.quantile(x, 0.3)",
        "jax": "jnp.quantile(x, 0.3)"}),
    "unique of 1e6 int32": ({"x": whole(100_000, 1_000_000)}, {
        "tme": "tme.unique_values(x)", "numpy": "np.unique(x)", "torch": "torch.unique(x)", "jax": "!jnp.unique(x)"}),
    "histogram of 1e7, 100 bins": ({"x": normal(10_000_000)}, {
        "tme": "tme.histogram(x, 100)", "numpy": "np.histogram(x, 100)", "torch": "torch.histc(x, 100)",
        "jax": "jnp.histogram(x, 100)"}),
    "cumsum 4096x4096, axis 1": ({"x": table}, {
        "tme": "tme.cumulative_sum(x, axis=1)", "numpy": "np.cumsum(x, axis=1)", "torch": "torch.cumsum(x, 1)",
        "jax": "jnp.cumsum(x, axis=1)", "mlx": "mx.cumsum(x, axis=1)"}),
    "cumsum 4096x4096, axis 0": ({"x": table}, {
        "tme": "tme.cumulative_sum(x, axis=0)", "numpy": "np.cumsum(x, axis=0)", "torch": "torch.cumsum(x, 0)",
        "jax": "jnp.cumsum(x, axis=0)", "mlx": "mx.cumsum(x, axis=0)"}),
    "gather 1e6 rows of 64": ({"x": rows64, "i": places}, {
        "tme": "tme.take(x, i, axis=0)", "numpy": "np.take(x, i, axis=0)", "torch": "x.index_select(0, i)",
        "jax": "jnp.take(x, i, axis=0)", "mlx": "mx.take(x, i, axis=0)"}),
    "scatter-add 1e6 rows of 64": ({"x": rows64, "i": places, "u": normal(1_000_000, 64)}, {
        "tme": "tme.scatter(x, i, u, mode='add')", "torch": "x.index_add(0, i, u)", "jax": "x.at[i].add(u)",
        "mlx": "x.at[i].add(u)"}),
    "einsum bij,bjk->bik 16x256^3": ({"x": normal(16, 256, 256), "y": normal(16, 256, 256)}, {
        "tme": "tme.einsum('bij,bjk->bik', x, y)", "numpy": "np.einsum('bij,bjk->bik', x, y, optimize=True)",
        "torch": "torch.einsum('bij,bjk->bik', x, y)", "jax": "jnp.einsum('bij,bjk->bik', x, y)",
        "mlx": "mx.einsum('bij,bjk->bik', x, y)"}),
    "einsum ij,jk,kl->il 512": ({"x": normal(512, 512), "y": normal(512, 512), "z": normal(512, 64)}, {
        "tme": "tme.einsum('ij,jk,kl->il', x, y, z)", "numpy": "np.einsum('ij,jk,kl->il', x, y, z, optimize=True)",
        "torch": "torch.einsum('ij,jk,kl->il', x, y, z)", "jax": "jnp.einsum('ij,jk,kl->il', x, y, z)",
        "mlx": "mx.einsum('ij,jk,kl->il', x, y, z)"}),
    "einsum bqhd,bkhd->bhqk": ({"x": normal(4, 256, 8, 64), "y": normal(4, 256, 8, 64)}, {
        "tme": "tme.einsum('bqhd,bkhd->bhqk', x, y)", "numpy": "np.einsum('bqhd,bkhd->bhqk', x, y, optimize=True)",
        "torch": "torch.einsum('bqhd,bkhd->bhqk', x, y)", "jax": "jnp.einsum('bqhd,bkhd->bhqk', x, y)",
        "mlx": "mx.einsum('bqhd,bkhd->bhqk', x, y)"}),
    "fft 2^10": ({"x": normal(1 << 10)}, {
        "tme": "tme.fft.fft(x)", "numpy": "np.fft.fft(x)", "scipy": "scipy.fft.fft(x)", "torch": "torch.fft.fft(x)",
        "jax": "jnp.fft.fft(x)", "mlx": "mx.fft.fft(x)"}),
    "fft 2^20": ({"x": normal(1 << 20)}, {
        "tme": "tme.fft.fft(x)", "numpy": "np.fft.fft(x)", "scipy": "scipy.fft.fft(x, workers=2)", "torch": "torch.fft.fft(x)",
        "jax": "jnp.fft.fft(x)", "mlx": "mx.fft.fft(x)"}),
    "fft of 1000 rows of 1000": ({"x": normal(1000, 1000)}, {
        "tme": "tme.fft.fft(x)", "numpy": "np.fft.fft(x)", "scipy": "scipy.fft.fft(x, workers=2)", "torch": "torch.fft.fft(x)",
        "jax": "jnp.fft.fft(x)", "mlx": "mx.fft.fft(x)"}),
    "fft2 1000x1000": ({"x": normal(1000, 1000)}, {
        "tme": "tme.fft.fft2(x)", "numpy": "np.fft.fft2(x)", "scipy": "scipy.fft.fft2(x, workers=2)", "torch": "torch.fft.fft2(x)",
        "jax": "jnp.fft.fft2(x)", "mlx": "mx.fft.fft2(x)"}),
    "conv2d 8x56x56x64, 3x3": ({"x": image, "w": weight}, {
        "tme": "tme.conv2d(x, w, padding=[1, 1])", "mlx": "mx.conv2d(x, w, padding=1)",
        "torch": "torch.nn.functional.conv2d(x.permute(0, 3, 1, 2), w.permute(0, 3, 1, 2), padding=1)",
        "jax": "jax.lax.conv_general_dilated(x, w, (1, 1), 'SAME', dimension_numbers=('NHWC', 'OHWI', 'NHWC'))"}),
    "random normal 1e7": ({}, {
        "tme": "tme.random.normal((10_000_000,))", "numpy": "RNG.standard_normal(10_000_000, dtype=np.float32)",
        "torch": "torch.randn(10_000_000)", "jax": "jax.random.normal(jax.random.key(0), (10_000_000,))",
        "mlx": "mx.random.normal((10_000_000,))"}),
    "4-bit matrix-vector 4096x4096": ({"x": normal(1, 4096), "w": table}, {
        "tme": "tme.quantized_matmul(x, *q, group_size=64, bits=4)", "mlx": "mx.quantized_matmul(x, *q, group_size=64, bits=4)",
        "numpy": "x @ w.T", "torch": "x @ w.T"}),
    "mixture of experts 8, top 2, 512x512": ({"x": tokens, "g": gate, "w": experts}, {
        "tme": "moe(x, g, w)", "torch": "moe(x, g, w)", "jax": "moe(x, g, w)", "mlx": "moe(x, g, w)", "numpy": "moe(x, g, w)"}),
}  # fmt: skip


class Library:
    """How one library takes operands and finishes a computation."""

    def __init__(self, name):
        self.name = name
        self.names = {"np": np, "RNG": RNG}
        self.convert = self.done = lambda x: x
        self.compile = lambda f: f
        getattr(self, name)()

    def numpy(self):
        def moe(x, g, w):
            order = np.argsort(-g, axis=1)[:, :2]
            top = np.take_along_axis(g, order, 1)
            share = np.exp(top - top.max(1, keepdims=True))
            share /= share.sum(1, keepdims=True)
            out = np.zeros_like(x)
            for e in range(len(w)):
                token, slot = np.nonzero(order == e)
                out[token] += share[token, slot, None] * (x[token] @ w[e])
            return out

        self.names["moe"] = moe

    def scipy(self):
        import scipy.fft

        self.names["scipy"] = scipy

    def tme(self):
        import tme

        def moe(x, g, w):
            weights, indices, _ = tme.moe_route(g, k=2)
            return tme.moe_mix(x, weights, w, indices)

        self.convert, self.done = lambda x: tme.asarray(x), tme.eval
        self.names.update(tme=tme, moe=moe)
        self.quantize = lambda w: tme.quantize(w, group_size=64, bits=4)

    def torch(self):
        import torch

        torch.set_num_threads(2)

        def moe(x, g, w):
            top, order = torch.topk(g, 2, dim=1)
            share, out = torch.softmax(top, 1), torch.zeros_like(x)
            for e in range(len(w)):
                token, slot = torch.nonzero(order == e, as_tuple=True)
                out.index_add_(0, token, share[token, slot, None] * (x[token] @ w[e]))
            return out

        self.convert = torch.from_numpy
        self.names.update(torch=torch, moe=moe)

    def jax(self):
        import jax
        import jax.numpy as jnp

        def moe(x, g, w):
            top, order = jax.lax.top_k(g, 2)
            share = jax.nn.softmax(top, 1)
            each = jnp.einsum("ti,eio->teo", x, w)
            return (jnp.take_along_axis(each, order[..., None], 1) * share[..., None]).sum(1)

        self.convert, self.done, self.compile = jnp.asarray, jax.block_until_ready, jax.jit
        self.names.update(jax=jax, jnp=jnp, moe=moe)

    def mlx(self):
        import mlx.core as mx

        def moe(x, g, w):
            order = mx.argpartition(-g, 2, axis=1)[:, :2]
            share = mx.softmax(mx.take_along_axis(g, order, 1), axis=1)
            each = mx.gather_mm(x[:, None, None, :], w, rhs_indices=order)
            return (each[:, :, 0] * share[..., None]).sum(1)

        self.convert, self.done = mx.array, mx.eval
        self.names.update(mx=mx, moe=moe)
        self.quantize = lambda w: mx.quantize(w, group_size=64, bits=4)

    def call(self, operands, expression):
        """The computation as a function without parameters."""
        given = {name: self.convert(x) for name, x in operands.items()}
        names = dict(self.names)
        if "*q" in expression:
            names["q"] = self.quantize(given.pop("w"))
            self.done(names["q"])
        as_it_is = expression.startswith("!")  # its result's shape depends on values: it cannot be compiled
        f = eval(f"lambda {', '.join(given)}: {expression.removeprefix('!')}", names)
        f = f if as_it_is else self.compile(f)
        return lambda: self.done(f(*given.values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vs", default="numpy,scipy,torch,jax,mlx")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.0, help="for a row and library")
    parser.add_argument("rows", nargs="*", metavar="ROW")
    args = parser.parse_args()
    libraries = [Library("tme")]
    libraries += [Library(n) for n in args.vs.split(",") if n and importlib.util.find_spec(n)]
    print("| median, ms | " + " | ".join(lib.name for lib in libraries) + " | the best of the others over tme |")
    print("| --- |" + " --- |" * (len(libraries) + 1))
    gc.disable()
    ratios = []
    for row, (operands, expressions) in ROWS.items():
        if args.rows and not any(part in row for part in args.rows):
            continue
        calls = {lib.name: lib.call(operands, expressions[lib.name]) for lib in libraries if lib.name in expressions}
        times = {name: [] for name in calls}
        for call in calls.values():
            call()  # what is compiled is compiled here
        for _ in range(args.rounds):
            for name, call in calls.items():
                times[name].append(measure(call, args.seconds / args.rounds))
        medians = {name: sorted(t)[len(t) // 2] * 1e3 for name, t in times.items()}
        ratios.append(min(t for name, t in medians.items() if name != "tme") / medians["tme"])
        shown = [f"{medians[lib.name]:.3g}" if lib.name in medians else "-" for lib in libraries]
        print(f"| {row} | {' | '.join(shown)} | {ratios[-1]:.2f}x |", flush=True)
        gc.collect()
    ahead, close = sum(r >= 1 for r in ratios), sum(r >= 1 / 1.2 for r in ratios)
    print(f"\n{ahead} of {len(ratios)} ahead of the best of the others, {close} not more than 20 % behind", file=sys.stderr)


if __name__ == "__main__":
    main()
