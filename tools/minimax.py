"""The coefficients of the float64 polynomials in src/kernel/math_*.c: minimax.py [NAME ...]. Needs mpmath.

Each is the polynomial of its number of coefficients whose weighted error is smallest on an interval (Remez's exchange). The first
coefficients are rounded to float64 one after the other, and the rest is fitted again each time. Printed with it is the error, as
a power of two.
"""

import sys

from mpmath import mp, mpf

mp.dps = 50
GRID = 1500  # points in which extremes of the error are looked for
ROUNDED = 3  # coefficients that are rounded before the rest


def of_square(f):
    return lambda z: f(mp.sqrt(z))


def near(at_zero, f):
    """f, and its limit at 0."""
    return lambda z: mpf(at_zero) if z < mpf("1e-20") else f(z)


def scaled_erfc(q):
    """(1 + 2a) exp(a^2) erfc(a) with q = (a - 3.5) / (a + 3.5)."""
    a = 3.5 * (1 + q) / (1 - q)
    return (1 + 2 * a) * mp.exp(a * a) * mp.erfc(a)


def sine(x):
    return mp.sin(x) / x


def arctangent(x):
    return mp.atan(x) / x


def arcsine(x):
    return mp.asin(x) / x


# name: function, weight of its error, interval, coefficients
FITS = {
    "sin": (
        near(-mpf(1) / 6, of_square(lambda x: (sine(x) - 1) / x**2)),
        near(0, of_square(lambda x: x**2 / sine(x))),
        0,
        mpf("0.6185"),
        6,
    ),
    "cos": (
        near(mpf(1) / 24, of_square(lambda x: (mp.cos(x) - 1 + x**2 / 2) / x**4)),
        of_square(lambda x: x**4 / mp.cos(x)),
        0,
        mpf("0.6185"),
        6,
    ),
    "atan": (
        near(-mpf(1) / 3, of_square(lambda x: (arctangent(x) - 1) / x**2)),
        near(0, of_square(lambda x: x**2 / arctangent(x))),
        0,
        mpf("0.1716"),
        11,
    ),
    "asin": (
        near(mpf(1) / 6, of_square(lambda x: (arcsine(x) - 1) / x**2)),
        near(0, of_square(lambda x: x**2 / arcsine(x))),
        0,
        mpf("0.25"),
        12,
    ),
    "log": (
        near(mpf(1) / 5, of_square(lambda s: (mp.atanh(s) / s - 1 - s**2 / 3) / s**4)),
        lambda z: z**2,
        0,
        mpf("0.02945"),
        7,
    ),
    "sinh": (near(mpf(1) / 6, of_square(lambda x: (mp.sinh(x) / x - 1) / x**2)), lambda z: z, 0, mpf("0.1203"), 5),
    "cosh": (near(mpf(1) / 24, of_square(lambda x: (mp.cosh(x) - 1 - x**2 / 2) / x**4)), lambda z: z**2, 0, mpf("0.1203"), 4),
    "cbrt": (lambda m: m ** (-mpf(1) / 3), lambda m: m ** (mpf(1) / 3), mpf("0.707"), mpf("1.4143"), 6),
    "erf": (
        near(2 / mp.sqrt(mp.pi) - 1, of_square(lambda x: mp.erf(x) / x - 1)),
        near(mp.sqrt(mp.pi) / 2, of_square(lambda x: x / mp.erf(x))),
        0,
        1,
        13,
    ),
    "erf_far": (lambda a: mp.log(mp.erfc(a)), lambda a: mp.erfc(a) / mp.erf(a), 1, 6, 17),
    "erfc": (lambda q: scaled_erfc(q) - 1, lambda q: 1 / scaled_erfc(q), -mpf("0.75"), mpf("0.7728"), 22),
}


def error(c, x, f, w):
    return (mp.polyval(c[::-1], x) - f) * w


def remez(points, fixed, n):
    """Coefficients after the fixed ones, from (x, f(x), weight) in ascending order."""
    k, pick = len(fixed), [round((len(points) - 1) * (1 - mp.cos(mp.pi * i / n)) / 2) for i in range(n + 1)]
    for _ in range(30):
        rows, right = mp.matrix(n + 1, n + 1), mp.matrix(n + 1, 1)
        for i, p in enumerate(pick):
            x, f, w = points[p]
            for j in range(n):
                rows[i, j] = x ** (k + j) * w
            rows[i, n] = (-1) ** i
            right[i] = -error(fixed, x, f, w) if fixed else f * w
        c = list(mp.lu_solve(rows, right))
        coefficients, level = fixed + c[:n], abs(c[n])
        errors = [error(coefficients, *p) for p in points]
        runs = []
        for p, e in enumerate(errors):
            if not runs or (errors[runs[-1]] > 0) != (e > 0):
                runs.append(p)
            elif abs(e) > abs(errors[runs[-1]]):
                runs[-1] = p
        most = max(map(abs, errors))
        while len(runs) > n + 1:
            runs.pop(0 if abs(errors[runs[0]]) < abs(errors[runs[-1]]) else -1)
        if len(runs) <= n or most < level * mpf("1.02"):
            break
        pick = runs
    return coefficients, most


def fit(function, weight, low, high, n):
    middle, half = (mpf(low) + high) / 2, (mpf(high) - low) / 2
    xs = [middle - half * mp.cos(mp.pi * i / GRID) for i in range(GRID + 1)]
    points = [(x, function(x), weight(x)) for x in xs]
    points = [p for p in points if p[2]]
    fixed = []
    for _ in range(min(ROUNDED, n)):
        coefficients, _ = remez(points, fixed, n - len(fixed))
        fixed.append(mpf(float(coefficients[len(fixed)])))
    coefficients, _ = remez(points, fixed, n - len(fixed))
    coefficients = [mpf(float(c)) for c in coefficients]
    return coefficients, max(abs(error(coefficients, *p)) for p in points)


for name in sys.argv[1:] or FITS:
    found, most = fit(*FITS[name])
    print(f"{name}: 2^{mp.nstr(mp.log(most, 2), 4)}", *(repr(float(c)) for c in found), sep="\n  ", flush=True)
