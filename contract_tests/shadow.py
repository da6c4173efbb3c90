"""Notice when a folder of the user's hides one of our three packages.

``simulator`` and ``contract_tests`` are plain names. A judgement made with somebody else's module
of that name, or with an old checkout that happens to be on PYTHONPATH, is worth nothing and looks
like any other.
"""

import importlib.util
import json
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlparse

__all__ = ["PACKAGES", "shadowed"]

PACKAGES = ("hermes_cron", "simulator", "contract_tests")
_DISTRIBUTION = "hermes-cron"


def shadowed() -> tuple[str, ...]:
    """One sentence for each package that comes from elsewhere than the installed distribution."""
    try:
        home = _installed_at()
    except metadata.PackageNotFoundError:
        return ()  # run from a bare checkout: there is nothing to be different from
    found = []
    for name in PACKAGES:
        place = _place(name)
        if place != home / name:
            found.append(
                f"{name} is imported from {place or 'nowhere'}, which hides the installed one in "
                f"{home / name}: rename that folder, or take it off PYTHONPATH"
            )
    return tuple(found)


def _installed_at() -> Path:
    """The folder that holds the three packages of the installed distribution."""
    distribution = metadata.distribution(_DISTRIBUTION)
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        return Path(unquote(urlparse(origin["url"]).path)).resolve()
    return Path(str(distribution.locate_file(""))).resolve()


def _place(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations))).resolve()
