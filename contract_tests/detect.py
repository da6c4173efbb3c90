"""What a provider shows that it can do, whether it declares it or not."""

from contract_tests.engine import Context
from contract_tests.surroundings import ask
from simulator.detect import with_capabilities
from simulator.hosts.reference import ReferenceHost

__all__ = ["shown_capabilities"]

# A provider that redefines one of these keeps something outside in step with the store.
_EXTERNAL_HOOKS = ("on_jobs_changed", "reconcile")


def shown_capabilities(context: Context) -> frozenset[str]:
    """What ten quiet minutes and a look at the hooks show; may be more than one thing."""
    shown = frozenset(with_capabilities(context.target.target, ReferenceHost()).capabilities or ())
    interface, provider = ask(context.host.interface).value, ask(context.target.make).value
    redefined = [
        hook
        for hook in _EXTERNAL_HOOKS
        if getattr(type(provider), hook, None) is not getattr(interface, hook, None)
    ]
    return shown | ({"external"} if redefined else frozenset())
