"""What should be armed, as the store has it; how two fire times compare; when arming must wait."""

import functools
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from hermes_cron import claim_rules, clock, jobs, records
from hermes_cron.schedule import zone_spans

__all__ = [
    "Pace",
    "TooOften",
    "fire_at_of",
    "is_promised",
    "is_same_fire",
    "is_wanted",
    "wanted",
]

Job = dict[str, Any]

# The same fire again and again within a minute means that the registry's clock and ours disagree.
_WINDOW_S = 60.0
_LIMIT = 5
_LONGEST_PAUSE_S = 900.0


def wanted(records: Iterable[object]) -> dict[str, Job]:
    """Return the jobs that should be armed, by id, in the store's order.

    A record that is none (no dict, no id) is passed over; the host says so where it belongs.
    """
    found: dict[str, Job] = {}
    for job in records:
        if isinstance(job, dict) and isinstance(job.get("id"), str) and is_wanted(job):
            found.setdefault(job["id"], job)
    return found


def is_wanted(job: Mapping[str, Any]) -> bool:
    """Whether this job should be armed: it may run, has runs left and a next time."""
    return (
        bool(job.get("id"))
        and records.stay_reason(job) is None
        and not records.is_spent(job)
        and not _last_run_is_on(job)
        and bool(fire_at_of(job))
    )


def _last_run_is_on(job: Mapping[str, Any]) -> bool:
    """Whether the job is claimed for the last of the runs that it may have.

    Not by a claim that lies ahead, nor by one of another host's making, which may be for anything:
    nobody is woken when their time is over, so a fire finds out.
    """
    claim = claim_rules.claim_of(job)
    if claim is None or claim.get("counted") or claim.get("token") is None:
        return False
    times, done = records.limits(job)
    if times is None or done + 1 < times:
        return False
    now = jobs._hermes_now()  # noqa: SLF001 - the host's clock
    return claim_rules.is_held(job, now) and not claim_rules.lies_ahead(job, now)


def is_promised(job: Mapping[str, Any]) -> bool:
    """Whether the webhook has claimed an occurrence that no run has taken up."""
    return bool((claim_rules.claim_of(job) or {}).get("reserved"))


def fire_at_of(job: Mapping[str, Any]) -> str:
    """Return the job's next time as the registry gets it: ISO 8601 with offset, whole seconds.

    "" without one. What already has that form is sent as it stands; a naive time is in the
    configured zone; text that is no time is sent too, so that the registry's refusal names it.
    """
    text = job.get("next_run_at")
    if not isinstance(text, str):
        return ""
    sent = _as_sent(text)
    return _in_the_zone(text) if sent is None else sent


@functools.lru_cache(maxsize=1024)
def _as_sent(text: str) -> str | None:
    """A stored time as the registry gets it; None for a naive one, which the zone decides."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text.strip()
    if at.tzinfo is None:
        return None
    return at.isoformat(timespec="seconds") if at.microsecond else text


def _in_the_zone(text: str) -> str:
    zone = clock.zone()
    at = zone_spans.to_utc(datetime.fromisoformat(text), zone).astimezone(zone)
    return at.isoformat(timespec="seconds")


def is_same_fire(one: str | None, other: str) -> bool:
    """Whether two fire times are the same instant to the second, however they are written."""
    if one is None or one == other:
        return one is not None
    try:
        first, second = datetime.fromisoformat(one), datetime.fromisoformat(other)
        return int(first.timestamp()) == int(second.timestamp())
    except (ValueError, OverflowError):
        return False


class TooOften(RuntimeError):  # noqa: N818 - a decision, not an error
    """The same fire was armed so often of late that it is better left for a while.

    Attributes:
        reason: the same, for the account that the status reads.
    """

    def __init__(self, fire_at: str, pause_s: float) -> None:
        self.reason = (
            f"{fire_at} is armed and fired again and again: NAS delivers it many times over, or "
            f"the clocks of NAS and of this machine disagree; next try in {pause_s:.0f} s"
        )
        super().__init__(self.reason)


class Pace:
    """Bounds how often the same fire is armed again.

    A registry whose clock is ahead of ours calls back at once, the host answers "early", the fire
    is armed again; or a claim fails, and is given back, each time: without a bound that is as fast
    as the network can. Between two of these another fire of the job may be armed, as what follows
    it. Threads that meet may lose a count.
    """

    def __init__(self) -> None:
        # By job and fire: since when it is counted, and how often it was accepted.
        self._accepted: dict[str, dict[str, tuple[float, int]]] = {}

    def accepted(self, job_id: str, fire_at: str, now_s: float) -> None:
        """Count an arm that the registry took, at `now_s` (monotonic)."""
        of_job = self._accepted.get(job_id, {})
        counted = {at: one for at, one in list(of_job.items()) if now_s - one[0] < _WINDOW_S}
        since_s, count = counted.get(fire_at, (now_s, 0))
        self._accepted[job_id] = counted | {fire_at: (since_s, count + 1)}

    def pause_s(self, job_id: str, fire_at: str, now_s: float, epoch_s: float) -> float:
        """Return how long to wait before arming this fire again; 0 for not at all."""
        since_s, count = self._accepted.get(job_id, {}).get(fire_at, (now_s, 0))
        if count < _LIMIT or now_s - since_s >= _WINDOW_S:
            return 0.0
        try:
            away_s = datetime.fromisoformat(fire_at).timestamp() - epoch_s
        except ValueError:
            away_s = 0.0
        return min(max(away_s, _WINDOW_S), _LONGEST_PAUSE_S)

    def forget_others(self, job_ids: Iterable[str]) -> None:
        """Drop what is known of all jobs but these."""
        keep = set(job_ids)
        known = list(self._accepted.items())  # at once: a fire may count an arm meanwhile
        self._accepted = {key: value for key, value in known if key in keep}
