"""What an author hands to the suite."""

from typing import Any

from contract_tests.target import Subject, find_subject, subject_of

__all__ = ["ProviderHarness"]


class ProviderHarness:
    """A provider, ready to be judged.

    Args:
        provider: a provider class, a function without arguments that makes one, an instance (its
            class is what boots), or a TARGET as the command takes it.
        registry: the fake of the registry that it talks to, where that is not NAS: a class, a
            function without arguments, an instance, or ``module:attribute``
            (`simulator.registry.FakeRegistry` says what it offers).

    Raises:
        TargetError: either is none of these.
    """

    def __init__(self, provider: Any, *, registry: Any = None) -> None:
        by_name = isinstance(provider, str)
        self.subject: Subject = find_subject(provider) if by_name else subject_of(provider)
        if registry is not None:
            self.subject = self.subject.with_registry(registry)
