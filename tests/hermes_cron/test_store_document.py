"""The jobs file as a value, and one edit of it."""

import json

import pytest

from hermes_cron.store import Document, Edit, StoreUnreadable, parse, serialize

STAMP = "2026-03-02T08:00:00+00:00"
CRON = {"kind": "cron", "expr": "0 9 * * *"}


def document(*records, **extra):
    return parse(json.dumps({"jobs": records, "updated_at": "then", **extra}).encode())


def written(edited):
    return json.loads(serialize(edited, updated_at=STAMP))


@pytest.mark.parametrize(
    ("data", "reason", "says"),
    [
        (b"", "corrupt", r"jobs.json is empty \(0 bytes\)"),
        (b"\0\0\0\0", "corrupt", r"is empty \(4 bytes\)"),
        (b'{"jobs": [{"id": "a"}, {"i', "corrupt", "is not valid JSON: Unterminated string"),
        (b'\xff\xfe{"jobs": []}', "corrupt", "is not valid JSON"),
        (b"[" * 100_000, "corrupt", "is not valid JSON"),
        (b"9" * 5000, "corrupt", "is not valid JSON"),
        (b"XX", "corrupt", "is not valid JSON"),
        (b"null", "shape", "holds null where"),
        (b"5", "shape", "holds a number where"),
        (b"{}", "shape", r'^jobs.json is not \{"jobs": \[...\]\}: it has no "jobs"\. Nothing'),
        (b'{"jobs": null}', "shape", '"jobs" is null'),
        (b'{"jobs": {"a": 1}}', "shape", '"jobs" is an object'),
    ],
)
def test_what_is_no_jobs_file_is_said(data, reason, says):
    with pytest.raises(StoreUnreadable, match=says) as caught:
        parse(data)
    assert caught.value.reason == reason
    assert "put a good copy in its place" in str(caught.value)


@pytest.mark.parametrize("data", [b"[]", b'{"jobs": []}'])
def test_a_document_has_the_version_that_it_was_given(data):
    assert parse(data, version="7-1").version == "7-1"


@pytest.mark.parametrize(
    "data",
    [
        b'[{"id": "a"}]',
        b'\xef\xbb\xbf{"jobs": [{"id": "a"}]}',
        b'{"jobs": [{"id": "a", "prompt": "raw\ttab, raw\nnewline"}]}',
    ],
)
def test_what_hermes_agent_tolerates_loads(data):
    assert [job["id"] for job in parse(data).jobs] == ["a"]


def test_unknown_fields_survive_in_jobs_and_beside_them():
    before = document({"id": "a", "theirs": {"deep": [1]}}, {"id": "b"}, schema=3)
    edit = Edit(before)
    edit.get("b")["n"] = 1
    after, _ = edit.finish()
    assert written(after) == {
        "jobs": [{"id": "a", "theirs": {"deep": [1]}}, {"id": "b", "n": 1}],
        "updated_at": STAMP,
        "schema": 3,
    }


def test_records_that_cannot_be_jobs_are_reported_and_stay_in_place():
    records = [None, {"id": "a"}, {"name": "no id"}, {"id": 5}, {"id": "../x"}, {"id": "a", "n": 2}]
    before = document(*records)
    assert [job["id"] for job in before.jobs] == ["a"]
    assert [(broken.index, broken.value) for broken in before.broken] == [
        (0, None),
        (2, {"name": "no id"}),
        (3, {"id": 5}),
        (4, {"id": "../x"}),
        (5, {"id": "a", "n": 2}),
    ]
    assert before.broken[4].reason == "its id 'a' is already that of record 2"
    edit = Edit(before)
    edit.get("a")["n"] = 1
    edit.put({"id": "b"})
    after, _ = edit.finish()
    assert list(after.records) == [None, {"id": "a", "n": 1}, *records[2:], {"id": "b"}]


@pytest.mark.parametrize(
    "bad", ["", " ", ".", "..", "a/b", "a\\b", "a\nb", "a\0b", "\ud800", "x" * 300]
)
def test_an_id_that_could_leave_its_folder_is_no_job(bad):
    assert document({"id": bad}).jobs == ()
    with pytest.raises(ValueError, match="not one safe path component"):
        Edit(Document()).put({"id": bad})


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (True, "true or false"),
        (5, "a number"),
        (1.5, "a number"),
        ("x", "a string"),
        ([1], "a list"),
        ({"k": 1}, "an object"),
    ],
)
def test_a_broken_record_is_told_by_what_it_is(value, kind):
    if not isinstance(value, dict):
        assert document(value).broken[0].reason == f"it is {kind}, not an object"
    if not isinstance(value, str):
        assert document({"id": value}).broken[0].reason == f"its id is {kind}, not a string"


