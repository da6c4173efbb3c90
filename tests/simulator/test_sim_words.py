"""What can be said to `CronSim`: all that a scenario file can say, and mistakes with what was meant."""

import errno
from datetime import datetime, timedelta

import pytest

from simulator import CronSim
from simulator.fault_rule import Fault
from simulator.runner import incidents
from simulator.scenario import Body, Job
from simulator.scenario_file import ScenarioError, load_scenario
from simulator.steps import OPERATIONS, Step
from simulator.words import FaultWords, JobWords, StepWords

LIBRARY = {scenario.name: scenario for scenario in incidents()}


def _keys(model):
    return {field.alias or name for name, field in model.model_fields.items()}


def _words(typed):
    return {word.removesuffix("_") for word in typed.__annotations__}


def test_every_field_of_a_file_has_a_word():
    assert _words(FaultWords) | {"into"} == _keys(Fault)
    assert _words(StepWords) | {"at", "do"} == _keys(Step)
    words = _words(JobWords) - {"at"} | {"id", "schedule", "created", "body", "runs_for"}
    assert words - {"runtime"} == _keys(Job) | _keys(Body)


def _python(said):
    """The words of a file as keyword arguments."""
    return {f"{key}_" if key in {"for", "from", "raise"} else key: said[key] for key in said}


def _said_again(scenario):
    """The scenario, said word by word."""
    plain = scenario.plain()
    machines = plain.get("machines", ["a"])
    sim = CronSim(
        "builtin",
        name=scenario.name,
        zone=scenario.zone,
        start=plain["start"],
        interval=scenario.interval,
        machines=machines,
        tape=plain.get("tape"),
    )
    created = {s["job"]: s["at"] for s in plain.get("steps", ()) if s["do"] == "create"}
    for job in plain.get("jobs", ()):
        words = {**job, **job.get("body", {})}
        by_step = words.pop("created", None) is not None
        if by_step:
            words["at"] = created[job["id"]]
        if "runs_for" in words:
            words["runtime"] = words.pop("runs_for")
        words.pop("body", None)
        sim.job(words.pop("id"), words.pop("schedule"), **words)
    for step in plain.get("steps", ()):
        if step["do"] != "create":
            words = dict(step)
            sim.do(words.pop("do"), at=words.pop("at"), **_python(words))
    for fault in plain.get("faults", ()):
        sim.fault(**_python(fault))
    expect = plain.get("expect", {})
    return sim.expect(*expect.get("hold", ()), runs=expect.get("runs"))


@pytest.mark.parametrize("name", LIBRARY)
def test_every_incident_can_be_said(name):
    """And is the same scenario then, but for what only files tell people."""
    scenario = LIBRARY[name]
    said = _said_again(scenario).scenario(scenario.lasts).plain()
    wanted = scenario.plain()
    for only_in_files in ("origin", "story", "for"):
        wanted.pop(only_in_files, None)
    for plain in (said, wanted):
        plain["steps"] = sorted(plain.get("steps", ()), key=str)
    assert said == wanted


@pytest.mark.parametrize(
    ("say", "rule"),
    [
        (lambda sim: sim.fault(SystemExit, into="tick"), {"into": "tick", "raise": "SystemExit"}),
        (
            lambda sim: sim.fault(ValueError("no"), into="body"),
            {"into": "body", "raise": {"ValueError": "no"}},
        ),
        (
            lambda sim: sim.fault(OSError(errno.ENOSPC, "full"), into="store.replace", on="mark"),
            {"into": "store.replace", "raise": {"OSError": "ENOSPC"}, "on": "mark"},
        ),
        (
            lambda sim: sim.fault(503, into="nas.provision", nth=2),
            {"into": "nas.provision", "answer": 503, "nth": 2},
        ),
        (
            lambda sim: sim.fault("crash", into="mark", for_=timedelta(minutes=5)),
            {"into": "mark", "crash": True, "for": "5m"},
        ),
        (
            lambda sim: sim.fault({"into": "tick", "raise": KeyboardInterrupt}),
            {"into": "tick", "raise": "KeyboardInterrupt"},
        ),
        (
            lambda sim: sim.fault(
                Fault.model_validate({"into": "nas.deliver", "drop": True}), nth=3
            ),
            {"into": "nas.deliver", "drop": True, "nth": 3},
        ),
        (
            lambda sim: sim.fault(
                into="nas.deliver", duplicate=[timedelta(seconds=5), "1m"], from_="1h", until="2h"
            ),
            {"into": "nas.deliver", "duplicate": ["5s", "1m"], "from": "1h", "until": "2h"},
        ),
        (
            lambda sim: sim.fault(SystemExit, into="tick", at="2026-03-29T03:30:00"),
            {"into": "tick", "raise": "SystemExit", "at": "2h30m"},
        ),
        (
            lambda sim: sim.fault(SystemExit, into="tick", at=datetime(2026, 3, 29, 3, 30)),  # noqa: DTZ001
            {"into": "tick", "raise": "SystemExit", "at": "2h30m"},
        ),
    ],
)
def test_a_fault_in_pythons_own_values(say, rule):
    """Instants are wall time in the zone; 03:30 is 2h30m after midnight when 02:00 is left out."""
    sim = CronSim("builtin", zone="Europe/Berlin", start="2026-03-29T00:00:00")
    say(sim.job("report", "every 1h"))
    assert sim.scenario(10**12).plain()["faults"] == [rule]


