"""RECON checkers and those of re-arming, against registries by hand."""

from itertools import pairwise

import pytest
from histories import Build, iso

PAIR = "jobs: [{id: j, schedule: 0 * * * *}, {id: k, schedule: 30 * * * *}]\n"
LIMITED = "jobs: [{id: j, schedule: every 1h, repeat: 1}]\n"
HOURS = ("1h", "2h", "3h", "4h")
HALVES = ("30m", "90m", "2h30m", "3h30m", "4h30m")


def chronos(more="", fires=HOURS, **how) -> Build:
    """Job j is armed, fires at these instants and is armed for the next each time."""
    build = Build(more, external=True).up().arm("j", 0, fires[0])
    for at, following in zip(fires, [*fires[1:], None], strict=True):
        build.fire("j", at, arms=following, **how)
    return build


def pair(fires=HOURS) -> Build:
    build = chronos(PAIR, fires).arm("k", 0, "30m")
    for at, following in pairwise(HALVES):
        build.fire("k", at, arms=following)
    return build


def refused(*, mended: str | None) -> Build:
    """The arm of j after its first fire is refused; k's fire is the next occasion."""
    build = (
        Build(PAIR, external=True)
        .up()
        .arm("j", 0, "1h")
        .arm("k", 0, "30m")
        .fire("k", "30m", arms="90m")
    )
    build.fire("j", "1h").call("1h1s", "provision", "j", 403, "forbidden").fire(
        "k", "90m", arms="2h30m"
    )
    if mended is not None:
        build.arm("j", mended, "2h").fire("j", "2h", arms="3h")
    return build


def forgotten(*, mended: bool) -> Build:
    """The registry loses its state at 70 minutes; k's fire (by hand) is the next occasion."""
    build = (
        Build(PAIR, external=True)
        .up()
        .arm("j", 0, "1h")
        .arm("k", 0, "30m")
        .fire("k", "30m", arms="90m")
    )
    build.fire("j", "1h", arms="2h").add("70m", "nas.forgot", "nas").fire("k", "90m", arms="2h30m")
    return build.arm("j", "1h30m1s", "2h") if mended else build


def died(*, armed: bool) -> Build:
    """The gateway dies within a fire, before it armed the next, and comes back."""
    build = (
        Build(external=True)
        .up()
        .arm("j", 0, "1h")
        .add("1h", "nas.fired", "nas", job_id="j", fire_at=iso("1h"))
    )
    build.deliver("j", "1h", "1h").add("1h", "fire.begin", job="j").run("j", "1h", None).add(
        "1h1s", "crash"
    )
    build.up("1h10m")
    return build.arm("j", "1h10m", "2h") if armed else build


def lost(*, armed: bool) -> Build:
    """A direct run takes the occurrence; the fire loses its claim."""
    build = (
        Build(external=True)
        .up()
        .arm("j", 0, "1h")
        .add("1h", "nas.fired", "nas", job_id="j", fire_at=iso("1h"))
    )
    build.run("j", "59m59s", 5).deliver("j", "1h", "1h").add("1h", "fire.begin", job="j")
    build.add("1h", "claim", job="j", won=False, error=None).add(
        "1h", "fire.end", job="j", value=False, error=None
    )
    return build.arm("j", "1h1s", "2h") if armed else build


def paused(*, cancelled: bool) -> Build:
    build = chronos("", ("1h", "2h")).op("70m", "pause", "j")
    build.drop("nas.fired", "2h").drop("nas.deliver", "2h").drop("fire.answer", "2h").drop(
        "fire.begin", "2h"
    )
    build.drop("claim", "2h").drop("run.begin", "2h").drop("run.end", "2h2s").drop(
        "fire.end", "2h2s"
    )
    return (
        build.add("70m", "nas.cancelled", "nas", job_id="j").call("70m", "cancel", "j")
        if cancelled
        else build
    )


