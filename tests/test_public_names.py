"""Each public name has one home. A face may offer a thing again; a face's names mean nothing else."""

import importlib
import pkgutil
from collections import defaultdict
from types import FunctionType, ModuleType

import pytest

PACKAGES = ("hermes_cron", "simulator", "contract_tests")

# Modules that offer what lives elsewhere: the packages, and what hermes-agent's callers import from.
FACES = {
    "hermes_cron.jobs": "the documented job API (HOST.md)",
    "hermes_cron.status": "what the status command and the gateway ask",
}


def modules() -> list[ModuleType]:
    found = []
    for package in PACKAGES:
        root = importlib.import_module(package)
        found.append(root)
        names = [info.name for info in pkgutil.walk_packages(root.__path__, f"{package}.")]
        found += [importlib.import_module(name) for name in names if "__main__" not in name]
    return found


def is_face(module: ModuleType) -> bool:
    return hasattr(module, "__path__") or module.__name__ in FACES


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)
def test_a_module_says_what_is_public_and_has_it(module: ModuleType) -> None:
    assert hasattr(module, "__all__"), "without __all__ everything is public by accident"
    assert module.__doc__, "a module starts with what it is"
    missing = [name for name in module.__all__ if not hasattr(module, name)]
    assert missing == []
    assert len(set(module.__all__)) == len(module.__all__)


def test_a_thing_is_public_in_one_place() -> None:
    homes = defaultdict(list)
    for module in modules():
        for name in module.__all__:
            thing = getattr(module, name)
            if isinstance(thing, (type, FunctionType)) and not is_face(module):
                homes[name, id(thing)].append(module.__name__)
    assert {key: places for key, places in homes.items() if len(places) > 1} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_of_a_package_means_one_thing_in_it(package: str) -> None:
    face = importlib.import_module(package)
    other_meanings = [
        f"{module.__name__}.{name}"
        for module in modules()
        if module.__name__.startswith(f"{package}.")
        for name in module.__all__
        if name in face.__all__ and getattr(module, name) is not getattr(face, name)
    ]
    assert other_meanings == []
