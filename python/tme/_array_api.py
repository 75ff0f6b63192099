"""What the array API standard asks for beside the operations themselves."""

__all__: list[str] = []