def test_a_broken_record_says_where_and_why():
    found = document({"n": 1}, {"id": "a"}, {"id": "x/y"}, {"id": "a", "n": 2}).broken
    assert [(one.index, one.value, one.reason) for one in found] == [
        (0, {"n": 1}, "it has no id"),
        (2, {"id": "x/y"}, "its id 'x/y' is not one safe path component"),
        (3, {"id": "a", "n": 2}, "its id 'a' is already that of record 2"),
    ]


def test_nothing_changed_is_nothing_to_write():
    before = document({"id": "a", "x": 1, "y": 2}, {"id": "b"}, None)
    edit = Edit(before)
    edit.get("a")
    edit.put({"y": 2, "x": 1, "id": "a"})
    assert edit.finish() is None
    edit = Edit(before)
    edit.replace_all([dict(job) for job in before.jobs])
    assert edit.finish() is None
    edit = Edit(before)
    edit.put({"id": "new"})
    assert edit.delete("new")
    assert edit.finish() is None


def test_the_order_of_an_objects_keys_says_nothing():
    before = document({"id": "a", "x": 1}, {"id": "b"})
    edit = Edit(before)
    edit.replace_all([{"x": 1, "id": "a"}, {"id": "b"}])
    assert edit.finish() is None


@pytest.mark.parametrize(("old", "new"), [(1, 1.0), (1, True), (0, False), ("1", 1)])
def test_equal_in_python_is_not_equal_in_json(old, new):
    edit = Edit(document({"id": "a", "x": old}))
    edit.get("a")["x"] = new
    after, changes = edit.finish()
    assert changes == [("a", {"id": "a", "x": new})]
    assert type(after.get("a")["x"]) is type(new)


def test_an_edit_touches_what_it_is_asked_for_and_copies_nothing_else():
    before = document(*({"id": f"j{n}", "n": n} for n in range(1000)))
    edit = Edit(before)
    edit.get("j500")["n"] = -1
    after, changes = edit.finish()
    assert changes == [("j500", {"id": "j500", "n": -1})]
    same = [old is new for old, new in zip(before.entries, after.entries, strict=True)]
    assert same.count(False) == 1
    assert not same[500]
    assert before.get("j500")["n"] == 500


def test_where_jobs_stand_is_not_looked_for_again_when_none_was_moved():
    before = document({"id": "a"}, {"id": "b"})
    edit = Edit(before)
    edit.get("a")["n"] = 1
    after, _ = edit.finish()
    assert after.places is before.places


def test_no_touched_job_hides_the_change_of_a_later_one():
    edit = Edit(document({"id": "a"}, {"id": "b"}, {"id": "c"}))
    edit.delete("a")
    edit.get("b")
    edit.get("c")["n"] = 1
    _, changes = edit.finish()
    assert changes == [("c", {"id": "c", "n": 1}), ("a", None)]


def test_what_was_filled_in_and_json_cannot_hold_is_refused_with_the_job():
    edit = Edit(document({"id": "a"}))
    edit.get("a")["x"] = {1}
    with pytest.raises(TypeError, match=r"^job 'a' cannot be stored as JSON"):
        edit.finish()


def test_an_edit_keeps_what_the_file_says_of_its_last_write():
    edit = Edit(document({"id": "a"}))
    edit.get("a")["n"] = 1
    after, _ = edit.finish()
    assert after.updated_at == "then"


def test_an_id_may_have_two_hundred_bytes():
    assert [job["id"] for job in document({"id": "a" * 200}, {"id": "a" * 201}).jobs] == ["a" * 200]


def test_changes_come_in_the_order_of_the_file():
    edit = Edit(document({"id": "b"}, {"id": "c"}, {"id": "a"}))
    edit.get("a")["n"] = 1
    edit.get("b")["n"] = 2
    _, changes = edit.finish()
    assert changes == [("b", {"id": "b", "n": 2}), ("a", {"id": "a", "n": 1})]


def test_what_is_handed_out_in_an_edit_is_private_and_one():
    before = document({"id": "a", "deep": {"n": 1}})
    edit = Edit(before)
    job = edit.get("a")
    job["deep"]["n"] = 2
    assert edit.get("a") is job
    assert before.get("a") == {"id": "a", "deep": {"n": 1}}
    after, changes = edit.finish()
    job["deep"]["n"] = 3
    assert after.get("a")["deep"] == changes[0][1]["deep"] == {"n": 2}


def test_a_new_job_may_still_be_filled_in_after_put():
    edit = Edit(Document())
    job = {"id": "a", "t": (1, 2)}
    edit.put(job)
    job["late"] = True
    after, _ = edit.finish()
    assert after.jobs == ({"id": "a", "t": [1, 2], "late": True},)