def test_what_a_step_is_about_needs_no_keyword():
    sim = CronSim("builtin", machines={"a": {}, "b": {"skew": "2s"}}).job("report", "every 1h")
    sim.do("pause", "report", at="1h").do("crash", "b", at="2h", for_="5m")
    sim.do("set-zone", "Europe/Berlin", at="3h").do("damage", "garbage", at="4h")
    sim.do("hold-lock", at="5h")
    assert sim.scenario(10**12).plain()["steps"] == [
        {"at": "1h", "do": "pause", "job": "report"},
        {"at": "2h", "do": "crash", "machine": "b", "for": "5m"},
        {"at": "3h", "do": "set-zone", "to": "Europe/Berlin"},
        {"at": "4h", "do": "damage", "what": "garbage"},
        {"at": "5h", "do": "hold-lock"},
    ]


def test_the_only_machine_needs_no_name():
    sim = CronSim("builtin", machines=["gate"]).do("set-clock", by="-1h", at="1h")
    (step,) = sim.scenario(10**12).plain()["steps"]
    assert step["machine"] == "gate"
    assert step["by"] == "-1h"


MISTAKES = [
    (lambda sim: sim.job("x", "every 1h", runtme="2s"), "unknown word 'runtme'; did you mean 'runtime'?"),
    (lambda sim: sim.job("x", "every 1h", runtime="2"), "'2' is no duration: write 2s, 1h30m"),
    (lambda sim: sim.job("x", "every 1h", repeat=0), "repeat: Input should be greater than or equal to 1"),
    (lambda sim: sim.do("puase", "report"), "unknown step 'puase'; did you mean 'pause'?"),
    (lambda sim: sim.do("pause"), "step 'pause' needs 'job'"),
    (lambda sim: sim.do("update", "report"), "step 'update' needs 'set'"),
    (lambda sim: sim.do("pause", "report", mashine="a"), "unknown word 'mashine'; did you mean 'machine'?"),
    (lambda sim: sim.do("pause", "report", at="soon"), "'soon' is no duration"),
    (lambda sim: sim.do("pause", "report", at="Tuesday"), "'Tuesday' is no instant: write 1h30m or wall time like"),
    (lambda sim: sim.do("pause", "reprot", at="1h").run("2h"), "no job 'reprot'; did you mean 'report'?"),
    (lambda sim: sim.do("crash", "b", at="1h").run("2h"), "no machine 'b'; known are a"),
    (lambda sim: sim.fault(SystemExit, into="tik"), "unknown seam 'tik'; did you mean 'tick'?"),
    (lambda sim: sim.fault(SystemExit), "into: Field required"),
    (lambda sim: sim.fault(into="tick"), "a fault does exactly one of raise, answer"),
    (lambda sim: sim.fault("crsh", into="tick"), "unknown key 'crsh'; did you mean 'crash'?"),
    (lambda sim: sim.fault(503, into="tick"), "'answer' cannot happen at tick"),
    (lambda sim: sim.fault(SystemExit, into="tick", tims=2), "unknown word 'tims'; did you mean 'times'?"),
    (lambda sim: sim.run("1d") or sim.runs("reprot"), "no job 'reprot'; did you mean 'report'?"),
    (lambda sim: sim.run("day"), "'day' is no duration"),
    (lambda sim: sim.run("0s"), "time can't go backwards, nor stand still"),
    (lambda sim: sim.run(), "nothing says how long it lasts"),
    (lambda sim: sim.history, r'nothing has run: run("1d") first'),
    (lambda sim: sim.run("1h") or sim.check("TICK-22"), "no checker judges 'TICK-22' from a run; did you mean 'TICK-2'?"),
    (lambda sim: sim.expect("tick-2"), "'tick-2' is no name here: an id like TICK-2"),
    (lambda sim: sim.save("x.yml"), "a scenario file ends in .yaml"),
    (lambda sim: sim.run("1h") or sim.save("My File.yaml"), "'My File' is no name here: small letters, digits and hyphens only"),
    (lambda _: CronSim("builtin", zone="Europe/Berln"), "did you mean 'Europe/Berlin'?"),
    (lambda _: CronSim("builtin", machines=["nas"]), "'nas' is not a gateway"),
    (lambda _: CronSim("builtin", tape={"choice": []}), "a tape is {seed: 0"),
]  # fmt: skip


@pytest.mark.parametrize(("say", "message"), MISTAKES, ids=[message for _, message in MISTAKES])
def test_a_mistake_is_said_with_what_was_meant(say, message):
    sim = CronSim("builtin").job("report", "every 1h")
    with pytest.raises(ScenarioError) as caught:
        say(sim)
    assert message in str(caught.value)


def test_every_step_that_there_is_can_be_said():
    """Whatever a step needs, a word gives it."""
    values = {
        "machine": "a", "job": "report", "set": {"schedule": "every 2h"}, "for": "1m", "by": "1h",
        "to": "UTC", "what": "garbage",
    }  # fmt: skip
    for name, (must, _) in OPERATIONS.items():
        sim = CronSim("builtin").job("report", "every 1h")
        sim.do(name, at="1h", **_python({key: values[key] for key in must}))
        assert sim.scenario(10**12).plain()["steps"][0]["do"] == name


def test_a_saved_scenario_reads_back(tmp_path):
    sim = CronSim("builtin", name="mine").job("report", "every 1h", raises=ValueError("x"), nth=2)
    sim.do("pause", "report", at="30m").fault(SystemExit, into="tick", at="1h")
    sim.expect("TICK-2", runs={"report": 0})
    sim.run("2h")
    path = sim.save(tmp_path / "other-name.yaml", hold=["TICK-2", "TICK-3"])
    scenario = load_scenario(path)
    assert scenario.expect.hold == ("TICK-2", "TICK-3")
    again = CronSim("builtin", scenario=path)
    again.run()
    assert list(again.history)[1:] == list(sim.history)[1:]
