"""`hermes-sim forecast` as its user sees it: the screen, the file for machines, the exit codes."""

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from forecast_files import ask, cron, every, once, printed

from simulator.cli import cli

EXAMPLE = Path(__file__).parents[2] / "simulator" / "examples" / "jobs.json"


def run(*words):
    return CliRunner().invoke(cli, ["forecast", *map(str, words)])


@pytest.fixture
def jobs_file(tmp_path):
    file = tmp_path / "jobs.json"
    jobs = [cron("0 9 * * *", id="a1", name="brief"), cron("0 0 30 2 *", id="a2"), {"name": "lost"}]
    file.write_text(json.dumps({"jobs": jobs}))
    return file


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """The shipped example over the autumn change in Berlin, with an outage: screen and JSON."""
    before = hashlib.sha256(EXAMPLE.read_bytes()).digest(), EXAMPLE.stat().st_mtime_ns
    file = tmp_path_factory.mktemp("out") / "out.json"
    done = run(
        EXAMPLE, "--days", 16, "--tz", "Europe/Berlin", "--from", "2026-10-20T00:00",
        "--down", "2026-11-01T02:00/6h", "--json", file,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert (hashlib.sha256(EXAMPLE.read_bytes()).digest(), EXAMPLE.stat().st_mtime_ns) == before
    return done.output, json.loads(file.read_text())


def test_the_example_fits_one_screen_of_100_columns(example):
    lines = example[0].splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) <= 50
    assert lines[0] == "15 jobs, 10 of them fire: 1954 fires in 16 days  (provider builtin)"
    assert lines[1] == "Tue 2026-10-20 00:00 to Thu 2026-11-05 00:00, wall time in Europe/Berlin"
    assert lines[3].split() == ["Job", "Schedule", "Fires", "When"]
    assert not [line for line in lines if line != line.rstrip()]


@pytest.mark.parametrize(
    "line",
    [
        "morning-brief       0 9 * * *            16  Tue 20 Oct 09:00, Wed 21 Oct 09:00 … Wed  4 Nov 09:00",
        "hourly-sync         every 1h            380  Tue 20 Oct 00:20, 01:20 … Wed  4 Nov 23:20",
        "invoice-run         0 6 1 * *             1  Sun  1 Nov 08:00 (due 06:00)",
        "Clock change Sun 25 Oct 2026, CEST to CET: 02:00 to 03:00 comes twice",
        "  night-backup        02:30 comes twice: fires once, at 02:30 CEST",
        "  every-two-days      keeps its 2d: 07:00 CEST, then 06:00 CET; 1h earlier by the clock",
        "Down Sun 1 Nov 02:00 to 08:00 (6h)",
        "  hourly-sync     5 missed, 02:20 … 06:20; the one of 07:20 runs at 08:00, 40m late",
        "  No occurrence runs twice.",
        "  on-holiday             paused since 2026-10-01: back in December",
        "  half-deleted           broken record: it has no id; mend or remove it",
    ],
)  # fmt: skip
def test_the_example_says(example, line):
    assert line in example[0].splitlines()


def test_the_json_has_every_fire_and_every_reason(example):
    out = example[1]
    assert (out["provider"], out["zone"], out["trouble"]) == ("builtin", "Europe/Berlin", [])
    assert (out["from"], out["to"]) == ("2026-10-20T00:00:00+02:00", "2026-11-05T00:00:00+01:00")
    by_name = {job["name"]: job for job in out["jobs"]}
    assert len(by_name["hourly-sync"]["fires"]) == by_name["hourly-sync"]["count"] == 380
    late = {"at": "2026-11-01T08:00:00+01:00", "occurrence": "2026-11-01T06:00:00+01:00"}
    assert by_name["invoice-run"]["fires"] == [late]
    assert by_name["half-deleted"]["place"] == 15
    assert by_name["on-holiday"]["never"] == "paused since 2026-10-01: back in December"
    (change,) = out["clock_changes"]
    assert (change["at"], change["shift_minutes"]) == ("2026-10-25T02:00:00+01:00", -60)
    (down,) = out["outages"]
    quarters = next(job for job in down["jobs"] if job["id"] == by_name["queue-watch"]["id"])
    assert (quarters["missed"], quarters["late"]) == (24, [])
    assert quarters["first_missed"] == "2026-11-01T02:00:00+01:00"
    assert quarters["last_missed"] == "2026-11-01T07:45:00+01:00"
    assert quarters["runs_again"]["at"] == "2026-11-01T08:00:00+01:00"


# -- the screen


