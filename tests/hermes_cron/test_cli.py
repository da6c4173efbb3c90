"""The command: what it prints, what it answers with, and how it says what is wrong."""

import json
import subprocess
import sys

import pytest

from hermes_cron import cli, gateway, jobs, process, store


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HERMES_HOME", str(tmp_path))
    monkeypatch.setenv("HERMES_TIMEZONE", "UTC")
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "ok.sh").write_text("echo fine")
    (tmp_path / "scripts" / "bad.sh").write_text("echo no space >&2; exit 3")
    return tmp_path


@pytest.fixture
def command(home, capsys):
    """Call the command; (exit code, standard output, standard error)."""

    def call(*arguments):
        with pytest.raises(SystemExit) as left:
            cli.main(list(arguments))
        captured = capsys.readouterr()
        return left.value.code, captured.out, captured.err

    return call


@pytest.fixture
def backup(command):
    code, out, _ = command("create", "every 1h", "--script", "ok.sh", "--name", "backup", "--json")
    assert code == 0
    return json.loads(out)


def test_help_teaches_with_examples(command):
    code, out, _ = command("--help")
    assert code == 0
    assert out.count("  hermes-cron ") >= 5
    assert all(len(line) <= 80 for line in out.splitlines())
    for name in cli.cli.commands:
        assert name in out
        code, text, _ = command(name, "--help")
        assert code == 0
        assert all(len(line) <= 80 for line in text.splitlines()), name


def test_help_and_completion_load_little():
    script = "import sys\nfrom hermes_cron import cli\ntry: cli.main(['--help'])\nexcept SystemExit: print(sorted(m for m in sys.modules if m.startswith('hermes_cron.')), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "['hermes_cron.cli', 'hermes_cron.cli.shell']"


def test_create_says_when_the_job_comes(command):
    code, out, _ = command("create", "every 1h", "--script", "ok.sh", "--name", "backup")
    assert code == 0
    assert out.startswith("Created job 'backup' (")
    assert "in 59 min" in out or "in 1 h" in out
    [job] = jobs.list_jobs()
    assert (job["script"], job["no_agent"]) == ("ok.sh", True)


def test_create_hands_on_what_was_asked_for(command, home):
    arguments = [
        "0 9 * * 1-5",
        "Summarise",
        "--name",
        "inbox",
        "--repeat",
        "3",
        "--deliver",
        "local",
    ]
    code, out, _ = command(
        "create", *arguments, "--workdir", str(home), "--script", "ok.sh", "--json"
    )
    job = json.loads(out)
    assert code == 0
    assert job["prompt"] == "Summarise"
    assert job["repeat"]["times"] == 3
    assert (job["deliver"], job["workdir"], job["script"], job["no_agent"]) == (
        "local",
        str(home),
        "ok.sh",
        False,
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["create", "every 1h"], "--script FILE"),
        (["create", "every 1h", "do it", "--no-agent"], "--script FILE"),
        (["create", "every 1h", "do it", "--repeat", "0"], "--repeat"),
        (["create", "0 0 31 2 *", "do it"], "never comes"),
        (["create", "tomorrow", "do it"], "tomorrow"),
        (["create", "2020-01-01T00:00:00", "do it"], "2020"),
        (["create"], "SCHEDULE"),
        (["frobnicate"], "frobnicate"),
        (["list", "--nope"], "--nope"),
        (["serve", "--port", "99999"], "--port"),
        (["serve", "--interval", "0"], "--interval"),
    ],
)
def test_wrong_use_is_2_with_a_hint_and_changes_nothing(command, arguments, says):
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert "Traceback" not in err
    assert jobs.list_jobs() == []


@pytest.mark.parametrize("name", ["show", "pause", "resume", "remove", "run"])
def test_an_unknown_job_is_1_and_says_where_to_look(command, name):
    code, _, err = command(name, "nobody")
    assert code == 1
    assert "'nobody'" in err
    assert "hermes-cron list" in err


def test_a_name_of_two_jobs_is_2_and_names_their_ids(command, backup):
    other = json.loads(
        command("create", "every 2h", "--script", "ok.sh", "--name", "backup", "--json")[1]
    )
    code, _, err = command("pause", "backup")
    assert code == 2
    assert backup["id"] in err
    assert other["id"] in err


