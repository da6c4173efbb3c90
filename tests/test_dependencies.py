"""Our ranges admit what hermes-agent 0.17 to 0.19 pins, so that both install into one environment.

`pip install --dry-run hermes-cron hermes-agent==0.19.0` shows the same with a registry at hand; here
the pins are held against the ranges without one.
"""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))

# What hermes-agent 0.17.0, 0.18.2 and 0.19.0 pin exactly, of what we depend on too.
PINNED = {
    "httpx": "0.28.1",
    "croniter": "6.0.0",
    "pyyaml": "6.0.3",
    "rich": "14.3.3",
    "pydantic": "2.13.4",
    "pyjwt": "2.13.0",
    "cryptography": "46.0.7",
}


def ours() -> dict[str, Requirement]:
    found = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
    return {canonicalize_name(one.name): one for one in found}


@pytest.mark.parametrize(("name", "version"), sorted(PINNED.items()))
def test_our_range_admits_the_pin(name: str, version: str) -> None:
    assert name in ours(), f"{name} is no dependency of ours any more: drop its row"
    assert ours()[name].specifier.contains(version)


@pytest.mark.parametrize("requirement", sorted(ours().values(), key=str), ids=str)
def test_every_dependency_is_a_range(requirement: Requirement) -> None:
    operators = {clause.operator for clause in requirement.specifier}
    assert ">=" in operators
    assert "==" not in operators, "a pin of ours would fight with somebody else's"


def test_croniter_is_open_to_both_major_versions() -> None:
    assert ours()["croniter"].specifier.contains("6.0.0")
    assert ours()["croniter"].specifier.contains("7.0.0")


def test_our_own_runs_are_locked() -> None:
    lines = (Path(__file__).parents[1] / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {
        canonicalize_name(line.partition("==")[0]) for line in lines if line and line[0] != "#"
    }
    assert all("==" in line for line in lines if line and line[0] != "#")
    assert ours().keys() <= pinned
