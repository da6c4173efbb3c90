"""Hosts: the code around a provider, and how a simulated machine runs it.

A provider is driven unmodified and knows nothing of the run; so is the code of its host. What the
simulator must reach in a host (where it keeps its store, how a job's body is run, which process it
believes to be) differs from host to host and is named in one adapter each. Nothing outside this
package names a host's modules, and no provider is named but in the adapter that bundles it.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

from simulator.target import Target

__all__ = ["BodyResult", "Host", "Reading", "Stage", "Surroundings", "reference_host"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Surroundings:
    """What stands in a user's configuration, the same for every machine of a run.

    Attributes:
        zone: The configured time zone.
        provider: The provider that the configuration names; empty for the default of the host.
        replicas: Whether several gateways on one home are meant.
        portal_url: Where the registry outside is reached.
        callback_url: Where it reaches this agent.
        audience: What a fire token must be made for.
        token: The agent's access token, accepted by the registry.
    """

    zone: str
    provider: str = ""
    replicas: bool = False
    portal_url: str = "https://portal.sim"
    callback_url: str = "https://agent.sim"
    audience: str = "agent:sim"
    token: str = "sim-agent-token"  # noqa: S105 - opens nothing outside the run


@dataclass(frozen=True)
class BodyResult:
    """What a job's body came to: what `run_job` answers in hermes-agent's terms."""

    success: bool
    output: str
    final_text: str
    error: str | None


@dataclass(frozen=True)
class Reading:
    """What the status says at an instant.

    Attributes:
        verdict: "healthy", "unhealthy" or "unknown".
        exit_code: 0, 1 or 3.
        text: The words, all of them.
        evidence: What they rest on: JSON values.
    """

    verdict: str
    exit_code: int
    text: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


class Stage(Protocol):
    """What a run offers to the host in it; every call is about the machine whose task calls."""

    @property
    def surroundings(self) -> Surroundings:
        """What stands in the configuration, for who asks now."""
        ...

    def process(self) -> Any:
        """What `Host.new_process` gave for the running process."""
        ...

    def store(self) -> Any:
        """The running process' handle on the job store."""
        ...

    def pids(self) -> list[int]:
        """The gateways that live, by process id."""
        ...

    def lives(self, pid: int) -> bool:
        """Whether a process of that id lives: a gateway, or a command that somebody typed."""
        ...

    def record(self, kind: str, /, *, text: str | None = None, **data: Any) -> None:
        """Put an event into the history, under the running machine's name."""
        ...

    def note(self, kind: str, data: dict[str, Any]) -> None:
        """As `record`, for what comes at each tick; `data` may serve again and is not changed."""
        ...

    def around(self, seam: str, call: Callable[[], T], *, job: str | None = None) -> T:
        """Pass a seam: a fault may strike before or after `call`, or instead of it."""
        ...

    def is_struck(self, seam: str) -> bool:
        """Whether any fault of this run is put at a seam, so that it has to be there."""
        ...

    def in_phase(self, name: str, real: Callable[P, T]) -> Callable[P, T]:
        """`real`, saying what it uses the store for (`simulator.fault_rule.PHASES`)."""
        ...

    def run_body(self, job: Mapping[str, Any]) -> BodyResult:
        """Run the simulated body of a job: evidence that no provider can write."""
        ...

    def check_token(self, token: str) -> Mapping[str, Any] | None:
        """The claims of a fire token that the registry of this run has minted, else None."""
        ...


class Host(Protocol):
    """The code around a provider."""

    name: str

    def bundled(self) -> Mapping[str, Target]:
        """The providers that come with this host, by the name a user writes."""
        ...

    def load_folder(self, folder: Path) -> Any:
        """The provider of a plugin's folder, as a process that boots gets it.

        Raises:
            TargetError: It gives none; says why.
        """
        ...

    def entry_point(self, name: str) -> str | None:
        """What an installed distribution offers by this name: `module:attribute`, or a package."""
        ...

    def installed(self, stage: Stage) -> AbstractContextManager[None]:
        """Put the run under the host's seams for as long as the context lasts."""
        ...

    def new_process(self, *, pid: int, machine: str, boot_id: str) -> Any:
        """What a process of this host remembers, at its start."""
        ...

    def run_gateway(self, provider: Any, stop_event: Any, *, interval_s: int) -> Any:
        """Run a gateway with this provider until `stop_event` is set; blocks."""
        ...

    def receive(
        self, process: Any, authorization: str, body: bytes
    ) -> tuple[int, Mapping[str, Any]]:
        """Hand a fire to the gateway of this process: the HTTP status and body that it answers."""
        ...

    def operate(self, do: str, job_id: str, arguments: Mapping[str, Any]) -> Any:
        """Do what a user can do to a job: create, update, pause, resume, remove, trigger, tick."""
        ...

    def status(self) -> Reading:
        """What the status command says now."""
        ...


def reference_host() -> Host:
    """The host of this distribution."""
    from simulator.hosts.reference import ReferenceHost

    return ReferenceHost()