def test_no_jobs_yet_shows_how_to_make_one(command):
    assert "hermes-cron create" in command("list")[1]
    assert json.loads(command("list", "--json")[1]) == []


def test_the_list_fits_80_columns_whatever_the_names_are(command, backup):
    command("create", "*/5 1,2,3,4,5,6,7,8,9 1-15 * 1-5", "x", "--name", "[bold]\x1b[31mä漢字" * 20)
    code, out, _ = command("list")
    assert code == 0
    assert all(len(line) <= 80 for line in out.splitlines())
    assert backup["id"] in out
    assert "\x1b" not in out
    assert "[bold]" in out


def test_the_list_puts_the_next_one_first_and_the_resting_last(command, backup):
    command("create", "every 1m", "--script", "ok.sh", "--name", "often")
    command("create", "every 1m", "--script", "ok.sh", "--name", "resting")
    command("pause", "resting")
    assert [job["name"] for job in json.loads(command("list", "--json")[1])] == [
        "often",
        "backup",
        "resting",
    ]
    assert [job["name"] for job in json.loads(command("list", "--active", "--json")[1])] == [
        "often",
        "backup",
    ]


def test_the_list_warns_of_broken_records(command, backup):
    jobs.JOBS_FILE.write_text(json.dumps({"jobs": [backup, {"name": "no id"}]}))
    code, out, err = command("list")
    assert code == 0
    assert "backup" in out
    assert "record 2 ('no id')" in err


def test_a_job_that_nobody_will_start_is_created_with_a_warning(command, monkeypatch):
    _, out, err = command("create", "every 1h", "--script", "ok.sh")
    assert out.startswith("Created job")
    assert "will NOT fire" in err
    assert "hermes-cron serve" in err
    monkeypatch.setattr(gateway, "find_gateway_pids", lambda: [1])
    monkeypatch.setattr(jobs, "get_ticker_heartbeat_age", lambda: 1.0)
    monkeypatch.setattr(jobs, "get_ticker_success_age", lambda: 1.0)
    assert command("create", "every 1h", "--script", "ok.sh")[2] == ""


def test_pause_resume_remove(command, backup):
    code, out, _ = command("pause", "backup", "--reason", "moving house")
    assert (code, out) == (0, f"Paused job 'backup' ({backup['id']})\n")
    assert "moving house" in command("show", "backup")[1]
    assert jobs.get_job(backup["id"])["state"] == "paused"
    code, out, _ = command("resume", backup["id"])
    assert code == 0
    assert "next run" in out
    assert command("remove", "backup")[0] == 0
    assert jobs.list_jobs(include_disabled=True) == []


def test_run_runs_it_now_and_keeps_its_schedule(command, backup):
    code, out, _ = command("run", "backup")
    assert code == 0
    assert out.startswith("Ran job 'backup'")
    job = jobs.get_job(backup["id"])
    assert job["last_status"] == "ok"
    assert job["next_run_at"] == backup["next_run_at"]
    [output] = store.current_store().outputs(backup["id"])
    assert output in out
    shown = command("show", "backup")[1]
    assert "completed" in shown
    assert all(len(line) <= 80 for line in shown.splitlines() if "newest output" not in line)


def test_run_says_that_its_output_was_not_kept_and_names_no_older_one(command, backup, monkeypatch):
    command("run", "backup")

    def full(_job_id, _text):
        raise store.StoreWriteFailed("no space", step="write", number=28)

    monkeypatch.setattr(jobs, "save_job_output", full)
    code, out, _ = command("run", "backup")
    assert code == 0
    assert "was not kept" in out
    assert "no space" in out
    assert ".md" not in out


def test_run_of_a_failing_job_is_1_with_its_reason(command):
    command("create", "every 1h", "--script", "bad.sh", "--name", "bad")
    code, out, err = command("run", "bad")
    assert (code, out) == (1, "")
    assert "no space" in err
    told = json.loads(command("run", "bad", "--json")[1])
    assert (told["succeeded"], told["execution"]["state"]) == (False, "failed")


def test_run_of_a_job_that_somebody_holds_is_1(command, backup):
    assert jobs.claim_job_for_fire(backup["id"])
    code, _, err = command("run", "backup")
    assert code == 1
    assert "run by somebody else" in err
    assert store.current_store().outputs(backup["id"]) == []


