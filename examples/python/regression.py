"""Linear regression by the singular value decomposition, on Longley's data of 1967.

The columns are so nearly dependent that the normal equations lose all digits; NIST has certified values of the coefficients
(https://www.itl.nist.gov/div898/strd/lls/data/Longley.shtml).
"""

import tme

# Employed; price deflator, gross national product, unemployed, armed forces, population, year.
LONGLEY = [
    [60323, 83.0, 234289, 2356, 1590, 107608, 1947],
    [61122, 88.5, 259426, 2325, 1456, 108632, 1948],
    [60171, 88.2, 258054, 3682, 1616, 109773, 1949],
    [61187, 89.5, 284599, 3351, 1650, 110929, 1950],
    [63221, 96.2, 328975, 2099, 3099, 112075, 1951],
    [63639, 98.1, 346999, 1932, 3594, 113270, 1952],
    [64989, 99.0, 365385, 1870, 3547, 115094, 1953],
    [63761, 100.0, 363112, 3578, 3350, 116219, 1954],
    [66019, 101.2, 397469, 2904, 3048, 117388, 1955],
    [67857, 104.6, 419180, 2822, 2857, 118734, 1956],
    [68169, 108.4, 442769, 2936, 2798, 120445, 1957],
    [66513, 110.8, 444546, 4681, 2637, 121950, 1958],
    [68655, 112.6, 482704, 3813, 2552, 123366, 1959],
    [69564, 114.2, 502601, 3931, 2514, 125368, 1960],
    [69331, 115.7, 518173, 4806, 2572, 127852, 1961],
    [70551, 116.9, 554894, 4007, 2827, 130081, 1962],
]
CERTIFIED = [
    -3482258.63459582,
    15.0618722713733,
    -0.0358191792925910,
    -2.02022980381683,
    -1.03322686717359,
    -0.0511041056535807,
    1829.15146461355,
]


@tme.compile
def fit(x: tme.Array, y: tme.Array) -> tuple[tme.Array, tme.Array]:
    """The coefficients, the constant first, and the standard deviation of what they leave."""
    n, m = x.shape
    # Columns of one size, so that the small singular values are those of dependent columns alone.
    mean, size = tme.mean(x, axis=0), tme.std(x, axis=0)
    centred = (x - mean) / size
    u, s, vt = tme.svd(centred, full_matrices=False)
    slopes = ((u.T @ (y - tme.mean(y))) / s) @ vt / size
    constant = tme.mean(y) - mean @ slopes
    rest = y - constant - x @ slopes
    deviation = tme.sqrt(tme.sum(rest * rest) / (n - m - 1))
    return tme.concatenate([constant.reshape(1), slopes]), deviation


def main() -> None:
    data = tme.array(LONGLEY, dtype="float64")
    found, deviation = fit(data[:, 1:], data[:, 0])
    right = tme.array(CERTIFIED, dtype="float64")  # a list alone would have the precision of the engine
    digits = -tme.log10(tme.abs(found / right - 1) + 1e-16)
    for value, agree in zip(found.tolist(), digits.tolist(), strict=True):
        print(f"{value:20.8f}   {agree:4.1f} digits agree with NIST's")
    print(f"standard deviation {deviation.item():.6f}")
    assert float(tme.min(digits)) > 9
    assert abs(deviation.item() - 304.854073561965) < 1e-6


if __name__ == "__main__":
    main()
