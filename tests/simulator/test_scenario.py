"""Scenario files: what they mean, how they are written back, and how mistakes are said."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from simulator.durations import format_duration, parse_duration
from simulator.fault_rule import Fault
from simulator.raising import build_exception
from simulator.scenario import Scenario
from simulator.scenario_file import ScenarioError, load_scenario, parse_scenario, to_yaml
from simulator.steps import OPERATIONS

FULL = """\
name: everything
origin: "#32612, #32895"
story: >-
  One job stands; a tick
  raises.
for: [blocking]
zone: Europe/Berlin
start: 2026-03-02T08:00:00
lasts: 6h
interval: 30
machines: {a: {}, b: {skew: -2s}}
jobs:
  - id: report
    schedule: "every 1h"
    repeat: 3
    runs_for: 2s
    body: {raises: SystemExit, nth: 2}
    record: {next_run_at: garbage, id: null}
  - {id: other, schedule: 0 9 * * *, body: crashes, created: by a step}
steps:
  - {at: 1h, do: crash, machine: a, for: 2h}
  - {at: 1h, do: create, job: other}
  - {at: 2h, do: update, job: report, set: {schedule: "0 18 * * *"}}
  - {at: 2h, do: deliver, job: report, fire_at: 2026-03-02T09:00:00, times: 2}
faults:
  - {into: tick, raise: SystemExit, nth: 3}
  - {into: store.replace, raise: {OSError: ENOSPC}, on: mark}
  - {into: nas.deliver, duplicate: [5s, 60s], from: 1h}
  - {into: nas.provision, answer: 403, times: always}
expect:
  hold: [TICK-2, TICK-3]
  runs: {report: 6, other: {min: 1, max: 2}}