CASES = [
    ("RECON-1", "held", chronos()),
    ("RECON-1", "violated", chronos("", ("1h",))),  # nothing armed after it
    ("RECON-1", "violated", chronos("", ("1h", "2h30m"))),  # at another time
    ("RECON-1", "violated", chronos("", ("1h", "2h", "7201s"))),
    ("RECON-1", "unknown", Build().up().loop()),
    ("RECON-2", "held", paused(cancelled=True)),
    ("RECON-2", "violated", paused(cancelled=False)),
    ("RECON-2", "violated", chronos().call("70m", "provision", "j")),  # what stood there already
    ("RECON-2", "unknown", chronos()),
    ("RECON-3", "held", chronos()),
    ("RECON-3", "violated", Build(external=True).up()),
    ("RECON-3", "unknown", Build().up().loop()),
    ("RECON-4", "held", refused(mended="90m")),
    ("RECON-4", "violated", chronos().call("1h1s", "provision", "k", None, "ReadTimeout").add("1h1s", "op", "operator", do="pause", job="k").call("1h1s", "cancel", "k", 500).add("1h1s", "op.end", "operator", do="pause", job="k", error="HTTPError")),
    ("RECON-4", "unknown", chronos()),
    ("RECON-5", "held", chronos()),
    ("RECON-5", "violated", Build(external=True).up(returns=False)),
    ("RECON-5", "violated", chronos("", ("1h",)).add("70m", "stop.requested").add("70m", "stopped").arm("j", "80m", "2h")),
    ("RECON-5", "violated", chronos("", ("1h",)).add("70m", "stop.requested").arm("j", "71m", "2h").add("72m", "stopped")),
    ("RECON-5", "held", chronos("", ("1h",)).add("70m", "stop.requested").add("72m", "stopped").up("73m").arm("j", "74m", "2h")),
    ("RECON-5", "violated", chronos("", ("1h",)).add("70m", "stop.requested").fire("j", "71m").add("72m", "stopped")),
    ("RECON-5", "held", chronos("", ("1h",)).add("3600500ms", "stop.requested").add("1h3s", "stopped")),
    ("RECON-5", "unknown", Build().up().loop()),
    ("RECON-6", "held", chronos(LIMITED, ("1h",))),
    ("RECON-6", "violated", chronos(LIMITED, ("1h",)).arm("j", "1h2s", "2h")),
    ("RECON-6", "unknown", chronos()),
    ("RECON-7", "held", forgotten(mended=True)),
    ("RECON-7", "violated", forgotten(mended=False)),
    ("RECON-7", "unknown", chronos()),
    ("RECON-8", "held", pair().op("70m", "pause", "j").call("70m", "cancel", "j", 500).add("90m", "nas.cancelled", "nas", job_id="j")),
    ("RECON-8", "violated", pair(("1h", "5h")).op("70m", "pause", "j").call("70m", "cancel", "j", 500)),
    ("RECON-8", "unknown", pair()),
    ("RECON-9", "held", pair().add("70m", "op", "operator", do="update", job="j").add("70m", "op", "operator", do="update", job="k").add("71m", "op.end", "operator", do="update", job="k", error=None).add("71m", "op.end", "operator", do="update", job="j", error=None)),
    ("RECON-9", "violated", pair(("1h", "5h")).add("70m", "op", "operator", do="update", job="j").add("70m", "op", "operator", do="update", job="k").add("71m", "op.end", "operator", do="update", job="k", error=None).add("71m", "op.end", "operator", do="update", job="j", error=None)),
    ("RECON-9", "unknown", pair().op("70m", "update", "j")),
    ("RECON-10", "held", refused(mended="90m").call("1h2s", "provision", "j", 200, "html")),
    ("RECON-10", "violated", refused(mended=None).call("1h2s", "provision", "j", 200, "html")),
    ("RECON-10", "unknown", refused(mended="90m")),
    ("LIVE-2", "held", refused(mended="90m")),
    ("LIVE-2", "violated", refused(mended=None)),
    ("LIVE-2", "unknown", pair()),
    ("LIVE-3", "held", died(armed=True)),
    ("LIVE-3", "violated", died(armed=False)),
    ("LIVE-3", "unknown", chronos()),
    ("LIVE-4", "held", lost(armed=True)),
    ("LIVE-4", "violated", lost(armed=False)),
    ("LIVE-4", "unknown", chronos()),
]  # fmt: skip


