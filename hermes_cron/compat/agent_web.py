"""hermes-agent's `hermes_cli.web_server`: the fire webhook, and cron without a gateway.

There is one home, so there is one profile, called "default".
"""

import logging
import threading

from hermes_cron import fires, gateway, scheduler_provider, server

__all__ = ["app"]

logger = logging.getLogger(__name__)

_PROFILE = "default"


def _start_desktop_cron_ticker(stop_event: threading.Event, interval: int = 60) -> None:
    """Run the configured provider until `stop_event` is set, or until it has armed its jobs."""
    provider = scheduler_provider.resolve_cron_scheduler()
    logger.info("Desktop cron scheduler started (provider=%s)", provider.name)
    gateway.run_start(provider, stop_event, {"interval": interval})


def _fire_cron_job_for_profile(profile: str, job_id: str) -> bool:  # noqa: ARG001 - there is one
    """Have the provider run a job whose occurrence is claimed; True when it did."""
    provider = scheduler_provider.provider_in_charge()
    return bool(gateway.run_fire(provider, job_id, {"adapters": None, "loop": None}))


_desk = fires.Fires(
    scheduler_provider.provider_in_charge,
    lambda job_id: _fire_cron_job_for_profile(_PROFILE, job_id),
)

app = server.create_app(_desk.receive)
"""The ASGI application: `POST /api/cron/fire`."""
