#!/usr/bin/env python3
"""Tries the program `tme`: the expression language, its errors with their exit codes and carets, files, JSON.

ctest: timeout=240
"""
import json
import math
import os
import random
import re
import resource
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import unittest
import zipfile

TME = os.environ.get("TME_PROGRAM", "build/bin/tme")


def tme(*args, cwd=None, env=None):
    environment = dict(os.environ, **env) if env else None
    return subprocess.run([TME, *args], capture_output=True, text=True, cwd=cwd, env=environment, timeout=1000)


def write_npy(path, rows, descr="<f4", shape=None):
    """A .npy file from a flat list, without NumPy."""
    code = {"<f4": "f", "<f8": "d", "<i8": "q", "<i4": "i", "|b1": "?"}[descr]
    header = repr({"descr": descr, "fortran_order": False, "shape": tuple(shape or (len(rows),))})
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        f.write(struct.pack(f"<{len(rows)}{code}", *rows))


class Program(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp()
        write_npy(os.path.join(cls.dir, "a.npy"), [float(i) for i in range(24)], shape=(2, 3, 4))
        write_npy(os.path.join(cls.dir, "m.npy"), [1, 2, 3, 4, 5, 6], shape=(2, 3))
        write_npy(os.path.join(cls.dir, "i.npy"), [2, 0], "<i8")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    def path(self, name):
        return os.path.join(self.dir, name)

    def run_ok(self, *args, **kwargs):
        r = tme(*args, cwd=self.dir, **kwargs)
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout

    def results(self, expression, *inputs, options=()):
        out = self.run_ok("eval", "--json", *options, "--", expression, *inputs)
        return json.loads(out)["results"]

    def value(self, expression, *inputs, options=()):
        r = self.results(expression, *inputs, options=options)
        self.assertEqual(len(r), 1, r)
        return r[0]["values"]

    def fails(self, code, message, *args, **kwargs):
        r = tme(*args, cwd=self.dir, **kwargs)
        self.assertEqual(r.returncode, code, (args, r.stdout, r.stderr))
        self.assertIn(message, r.stderr)
        self.assertTrue(r.stderr.startswith("tme: "), r.stderr)
        self.assertEqual(r.stdout, "")
        return r.stderr


class Language(Program):
    def test_plain_numbers(self):
        cases = {
            "1 + 2 * 3": 7, "(1 + 2) * 3": 9, "2 ** 3 ** 2": 512, "-2 ** 2": -4, "2 ** -1": 0.5, "7 // 2": 3,
            "-7 // 2": -4, "-7 % 3": 2, "7 / 2": 3.5, "10 - 3 - 2": 5, "1 << 4 | 3": 19, "6 & 3 ^ 1": 3, "~5": -6,
            "1 < 2": True, "1 == 2": False, "not 1 < 2": False, "true and false or true": True, "0xff": 255,
            "1e-5 * 1e5": 1.0, ".5 + 1.": 1.5, "- - 3": 3, "+4": 4, "2 * -3": -6, "5 // 0": 0, "5 % 0": 0,
            "9007199254740993 == 9007199254740992": False, "9007199254740993 > 9007199254740992": True,
            "1.0 // 0.1": 9, "-1.0 // 0.1": -10, "5.5 % 2": 1.5, "-5.5 % 2.0": 0.5, "1.0 // 0.0": "inf",
            "-9223372036854775808": -2**63, "1 - 9223372036854775807": 1 - (2**63 - 1),
            "True & False": False, "# nothing\n 3": 3, "(1,)[0]": 1, "[1, 2, 3][-1]": 3,
        }
        for expression, expected in cases.items():
            with self.subTest(expression):
                self.assertEqual(self.value(expression), expected)

    def test_constants(self):
        self.assertAlmostEqual(self.value("pi"), math.pi, places=6)
        self.assertAlmostEqual(self.value("e"), math.e, places=6)
        self.assertEqual(self.value("[inf, -inf, nan]"), ["inf", "-inf", "nan"])

    def test_statements(self):
        self.assertEqual(self.value("a = 2; b = a * 3; a + b"), 8)
        self.assertEqual(self.value("a = 2\nb = (a +\n 1)\n\nb;"), 3)
        names = [r["name"] for r in self.results("y = [1, 2]; y, sum(y)")]
        self.assertEqual(names, ["y", "sum(y)"])
        self.assertEqual([r["name"] for r in self.results("y = 3")], ["y"])
        self.assertEqual([r["values"] for r in self.results("p, q = 1, 2")], [1, 2])
        self.assertEqual([r["name"] for r in self.results("svd([[1.0, 2.0]])")],
                         ["svd([[1.0, 2.0]])[0]", "svd([[1.0, 2.0]])[1]", "svd([[1.0, 2.0]])[2]"])

    def test_long_sum_is_not_deep(self):
        self.assertEqual(self.value("1" + " + 1" * 20000), 20001)

    def test_operators_on_arrays(self):
        m = "m=m.npy"
        self.assertEqual(self.value("m + 1", m), [[2, 3, 4], [5, 6, 7]])
        self.assertEqual(self.value("2 * m - m", m), [[1, 2, 3], [4, 5, 6]])
        self.assertEqual(self.value("m @ m.T", m), [[14, 32], [32, 77]])
        self.assertEqual(self.value("m > 2", m), [[False, False, True], [True, True, True]])
        self.assertEqual(self.value("(m > 2) & (m < 5)", m), [[False, False, True], [True, False, False]])
        self.assertEqual(self.value("m > 2 and m < 5", m), [[False, False, True], [True, False, False]])
        self.assertEqual(self.value("not m", m), [[False] * 3] * 2)
        self.assertEqual(self.value("-m ** 2", m), [[-1, -4, -9], [-16, -25, -36]])
        self.assertEqual(self.value("m // 2 + m % 2", m), [[1, 1, 2], [2, 3, 3]])
        self.assertEqual(self.value("[1, 2, 4] << 1"), [2, 4, 8])
        self.assertEqual(self.value("m + [10, 20, 30]", m), [[11, 22, 33], [14, 25, 36]])

    def test_calls(self):
        m = "m=m.npy"
        self.assertEqual(self.value("sum(m)", m), 21)
        self.assertEqual(self.value("sum(m, axis=0)", m), [5, 7, 9])
        self.assertEqual(self.value("sum(m, (0, 1), keepdims=True)", m), [[21]])
        self.assertEqual(self.value("reshape(m, (3, -1))", m), [[1, 2], [3, 4], [5, 6]])
        self.assertEqual(self.value("reshape(m, m.shape[1] * 2)", m), [1, 2, 3, 4, 5, 6])
        self.assertEqual(self.value("zeros((2, 2), dtype=int32)"), [[0, 0], [0, 0]])
        self.assertEqual(self.value("concatenate([m, m], axis=1)", m), [[1, 2, 3, 1, 2, 3], [4, 5, 6, 4, 5, 6]])
        self.assertEqual(self.value("stack([1, 2, 3])"), [1, 2, 3])
        self.assertEqual(self.value("mul(m, 2) == multiply(m, 2)", m), [[True] * 3] * 2)
        self.assertEqual(self.value("astype(m, bool)", m), [[True] * 3] * 2)
        self.assertEqual(self.value("slice(m, (none, 1), (none, none), (-1, 1))", m), [[5, 6], [2, 3]])
        self.assertEqual(self.value("full((2,), sum(m))", m), [21, 21])
        self.assertEqual(self.value("arange(3)"), [0, 1, 2])
        self.assertEqual(self.value("eye(2)"), [[1, 0], [0, 1]])
        self.assertEqual(self.value("where(m > 3, m, 0)", m), [[0, 0, 0], [4, 5, 6]])

    def test_statistics_of_integers(self):
        self.assertAlmostEqual(self.value("var([1000000001, 1000000002, 1000000003])"), 2 / 3, 6)
        self.assertAlmostEqual(self.value("var(astype([1000000001, 1000000002, 1000000003], int64))"), 2 / 3, 6)
        self.assertEqual(self.value("mean([true, false])"), 0.5)

    def test_indexing(self):
        a, flat = "a=a.npy", [float(i) for i in range(24)]
        cube = [[flat[12 * i + 4 * j:12 * i + 4 * j + 4] for j in range(3)] for i in range(2)]
        self.assertEqual(self.value("a[1]", a), cube[1])
        self.assertEqual(self.value("a[-1, 0]", a), cube[-1][0])
        self.assertEqual(self.value("a[0, 1, 2]", a), cube[0][1][2])
        self.assertEqual(self.value("a[..., 0]", a), [[r[0] for r in p] for p in cube])
        self.assertEqual(self.value("a[1:, ::-1]", a), [p[::-1] for p in cube[1:]])
        # the number that the engine takes for a bound that is not given
        self.assertEqual(self.value("arange(3)[-9223372036854775807-1::-1]"), [])
        self.assertEqual(self.value("arange(3)[:-9223372036854775807-1:-1]"), [2, 1, 0])
        self.assertEqual(self.value("slice(arange(3), [-9223372036854775807-1], [none], [-1])"), [])
        self.assertEqual(self.value("a[0, :, 1:3]", a), [r[1:3] for r in cube[0]])
        self.assertEqual(self.value("a[0, none, 0, :, None]", a), [[[x] for x in cube[0][0]]])
        self.assertEqual(self.value("a[:, [2, 0]]", a), [[p[2], p[0]] for p in cube])
        self.assertEqual(self.value("a[:, i]", a, "i=i.npy"), [[p[2], p[0]] for p in cube])
        self.assertEqual(self.value("a[0][1][2]", a), cube[0][1][2])
        self.assertEqual(self.value("a[5:]", a), [])
        self.assertEqual(self.value("a[::-2, ::2][0]", a), cube[1][::2])
        self.assertEqual(self.value("a.T.shape", a), [4, 3, 2])
        self.assertEqual([r["values"] for r in self.results("a.ndim, a.size", a)], [3, 24])

    def test_indexing_by_masks(self):
        a, flat = "a=a.npy", [float(i) for i in range(24)]
        cube = [[flat[12 * i + 4 * j:12 * i + 4 * j + 4] for j in range(3)] for i in range(2)]
        self.assertEqual(self.value("a[a % 5 == 0]", a), flat[::5])
        self.assertEqual(self.value("a[[false, true]]", a), cube[1:])
        self.assertEqual(self.value("a[sum(a, axis=2) > 30]", a), [cube[0][2]] + cube[1])
        self.assertEqual(self.value("a[1, :, [true, false, false, true]]", a), [[r[k] for r in cube[1]] for k in (0, 3)])
        self.assertEqual(self.value("a[:, a[0] > 4, none]", a), [[[v] for v in sum(p, [])[5:]] for p in cube])
        self.assertEqual(self.results("a[a < 0]", a)[0]["shape"], [0])
        self.assertEqual(self.results("a[:, zeros((3, 4), dtype=bool)]", a)[0]["shape"], [2, 0])
        self.assertEqual(self.value("sum(x[x > 0])", "x=m.npy"), 21)
        self.assertEqual(self.value("a[sum(a) > 1, 1]", a), [cube[1]])
        self.assertEqual(self.results("a[false, none]", a)[0]["shape"], [0, 1, 2, 3, 4])

    def test_indexing_by_several_arrays(self):
        a, flat = "a=a.npy", [float(i) for i in range(24)]
        cube = [[flat[12 * i + 4 * j:12 * i + 4 * j + 4] for j in range(3)] for i in range(2)]
        self.assertEqual(self.value("a[[0, 1, -1], [2, 0, -3]]", a), [cube[0][2], cube[1][0], cube[1][0]])
        self.assertEqual(self.value("a[[[0], [1]], [0, 2]]", a), [[p[0], p[2]] for p in cube])
        self.assertEqual(self.value("a[:, [0, 2], [1, 3]]", a), [[p[0][1], p[2][3]] for p in cube])
        self.assertEqual(self.value("a[[1, 0], :, [1, 3]]", a), [[r[1] for r in cube[1]], [r[3] for r in cube[0]]])
        self.assertEqual(self.value("a[0, :, [1, 3]]", a), [[r[k] for r in cube[0]] for k in (1, 3)])
        self.assertEqual(self.value("a[:, 0, [1, 3]]", a), [[p[0][k] for k in (1, 3)] for p in cube])
        self.assertEqual(self.value("a[[1, 0], none, [1, 2]]", a), [[cube[1][1]], [cube[0][2]]])
        self.assertEqual(self.value("a[[0, 1], [1, 2], [2, 3]]", a), [cube[0][1][2], cube[1][2][3]])
        self.assertEqual(self.value("a[i - 1, i][:, 0]", a, "i=i.npy"), [cube[1][2][0], cube[1][0][0]])
        self.assertEqual(self.results("a[[], [0]]", a)[0]["shape"], [0, 4])
        self.assertEqual(self.results("a[[]]", a)[0]["shape"], [0, 3, 4])

    def test_complex_literals(self):
        cases = {
            "2j": [0, 2], "1.5e3j": [0, 1500], ".5J": [0, 0.5], "1 + 2j": [1, 2], "(1 + 2j) * (3 - 1j)": [5, 5],
            "-2j": [-0.0, -2], "0.1j + 0.2": [0.2, 0.1], "abs(3 + 4j)": 5, "1j * 1j == -1": True, "conj(1j)[none]": [[0, -1]],
            "arange(2) * 1j": [[0, 0], [0, 1]],
        }
        for expression, want in cases.items():
            with self.subTest(expression):
                self.assertEqual(self.value(expression), want)
        for dtype, want in (("float32", "complex64"), ("float64", "complex128"), ("complex64", "complex64"),
                            ("int32", "complex64")):
            r, = self.results(f"astype(m, {dtype}) + 0.1j", "m=m.npy")
            self.assertEqual(r["dtype"], want, dtype)
            self.assertAlmostEqual(r["values"][0][0][1], 0.1, 15 if want == "complex128" else 6)
        self.fails(1, "invalid number", "eval", "2jx")
        self.fails(1, "less: takes real numbers or booleans", "eval", "1j < 2")
        self.fails(1, "complex ones have no largest one", "eval", "logsumexp(ones(3) * 1j)")

    def test_complex(self):
        """From its parts, each as it is: re + im * 1j makes NaN of infinities."""
        parts, written = ["nan", "inf", -0.0, 0.1], "[nan, inf, -0.0, 0.1]"
        want = [[[re, im] for re in parts] for im in parts]
        for backend in ("cpu", "nojit", "reference"):
            for expression in ("complex(x, reshape(x, [4, 1]))", "conj(conj(complex(x, reshape(x, [4, 1]))))"):
                got = self.value(f"x = {written}; {expression}", options=("--backend", backend))
                self.assertEqual(repr(got), repr(want), (backend, expression))
        for dtype, want in (("float16", "complex64"), ("bfloat16", "complex64"), ("float32", "complex64"),
                            ("int64", "complex64"), ("bool", "complex64"), ("float64", "complex128")):
            r, = self.results(f"complex(astype([0, 1, 1], {dtype}), 0.1)")
            self.assertEqual(r["dtype"], want, dtype)
            self.assertAlmostEqual(r["values"][1][1], 0.1, 15 if want == "complex128" else 7)
        self.assertEqual(self.value("complex(1, 2)"), [1, 2])
        self.assertEqual(self.value("complex(astype([100000], int32), 1)", options=("--precision", "float16")), [[100000, 1]])
        self.fails(1, "complex: takes real numbers, not complex128, int64", "eval", "complex(1j, 2)")

    def test_complex_lists_and_inputs(self):
        self.assertEqual(self.value("[1, 2j, -0.5 - 1j, true]"), [[1, 0], [0, 2], [-0.5, -1], [1, 0]])
        self.assertEqual(self.value("[[1, inf * 1], [2j, 1 + 2j]].T[1]"), [["inf", 0], [1, 2]])
        for dtype, want in (("float32", "complex64"), ("float64", "complex128")):
            r, = self.results(f"astype([1, 2], {dtype}) * [1, 0.1j]")
            self.assertEqual((r["dtype"], r["values"][0]), (want, [1, 0]))
        self.fails(1, "a list of numbers expected, got an array", "eval", "sum([1, ones(1)[0]])")
        for text, want in (("2j", [0, 2]), ("-2j", [-0.0, -2]), ("1+2j", [1, 2]), ("-1.5-2e3j", [-1.5, -2000])):
            self.assertEqual(self.value("z", f"z={text}"), want)
        self.fails(1, "1+2.npy", "eval", "z", "z=1+2.npy")

    def test_svd(self):
        m = "m=m.npy"
        self.assertLess(self.value("u, s, vt = svd(m, full_matrices=false); max(abs(m - (u * s) @ vt))", m), 1e-5)

    def test_inputs_that_are_numbers(self):
        self.assertEqual(self.value("x + y", "x=2", "y=0.5"), 2.5)
        self.assertEqual(self.value("x", "x=true"), True)
        self.assertEqual(self.value("[x, y, z]", "x=0x10", "y=-1e3", "z=-inf"), [16, -1000, "-inf"])
        self.assertEqual(self.value("x", "x=-9223372036854775808"), -2**63)
        self.fails(2, "does not fit in 64 bits", "eval", "x", "x=99999999999999999999")
        self.fails(2, "invalid number", "eval", "x", "x=12ab")
        self.fails(1, "12ab.npy", "eval", "x", "x=12ab.npy")

    def test_precision(self):
        for asked in ("float16", "float32", "float64"):
            self.assertEqual(self.results("ones(2)", options=("--precision", asked))[0]["dtype"], asked)
        out = self.run_ok("eval", "--json", "ones(2)", env={"TME_PRECISION": "float16"})
        self.assertEqual(json.loads(out)["results"][0]["dtype"], "float16")

    def test_options_before_and_after(self):
        for args in (["--precision", "float64", "eval", "ones(1)"], ["eval", "ones(1)", "--precision=float64"]):
            self.assertIn("float64", self.run_ok(*args))

    def test_special_values(self):
        cases = {
            "logaddexp([inf, -inf, inf, -inf, nan, nan, 1.0], [inf, -inf, -inf, 1.0, nan, inf, -inf])":
                ["inf", "-inf", "inf", 1, "nan", "nan", 1],
            "hypot([inf, nan, -inf], [nan, -inf, 3.0])": ["inf", "inf", "inf"],
            "pow([nan, 1.0, -1.0, 0.0, -0.0], [0.0, nan, inf, -1.0, -3.0])": [1, 1, 1, "inf", "-inf"],
            "softplus([inf, -inf, nan])": ["inf", 0, "nan"],
            "sigmoid([inf, -inf, nan])": [1, 0, "nan"],
            "expm1([inf, -inf])": ["inf", -1],
            "log1p([-1.0, -2.0, inf])": ["-inf", "nan", "inf"],
            "gelu([inf, -1e4, 0.0])": ["inf", 0, 0],
            "logsumexp([-inf, -inf]), logsumexp([inf, 1.0]), logsumexp([nan, inf])": ["-inf", "inf", "nan"],
        }
        for backend in ("cpu", "nojit", "reference"):
            for precision in ("float16", "float32", "float64"):
                for expression, expected in cases.items():
                    options = ("--backend", backend, "--precision", precision, "--cache-dir", "")
                    with self.subTest((expression, *options)):
                        typed = re.sub(r"\[[^]]*\]", rf"astype(\g<0>, {precision})", expression)
                        got = [r["values"] for r in self.results(typed, options=options)]
                        self.assertEqual(got[0] if len(got) == 1 else got, expected)

    def test_long_sums_of_16_bits(self):
        x = "astype(where(arange(2 ** 20) < 2 ** 19, 8192, -8192), float16)"
        self.assertEqual(self.value(f"sum({x})"), 0)
        self.assertEqual(self.value(f"sum(reshape({x}, (2 ** 10, 2 ** 10)), axis=0)[:3]"), [0, 0, 0])


class Printing(Program):
    def test_text(self):
        out = self.run_ok("eval", "m, mean(m), m > 2", "m=m.npy")
        self.assertEqual(out, "m  float32 (2, 3)\n[[1. 2. 3.]\n [4. 5. 6.]]\nmean(m)  float32 ()\n3.5\n"
                              "m > 2  bool (2, 3)\n[[False False  True]\n [ True  True  True]]\n")

    def test_summary(self):
        out = self.run_ok("eval", "x = reshape(arange(10000), (100, 100))")
        self.assertEqual(out, "x  int64 (100, 100)\n[[   0    1    2 ...   97   98   99]\n"
                              " [ 100  101  102 ...  197  198  199]\n [ 200  201  202 ...  297  298  299]\n ...\n"
                              " [9700 9701 9702 ... 9797 9798 9799]\n [9800 9801 9802 ... 9897 9898 9899]\n"
                              " [9900 9901 9902 ... 9997 9998 9999]]\n")
        self.assertNotIn("...", self.run_ok("eval", "--full", "arange(2000)"))

    def test_json(self):
        self.assertEqual(len(self.value("arange(2000)")), 2000)
        self.assertEqual(self.value("arange(2000)", options=("--short",)), [0, 1, 2, "...", 1997, 1998, 1999])
        timed = json.loads(self.run_ok("eval", "--json", "--time", "1"))
        self.assertEqual(set(timed["time_ms"]), {"read", "evaluate", "write"})
        self.assertEqual(self.value("0.1"), 0.1)

    def test_kinds(self):
        self.assertIn("[1.e-10 1.e+00]", self.run_ok("eval", "[1e-10, 1.0]").replace("1e", "1.e"))
        self.assertIn("[nan inf 1.5]", self.run_ok("eval", "[nan, inf, 1.5]"))
        self.assertIn("[]", self.run_ok("eval", "zeros((0,))"))
        self.assertIn("()", self.run_ok("eval", "3"))


class Outputs(Program):
    def test_files(self):
        self.run_ok("eval", "y = m * 2; z = sum(m); y", "m=m.npy", "-o", "y=y.npy", "-o", "z=z.npy", "-o", "r.npy")
        self.assertEqual(self.value("y", "y=y.npy"), [[2, 4, 6], [8, 10, 12]])
        self.assertEqual(self.value("r", "r=r.npy"), [[2, 4, 6], [8, 10, 12]])
        self.assertEqual(self.value("z", "z=z.npy"), 21)

    def test_containers(self):
        for end in ("npz", "safetensors"):
            self.run_ok("eval", "y = m * 2; z = m[0]; 0", "m=m.npy", "-o", f"y=o.{end}", "-o", f"z=o.{end}")
            self.assertEqual(self.value("y[0] - z", f"y=o.{end}:y", f"z=o.{end}:z"), [1, 2, 3])

    def test_numpy_reads_them(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("no NumPy")
        self.run_ok("eval", "y = m / 2; b = m > 2; 0", "m=m.npy", "-o", "y=n.npy", "-o", "b=b.npz")
        y = numpy.load(self.path("n.npy"))
        self.assertEqual((y.dtype, y.tolist()), (numpy.float32, [[.5, 1, 1.5], [2, 2.5, 3]]))
        self.assertEqual(numpy.load(self.path("b.npz"))["b"].tolist(), [[False, False, True], [True] * 3])

    def test_nothing_is_written_on_failure(self):
        before = set(os.listdir(self.dir))
        self.fails(1, "no/such", "eval", "y = m * 2; z = m; y", "m=m.npy", "-o", "y=p.npy", "-o", "z=no/such/q.npy")
        self.fails(1, "assigns no 'q'", "eval", "y = m * 2; y", "m=m.npy", "-o", "y=p.npy", "-o", "q=q.npy")
        self.fails(1, "matmul", "eval", "y = m * 2; y @ m", "m=m.npy", "-o", "y=p.npy")
        self.assertEqual(set(os.listdir(self.dir)), before)

    def test_several_are_written_like_one(self):
        folder = tempfile.mkdtemp(dir=self.dir)
        path = lambda name: os.path.join(folder, name)
        for name in ("old.npy", "target.npy", "closed.npy"):
            write_npy(path(name), [7.0])
        os.chmod(path("old.npy"), 0o604)
        os.symlink("target.npy", path("link.npy"))
        mask = os.umask(0o027)
        try:
            outputs = [a for n in ("new", "old", "link") for a in ("-o", f"y={path(n)}.npy")]
            self.run_ok("eval", "y = m; 0", "m=m.npy", *outputs)
        finally:
            os.umask(mask)
        mode = lambda name: stat.S_IMODE(os.lstat(path(name)).st_mode)
        self.assertEqual((mode("new.npy"), mode("old.npy")), (0o640, 0o604))
        self.assertTrue(os.path.islink(path("link.npy")))
        self.assertEqual(self.value("x[0]", f"x={path('target.npy')}"), [1, 2, 3])
        os.mkfifo(path("fifo.npy"))
        names = sorted(os.listdir(folder))
        self.fails(1, "not a regular file", "eval", "y = m * 2; 0", "m=m.npy", "-o", f"y={path('old.npy')}", "-o",
                   f"y={path('fifo.npy')}")
        if os.geteuid() != 0:
            os.chmod(path("closed.npy"), 0o400)
            self.fails(1, "cannot write", "eval", "y = m * 2; 0", "m=m.npy", "-o", f"y={path('old.npy')}", "-o",
                       f"y={path('closed.npy')}")
        self.assertEqual(sorted(os.listdir(folder)), names)
        self.assertEqual(self.value("x[0]", f"x={path('old.npy')}"), [1, 2, 3])

    def test_one_file_by_two_names(self):
        os.makedirs(self.path("sub"), exist_ok=True)
        write_npy(self.path("there.npy"), [7.0])
        os.symlink("there.npy", self.path("alias.npy"))
        os.symlink("later.npy", self.path("dangling.npy"))
        for a, b in (("same.npy", "./same.npy"), ("same.npy", "sub/../same.npy"), ("there.npy", "alias.npy")):
            self.fails(2, "two outputs", "eval", "y = 1; z = 2; y", "-o", f"y={a}", "-o", f"z={b}")
        self.fails(1, "given twice", "eval", "y = 1; z = 2; y", "-o", "y=later.npy", "-o", "z=dangling.npy")
        self.assertFalse(os.path.exists(self.path("later.npy")) or os.path.exists(self.path("same.npy")))
        self.run_ok("eval", "y = 1; z = 2; y", "-o", "y=both.npz", "-o", "z=./both.npz")
        self.assertEqual(self.value("y + z", "y=both.npz:y", "z=both.npz:z"), 3)

    def test_old_file_stays(self):
        write_npy(self.path("old.npy"), [7.0])
        os.makedirs(self.path("folder.npy"), exist_ok=True)
        self.fails(1, "folder.npy", "eval", "y = m; z = m; y", "m=m.npy", "-o", "y=old.npy", "-o", "z=folder.npy")
        self.assertEqual(self.value("x", "x=old.npy"), [7.0])

    def test_bad_requests(self):
        self.fails(2, "ends in", "eval", "1", "-o", "y.txt")
        self.fails(2, "two outputs", "eval", "a = 1; b = 2; a", "-o", "a=x.npy", "-o", "b=x.npy")
        self.fails(2, "2 results", "eval", "1, 2", "-o", "x.npy")
        self.fails(2, "needs a value", "eval", "1", "-o")

    PRINTING = (["eval", "1"], ["eval", "--json", "arange(100000)"], ["explain", "1 + 1"], ["info"], ["info", "--json"],
                ["status"], ["status", "--json"], ["ops"], ["ops", "--json"], ["cache", "path"],
                ["cache", "stats"], ["--version"], ["--help"], ["help", "eval"], ["eval", "--help"])

    def printing(self):
        """A list of nothing prints nothing."""
        return (*self.PRINTING, *((["cache", "list"],) if self.run_ok("cache", "list") else ()))

    def test_full_disk(self):
        if not os.path.exists("/dev/full") or not stat.S_ISCHR(os.stat("/dev/full").st_mode):
            self.skipTest("no /dev/full")
        for args in self.printing():
            with open("/dev/full", "w") as full:
                r = subprocess.run([TME, *args], stdout=full, stderr=subprocess.PIPE, text=True)
            self.assertEqual(r.returncode, 1, args)
            self.assertIn("standard output could not be written: No space left", r.stderr)

    def test_closed_streams(self):
        """Output that has nowhere to go is an error; what the program opens takes no closed stream's place."""
        def without(which, *args):
            script = '"$0" "$@" ' + " ".join(f"{fd}>&-" for fd in which)
            return subprocess.run(["sh", "-c", script, TME, *args], capture_output=True, text=True, cwd=self.dir,
                                  env=dict(os.environ, TME_LOG="debug", TME_DEBUG="1"))
        for args in self.printing():
            r = without([1], *args)
            self.assertEqual(r.returncode, 1, args)
            self.assertIn("standard output could not be written", r.stderr)
        for n, which in enumerate(([0], [2], [0, 2])):
            r = without(which, "eval", f"sum(arange({1000 + n}))")
            self.assertEqual((r.returncode, r.stdout.splitlines()[-1]), (0, str((999 + n) * (1000 + n) // 2)))
        self.assertEqual(without([0, 1, 2], "eval", "sum(sqrt(arange(1010)))").returncode, 1)
        self.assertEqual(without([0, 1, 2], "cache", "clear").returncode, 0)
        without([0, 1, 2], "eval", "arange(4) * 2", "-o", "closed.npy")
        self.assertEqual(self.value("y", "y=closed.npy"), [0, 2, 4, 6])


class Errors(Program):
    def caret(self, expression, message, under, *inputs):
        """The message, and the caret under the first place of `under`."""
        err = self.fails(1, message, "eval", "--", expression, *inputs)
        lines = err.splitlines()
        self.assertEqual(lines[-1].strip(), "^", err)
        self.assertEqual(lines[-2][len(lines[-1]) - 1:][:len(under)], under, err)

    def test_syntax(self):
        self.caret("gelu(x @ )", "a value expected, found ')'", ")")
        self.caret("1 +", "the expression ends here", "")
        self.caret("(1, 2", "',' or ')' expected", "")
        self.caret("1 2", "an operator or ';' expected", "2")
        self.caret("a = 1\nb = a $ 2", "unexpected character '$'", "$")
        self.caret("1 = 2", "only names", "=")
        self.caret("1 < 2 < 3", "chained comparisons", "< 3")
        self.caret("sum(x=1, 2)", "a positional argument follows", "2")
        self.caret("1 + not 2", "brackets around 'not", "not")
        self.caret("3x", "invalid number", "3x")
        self.caret("99999999999999999999", "64 bits", "9")
        self.caret("1 - 18446744073709551616", "64 bits", "18")
        self.caret("m[]", "an index expected", "]")
        self.caret("'text", "a text ends with the quote", "'")
        self.caret("abs('text')", "an array expected, got a text", "'")
        self.caret("round(1.5, decimals='1')", "got a text", "'")
        self.caret("m.(3)", "the name of an attribute", "(")
        self.caret("sum(1)(2)", "only operations can be called", "(2)")
        self.fails(1, "an expression expected", "eval", "")
        self.fails(1, "an expression expected", "eval", " ; # nothing")

    def test_nesting(self):
        for text in ("(" * 5000 + "1" + ")" * 5000, "[" * 3000, "- " * 5000 + "1", "2 ** " * 3000 + "1",
                     "abs(" * 3000 + "1", "m[" * 3000):
            self.fails(1, "nested more than 200 levels", "eval", "--", text)

    def test_names(self):
        self.caret("1 + wieght", "unknown name 'wieght'; did you mean 'weight'?", "wieght", "weight=m.npy")
        self.caret("q", "unknown name 'q'", "q")
        self.caret("1 + gelu", "'gelu' is an operation", "gelu")
        self.caret("2 * gleu(3)", "no operation 'gleu'; did you mean 'gelu'?", "gleu")
        self.caret("sum(m, axes=0)", "no parameter 'axes'; did you mean 'axis'?", "axes", "m=m.npy")
        self.caret("sum()", "'x' is missing", "sum")
        self.caret("sum(1, 2, 3, f32, 4)", "too many arguments", "4")
        self.caret("sum(1, x=2)", "given twice", "x=2")
        self.caret("m.shap", ".shape", "shap", "m=m.npy")

    def test_values(self):
        m = "m=m.npy"
        self.caret("zeros((2, 1.5))", "a whole number expected", "(2")
        self.caret("zeros((2, 2), float33)", "unknown name 'float33'; did you mean", "float33")
        self.caret("zeros(2, dtype=3)", "a dtype", "3")
        self.caret("sum(m, axis=true, keepdims=0.5)", "true or false", "0.5", m)
        self.caret("concatenate(m)", "a list of arrays", "m", m)
        self.caret("sum([[1, 2], [3]])", "differ in length", "[[1")
        self.caret("sum([1, [2]])", "differ in depth", "[1")
        self.caret("m + float32", "an array expected, got a dtype", "+", m)
        self.caret("a, b, c = 1, 2", "3 names for 2 values", "a")
        self.caret("full((2,), m)", "an array of 6 elements", "m", m)

    def test_engine(self):
        m = "m=m.npy"
        self.caret("1 + (m @ m)", "matmul", "@", m)
        self.caret("sum(m, axis=2)", "sum", "sum", m)
        self.caret("m + [1, 2]", "add", "+", m)
        self.caret("zeros((-1,))", "zeros", "zeros")
        self.caret("zeros((1000000000, 1000000000, 1000000000))", "zeros", "zeros")
        self.caret("bitwise_and(m, m)", "bitwise_and", "bitwise_and", m)
        self.caret("reshape(m, (4, 4))", "reshape", "reshape", m)

    def test_index(self):
        m = "m=m.npy"
        self.caret("m[2]", "index 2 is out of bounds for axis 0 with size 2", "2", m)
        self.caret("m[..., -4, none]", "index -4 is out of bounds for axis 1 with size 3", "-4", m)
        self.caret("m[0, 0, 0]", "too many indices for array: array is 2-dimensional, but 3 were indexed", "[", m)
        self.caret("m[..., ...]", "a single ellipsis", "...]", m)
        self.caret("m[:, ::0]", "slice step cannot be zero", "::0", m)
        self.caret("m[m[0] > 1]", "boolean index did not match indexed array along axis 0; size of axis is 2 but size of "
                   "corresponding boolean axis is 3", "m[0] > 1", m)
        self.caret("m[:, m > 1]", "too many indices", "[", m)
        self.caret("m[[0.5]]", "must be of integers or booleans, not float64", "[0.5]", m)
        self.caret("m[0.5]", "whole numbers", "0.5", m)
        self.caret("m[[0, 1], [0, 1, 2]]", "could not be broadcast together with shapes (2,) (3,)", "[0, 1, 2]", m)
        self.caret("m[[0, 1], [0, 3]]", "index 3 is out of bounds for axis 1 with size 3", "[0, 3]", m)
        self.caret("m[[0, -3], [0, 1]]", "index -3 is out of bounds for axis 0 with size 2", "[0, -3]", m)
        self.caret("m[none, :, [5]]", "index 5 is out of bounds for axis 1 with size 3", "[5]", m)
        self.fails(1, "out of range", "eval", "m[astype(sum(m, axis=0), int32)]", m)
        self.caret("(1, 2)[2]", "out of range", "2")
        self.caret("3[0]", "has no elements", "[")

    def test_files(self):
        self.fails(1, "missing.npy", "eval", "x", "x=missing.npy")
        for name, content in (("empty.npy", b""), ("short.npy", b"\x93NUMPY\x01\x00\x76\x00{"), ("bad.npz", b"PK"),
                              ("bad.safetensors", b"\xff" * 16), ("x.unknown", b"abc")):
            with open(self.path(name), "wb") as f:
                f.write(content)
            self.fails(1, name, "eval", "x", f"x={name}")
        with open(self.path("m.npy"), "rb") as f, open(self.path("cut.npy"), "wb") as g:
            g.write(f.read()[:-4])
        self.fails(1, "cut.npy", "eval", "x", "x=cut.npy")
        zipfile.ZipFile(self.path("none.npz"), "w").close()
        with open(self.path("none.safetensors"), "wb") as f:
            f.write(struct.pack("<Q", 2) + b"{}")
        for name in ("none.npz", "none.safetensors"):
            self.fails(1, f"'{name}': holds no arrays\n", "eval", "x", f"x={name}")

    def test_limit_of_a_file_s_size(self):
        folder = tempfile.mkdtemp(dir=self.dir)
        r = subprocess.run([TME, "eval", "sin(arange(100000, dtype=float32))", "-o", "y.npy"], capture_output=True,
                           text=True, cwd=folder, timeout=1000,
                           preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000)))
        self.assertEqual(r.returncode, 1, r.stderr)
        self.assertIn("y.npy", r.stderr)
        self.assertEqual(os.listdir(folder), [])

    def test_usage(self):
        for args, message in ((["eval"], "an expression is missing"), ([], "a command is missing"),
                              (["frobnicate"], "no command"), (["eval", "1", "x"], "NAME=FILE"),
                              (["eval", "1", "2x=m.npy"], "not a valid name"), (["eval", "1", "and=m.npy"], "not a valid name"),
                              (["eval", "1", "x=1", "x=2"], "twice"), (["eval", "1", "x="], "names no file"),
                              (["eval", "1", "--frob"], "--frob"), (["eval", "1", "--json=3"], "takes no value"),
                              (["eval", "-x", "x=3"], "goes after --"), (["eval", "1", "--precision"], "needs a value"),
                              (["eval", "1", "--threads", "0"], "--threads"), (["--log", "loud", "info"], "--log"),
                              (["eval", "1", "--precision", "float12"], "float12"),
                              (["eval", "1", "--backend", "abacus"], "abacus"),
                              (["eval", "--full", "--short", "1"], "exclude"), (["cache"], "list, clear"),
                              (["cache", "eat"], "eat"), (["status", "x"], "unexpected"), (["info", "x"], "unexpected"),
                              (["bench", "x"], "unexpected"), (["bench", "--dtype", "int8"], "int8"),
                              (["help", "nothing"], "no command")):
            with self.subTest(args):
                self.fails(2, message, *args)
        self.fails(2, "TME_PRECISION", "eval", "1", env={"TME_PRECISION": "float12"})
        self.fails(2, "TME_PERF_MAP", "eval", "1", env={"TME_PERF_MAP": "yes"})
        self.fails(2, "TME_MLX_COMPILE", "eval", "1", env={"TME_MLX_COMPILE": "foo"})
        self.assertNotIn("mock", self.fails(2, "abacus", "eval", "1", "--backend", "abacus").split("expected")[1])
        self.fails(2, "mock", "eval", "1", "--backend", "mock")

    def test_wishes(self):
        r = tme("status", "--json", "--device", "cuda", cwd=self.dir)
        self.assertEqual(json.loads(r.stdout)["wish"],
                         {"wanted": "device cuda", "got": "device cpu", "reason": "this build has no backend for it"})
        for command in ("status", "info"):
            text = self.run_ok(command, env={"TME_DEVICE": "cuda"})
            self.assertIn("\nwanted     device cuda\ngot        device cpu: this build has no backend for it\n", text)
            self.assertNotIn("wanted", self.run_ok(command))
            self.assertIsNone(json.loads(self.run_ok(command, "--json"))["wish"])
        message = "the device cuda was asked for and is not there"
        self.fails(2, message, "status", "--device", "cuda!")
        self.fails(2, message, "eval", "1", env={"TME_DEVICE": "cuda!"})
        self.fails(2, message, "eval", "1", "--device", "cuda", env={"TME_STRICT": "1"})

    def test_mlx_that_is_not_there(self):
        """A copy of the program without the module."""
        root = os.path.dirname(os.path.dirname(os.path.abspath(TME)))
        copy = tempfile.mkdtemp(dir=self.dir)
        for folder, names in (("bin", ["tme"]), ("lib", [n for n in os.listdir(os.path.join(root, "lib"))
                                                        if n.startswith(("libtme.so", "libtme-llvm."))])):
            os.mkdir(os.path.join(copy, folder))
            for name in names:
                shutil.copy(os.path.join(root, folder, name), os.path.join(copy, folder))
        program = os.path.join(copy, "bin", "tme")
        for wish in ("backend", "device"):
            env = dict(os.environ, **{f"TME_{wish.upper()}": "mlx"})
            r = subprocess.run([program, "status", "--json"], capture_output=True, text=True, env=env, timeout=100)
            status = json.loads(r.stdout)
            self.assertEqual((status["wish"]["wanted"], status["backend"] != "mlx"), (f"{wish} mlx", True))
            self.assertIn("libtme-mlx.so", status["wish"]["reason"])
            self.assertEqual(r.stderr.count("\n"), r.stderr.count("warning"), r.stderr)
            r = subprocess.run([program, "status", f"--{wish}", "mlx!"], capture_output=True, text=True, timeout=100)
            self.assertEqual((r.returncode, r.stdout), (2, ""))
            self.assertIn(f"the {wish} mlx was asked for and is not there: mlx: ", r.stderr)

    def test_blas(self):
        """OpenBLAS's oldest kernels, as it takes them on a processor that it does not know."""
        info = json.loads(self.run_ok("info", "--json", env={"OPENBLAS_CORETYPE": "Prescott"}))
        text = self.run_ok("info", env={"OPENBLAS_CORETYPE": "Prescott"})
        self.assertIn(f"\nblas       {info['blas'] or 'none'} (", text)
        with open("/proc/cpuinfo") as f:
            avx2 = " avx2 " in f.read()
        slow = info["blas"].endswith("core Prescott") and avx2
        self.assertEqual("took its kernels for Prescott, which have no AVX2" in info["blas_warning"], slow)
        self.assertEqual(f"\nwarning    {info['blas_warning']}; the JIT's" in text, slow)

    def test_plurals(self):
        text = self.run_ok("explain", "sum(x)", "x=m.npy") + self.run_ok("status")
        self.assertNotRegex(text, r"\b1 (tasks|operations|inputs|regions|threads|hits|misses|entries|failures|evictions|bytes)\b")
        self.assertRegex(text, r"\b1 task, ")

    def test_layout_of_json(self):
        for args in (("status",), ("info",), ("ops",), ("cache", "stats"), ("eval", "1")):
            text = self.run_ok(*args, "--json")
            self.assertRegex(text, r"\A[^\n]*\n  [^ ]")
            self.assertTrue(text.endswith("\n") and not text.endswith("\n\n"))

    def test_log_levels(self):
        for level, lines in (("error", 0), ("warning", 1)):
            r = tme("--log", level, "--device", "cuda", "eval", "1", cwd=self.dir)
            self.assertEqual((r.returncode, r.stderr.count("the device cuda is not there")), (0, lines), r.stderr)

    def test_control_characters(self):
        for args in (("x", "x=\x1b[31m.npy"), ("x", "x=3", "\x1b]0;=1"), ("1", "-o", "\x1b[31m.txt"),
                     ("y = 1; z = 2; 0", "-o", "y=a.npy", "-o", "z=no/\x1b.npy"), ("1", "--precision", "\x1b")):
            r = tme("eval", *args, cwd=self.dir)
            self.assertNotEqual(r.returncode, 0)
            self.assertIn("?", r.stderr)
            self.assertNotIn("\x1b", r.stderr)

    def test_labels_show_no_control_characters(self):
        byte = os.fsdecode(b"\xff")
        text = "1 #\x1b[31m\x7f\u0085\u00e9" + byte + "\n + 1"
        out = subprocess.run([TME, "eval", "--", "(" + text + ")"], capture_output=True).stdout
        self.assertEqual(out.splitlines()[0],
                         b"1 #\\x1b[31m\\x7f\\u0085\xc3\xa9\\xff  + 1  int64 ()")
        out = subprocess.run([TME, "eval", "--json", "--", "(" + text + ")"], capture_output=True).stdout
        self.assertEqual(json.loads(out)["results"][0]["name"], "1 #\x1b[31m\x7f\u0085\u00e9\ufffd  + 1")
        self.assertNotIn(b"\x1b", out)
        # A label that is cut ends with a whole character.
        for before in range(50, 66):
            name = self.results("(1 #" + "x" * before + "\u00e9\u20ac\U0001f600" + "y" * 9 + "\n)")[0]["name"]
            self.assertNotIn("\ufffd", name)

    def test_short_names_of_precisions(self):
        for short, dtype in (("f16", "float16"), ("bf16", "bfloat16"), ("f32", "float32"), ("f64", "float64")):
            for result in (self.run_ok("--precision", short, "eval", "full([1], 0.5)"),
                           self.run_ok("eval", "full([1], 0.5)", env={"TME_PRECISION": short})):
                self.assertIn(dtype, result)
        self.fails(2, "precision 'i32' is unknown, expected one of float16", "--precision", "i32", "eval", "1")

    def test_random_tokens(self):
        words = ("a b x m gelu sum stack svd zeros ( ) [ ] , : . = ; \n + - * / // % ** @ ~ == != < <= & | ^ << >> and "
                 "or not 1 2.5 1e-5 0xff ... none true float32 axis= # é \" $").split(" ")
        generator = random.Random(20)
        for _ in range(int(os.environ.get("TME_FUZZ", "150"))):
            text = " ".join(generator.choice(words) for _ in range(generator.randint(1, 14)))
            r = subprocess.run([TME, "eval", "--", text, "m=m.npy", "x=2"], capture_output=True, cwd=self.dir,
                               timeout=1000)
            self.assertIn(r.returncode, (0, 1), (text, r.stderr))
            if r.returncode:
                self.assertTrue(r.stderr.startswith(b"tme: eval: "), (text, r.stderr))


class Commands(Program):
    def test_help(self):
        overview = self.run_ok("--help")
        for name in ("eval", "explain", "bench", "info", "status", "cache", "ops"):
            self.assertIn(f"  {name} ", overview)
            self.assertIn(f"usage: tme {name}", self.run_ok(name, "--help"))
            self.assertEqual(self.run_ok("help", name), self.run_ok(name, "-h"))
        self.assertRegex(overview, "--device .*mlx.*\n +--backend .*mlx")
        self.assertRegex(self.run_ok("--version"), r"^tme \d+\.\d+\.\d+\n$")

    def test_status(self):
        status = json.loads(self.run_ok("status", "--json"))
        self.assertEqual(list(status), ["status", "reason", "compiler", "device", "precision", "backend", "target", "wish",
                                        "cache"])
        self.assertEqual(list(status["cache"]), ["entries", "hits", "misses", "evictions", "bytes", "compile_ms",
                                                 "failures", "disk_hits", "disk_misses"])
        self.assertIn(status["status"], ("active", "disabled"))
        self.assertIn(status["compiler"], ("present", "missing"))
        self.assertEqual(status["reason"] == "", status["status"] == "active")
        self.assertTrue(self.run_ok("status").startswith(f"status     {status['status']}"))
        off = json.loads(self.run_ok("status", "--json", "--no-jit"))
        self.assertEqual(off["status"], "disabled")
        self.assertNotEqual(off["reason"], "")

    def test_info(self):
        info = json.loads(self.run_ok("info", "--json", "--precision", "float64", "--threads", "1"))
        self.assertEqual((info["precision"], info["threads"]), ("float64", 1))
        self.assertIn("precision  float64", self.run_ok("--precision", "float64", "info"))

    def test_ops(self):
        ops = {o["name"]: o for o in json.loads(self.run_ok("ops", "--json"))}
        self.assertGreater(len(ops), 90)
        self.assertEqual(ops["svd"]["outputs"], 3)
        self.assertIn("axis:axes=none", ops["sum"]["signature"])
        self.assertEqual(ops["sum"]["parameters"], [
            {"name": "x", "kind": "array", "optional": False},
            {"name": "axis", "kind": "axes", "optional": True, "default": None},
            {"name": "keepdims", "kind": "bool", "optional": True, "default": False},
            {"name": "dtype", "kind": "dtype", "optional": True, "default": None}])
        self.assertEqual(ops["layer_norm"]["parameters"][3]["default"], 1e-5)
        self.assertEqual(ops["softmax"]["parameters"][1]["default"], -1)
        self.assertIn("gelu(x)", self.run_ok("ops", "gelu"))
        self.fails(1, "did you mean 'gelu'", "ops", "gely")

    def test_explain(self):
        text = self.run_ok("explain", "y = gelu(m @ m.T + 1); y, mean(y)", "m=m.npy")
        self.assertIn("matmul", text)
        self.assertIn("cache of kernels: ", text)
        with tempfile.TemporaryDirectory() as d:
            options = ("exp(m) + 1", "m=m.npy", "--cache-dir", d)
            if json.loads(self.run_ok("status", "--json"))["status"] == "active":
                self.assertIn("; code: compiled now\n", self.run_ok("explain", *options))
                again = self.run_ok("explain", *options)
                self.assertIn("; code: on disk\n", again)
                self.assertIn("1 hit and 0 misses on disk; 0 compiled", again)
        self.assertIn("digraph", self.run_ok("explain", "--dot", "m + 1", "m=m.npy"))
        self.fails(1, "a value expected", "explain", "m +")

    def test_what_no_kernel_can_do(self):
        """It is left to the fallback alone: the products before and behind it are compiled."""
        text = "x = ones([64, 64]); n = astype((x @ x)[:, :1], int32); y = n ** (n % 3); sum(reshape(y, [1, 64]) @ x)"
        lines = self.run_ok("--backend", "cpu", "explain", text).splitlines()
        self.assertIn("%6 pow is left to nojit: powers of integers are not compiled", lines)
        regions = [line.split(": ", 1) for line in lines if line.startswith("region")]
        self.assertEqual([where for where, what in regions], ["region 0 on cpu", "region 1 on nojit", "region 2 on cpu"])
        self.assertEqual(regions[1][1], "pow")
        self.assertIn("matmul", regions[0][1])
        self.assertIn("matmul", regions[2][1])
        self.assertEqual(self.value(text), 262144.0)

    def test_cache(self):
        with tempfile.TemporaryDirectory() as d:
            folder = os.path.join(d, "kernels")
            options = ("--cache-dir", folder)
            self.assertEqual(self.run_ok("cache", "path", *options), folder + "\n")
            self.assertEqual(json.loads(self.run_ok("cache", "stats", "--json", *options))["entries"], 0)
            self.run_ok("eval", "exp(m) + 1", "m=m.npy", *options)
            active = json.loads(self.run_ok("status", "--json", *options))["status"] == "active"
            entries = json.loads(self.run_ok("cache", "list", "--json", *options))
            self.assertEqual(bool(entries), active, entries)
            self.run_ok("cache", "clear", *options)
            self.assertEqual(json.loads(self.run_ok("cache", "stats", "--json", *options))["entries"], 0)

    def test_cache_that_is_refused(self):
        with tempfile.TemporaryDirectory() as d:
            os.chmod(d, 0o777)
            options = ("--cache-dir", d)
            self.fails(1, "other users may write", "cache", "clear", *options)
            for what in ("list", "stats"):
                r = tme("cache", what, *options)
                self.assertEqual(r.returncode, 0)
                self.assertIn("other users may write", r.stderr)
            os.chmod(d, 0o700)
            os.mkdir(os.path.join(d, "0" * 32 + ".tme"))
            self.fails(1, "cannot delete", "cache", "clear", *options)

    def test_cache_that_cannot_be_made(self):
        with tempfile.TemporaryDirectory() as d:
            open(os.path.join(d, "file"), "w").close()
            folder = os.path.join(d, "file", "kernels")
            for options in (("--cache-dir", folder), ("--cache-dir", "/proc/none/kernels")):
                r = tme("cache", "clear", *options)
                self.assertEqual((r.returncode, r.stdout), (1, ""))
                self.assertIn("nothing is cleared: disk cache: ", r.stderr)
                self.assertNotIn(": io", r.stderr)
                self.assertEqual(r.stderr.count("\n"), 1, r.stderr)
            self.assertIn("the folder /proc/none/kernels cannot be made: /proc/none: no folder can be made there", r.stderr)
            self.fails(1, f"{folder} is no directory, or something on the way to it is none", "cache", "clear",
                       "--cache-dir", folder)

    def test_no_folder_for_the_cache(self):
        for options, why in (((), "neither XDG_CACHE_HOME nor HOME names a folder"), (("--cache-dir", ""), "given as ''")):
            r = tme("cache", "path", *options, env={"HOME": "", "XDG_CACHE_HOME": "", "TME_CACHE_DIR": ""})
            self.assertEqual((r.returncode, r.stdout), (1, ""))
            self.assertIn("there is no cache on disk: ", r.stderr)
            self.assertIn(why, r.stderr)

    def test_cache_is_cleared_without_jit(self):
        with tempfile.TemporaryDirectory() as d:
            self.run_ok("eval", "exp(m) + 1", "m=m.npy", "--cache-dir", d)
            self.run_ok("cache", "clear", "--cache-dir", d, "--no-jit")
            self.assertEqual(os.listdir(d), [])


class Diagnostics(Program):
    def test_check_names_the_first_nan(self):
        r = tme("eval", "y = log(m - 3.5); max(y * 2)", "m=m.npy", cwd=self.dir, env={"TME_CHECK": "1"})
        self.assertEqual(r.returncode, 0, r.stderr)
        if self.status() == "active":
            self.assertIn("check: the first NaN was made by log (2, 3)", r.stderr)

    def test_check_is_quiet_about_right_kernels(self):
        for e in ("y = softmax(m @ m.T + 1); mean(y, axis=0)", "y = arange(2, 12, 2, dtype=float64); y[4:]",
                  "y = astype(m, float16) @ astype(m.T, float16); y + 1"):
            r = tme("eval", e, "m=m.npy", cwd=self.dir, env={"TME_CHECK": "1"})
            self.assertEqual(r.returncode, 0, r.stderr)
            self.assertNotIn("check:", r.stderr)

    def test_profile_is_a_trace(self):
        r = tme("eval", "softmax(m @ m.T)", "m=m.npy", cwd=self.dir, env={"TME_PROFILE": "trace.json"})
        self.assertEqual(r.returncode, 0, r.stderr)
        with open(self.path("trace.json")) as f:
            events = json.load(f)["traceEvents"]
        self.assertTrue(any("softmax" in e["name"] or "matmul" in e["name"] for e in events), events)
        self.assertTrue(all(e["dur"] >= 0 for e in events))

    def test_debug_shows_kernels(self):
        r = tme("eval", "sin(m) + 1", "m=m.npy", cwd=self.dir, env={"TME_DEBUG": "2"})
        self.assertEqual(r.returncode, 0, r.stderr)
        self.assertIn("plan:", r.stderr)
        if self.status() == "active":
            self.assertIn("loop i parallel vector", r.stderr)

    def status(self):
        return json.loads(self.run_ok("status", "--json"))["status"]


if __name__ == "__main__":
    run = unittest.main(exit=False).result
    # A test with several failing parts is one.
    bad = len({getattr(test, "test_case", test).id() for test, _ in run.failures + run.errors})
    print(f"{run.testsRun - bad} passed, {bad} failed")
    sys.exit(bad != 0)
