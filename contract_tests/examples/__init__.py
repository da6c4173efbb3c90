"""Examples to start from.

remindly   a provider whose arms are at a registry of its own, and the fake of that registry
"""

__all__: list[str] = []  # see the modules