def test_at_80_columns_nothing_is_wider_and_no_word_is_cut():
    answer = ask(
        cron("0 9 * * *", id="x", name="a name that is longer than anybody needs it to be"),
        cron("0 0 30 2 *", id="y"),
        every(60, "2026-06-01T00:20:00+00:00", name="[red]not[/] markup\x1b[31m"),
    )
    text = printed(answer, 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "a name that is longer t…  0 9 * * *" in text
    assert "[red]not[/] markup?[31m" in text
    assert "\x1b" not in text


def test_piped_output_is_plain_and_as_wide_as_100_columns():
    answer = ask(cron("0 0 30 2 *", id="y"))
    assert printed(answer, 80, terminal=False) == printed(answer, 100)
    assert printed(answer, 80, terminal=False) != printed(answer, 80)


def test_every_fire_is_listed_when_asked():
    text = " ".join(printed(ask(cron("0 */3 * * *")), every_fire=True).split())
    assert "Mon 1 Jun 03:00, 06:00, 09:00, 12:00, 15:00, 18:00, 21:00" in text


def test_the_two_passes_of_an_hour_are_told_apart_in_the_table():
    answer = ask(
        every(60, "2026-10-25T02:30:00+02:00"),
        zone="Europe/Berlin", start="2026-10-25T02:00", hours=3,
    )  # fmt: skip
    assert "Sun 25 Oct 02:30 CEST, 02:30 CET, 03:30" in printed(answer)


def test_a_stop_another_year_and_an_overdue_start_are_in_the_table():
    answer = ask(
        once("2026-12-31T20:00:00", id="o", next_run_at="2026-12-31T20:00:00+00:00"),
        cron("0 1 * * *", id="l", repeat={"times": 1, "completed": 0}),
        start="2026-12-31T22:00",
    )
    text = printed(answer)
    assert "Thu 31 Dec 22:00 (due 20:00)" in text
    assert "Fri  1 Jan 2027 01:00 (limit of 1 run reached)" in text
    assert "Overdue when the forecast begins\n  o  the one of 20:00 runs at 22:00, 2h late" in text


def test_a_change_and_an_outage_that_touch_nobody_say_so():
    answer = ask(
        cron("0 12 1 1 *"), zone="Europe/Berlin", start="2026-03-29T00:00",
        downs=[("2026-03-29T04:00", 1)],
    )  # fmt: skip
    text = printed(answer)
    assert "02:00 to 03:00 does not exist\n  changes no fire\n" in text
    assert "Down Sun 29 Mar 04:00 to 05:00 (1h)\n  costs nothing\n" in text


# -- providers


OUTSIDE = """
class Every:
    name = "{name}"
    def __init__(self): pass
    def is_available(self): return True
    def start(self, stop_event, *, adapters=None, loop=None, interval=60):
        {body}
    def stop(self): pass
    def on_jobs_changed(self): pass
    def reconcile(self): pass
"""


def outside(tmp_path, monkeypatch, name, body):
    (tmp_path / f"{name}.py").write_text(OUTSIDE.format(name=name, body=body))
    monkeypatch.syspath_prepend(str(tmp_path))
    return f"{name}:Every"


ARGS = ("--days", 1, "--tz", "UTC", "--from", "2026-06-01")


def test_an_outside_provider_is_asked(tmp_path, monkeypatch, jobs_file):
    body = (
        "from hermes_cron import scheduler\n"
        "        while not stop_event.wait(1800):\n"
        "            scheduler.tick(verbose=False, sync=False)"
    )
    spec = outside(tmp_path, monkeypatch, "halfhourly_cron", body)
    done = run(jobs_file, *ARGS, "--provider", spec)
    assert done.exit_code == 0, done.output
    assert f"(provider {spec})" in done.output
    assert "Mon  1 Jun 09:00" in done.output


def test_a_provider_whose_start_raises_makes_the_answer_inconclusive(
    tmp_path, monkeypatch, jobs_file
):
    spec = outside(tmp_path, monkeypatch, "raising_cron", "raise RuntimeError('no queue')")
    done = run(jobs_file, *ARGS, "--provider", spec)
    assert done.exit_code == 3
    assert (
        "Trouble  the provider's start raised RuntimeError: no queue; the built-in ticker took"
        in done.output
    )
    assert "Mon  1 Jun 09:00" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--provider", "nobody"], "no provider 'nobody'"),
        (["--provider", "no_such_module:X"], "no_such_module"),
        (["--tz", "Mars/Olympus"], "--tz 'Mars/Olympus' is no time zone; write one like Europe/Berlin"),
        (["--from", "soon"], "--from 'soon' is no instant; write 2026-11-01T02:00, or with an offset"),
        (["--down", "2026-06-01T02:00"], "write INSTANT/DURATION, like 2026-11-01T02:00/6h"),
        (["--down", "2026-06-01T02:00/6"], "is no duration"),
        (["--down", "2026-06-01T02:00/-6h"], "an outage takes more than no time"),
        (["--down", "2027-06-01T02:00/6h"], "does not begin within the forecast"),
        (["--json", "/no/such/folder/out.json"], "cannot be written: No such file or directory"),
    ],
)  # fmt: skip
def test_wrong_use_says_what_would_be_right(jobs_file, words, said):
    done = run(jobs_file, *ARGS, *words)
    assert done.exit_code == 2
    assert said in done.output


@pytest.mark.parametrize("content", [b"{", b"[1", b'{"jobs": 3}', b"", None])
def test_a_broken_file_is_one_line_and_exit_2(tmp_path, content):
    file = tmp_path / "jobs.json"
    if content is not None:
        file.write_bytes(content)
    done = run(file, *ARGS)
    assert done.exit_code == 2
    assert len(done.output.splitlines()) == 1
    assert done.output.startswith(f"Error: {file} ")


def test_a_broken_record_does_not_change_the_exit_code(jobs_file):
    done = run(jobs_file, *ARGS)
    assert done.exit_code == 0
    assert "  lost  broken record: it has no id; mend or remove it" in done.output
    assert "brief" in done.output


def test_a_day_of_25_hours_is_one_day(jobs_file):
    done = run(jobs_file, "--days", 1, "--tz", "Europe/Berlin", "--from", "2026-10-25")
    assert "in 1 day " in done.output
    assert "Sun 2026-10-25 00:00 to Mon 2026-10-26 00:00" in done.output


def test_naive_instants_on_the_command_line_are_in_the_zone(jobs_file):
    done = run(jobs_file, *ARGS[:2], "--tz", "Europe/Berlin", "--from", "2026-03-29T02:30")
    assert "Sun 2026-03-29 03:00 to Mon 2026-03-30 03:00" in done.output


def test_the_zone_of_the_configuration_is_the_default(jobs_file, tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    (tmp_path / "config.yaml").write_text("timezone: Asia/Tokyo\n")
    assert "wall time in Asia/Tokyo" in run(jobs_file, "--days", 1, "--from", "2026-06-01").output
