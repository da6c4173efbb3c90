"""Benches: a part of a host with the kit at its edges, for the probes of one group.

A bench holds what a probe may do and what it saw, and how the reference host is put on it; probes
know the bench, never the host. A method of `contract_tests.surface.HostSurface` hands each out.
"""

__all__: list[str] = []  # see the modules
