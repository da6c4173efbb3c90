"""The catalogue: version 1 is frozen here, row by row."""

import hashlib

import pytest

from contract_tests import catalogue

# id, level (c, s), H when the row judges the host; as CONTRACT.md has them. Never edit a row:
# a later version adds its own.
FROZEN = """
ABC-1 cH, ABC-2 cH, ABC-3 c, ABC-4 c, ABC-5 c, ABC-6 s, ABC-7 sH, ABC-8 s,
AVAIL-1 c, AVAIL-2 c, AVAIL-3 s,
FALL-1 cH, FALL-2 cH, FALL-3 cH, FALL-4 cH, FALL-5 cH, FALL-6 sH, FALL-7 sH, FALL-8 sH, FALL-9 sH,
FALL-10 sH, FALL-11 sH,
TICK-1 c, TICK-2 c, TICK-3 c, TICK-4 c, TICK-5 s, TICK-6 c, TICK-7 sH, TICK-8 s, TICK-9 cH,
FIRE-1 c, FIRE-2 c, FIRE-3 c, FIRE-4 c, FIRE-5 s,
ONCE-1 cH, ONCE-2 c, ONCE-3 s, ONCE-4 s, ONCE-5 s, ONCE-6 s, ONCE-7 sH, ONCE-8 s, ONCE-9 c,
ONCE-10 cH, ONCE-11 sH,
LIVE-1 c, LIVE-2 s, LIVE-3 s, LIVE-4 s, LIVE-5 c, LIVE-6 sH, LIVE-7 sH, LIVE-8 sH, LIVE-9 sH,
LIVE-10 sH, LIVE-11 sH, LIVE-12 sH, LIVE-13 cH,
RECON-1 c, RECON-2 c, RECON-3 c, RECON-4 c, RECON-5 c, RECON-6 c, RECON-7 s, RECON-8 s, RECON-9 s,
RECON-10 s, RECON-11 sH,
STAT-1 cH, STAT-2 cH, STAT-3 cH, STAT-4 cH, STAT-5 cH, STAT-6 sH, STAT-7 sH, STAT-8 sH, STAT-9 sH,
STAT-10 sH, STAT-11 sH, STAT-12 sH, STAT-13 sH,
STORE-1 cH, STORE-2 cH, STORE-3 cH, STORE-4 cH, STORE-5 sH, STORE-6 sH, STORE-7 sH, STORE-8 cH,
STORE-9 sH,
TIME-1 cH, TIME-2 sH, TIME-3 sH, TIME-4 cH, TIME-5 sH, TIME-6 cH, TIME-7 cH,
HOOK-1 cH, HOOK-2 cH, HOOK-3 sH, HOOK-4 sH, HOOK-5 sH,
NAS-1 c, NAS-2 c, NAS-3 c
"""
REST = 'since="1"\nsentence="x"\norigin=[]'
BY_GROUP = {"TICK": "blocking", "FIRE": "external", "RECON": "external", "NAS": "external"}


def frozen():
    rows = [row.split() for row in FROZEN.replace("\n", " ").split(",")]
    return [(key, "core" if "c" in flags else "strict", "H" in flags) for key, flags in rows]


def test_version_1_is_what_it_was():
    rows = [(r.id, r.level, r.host) for r in catalogue.load().requirements if r.since == "1"]
    assert rows == frozen()
    assert len(rows) == 108


def test_capabilities_follow_the_headings_of_the_contract():
    for row in catalogue.load().requirements:
        if row.group in BY_GROUP:
            assert row.capability == BY_GROUP[row.group], row.id
        elif row.group in ("ABC", "AVAIL", "FALL", "STORE", "TIME"):
            assert row.capability is None, row.id


def test_each_sentence_is_one_and_says_something():
    sentences = [row.sentence for row in catalogue.load().requirements]
    assert len(set(sentences)) == len(sentences)
    assert all(sentence.endswith(".") and len(sentence) > 30 for sentence in sentences)


def test_incidents_with_a_requirement_are_named():
    origins = {name for row in catalogue.load().requirements for name in row.origin}
    assert {"#32612", "#27485", "#61382", "#38758", "#33315", "#97494", "#66436"} <= origins


def test_an_unknown_id_names_its_neighbours():
    with pytest.raises(catalogue.UnknownRequirementError, match="did you mean TICK-"):
        catalogue.load().get("TICK-22")
    assert catalogue.load().get(" tick-2 ").id == "TICK-2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[requirement]", "not TOML"),
        ('[[requirement]]\nid = "A-1"', "A-1: missing or unknown"),
        (
            '[[requirement]]\nid="A-1"\nlevel="hard"\nhost=false\ncapability="none"\n' + REST,
            "A-1: level 'hard'",
        ),
        (
            '[[requirement]]\nid="A-1"\nlevel="core"\nhost=false\ncapability="psychic"\n' + REST,
            "A-1: capability 'psychic'",
        ),
    ],
)
def test_a_damaged_row_is_named(text, said):
    with pytest.raises(catalogue.CatalogueError, match=said):
        catalogue.parse(text)


# Version 1 as it was published. A change here is a broken promise to everybody who claims it.
PUBLISHED = {"1": "f65bd347974be27d503a8d9149d720fcd48a8c2df7718fa2195063f158e3da3e"}


def digest(version):
    rows = [row for row in catalogue.load().requirements if row.since == version]
    text = "\n".join(
        f"{row.id}|{row.level}|{row.host}|{row.capability}|{row.sentence}" for row in rows
    )
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("version", PUBLISHED)
def test_a_published_version_does_not_change(version):
    assert digest(version) == PUBLISHED[version]


def test_every_version_is_frozen():
    assert {row.since for row in catalogue.load().requirements} == PUBLISHED.keys()


LATER = """
contract = "2"
[[requirement]]
id = "ABC-9"
level = "core"
host = false
capability = "none"
since = "2"
sentence = "Something new."
origin = []
"""


def test_a_later_version_adds_rows_to_their_groups():
    both = catalogue.merge([catalogue.load(), catalogue.parse(LATER)])
    ids = [row.id for row in both.requirements]
    assert both.contract == "2"
    assert ids.index("ABC-9") == ids.index("ABC-8") + 1
    assert both.claimed("1") == "1"
    assert both.claimed(None) == "2"
    with pytest.raises(ValueError, match="no contract '3': 1, 2"):
        both.claimed("3")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LATER.replace("ABC-9", "ABC-1"), "ABC-1 of contract 2 was there before"),
        (LATER.replace('since = "2"', 'since = "1"'), "ABC-9 is since 1, in contract 2"),
    ],
)
def test_a_later_version_changes_nothing(text, said):
    with pytest.raises(catalogue.CatalogueError, match=said):
        catalogue.merge([catalogue.load(), catalogue.parse(text)])