def test_tick_runs_what_is_due(command, backup):
    assert command("tick")[:2] == (0, "0 runs\n")
    jobs.trigger_job(backup["id"])
    assert json.loads(command("tick", "--json")[1]) == {"ran": 1}
    assert jobs.get_job(backup["id"])["last_status"] == "ok"


def test_show_as_json_is_the_record_with_its_trace(command, backup):
    command("run", "backup")
    told = json.loads(command("show", "backup", "--json")[1])
    assert told["id"] == backup["id"]
    assert [entry["state"] for entry in told["executions"]] == ["completed"]
    assert len(told["outputs"]) == 1


@pytest.mark.parametrize(
    ("pids", "age_s", "code"), [([1], 10.0, 0), ([1], 900.0, 1), ([], 10.0, 1), ([1], None, 3)]
)
def test_status_answers_with_its_verdict(command, monkeypatch, pids, age_s, code):
    monkeypatch.setattr(gateway, "find_gateway_pids", lambda: pids)
    monkeypatch.setattr(jobs, "get_ticker_heartbeat_age", lambda: age_s)
    monkeypatch.setattr(jobs, "get_ticker_success_age", lambda: age_s)
    left, out, _ = command("status")
    assert left == code
    assert ("will fire automatically" in out) == (code == 0)
    left, out, _ = command("status", "--json")
    assert left == json.loads(out)["exit_code"] == code
    assert json.loads(out)["verdict"] == {0: "healthy", 1: "unhealthy", 3: "unknown"}[code]


@pytest.mark.parametrize(
    "arguments", [["list"], ["create", "every 1h", "x"], ["tick"], ["show", "backup"]]
)
def test_a_torn_jobs_file_is_one_line_that_names_it_and_1(command, backup, arguments):
    jobs.JOBS_FILE.write_text('{"jobs": [')
    code, out, err = command(*arguments)
    assert (code, out) == (1, "")
    assert str(jobs.JOBS_FILE) in err
    assert len(err.strip().splitlines()) == 1
    assert jobs.JOBS_FILE.read_text() == '{"jobs": ['


def test_a_defect_of_ours_keeps_its_traceback(command, monkeypatch):
    def broken(*_args, **_kwargs):
        raise AssertionError("ours")

    monkeypatch.setattr(jobs, "list_jobs", broken)
    with pytest.raises(AssertionError, match="ours"):
        cli.main(["list"])


def test_jobs_complete_by_name_and_id(command, backup):
    items = list(cli._names(None, None, "back"))
    assert [item.value for item in items] == ["backup"]
    assert backup["id"] in [item.value for item in cli._names(None, None, "")]


def test_run_keeps_a_paused_job_paused(command, backup):
    command("pause", "backup", "--reason", "holiday")
    assert command("run", "backup")[0] == 0
    job = jobs.get_job(backup["id"])
    assert (job["enabled"], job["state"], job["paused_reason"]) == (False, "paused", "holiday")
    assert job["last_status"] == "ok"


def test_a_run_that_is_killed_leaves_a_paused_job_paused(command, backup, monkeypatch):
    command("pause", "backup", "--reason", "holiday")
    seen = []

    def killed(job):
        seen.append(store.current_store().read().get(job["id"]))
        return True

    monkeypatch.setattr("hermes_cron.scheduler.run_one_job", killed)
    command("run", "backup")
    [job] = seen
    assert job["fire_claim"]
    assert (job["enabled"], job["state"], job["paused_reason"]) == (False, "paused", "holiday")


def test_a_job_that_is_resumed_while_it_runs_by_hand_stays_resumed(command, backup, monkeypatch):
    command("pause", "backup")
    monkeypatch.setattr(
        "hermes_cron.scheduler.run_job",
        lambda job: jobs.resume_job(job["id"]) and (True, "out", "text", None),
    )
    assert command("run", "backup")[0] == 0
    assert (jobs.get_job(backup["id"])["state"], jobs.get_due_jobs()) == ("scheduled", [])


