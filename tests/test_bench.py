#!/usr/bin/env python3
"""Tries `tme bench`: its tables, JSON, picture, and peers that are missing or fail.

ctest: timeout=240
"""
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ET

TME = os.environ.get("TME_PROGRAM", "build/bin/tme")
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(TME)), "..", "share", "tme"))
import workloads  # noqa: E402

KEYS = ["op", "shape", "dtype", "ms_nojit", "ms_jit", "factor", "hash", "max_rel_error", "peers", "spread", "operations", "bytes",
        "limit_ms", "limit", "limit_share", "limit_note", "best_peer", "vs_best_peer", "machine"]


class Bench(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()

    def tearDown(self):
        shutil.rmtree(self.dir)

    def bench(self, *args, env=None):
        """Quick, without the system's CBLAS, which need not be there."""
        return subprocess.run([TME, "bench", "--quick", "--no-cblas", "--python", sys.executable, *args],
                              capture_output=True, text=True, cwd=self.dir, timeout=1000,
                              env=dict(os.environ, **env) if env else None)

    def rows(self, *args, **kwargs):
        r = self.bench("--json", *args, **kwargs)
        self.assertEqual(r.returncode, 0, r.stderr)
        return json.loads(r.stdout)

    def test_json(self):
        row, = self.rows("--only", "matmul 128", "--vs", "numpy")
        self.assertEqual(list(row), KEYS)
        self.assertEqual((row["op"], row["shape"], row["dtype"]), ("matmul", "128x128", "float32"))
        self.assertGreater(row["ms_jit"], 0)
        self.assertLess(row["max_rel_error"], 1e-5)
        self.assertEqual((row["operations"], row["bytes"]), (2 * 128**3, 3 * 4 * 128**2))
        for name in ("nojit", "jit", "numpy"):
            spread = row["spread"][name]
            self.assertLessEqual(spread["q1"], spread["ms"])
            self.assertLessEqual(spread["ms"], spread["q3"])
            self.assertGreater(spread["samples"], 0)
        self.assertEqual(row["best_peer"], "numpy")
        self.assertEqual(row["hash"], self.rows("--only", "matmul 128", "--hash")[0]["hash"])
        self.assertAlmostEqual(row["vs_best_peer"] * row["ms_jit"] / row["peers"]["numpy"], 1, 3)
        self.check_share(row)

    def check_share(self, row):
        """Either a share that can be, or the reason why there is none."""
        if row["limit_note"] is None:
            self.assertAlmostEqual(row["limit_share"] * row["ms_jit"] / row["limit_ms"], 1, 3)
            self.assertLessEqual(row["limit_share"], 1.1)
        else:
            self.assertIn("others used the machine", row["limit_note"])
            self.assertEqual((row["limit_share"], row["limit_ms"]), (None, None))

    def test_machine(self):
        row, = self.rows("--only", "add 1024*", "--no-plain")
        machine = row["machine"]
        self.assertIsNone(row["ms_nojit"])
        self.assertIsNone(row["best_peer"])
        for dtype in ("float32", "float64"):
            one, all_threads = machine["gflops"][dtype]
            self.assertGreater(min(one, all_threads), 0)
        for level in ("L2", "L3", "memory"):
            self.assertGreater(machine["read_gbs"][level], 0)
            self.assertGreater(machine["copy_gbs"][level], 0)
        for speeds in (machine["read_gbs"], machine["copy_gbs"]):
            self.assertEqual(sorted(speeds.values(), reverse=True), [speeds[k] for k in ("L2", "L3", "memory")])
        self.check_share(row)
        self.assertIn(row["limit"], ("L2", "L3", "memory"))

    def test_tables(self):
        self.assertEqual([r["shape"] for r in self.rows("--only", "add*", "--no-plain")], ["1024x1024"])
        self.assertEqual([r["shape"] for r in self.rows("--only", "add*", "--no-plain", "--all")], ["1024x1024", "16"])
        r = self.bench("--only", "chain 64", "--all", "--no-plain")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertRegex(r.stdout, r"limits, .* GFLOP/s")
        self.assertRegex(r.stdout, r"\nchain +64 +float32 ")

    def test_graphs(self):
        for only, dtype in (("mlp", "float32"), ("matmul 64x(", "float32"), ("matmul 37", "float32"),
                            ("gelu*float16", "float16"), ("matmul 1x", "float32")):
            with self.subTest(only):
                row, = self.rows("--only", only, "--all", "--no-plain", "--vs", "numpy")
                self.assertEqual(row["dtype"], dtype)
                self.assertLess(row["max_rel_error"], 1e-3 if dtype == "float16" else 1e-5)
                self.assertIn("numpy", row["peers"])

    def test_first_calls(self):
        rows = self.rows("--only", "first*", "--all", env={"TMPDIR": self.dir})
        self.assertEqual([r["op"] for r in rows], ["first chain, cold", "first chain, warm"])
        self.assertTrue(all(r["ms_jit"] > 0 and r["hash"] is None for r in rows), rows)
        self.assertIsNone(rows[0]["limit_ms"])
        self.assertEqual(os.listdir(self.dir), [])

    def test_hashes(self):
        """Of one call, the same for every number of threads; others for another dtype or shape."""
        rows = self.rows("--hash", "--only", "[msg]*", "--all", "--threads", "1")
        for row in rows:
            self.assertEqual(list(row), KEYS)
            self.assertRegex(row["hash"], "^[0-9a-f]{16}$")
            self.assertEqual([row[k] for k in ("ms_nojit", "ms_jit", "max_rel_error", "limit_ms", "machine")], [None] * 5)
        self.assertEqual(len({row["hash"] for row in rows}), len(rows))
        r = self.bench("--hash", "--only", "[msg]*", "--all", "--threads", "2")
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertEqual(r.stdout.splitlines(), ["{hash} {op} {shape} {dtype}".format(**row) for row in rows])

    def test_plot(self):
        self.rows("--only", "matmul 128", "--plot", "plot.svg", "--vs", "numpy")
        picture = ET.parse(os.path.join(self.dir, "plot.svg")).getroot()
        self.assertTrue(picture.tag.endswith("svg"))
        text = "\n".join(t for t in picture.itertext())
        for word in ("matmul 128x128", "numpy", "Roofline", "GFLOP/s", "memory"):
            self.assertIn(word, text)
        r = self.bench("--only", "matmul 128", "--plot", "missing/plot.svg", "--no-plain")
        self.assertEqual(r.returncode, 1)
        self.assertIn("missing/plot.svg", r.stderr)

    def test_missing_peers(self):
        os.mkdir(os.path.join(self.dir, "jax"))
        with open(os.path.join(self.dir, "jax", "__init__.py"), "w") as f:
            f.write("raise ImportError('no such luck')\n")
        r = self.bench("--only", "add*", "--no-plain", "--vs", "nonsense,jax", env={"PYTHONPATH": self.dir})
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("nonsense: unknown library", r.stderr)
        self.assertIn("jax: cannot be imported: ImportError: no such luck; left out", r.stderr)
        self.assertNotIn("\njax: ", r.stdout)
        for name in ("onednn", "libxsmm"):
            r = self.bench("--only", "matmul 128", "--no-plain", "--vs", name)
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertTrue(f"{name}: " in r.stdout or f"tme: bench: {name}: " in r.stderr, (r.stdout, r.stderr))

    def peer(self, name, text):
        """A library of the interpreter, as a package beside the run; returns the environment that has it."""
        folder = os.path.join(self.dir, *name.split("."))
        os.makedirs(folder)
        for part in range(1, len(name.split(".")) + 1):
            with open(os.path.join(self.dir, *name.split(".")[:part], "__init__.py"), "a") as f:
                f.write(text if part == len(name.split(".")) else "")
        return {"PYTHONPATH": self.dir}

    def test_peers_that_fail(self):
        jax = "import types, sys; __version__ = '0'; numpy = types.ModuleType('jax.numpy'); sys.modules['jax.numpy'] = numpy\n" \
              "for t in ('float16', 'bfloat16', 'float32', 'float64'): setattr(numpy, t, t)\n"
        for text, message in (
                (jax, "jax: add 1024x1024 float32: AttributeError: module 'jax' has no attribute 'config'; left out of"),
                ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "jax: it was ended by signal 9 (Killed); left out"),
                ("raise SystemExit(3)", "jax: cannot be imported: SystemExit: 3; left out"),
                ("import os; os._exit(3)", "jax: it ended with exit code 3; left out")):
            with self.subTest(message):
                r = self.bench("--only", "add*", "--no-plain", "--vs", "jax", env=self.peer("jax", text))
                self.assertEqual(r.returncode, 0, r.stderr)
                self.assertIn(message, r.stderr)
                self.assertEqual(r.stderr.count("jax: "), 1, r.stderr)
                shutil.rmtree(os.path.join(self.dir, "jax"))

    def test_peer_without_numpy(self):
        env = self.peer("mlx.core", "__version__ = '1.0'; cpu = float16 = bfloat16 = float32 = float64 = 0\n"
                                    "def set_default_device(d): pass\n")
        self.peer("numpy", "raise ModuleNotFoundError(\"No module named 'numpy'\")\n")
        r = self.bench("--only", "add*", "--no-plain", "--vs", "mlx", env=env)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("mlx: its inputs are made by NumPy, which cannot be imported: ModuleNotFoundError: "
                      "No module named 'numpy'; left out", r.stderr)
        self.assertNotIn("mlx", r.stdout)

    def test_missing_model(self):
        r = subprocess.run([TME, "bench", "--no-cblas", "--all", "--only", "minilm*", "--no-plain", "--minilm",
                            "missing.safetensors"], capture_output=True, text=True, cwd=self.dir, timeout=1000)
        self.assertEqual(r.returncode, 1)
        self.assertIn("missing.safetensors", r.stderr)
        r = subprocess.run([TME, "bench", "--no-cblas", "--all", "--only", "minilm*", "--no-plain", "--python", "false"],
                           capture_output=True, text=True, cwd=self.dir, timeout=1000)
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("minilm: it ended with exit code 1; left out", r.stderr)

    def test_draws(self):
        """The same seed and number give the same workload, others another one; each kind has its turn."""
        kinds = list(workloads.KINDS)
        drawn = [workloads.draw(5, i) for i in range(3 * len(kinds))]
        self.assertEqual(drawn, [workloads.draw(5, i) for i in range(3 * len(kinds))])
        self.assertEqual(drawn[7], workloads.draw(5, 7))
        self.assertNotEqual(drawn, [workloads.draw(6, i) for i in range(3 * len(kinds))])
        for turn in range(3):
            part = drawn[turn * len(kinds):(turn + 1) * len(kinds)]
            self.assertEqual(sorted(w["kind"] for w in part), sorted(kinds))
        many = [workloads.draw(seed, i) for seed in range(20) for i in range(len(kinds))]
        for w in many:
            bytes_ = sum(math.prod(i["shape"]) * 8 for i in w["inputs"])
            self.assertLess(bytes_, 1 << 29, w)
            self.assertGreater(min(min(i["shape"]) for i in w["inputs"]), 0, w)
        texts = " ".join(w["text"] for w in many)
        for word in (".T", "::2", "broadcast_to(", "[3:", "axis=0", "axis=1", "axis=none", "argmin(", "argmax(", "any(", "all(",
                     "// ", "% ", "** ", "astype(", "pad(", "pool(", "causal=true", "take(", "concatenate(", "stack("):
            self.assertIn(word, texts)
        for dtype in ("float32", "float64", "float16", "bfloat16", "complex64", "complex128", "int8", "uint8", "int32", "int64"):
            self.assertIn(dtype, {i["dtype"] for w in many for i in w["inputs"]})

    def test_sweep(self):
        """Small workloads of all kinds have NumPy's values."""
        count = 4 * len(workloads.KINDS)
        r = self.bench("--sweep", "--seed", "3", "--count", str(count), "--vs", "numpy", "--json")
        self.assertEqual((r.returncode, r.stderr), (0, ""))
        sweep = json.loads(r.stdout)
        self.assertEqual(list(sweep), ["seed", "seconds", "threads", "peers", "summary", "kinds", "workloads"])
        self.assertEqual((sweep["seed"], list(sweep["peers"])), (3, ["numpy"]))
        self.assertEqual({k["kind"] for k in sweep["kinds"]}, set(workloads.KINDS))
        self.assertEqual(sum(k["workloads"] for k in sweep["kinds"]), count)
        for i, w in enumerate(sweep["workloads"]):
            drawn = workloads.draw(3, i, small=True)
            self.assertEqual([w[k] for k in ("index", "kind", "text", "inputs")], [i, *(drawn[k] for k in ("kind", "text", "inputs"))])
            self.assertLessEqual(w["error"], w["tolerance"], w)
            self.assertGreater(w["ms"], 0)
            if w["left_out"]:
                self.assertTrue("bfloat16" in w["left_out"]["numpy"] or "scipy" in w["left_out"]["numpy"], w)
                self.assertEqual((w["peers"], w["best_peer"], w["vs_best_peer"]), ({}, None, None))
            else:
                self.assertAlmostEqual(w["vs_best_peer"] * w["ms"] / w["peers"]["numpy"], 1, 3)
        ratios = sorted(w["vs_best_peer"] for w in sweep["workloads"] if w["best_peer"])
        summary = sweep["summary"]
        self.assertEqual((summary["workloads"], summary["compared"]), (count, len(ratios)))
        self.assertGreater(len(ratios), count * 0.7)
        self.assertAlmostEqual(summary["least"], ratios[0], 4)
        self.assertAlmostEqual(summary["at_least_1"], sum(r >= 1 for r in ratios) / len(ratios), 2)
        self.assertAlmostEqual(math.log(summary["geometric_mean"]), sum(map(math.log, ratios)) / len(ratios), 2)

    def test_sweep_summary(self):
        r = self.bench("--sweep", "--minutes", "0.01", "--vs", "numpy", "--only", "products*float32")
        self.assertEqual(r.returncode, 0, r.stderr)
        for pattern in (r"\nmedian \d", r"\n  0\.00 to 0\.25 ", r"\nkind +n +geometric mean", r"\nthe worst \d+\n",
                        r" numpy +\d+  .* @ .*; x float32 \d+x\d+, y float32 \d+"):
            self.assertRegex(r.stdout, pattern)

        r = self.bench("--sweep", "--seed", "2", "--vs", "numpy", "--only", "no. 7,", "--json")
        self.assertEqual(r.returncode, 0, r.stderr)
        w, = json.loads(r.stdout)["workloads"]
        self.assertEqual((w["index"], w["text"]), (7, workloads.draw(2, 7, small=True)["text"]))

    def test_sweep_leaves_out_what_differs(self):
        """A library whose values are others, that lacks something, or that ends."""
        for text, message in (("exp = numpy.sin", "its values differ from NumPy's by"), ("del exp", "name 'exp' is not defined"),
                              ("exp = lambda x: os._exit(1)", "it ended")):
            with self.subTest(text):
                shutil.rmtree(os.path.join(self.dir, "mlx"), ignore_errors=True)
                self.peer("mlx.core", "import os, numpy\nfrom numpy import *\nfrom numpy import exp, min, max, abs\n"
                          "cpu = bfloat16 = 0\narray = lambda a, dtype: a.astype(dtype)\n"
                          "def set_default_device(d): pass\ndef eval(x): pass\ndef compile(f): return f\n"
                          + text + "\n")
                r = self.bench("--sweep", "--count", "2", "--json", "--vs", "numpy,mlx", "--only", "functions: exp(*float32",
                               env={"PYTHONPATH": self.dir})
                self.assertEqual(r.returncode, 0, r.stderr)
                for w in json.loads(r.stdout)["workloads"]:
                    self.assertIn(message, w["left_out"]["mlx"])
                    self.assertEqual(w["best_peer"], "numpy")

    def test_sweep_usage(self):
        for args, code, message in ((("--minutes", "0"), 2, "--minutes: a number above 0 expected, got '0'"),
                                    (("--minutes", "nan"), 2, "got 'nan'"), (("--minutes", "1h"), 2, "got '1h'"),
                                    (("--count", "0"), 2, "from 1 to 1000000 expected, got '0'"),
                                    (("--hash",), 2, "are of the rows"), (("--dtype", "float64"), 2, "are of the rows"),
                                    (("--only", "nothing at all", "--vs", "numpy"), 2, "'nothing at all': no such workload"),
                                    (("--vs", "nonsense"), 1, "nonsense: unknown library (known: numpy,"),
                                    (("--vs", "nonsense"), 1, "there is no library to compare with")):
            with self.subTest(args):
                r = self.bench("--sweep", *args)
                self.assertEqual(r.returncode, code, r.stderr)
                self.assertIn(message, r.stderr)
        r = self.bench("--minutes", "2")
        self.assertEqual((r.returncode, r.stdout), (2, ""))
        self.assertIn("--minutes and --count are of --sweep", r.stderr)

    def test_usage(self):
        for args, message in ((("--only", "nothing at all"), "names no row; --all has more"),
                              (("--only", "nothing at all", "--all"), "names no row"),
                              (("--dtype", "int8"), "int8"), (("--minilm",), "needs a value"),
                              (("--serve", "tea"), "got 'tea'"),
                              (("--hash", "--vs", "numpy"), "--hash: nothing is timed for --vs or --plot"),
                              (("--plot", "x.png"), "--plot 'x.png': a name that ends in .svg expected")):
            with self.subTest(args):
                r = self.bench(*args)
                self.assertEqual(r.returncode, 2, r.stderr)
                self.assertIn(message, r.stderr)
                self.assertEqual(r.stdout, "")


if __name__ == "__main__":
    run = unittest.main(exit=False).result
    # A test with several failing parts is one.
    bad = len({getattr(test, "test_case", test).id() for test, _ in run.failures + run.errors})
    print(f"{run.testsRun - bad} passed, {bad} failed")
    sys.exit(bad != 0)
