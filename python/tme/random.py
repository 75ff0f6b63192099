"""Random numbers, which are functions of a key."""

from ._modules import members

__all__ = sorted(members("random"))
globals().update(members("random"))