def test_a_run_that_is_refused_does_not_come_later(command, backup):
    assert jobs.claim_job_for_fire(backup["id"])
    before = jobs.get_job(backup["id"])
    assert command("run", "backup")[0] == 1
    assert jobs.get_job(backup["id"]) == before


def test_run_takes_over_at_once_from_a_process_that_is_dead(command, backup, monkeypatch):
    assert jobs.claim_job_for_fire(backup["id"])
    monkeypatch.setattr(type(process.current()), "is_gone", lambda *_: True)
    assert command("run", "backup")[0] == 0
    assert [one["state"] for one in jobs.list_executions(backup["id"])] == ["unknown", "completed"]


def test_run_says_that_a_job_had_its_last_run_and_show_still_tells_of_it(command):
    _, out, _ = command("create", "1d", "--script", "ok.sh", "--name", "once", "--json")
    job_id = json.loads(out)["id"]
    code, out, _ = command("run", "once")
    assert (code, f"its last run; 'hermes-cron show {job_id}'" in out) == (0, True)
    code, out, _ = command("show", job_id)
    assert code == 0
    assert "is gone" in out
    assert "completed" in out
    code, out, _ = command("show", job_id, "--json")
    assert json.loads(out)["state"] == "gone"
    assert command("show", "nothing")[0] == 1


def test_a_run_whose_process_is_dead_is_not_said_to_be_on(command, backup, monkeypatch):
    assert jobs.claim_job_for_fire(backup["id"])
    assert "running" in command("list")[1]
    monkeypatch.setattr(type(process.current()), "is_gone", lambda *_: True)
    assert "interrupted" in command("list")[1]
    assert "interrupted" in command("show", "backup")[1]


def test_the_commands_do_not_load_what_only_the_network_needs(home):
    script = "import sys\nfrom hermes_cron import cli\ntry: cli.main(['list'])\nexcept SystemExit: print(sorted({'httpx', 'jwt', 'starlette', 'uvicorn'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_name_that_would_steer_the_terminal_is_printed_without(command):
    _, out, _ = command("create", "1d", "x", "--name", "e\x1b[31mvil\nname")
    assert "Created job 'e [31mvil name'" in out


def test_a_reader_that_has_seen_enough_is_no_failure(home):
    for number in range(3):
        jobs.create_job("x", "1d", name=f"job{number}")
    script = "import os, sys\nfrom hermes_cron import cli\nread, write = os.pipe()\nos.close(read)\nos.dup2(write, 1)\ncli.main(['list'])"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_that_no_calendar_shows_stops_no_command(command, backup, text):
    jobs.JOBS_FILE.write_text(json.dumps({"jobs": [{**backup, "next_run_at": text}]}))
    assert "backup" in command("list")[1]
    assert command("show", "backup")[0] == 0
    assert "will NOT fire" in command("status")[1]


def test_a_schedule_that_never_comes_is_refused_when_it_is_resumed(command, backup):
    never = {"kind": "cron", "expr": "99 * * * *", "display": "99 * * * *"}
    jobs.JOBS_FILE.write_text(json.dumps({"jobs": [{**backup, "schedule": never}]}))
    command("pause", "backup")
    code, out, err = command("resume", "backup")
    assert (code, out) == (2, "")
    assert "'99' is no minute" in err
    assert jobs.get_job(backup["id"])["state"] == "paused"


def test_json_of_a_file_that_holds_none_is_json(command, backup):
    jobs.JOBS_FILE.write_text(json.dumps({"jobs": [{**backup, "mine": float("nan")}]}))
    out = command("list", "--json")[1]
    assert json.loads(out, parse_constant=pytest.fail)[0]["mine"] is None


def test_a_tick_settles_what_an_earlier_one_was_killed_at(command, backup, monkeypatch):
    """Also one whose clock was ahead: each such command sees it for the first time."""
    assert jobs.claim_job_for_fire(backup["id"])
    [record] = jobs.load_jobs()
    record["fire_claim"]["at"] = "2099-01-01T00:00:00+00:00"
    record["next_run_at"] = "2026-01-01T00:00:00+00:00"
    jobs.save_jobs([record])
    monkeypatch.setattr(type(process.current()), "is_gone", lambda *_: True)
    assert command("tick")[:2] == (0, "1 run\n")
    assert jobs.get_job(backup["id"])["last_status"] == "ok"
