"""What the array API standard asks for beside the operations themselves."""

from ._info import *  # noqa: F403
from ._info import __all__ as _info_names

__all__ = list(_info_names)
