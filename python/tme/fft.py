"""Fourier transforms, by the names of the array API standard and of NumPy."""

from ._fft import fft2, fftfreq, ifft2, irfft2, rfft2, rfftfreq
from ._modules import members

__all__ = sorted(members("fft"))
_own = (fft2, fftfreq, ifft2, irfft2, rfft2, rfftfreq)
globals().update(members("fft") | {f.__name__: f for f in _own})
