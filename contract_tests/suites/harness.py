"""What an author hands to the suite."""

from typing import Any

from contract_tests.target import Subject, subject_of

__all__ = ["ProviderHarness"]


class ProviderHarness:
    """A provider, ready to be judged.

    Args:
        provider: a provider class, a function without arguments that makes one, an instance (its
            class is what boots), or a TARGET as the command takes it.

    Raises:
        TargetError: it is none of these.
    """

    def __init__(self, provider: Any) -> None:
        if isinstance(provider, str):
            from contract_tests.target import find_subject

            self.subject: Subject = find_subject(provider)
        else:
            self.subject = subject_of(provider)
