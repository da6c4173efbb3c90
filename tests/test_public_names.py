"""Each public name has one home; a facade that offers it again hands out the same object."""

import importlib
import pkgutil
from collections import defaultdict
from types import ModuleType

import pytest

PACKAGES = ("hermes_cron", "simulator", "contract_tests")


def modules() -> list[ModuleType]:
    found = []
    for package in PACKAGES:
        root = importlib.import_module(package)
        found.append(root)
        names = [info.name for info in pkgutil.walk_packages(root.__path__, f"{package}.")]
        found += [importlib.import_module(name) for name in names if "__main__" not in name]
    return found


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.__name__)
def test_a_module_says_what_is_public_and_has_it(module: ModuleType) -> None:
    assert hasattr(module, "__all__"), (
        "a module without __all__ makes everything public by accident"
    )
    assert module.__doc__, "a module starts with what it is"
    missing = [name for name in module.__all__ if not hasattr(module, name)]
    assert missing == []
    assert len(set(module.__all__)) == len(module.__all__)


def test_a_name_means_one_thing_in_a_package() -> None:
    homes: dict[tuple[str, str], dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for module in modules():
        package = module.__name__.partition(".")[0]
        for name in module.__all__:
            homes[package, name][id(getattr(module, name))].append(module.__name__)
    doubled = {
        f"{package}: {name}": sorted(places for group in found.values() for places in group)
        for (package, name), found in homes.items()
        if len(found) > 1
    }
    assert doubled == {}
