"""What a provider shows that it can do, whether it declares it or not."""

from contract_tests.engine import Context
from simulator.detect import with_capabilities
from simulator.hosts.reference import ReferenceHost

__all__ = ["shown_capabilities"]


def shown_capabilities(context: Context) -> frozenset[str]:
    """What ten quiet minutes show; may be more than one thing."""
    return with_capabilities(context.target.target, ReferenceHost()).capabilities
