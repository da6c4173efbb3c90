"""NAS: whether the registry that the provider is run with keeps the wire contract."""

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from contract_tests import catalogue
from contract_tests.benches.agent import Agent, Fired, listening
from contract_tests.engine import Context, Outcome, Probe, held, probe, violated
from contract_tests.probes.virtual import needs_registry, without_registry
from contract_tests.registry import Registry, Reply
from contract_tests.surroundings import captured_logs

__all__: list[str] = []  # probes are found by their ids

PROVISION = ("POST", "/api/agent-cron/provision")
CANCEL = ("POST", "/api/agent-cron/cancel")
LIST = ("GET", "/api/agent-cron/list")
FIRE_PATH = "/api/cron/fire"
ASYMMETRIC = ("RS256", "RS384", "RS512", "ES256", "ES384")
NOT_YET: tuple[int | None, ...] = (503, None, 500, 404)
LATE_S = 90.0  # whether it fires to the second is another row's question
LONG_S = 600.0  # every retry of a sensible registry comes in this
STRAY_COPIES = 2  # delivery is at least once, so that a copy or two prove nothing
LIFE_S = (60, 120)
SLACK_S = 5
OK = 200


@dataclass
class _Desk:
    """The registry of the run, and the kit as its agent."""

    registry: Registry
    agent: Agent

    def send(self, call: tuple[str, str], body: Any = None) -> Reply:
        """Make a call as the agent."""
        return self.registry.call(*call, f"Bearer {self.registry.token}", body)

    def arm(self, job_id: str, fire_at: str) -> Reply:
        """Arm a job."""
        return self.send(PROVISION, self.arming(job_id, fire_at))

    def arming(self, job_id: str, fire_at: str) -> dict[str, str]:
        """The body that arms a job."""
        return {
            "job_id": job_id,
            "fire_at": fire_at,
            "agent_callback_url": self.agent.callback_url,
            "dedup_key": f"{job_id}:{fire_at}",
        }

    def armed(self) -> dict[str, str] | str:
        """What the list tells, as instants by job; what is wrong with it instead."""
        reply = self.send(LIST)
        try:
            rows = [(row["job_id"], _instant(row["fire_at"])) for row in reply.body["armed"]]
        except (TypeError, KeyError, ValueError):
            return f"the list is not the contract's: {reply}"
        twice = len(dict(rows)) != len(rows)
        return f"the list has a job twice: {reply}" if twice else dict(rows)

    def later(self, seconds: float) -> str:
        """A whole second of the registry's time, at least so far ahead."""
        ahead_s = math.ceil(self.registry.now().timestamp() + seconds)
        return datetime.fromtimestamp(ahead_s, UTC).isoformat()

    def wait_until(self, instant: str, plus_s: float = 0.0) -> None:
        """Let the registry's time pass up to an instant."""
        until = datetime.fromisoformat(instant) + timedelta(seconds=plus_s)
        self.registry.pass_time(max(0.0, (until - self.registry.now()).total_seconds()))

    def fires_of(self, job_id: str) -> list[Fired]:
        """The fires of a job that came."""
        return [fired for fired in self.agent.fired if fired.job_id == job_id]


@contextmanager
def _desk(context: Context) -> Iterator[_Desk]:
    with captured_logs(), context.registry() as registry, listening() as agent:
        yield _Desk(registry, agent)


def _judged(problems: Iterator[str], desk: _Desk, good: str) -> Outcome:
    """The first problem, if there is one; nothing is looked at after it."""
    problem = next(problems, None)
    label = desk.registry.label
    return held(f"{label}: {good}") if problem is None else violated(f"{label}: {problem}")


def _instant(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).isoformat()


def _row(requirement_id: str) -> Callable[[Probe], Probe]:
    """Register the judge of a row, for who is known to be run with NAS."""

    def register(function: Probe) -> Probe:
        @functools.wraps(function)
        def judged(context: Context) -> Outcome:
            if needs_registry(context, catalogue.load().get(requirement_id)):
                return without_registry(context)
            return function(context)

        return probe(requirement_id)(judged)

    return register


@_row("NAS-1")
def what_is_armed(context: Context) -> Outcome:
    """Arm, arm again, arm for another time, cancel, cancel again; the list after each."""
    with _desk(context) as desk:
        return _judged(_arming(desk), desk, "one arm for each job, whatever is repeated")


def _arming(desk: _Desk) -> Iterator[str]:
    soon, later = desk.later(60), desk.later(300)
    first = desk.arm("one", soon)
    if first.status != OK or not (first.body or {}).get("schedule_id"):
        yield f"arming a job was answered {first}, not 200 with a schedule_id"
    for what, job_id, fire_at, expected in (
        ("arming the same fire again", "one", soon, {"one": soon}),
        ("arming another job", "two", soon, {"one": soon, "two": soon}),
        ("arming a job for another time", "one", later, {"one": later, "two": soon}),
        ("arming that again", "one", later, {"one": later, "two": soon}),
    ):
        yield from _listed(desk, what, desk.arm(job_id, fire_at), expected)
    desk.wait_until(soon, plus_s=LATE_S)
    if len(desk.fires_of("two")) != 1 or desk.fires_of("one"):
        jobs = [fired.job_id for fired in desk.agent.fired]
        yield f"at the time of one arm, and of one that had been replaced, there came {jobs}"
    for what, job_id in (
        ("cancelling", "one"),
        ("cancelling again", "one"),
        ("cancelling what has fired", "two"),
        ("cancelling what was never armed", "nobody"),
    ):
        yield from _listed(desk, what, desk.send(CANCEL, {"job_id": job_id}), {})
    desk.wait_until(later, plus_s=LATE_S)
    if desk.fires_of("one"):
        yield "an arm that had been cancelled fired"