def test_delete_takes_the_duplicates_along():
    edit = Edit(document({"id": "a"}, None, {"id": "a", "n": 2}, {"id": "b"}))
    assert edit.delete("a")
    assert not edit.delete("a")
    assert edit.get("a") is None
    after, changes = edit.finish()
    assert list(after.records) == [None, {"id": "b"}]
    assert changes == [("a", None)]


def test_a_deleted_job_can_be_put_again():
    edit = Edit(document({"id": "a", "n": 1}, {"id": "b"}))
    edit.delete("a")
    edit.put({"id": "a", "n": 2})
    after, _ = edit.finish()
    assert after.get("a") == {"id": "a", "n": 2}
    assert len(after.records) == 2


def test_replace_all_keeps_broken_records_and_drops_duplicates_of_what_is_gone():
    before = document(
        None, {"id": "a"}, {"id": "gone"}, {"id": "gone", "n": 2}, {"id": "a", "n": 2}
    )
    edit = Edit(before)
    edit.replace_all([{"id": "a", "new": 1}, {"id": "c"}])
    after, changes = edit.finish()
    assert list(after.records) == [None, {"id": "a", "new": 1}, {"id": "c"}, {"id": "a", "n": 2}]
    assert changes == [("a", {"id": "a", "new": 1}), ("c", {"id": "c"}), ("gone", None)]


def test_replace_all_with_the_raw_records_doubles_none():
    before = document(None, {"id": "a"}, {"id": "a", "n": 2}, None)
    edit = Edit(before)
    edit.replace_all([*before.records, {"id": "b"}])
    after, _ = edit.finish()
    assert list(after.records) == [*before.records, {"id": "b"}]


def test_replace_all_given_one_of_two_broken_records_keeps_the_other():
    edit = Edit(document(None, None, {"id": "a"}))
    edit.replace_all([None, {"id": "a"}, {"id": "b"}])
    after, _ = edit.finish()
    assert list(after.records) == [None, None, {"id": "a"}, {"id": "b"}]


def test_replace_all_copies_nothing_that_stays_as_it_is():
    before = document({"id": "a"}, {"id": "b"})
    edit = Edit(before)
    edit.replace_all([{"id": "a"}, {"id": "b", "n": 1}])
    after, _ = edit.finish()
    assert after.entries[0] is before.entries[0]


def test_another_order_is_a_change():
    edit = Edit(document({"id": "a"}, {"id": "b"}))
    edit.replace_all([{"id": "b"}, {"id": "a"}])
    after, changes = edit.finish()
    assert [job["id"] for job in after.jobs] == ["b", "a"]
    assert changes == []


def test_an_id_cannot_change():
    edit = Edit(document({"id": "a"}))
    edit.get("a")["id"] = "b"
    with pytest.raises(ValueError, match="job 'a': its id became 'b'"):
        edit.finish()


@pytest.mark.parametrize(
    ("job", "named"), [({"id": "a", "x": {1}}, "'a'"), ({"x": {1}}, "None"), ({1}, r"\{1\}")]
)
def test_what_json_cannot_hold_is_refused_among_all_jobs_too(job, named):
    edit = Edit(document({"id": "a"}))
    with pytest.raises(TypeError, match=f"^job {named} cannot be stored as JSON: Object of type"):
        edit.replace_all([job])
    assert edit.finish() is None


def test_what_json_cannot_hold_is_refused_with_the_job():
    with pytest.raises(TypeError, match="job 'a' cannot be stored as JSON"):
        Edit(Document()).put({"id": "a", "when": object()})


def test_an_edit_that_is_over_takes_nothing():
    edit = Edit(document({"id": "a"}))
    edit.finish()
    for use, named in [
        (lambda: edit.get("a"), "'a'"),
        (lambda: edit.put({"id": "a"}), "'a'"),
        (lambda: edit.delete("a"), "'a'"),
        (lambda: edit.replace_all([]), "'all jobs'"),
    ]:
        with pytest.raises(RuntimeError, match=f"^the edit is over: {named} was not touched$"):
            use()


def test_serialized_is_parsed_again_to_the_same():
    records = [{"id": "a", "p": 'ü "\n\ud800', "n": 1.5}, None, [{}], {"id": "b", "x": None}]
    before = document(*records, more=[1])
    again = parse(serialize(before, updated_at=STAMP))
    assert again.records == before.records
    assert (again.extra, again.updated_at) == ({"more": [1]}, STAMP)
    assert written(Document()) == {"jobs": [], "updated_at": STAMP}
