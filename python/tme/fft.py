"""Fourier transforms, by the names of the array API standard and of NumPy."""

from ._fft import fftfreq, rfftfreq
from ._modules import members

__all__ = sorted(members("fft"))
globals().update(members("fft") | {"fftfreq": fftfreq, "rfftfreq": rfftfreq})