def on_the_way(*, answered: int | None) -> Build:
    """The arm of j fires at 1h; what brings it is late, lost or refused, or was answered at once."""
    build = Build(PAIR, external=True).up().arm("j", 0, "1h").arm("k", 0, "30m")
    build.fire("k", "30m", arms="90m").add("1h", "nas.fired", "nas", job_id="j", fire_at=iso("1h"))
    if answered is not None:
        about = {"job": "j", "fire_at": iso("1h"), "id": 77}
        build.add("1h", "nas.deliver", "nas", attempt=1, **about)
        build.add("1h", "nas.answer", "nas", status=answered, **about)
    build.fire("j", "1h10m", fire_at="1h", fresh=False, arms="2h")
    build.fire("k", "90m", arms="2h30m").fire("j", "2h", arms="3h").fire("k", "2h30m", arms="3h30m")
    return build.fire("j", "3h", arms="4h").fire("k", "3h30m", arms="4h30m")


@pytest.mark.parametrize(
    ("answered", "verdict"), [(None, "held"), (503, "held"), (202, "violated")]
)
def test_what_nas_has_yet_to_deliver_is_not_missing_from_the_registry(answered, verdict):
    finding = on_the_way(answered=answered).judge("RECON-1")
    assert finding.verdict == verdict, finding.reason
    assert ("nothing is armed" in finding.reason) == (verdict == "violated")


def test_a_fire_that_nas_forgot_or_gave_up_is_armed_again_at_the_next_occasion():
    """The fire of k at 90m is the occasion; until then nothing has to be armed, and then it has."""
    for what in ("nas.forgot", "nas.gave_up"):
        build = Build(PAIR, external=True).up().arm("j", 0, "1h").arm("k", 0, "30m")
        build.fire("k", "30m", arms="90m").add(
            "1h", "nas.fired", "nas", job_id="j", fire_at=iso("1h")
        )
        build.add("70m", what, "nas", job_id="j", fire_at=iso("1h"))
        build.fire("k", "90m", arms="2h30m")
        finding = build.judge("RECON-1")
        assert (finding.verdict, "nothing is armed" in finding.reason) == ("violated", True)
        build.arm("j", "90m", "2h").fire("j", "2h", arms="3h").fire("k", "2h30m", arms="3h30m")
        build.fire("j", "3h", arms="4h").fire("k", "3h30m", arms="4h30m")
        finding = build.judge("RECON-1")
        assert finding.verdict == "held", finding.reason


@pytest.mark.parametrize(("requirement", "verdict", "build"), CASES)
def test_the_registry(requirement, verdict, build):
    finding = build.judge(requirement)
    assert (finding.id, finding.verdict) == (requirement, verdict), finding.reason
    assert finding.reached == (verdict != "unknown")


def test_a_call_that_timed_out_after_its_effect_needs_no_other():
    """The job is armed in truth; nothing has to be tried again, and a green status is no lie."""
    build = (
        Build(PAIR, external=True)
        .up()
        .arm("j", 0, "1h")
        .arm("k", 0, "30m")
        .fire("k", "30m", arms="90m")
    )
    build.fire("j", "1h").arm("j", "1h2s", "2h").drop("nas.call", "1h2s").call(
        "1h2s", "provision", "j", None, "ReadTimeout"
    )
    build.fire("k", "90m", arms="2h30m").status("70m", verdict="healthy", promises=True)
    assert build.judge("LIVE-2").verdict == "held"
    assert build.judge("STAT-11").verdict == "unknown"


def test_who_fires_may_arm_again():
    build = chronos().call("1h1s", "provision", "j")
    assert build.judge("RECON-2").verdict == "unknown"


def test_what_is_armed_is_named_to_the_second_with_its_key():
    build = Build(external=True).up()
    build.add(
        0,
        "nas.armed",
        "nas",
        job_id="j",
        fire_at=iso("1h"),
        callback_url="https://x",
        dedup_key="j",
    )
    assert "dedup_key" in build.judge("RECON-1").reason
    build = Build(external=True).up()
    build.add(
        0,
        "nas.armed",
        "nas",
        job_id="j",
        fire_at=iso("1h"),
        callback_url="https://agent.sim/api/cron/fire",
        dedup_key=f"j:{iso('1h')}",
    )
    assert "callback" in build.judge("RECON-1").reason
    build = Build(external=True).up()
    build.add(
        0, "nas.armed", "nas", job_id="j", fire_at=iso("3600500ms"), callback_url="x", dedup_key="x"
    )
    assert "second" in build.judge("RECON-1").reason
