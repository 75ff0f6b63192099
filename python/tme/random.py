"""Random numbers, which are functions of a key.

What is drawn without a key has the next one of the current engine's stream, which seed() begins anew.
"""

from ._modules import members
from ._random import seed as seed

__all__ = sorted({"randint", "seed"} | set(members("random")))
globals().update(members("random"))
randint = members("random")["integers"]
