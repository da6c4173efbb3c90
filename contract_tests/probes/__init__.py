"""The probes: one function for each requirement that this kit can judge.

`interface` (ABC), `availability` (AVAIL) and `fallback` (FALL) look at a provider and a host from
outside; `simulated` judges what happens over virtual time, in the simulator's world.
"""

__all__: list[str] = []  # the engine imports the modules by name