"""

SMALL = """\
name: small
start: 2026-03-02T08:00:00
lasts: 6h
jobs: [{id: report, schedule: every 1h}]
"""


def test_a_file_means_what_it_says():
    scenario = parse_scenario(FULL)
    assert scenario.capabilities == ("blocking",)
    assert scenario.lasts == 6 * 3600 * 1_000_000
    assert [(machine.id, machine.skew) for machine in scenario.machines] == [
        ("a", 0),
        ("b", -2_000_000),
    ]
    report, other = scenario.jobs
    assert report.record == {"next_run_at": "garbage", "id": None}
    assert (report.body.raises.type, report.body.nth) == ("SystemExit", 2)
    assert other.body.crashes
    assert scenario.steps[0].lasts == 2 * 3600 * 1_000_000
    assert scenario.steps[2].set == {"schedule": "0 18 * * *"}
    assert scenario.faults[1].on == "mark"
    assert (scenario.faults[1].raises.type, scenario.faults[1].raises.detail) == (
        "OSError",
        "ENOSPC",
    )
    assert scenario.expect.runs["report"].allows(6)
    assert not scenario.expect.runs["report"].allows(5)
    assert scenario.expect.runs["other"].allows(2)
    assert not scenario.expect.runs["other"].allows(3)


def test_start_is_wall_time_in_the_zone():
    scenario = parse_scenario(FULL)
    assert scenario.start_us == 1_772_434_800_000_000  # 07:00 UTC
    assert scenario.end_us - scenario.start_us == scenario.lasts
    assert scenario.instant_us("2026-03-02T09:00:00") == scenario.start_us + 3600 * 1_000_000
    assert scenario.instant_us("2026-03-02T07:00:00+00:00") == scenario.start_us


@pytest.mark.parametrize("text", [FULL, SMALL])
def test_written_back_it_reads_to_an_equal_scenario(text):
    scenario = parse_scenario(text)
    again = parse_scenario(to_yaml(scenario))
    assert again == scenario
    assert hash(again) == hash(scenario)
    assert to_yaml(again) == to_yaml(scenario)


def test_what_is_at_its_default_is_not_written():
    assert to_yaml(parse_scenario(SMALL)) == (
        "name: small\nstart: '2026-03-02T08:00:00'\nlasts: 6h\n"
        "jobs:\n  - {id: report, schedule: every 1h}\n"
    ).replace("'", "")


def test_it_is_frozen_and_differs_by_value():
    scenario = parse_scenario(SMALL)
    with pytest.raises(ValidationError, match="frozen"):
        scenario.name = "other"
    other = scenario.model_copy(update={"interval": 5})
    assert other != scenario
    assert len({scenario, other, parse_scenario(SMALL)}) == 2


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("zone: UCTT", "F:5: no time zone 'UCTT'; did you mean 'UCT'?"),
        ("lasts: 6h", "F:5: key 'lasts' stands twice"),
        ("for: [blockin]", "F:5: for.0: Input should be 'blocking' or 'external'"),
        ("strt: 1", "F:5: unknown key 'strt'; did you mean 'start'?"),
        (
            "machines: {Größe: {}}",
            "machines.0.id: 'Größe' is no name here: small letters, digits and hyphens only",
        ),
        ("on: 1", "F:5: unknown key 'on'; did you mean"),
        (
            "faults:\n- {into: tick, raise: KeyError}\n- {into: tik, raise: KeyError}",
            "F:7: unknown seam 'tik'; did you mean 'tick'?",
        ),
        (
            "faults:\n- into: tick\n  rais: KeyError",
            "F:7: unknown key 'rais'; did you mean 'raise'?",
        ),
        ("faults: [{into: tick}]", "F:5: a fault does exactly one of .*; this: nothing"),
        ("faults: [{into: tick, raise: KeyError, hang: 1s}]", "F:5: .* this: raise and hang"),
        (
            "faults: [{into: tick, drop: true}]",
            "F:5: 'drop' cannot happen at tick, only raise, hang, crash can; it can at nas.deliver$",
        ),
        (
            "faults: [{into: tick, answer: 500}]",
            "F:5: 'answer' cannot .* at nas.provision, nas.cancel, nas.list$",
        ),
        *(
            (f"faults: [{{into: nas.deliver, {effect}}}]", "F:5: .* cannot happen at nas.deliver")
            for effect in ("crash: true", "hang: 3s", "answer: 503", "raise: KeyError")
        ),
        ("faults: [{into: nas.list, answer: 7}]", "F:5: .*answer"),
        (
            "faults: [{into: nas.deliver, drop: true, after: true}]",
            "F:5: 'after' means nothing for 'drop' at nas.deliver",
        ),
        (
            "faults: [{into: store.write, crash: true, after: true}]",
            "F:5: 'after' means nothing for 'crash' at store.write",
        ),
        ("faults: [{into: tick, crash: true, job: report}]", "F:5: tick knows no job"),
        ("faults: [{into: store.read, crash: true, job: report}]", "F:5: store.read knows no job"),
        (
            "faults: [{into: nas.deliver, drop: true, machine: a}]",
            "F:5: nas.deliver is no machine's",
        ),
        ("faults: [{into: tick, crash: true, on: mark}]", "F:5: 'on' narrows a step of the store"),
        ("faults: [{into: tick, crash: true, from: 2h, until: 1h}]", "F:5: it can never strike"),
        ("faults: [{into: tick, crash: true, at: 2h, until: 2h}]", "F:5: it can never strike"),
        ("faults: [{into: tick, crash: true, at: 7h}]", "F:5: 7h is not in the run"),
        ("faults: [{into: tick, hang: -2s}]", "F:5: .*-2s is before nothing"),
        ("faults: [{into: store.read, raise: KeyError}]", "F:5: a disk raises OSError, not KeyErr"),
        ("faults: [{into: nas.list, raise: KeyError}]", "F:5: a call to NAS .* httpx.ConnectError"),
        ("faults: [{into: tick, raise: NoSuch}]", "F:5: cannot raise 'NoSuch': no such exception"),
        ("faults: [{into: tick, raise: no.such.Error}]", "F:5: cannot raise .* No module named"),
        ("faults: [{into: tick, raise: {OSError: ENONE}}]", "F:5: cannot .* write an errno name"),
        ("steps: [{at: 1h, do: status, machine: a}]", "F:5: step 'status' takes no 'machine'"),
        ("steps: [{at: 1h, do: deliver, job: report, fire_at: soon}]", "F:5: .* is no instant"),
        (
            "faults: [{into: tick, raise: KeyError, for: 1s}]",
            "F:5: 'for' says how long a crashed machine",
        ),
        ("steps: [{at: 1h, do: crsh}]", "F:5: unknown step 'crsh'; did you mean 'crash'?"),
        ("steps: [{at: 1h, do: crash}]", "F:5: step 'crash' needs 'machine'"),
        ("steps: [{at: 1h, do: status, job: report}]", "F:5: step 'status' takes no 'job'"),
        (
            "steps:\n- {at: 1h, do: status}\n- {at: 1h, do: pause, job: repor}",
            "F:7: no job 'repor'; did you mean 'report'?",
        ),
        ("steps: [{at: 1h, do: crash, machine: c}]", "F:5: no machine 'c'; known are a"),
        ("steps: [{at: 7h, do: status}]", "F:5: step 'status' at 7h is not in the run"),
        ("steps: [{at: 7, do: status}]", "F:5: .*7 has no unit: write 7s"),
        ("machines: {a: {skw: 1s}}", "F:5: unknown key 'skw'; did you mean 'skew'?"),
        ("machines: [nas]", "F:5: 'nas' is not a gateway"),
        (
            "expect: {hold: [TICK2]}",
            "F:5: expect.hold.0: 'TICK2' is no name here: an id like TICK-2",
        ),
        ("expect: {runs: {rep: 1}}", "F:5: no job 'rep'"),
        ("a: [", "F:5: not YAML"),
        ("? [a]\n: b", "F:5: a key must be a word"),
    ],
)
def test_a_mistake_is_said_with_file_and_line(lines, message):
    with pytest.raises(ScenarioError, match=message):
        parse_scenario(SMALL + lines, source="F")


def test_every_mistake_is_said_at_once():
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(
            SMALL + "x1: 1\nfaults: [{into: tik, raise: KeyError}]\nsteps: [{at: 1h, do: crsh}]",
            source="F",
        )
    assert [line.split(":")[1] for line in str(caught.value).splitlines()] == ["5"]  # keys first
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(
            SMALL + "faults: [{into: tik, raise: KeyError}]\nsteps: [{at: 1h, do: crsh}]",
            source="F",
        )
    assert [line.split(":")[1] for line in str(caught.value).splitlines()] == ["5", "6"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "F:1: empty"),
        ("- a", "F:1: a scenario is a mapping"),
        ("a: &a [1]\nb: &b [*a, *a]\nc: [*b, *b]", r"F:2: not YAML: \*a repeats what stands else"),
        ("a: &a [*a]", "F:1: not YAML: .a repeats"),
        ("[" * 5000, "F:1: nested too deeply"),
    ],
)
def test_what_is_no_mapping_is_said(text, message):
    with pytest.raises(ScenarioError, match=message):
        parse_scenario(text, source="F")


def test_a_file_is_named_after_its_scenario(tmp_path: Path):
    good = tmp_path / "small.yaml"
    good.write_text(SMALL)
    assert load_scenario(good).name == "small"
    wrong = good.rename(tmp_path / "large.yaml")
    with pytest.raises(ScenarioError, match=r"large\.yaml:1: name is 'small'"):
        load_scenario(wrong)
    with pytest.raises(ScenarioError, match=r"no\.yaml: cannot be read"):
        load_scenario(tmp_path / "no.yaml")


def test_yaml_words_stay_words():
    """YAML 1.1 would read `on` as true, 12:30 as 750 and a date as an object."""
    text = (
        SMALL
        + "steps: [{at: 1h, do: update, job: report, set: {a: on, b: 12:30, c: 2026-01-01, d: null, e: 1.5}}]"
    )
    step = parse_scenario(text).steps[0]
    assert step.set == {"a": "on", "b": "12:30", "c": "2026-01-01", "d": None, "e": 1.5}
    assert parse_scenario(to_yaml(parse_scenario(text))).steps[0] == step


@pytest.mark.parametrize(
    ("text", "us"),
    [("27h", 97_200_000_000), ("2s", 2_000_000), ("1h30m", 5_400_000_000), ("1d", 86_400_000_000),
     ("-5m", -300_000_000), ("250ms", 250_000), ("7us", 7)],
)  # fmt: skip
def test_durations(text, us):
    assert parse_duration(text) == us
    assert parse_duration(format_duration(us)) == us


@pytest.mark.parametrize("value", ["", "h", "1", "1x", "1h 30m", "1.5h", 5, True, None])
def test_what_is_no_duration(value):
    with pytest.raises(ValueError, match=r"no duration|no unit"):
        parse_duration(value)


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({}, 1),
        ({"times": 3}, 3),
        ({"times": "always"}, None),
        ({"from": "1h"}, None),
        ({"from": "1h", "times": 2}, 2),
    ],
)
def test_how_often_a_fault_fires(fields, limit):
    fault = Fault.model_validate({"into": "tick", "raise": "KeyError", **fields})
    assert fault.limit == limit
    assert fault.effect == "raise"


def test_every_step_of_the_table_can_be_written():
    fields = {
        "machine": "a",
        "job": "report",
        "for": "1h",
        "set": {"x": 1},
        "fire_at": "last",
        "times": 2,
        "by": "-1h",
        "to": "Asia/Kathmandu",
        "lock": "jobs",
        "what": "torn",
    }
    for do, (must, may) in OPERATIONS.items():
        step = {"at": "1h", "do": do} | {name: fields[name] for name in must | may}
        scenario = parse_scenario(SMALL)
        Scenario.model_validate({**scenario.plain(), "steps": [step]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lasts": "0s"}, "F:3: .*lasts must be more than 0s"),
        ({"jobs": [{"id": "j", "schedule": "1h", "runs_for": "-1s"}]}, "F:7: -1s is before"),
        (
            {"jobs": [{"id": "j", "schedule": "1h", "created": "by a step"}]},
            "F:5: no step creates 'j'",
        ),
        (
            {"jobs": [{"id": "j", "schedule": "1h", "body": {"raises": "Nope"}}]},
            "F:8: cannot raise",
        ),
    ],
)
def test_what_proves_nothing_is_refused(change, message):
    with pytest.raises(ScenarioError, match=message):
        parse_scenario(
            yaml.safe_dump({**yaml.safe_load(SMALL), **change}, sort_keys=False), source="F"
        )


@pytest.mark.parametrize("raised", ["UnicodeDecodeError", "httpx.ConnectError", "SystemExit"])
def test_an_exception_that_needs_a_text_gets_one(raised):
    if raised == "UnicodeDecodeError":  # five arguments: no text makes one
        with pytest.raises(ValidationError, match="cannot raise"):
            Fault.model_validate({"into": "tick", "raise": raised})
        return
    fault = Fault.model_validate({"into": "tick", "raise": raised})
    assert type(build_exception(fault.raises)).__name__ == raised.rpartition(".")[2]
