"""What a provider shows that it can do, whether it declares it or not."""

from contract_tests.engine import Context
from contract_tests.probes.virtual import MOST_EVENTS, note_spin
from simulator.detect import quiet_run, shown_in
from simulator.hosts.reference import ReferenceHost

__all__ = ["shown_capabilities"]


def shown_capabilities(context: Context) -> frozenset[str]:
    """What ten quiet minutes show; may be more than one thing, and nothing of one that hangs."""
    if "hangs" in context.shared:
        return frozenset()
    run = quiet_run(context.target.target, ReferenceHost(), MOST_EVENTS)
    note_spin(context, run)
    return frozenset() if "hangs" in context.shared else shown_in(run.history)
