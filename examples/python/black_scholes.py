"""Prices of European options by the formula of Black and Scholes, a million at a time.

The chain of logarithms, exponentials and error functions is one kernel: every price is read once and written once.
"""

import time

import tme


def normal(x: tme.Array) -> tme.Array:
    """The distribution function of the normal distribution."""
    return 0.5 * tme.erfc(x * -(0.5**0.5))


@tme.compile
def prices(spot: tme.Array, strike: tme.Array, years: tme.Array, rate: float, volatility: float) -> tuple[tme.Array, tme.Array]:
    """The prices of calls and puts."""
    spread = volatility * tme.sqrt(years)
    d1 = (tme.log(spot / strike) + (rate + 0.5 * volatility**2) * years) / spread
    d2 = d1 - spread
    discounted = strike * tme.exp(-rate * years)
    return spot * normal(d1) - discounted * normal(d2), discounted * normal(-d2) - spot * normal(-d1)


def main() -> None:
    one = tme.array([100.0], dtype="float64")
    call, put = prices(one, one, tme.ones(1, dtype="float64"), 0.05, 0.2)
    print(f"at the money: call {call.item():.6f}, put {put.item():.6f}")
    assert abs(call.item() - 10.450584) < 1e-6 and abs(put.item() - 5.573526) < 1e-6

    n = 1_000_000
    i = tme.arange(n, dtype="float64") / n
    spot, strike, years = 50 + 100 * i, 60 + 80 * tme.square(tme.sin(1000 * i)), 0.1 + 2 * i
    tme.eval(spot, strike, years)
    call, put = prices(spot, strike, years, 0.05, 0.2)  # traced and compiled here
    begin = time.perf_counter()
    call, put = prices(spot, strike, years, 0.05, 0.2)
    ms = (time.perf_counter() - begin) * 1e3
    print(f"{n} calls and puts: {ms:.1f} ms")

    # A call without its put is a forward.
    forward = spot - strike * tme.exp(-0.05 * years)
    assert float(tme.max(tme.abs(call - put - forward))) < 1e-10


if __name__ == "__main__":
    main()
