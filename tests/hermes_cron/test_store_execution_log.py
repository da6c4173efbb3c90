"""The record of executions on the disk: bounded, repaired, and read no more than is needed."""

import errno
import json
from unittest import mock

import pytest

from hermes_cron.store import execution_log
from hermes_cron.store.execution_log import ExecutionLog


@pytest.fixture(autouse=True)
def bounds(monkeypatch):
    """Twenty records stay; the file is written anew when it has more than 25."""
    monkeypatch.setattr(execution_log, "EXECUTIONS_KEPT", 20)
    monkeypatch.setattr(execution_log, "_SLACK", 5)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "executions.jsonl"


@pytest.fixture
def written_anew(monkeypatch):
    """What the file was replaced by, each time."""
    spy = mock.Mock(wraps=execution_log.replace_file)
    monkeypatch.setattr(execution_log, "replace_file", spy)
    return spy


@pytest.fixture
def parsed(monkeypatch):
    """The lines that were looked at."""
    spy = mock.Mock(wraps=json.loads)
    monkeypatch.setattr(execution_log.json, "loads", spy)
    return spy


def log_of(path, *numbers):
    log = ExecutionLog(str(path))
    log.append([{"n": number} for number in numbers])
    return log


def numbers(log):
    return [record["n"] for record in log.read()]


def copies(path):
    return [copy.read_bytes() for copy in path.parent.glob("*.corrupt-*")]


def test_records_that_come_together_get_a_line_each(path):
    log_of(path, 1, 2, 3)
    assert path.read_text() == '{"n": 1}\n{"n": 2}\n{"n": 3}\n'


@pytest.mark.parametrize("writers", [1, 2])
def test_it_is_written_anew_only_when_it_is_too_long(path, written_anew, writers):
    """The first makes it; then once for every six records past the twenty-five."""
    logs = [ExecutionLog(str(path)) for _ in range(writers)]
    lengths = []
    for number in range(38):
        logs[number % writers].append([{"n": number}])
        lengths.append(len(path.read_bytes().splitlines()))
    assert lengths == [*range(1, 26), 20, *range(21, 26), 20, *range(21, 26), 20]
    assert written_anew.call_count == 1 + 3
    assert numbers(logs[0]) == list(range(18, 38))
    assert copies(path) == []


def test_an_append_looks_only_at_what_others_added(path, parsed):
    log = log_of(path, 1, 2)
    log_of(path, 3, 4, 5)
    parsed.reset_mock()
    log.append([{"n": 6}])
    assert [call.args for call in parsed.call_args_list] == [
        (b'{"n": 3}',),
        (b'{"n": 4}',),
        (b'{"n": 5}',),
    ]
    log.append([{"n": 7}])
    assert parsed.call_count == 3


@pytest.mark.parametrize("opens", [log_of, ExecutionLog])
def test_it_remembers_what_it_looked_at_before_a_write_that_failed(path, parsed, opens):
    """Whether it had written itself or not."""
    log_of(path, 1, 2)
    log = opens(path)
    log_of(path, 3, 4, 5)
    with (
        mock.patch("os.write", side_effect=OSError(errno.ENOSPC, "full")),
        pytest.raises(OSError, match="full"),
    ):
        log.append([{"n": 6}])
    parsed.reset_mock()
    log.append([{"n": 6}])
    assert not parsed.called
    assert numbers(log) == [1, 2, 3, 4, 5, 6]


def test_a_file_that_was_replaced_is_counted_anew(path, written_anew):
    log = log_of(path, 1, 2)
    other = path.with_name("other")
    other.write_text("".join(f'{{"n": {number}, "error": "long"}}\n' for number in range(24)))
    other.rename(path)
    written_anew.reset_mock()
    log.append([{"n": 24}])
    assert not written_anew.called
    log.append([{"n": 25}])
    assert written_anew.called
    assert numbers(log) == list(range(6, 26))
    assert copies(path) == []


def test_a_file_that_was_cut_short_is_counted_anew(path, written_anew):
    log = log_of(path, *range(25))
    path.write_text('{"n": 25}\n')
    written_anew.reset_mock()
    log.append([{"n": 26}])
    assert not written_anew.called
    assert numbers(log) == [25, 26]


def test_an_empty_line_is_not_a_broken_one(path):
    path.write_bytes(b'\n{"n": 1}\n\n  \n{"n": 2}\n')
    assert numbers(log_of(path, 3)) == [1, 2, 3]
    assert copies(path) == []


def test_broken_lines_are_counted_left_out_and_kept_aside(path, caplog):
    data = b'{"n": 1}\n[1]\nnull\n{"n"\n{"n": 2}\n'
    path.write_bytes(data)
    assert numbers(log_of(path, 3)) == [1, 2, 3]
    assert path.read_bytes() == b'{"n": 1}\n{"n": 2}\n{"n": 3}\n'
    assert copies(path) == [data]
    assert f"3 broken lines in {path}: a copy is kept aside" in caplog.text
