"""What a provider shows that it can do, whether it declares it or not."""

from contract_tests.engine import Context
from contract_tests.surroundings import ask

__all__ = ["shown_capabilities"]

# A provider that redefines one of these keeps something outside in step with the store.
_EXTERNAL_HOOKS = ("on_jobs_changed", "reconcile")


def shown_capabilities(context: Context) -> frozenset[str]:
    """``external`` for who redefines the hooks of a registry, else ``blocking``."""
    interface, provider = context.host.interface(), ask(context.target.make).value
    redefined = [
        hook
        for hook in _EXTERNAL_HOOKS
        if getattr(type(provider), hook, None) is not getattr(interface, hook, None)
    ]
    return frozenset({"external"} if redefined else {"blocking"})