def _listed(desk: _Desk, what: str, reply: Reply, expected: dict[str, str]) -> Iterator[str]:
    if reply.status != OK:
        yield f"{what} was answered {reply}, not 200"
    armed = desk.armed()
    if armed != expected:
        yield f"after {what}, {armed} is armed, not {expected}"


@_row("NAS-2")
def when_it_fires(context: Context) -> Outcome:
    """Two jobs a second apart; an agent that answers badly four times, and then well."""
    with _desk(context) as desk:
        good = f"fired to the second, and again after {len(NOT_YET)} bad answers, until a 2xx"
        return _judged(_firing(desk), desk, good)


def _firing(desk: _Desk) -> Iterator[str]:
    first = desk.later(37)
    second = (datetime.fromisoformat(first) + timedelta(seconds=1)).isoformat()
    desk.arm("first", first)
    desk.arm("second", second)
    desk.agent.answers = list(NOT_YET)
    desk.wait_until(first, plus_s=-0.5)
    if desk.agent.fired:
        yield f"{desk.agent.fired[0].job_id} fired before its time"
    desk.wait_until(first, plus_s=0.9)
    if [fired.job_id for fired in desk.agent.fired] != ["first"]:
        jobs = [fired.job_id for fired in desk.agent.fired]
        yield f"within the second that one job was armed for, there came {jobs}"
    desk.wait_until(second, plus_s=0.9)
    if not desk.fires_of("second"):
        yield "a job had not fired within the second that it was armed for"
    desk.registry.pass_time(LONG_S)
    if desk.agent.answers:
        yield f"it stopped after the answer {desk.agent.fired[-1].answer}, which is no 2xx"
    for job_id, fire_at in (("first", first), ("second", second)):
        fires = desk.fires_of(job_id)
        if not any(_is_2xx(fired) for fired in fires):
            yield f"the fire of {job_id} was never answered 2xx, and there came no other"
        for fired in fires:
            yield from _is_as_armed(fired, fire_at)
    before = len(desk.agent.fired)
    desk.registry.pass_time(LONG_S)
    if len(desk.agent.fired) - before > STRAY_COPIES:
        yield f"{len(desk.agent.fired) - before} fires came after they had been answered 2xx"


def _is_2xx(fired: Fired) -> bool:
    return fired.answer is not None and fired.answer // 100 == 2  # noqa: PLR2004 - HTTP's success


def _is_as_armed(fired: Fired, fire_at: str) -> Iterator[str]:
    if fired.path != FIRE_PATH:
        yield f"a fire was posted to {fired.path}, not to {FIRE_PATH}"
    said = fired.body.get("fire_at")
    if not isinstance(said, str) or _instant(said) != fire_at:
        yield f"the fire of {fire_at} said {said!r}"


@_row("NAS-3")
def whom_it_serves(context: Context) -> Outcome:
    """Each call without credentials or with wrong ones; the token of a fire, and of its retry."""
    with _desk(context) as desk:
        good = "refuses strangers; its tokens are the contract's"
        return _judged(_credentials(desk), desk, good)


def _credentials(desk: _Desk) -> Iterator[str]:
    fire_at = desk.later(30)
    desk.arm("mine", fire_at)
    wrong = (None, "", "Bearer", "Bearer forged", desk.registry.token, "Basic eDp5")
    for header in wrong:
        for call, body in (
            (PROVISION, desk.arming("theirs", fire_at)),
            (PROVISION, desk.arming("mine", desk.later(90))),
            (CANCEL, {"job_id": "mine"}),
            (LIST, None),
        ):
            reply = desk.registry.call(*call, header, body)
            if reply.status not in (401, 403):
                yield f"{call[1]} with the authorization {header!r} was answered {reply}, not 401"
    if (armed := desk.armed()) != {"mine": fire_at}:
        yield f"calls that were refused had an effect: {armed} is armed"
    desk.agent.answers = [503]
    desk.wait_until(fire_at, plus_s=LONG_S)
    if not desk.agent.fired:
        yield "no fire came whose token could be looked at"
    for fired in desk.agent.fired:
        problem = _wrong_with(fired, desk.registry)
        if problem:
            yield f"the token of a fire is not the contract's: {problem}"


def _wrong_with(fired: Fired, registry: Registry) -> str | None:
    """What is wrong with the token of a fire, by its header, its signature and its claims."""
    try:
        header = jwt.get_unverified_header(fired.token)
        if header.get("alg") not in ASYMMETRIC:
            return f"its algorithm is {header.get('alg')!r}"
        keys = jwt.PyJWKSet.from_dict(registry.keys())
        claims = jwt.decode(
            fired.token,
            keys[header["kid"]],
            algorithms=list(ASYMMETRIC),
            audience=registry.audience,
            issuer=registry.portal_url,
            leeway=SLACK_S,
            options={"require": ["exp", "nbf", "aud", "iss"]},
        )
    except (jwt.PyJWTError, KeyError) as error:
        return f"{type(error).__name__}: {error}"
    if claims.get("purpose") != "cron_fire":
        return f"its purpose is {claims.get('purpose')!r}"
    lives_s = claims["exp"] - fired.at_s
    if not LIFE_S[0] - SLACK_S <= lives_s <= LIFE_S[1] + SLACK_S:
        return f"it lives {lives_s:.0f} s, not {LIFE_S[0]} to {LIFE_S[1]}"
    return None
