"""hermes-agent's `hermes_constants`: where the home is.

`get_hermes_home` is `hermes_cron.paths.home` itself: set here, it is set there, so that a test that
moves the home by patching this name moves ours.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from hermes_cron import config, paths

__all__ = ["get_config_path", "get_hermes_home"]  # noqa: F822 - the class of this module has it

_home = paths.home


def get_config_path() -> Path:
    """The configuration file of the home."""
    return config.config_path()


class _Constants(ModuleType):
    @property
    def get_hermes_home(self) -> Callable[[], Path]:
        """`$HERMES_HOME` as it is now, else `~/.hermes`."""
        return paths.home

    @get_hermes_home.setter
    def get_hermes_home(self, value: Callable[[], Path]) -> None:
        vars(paths)["home"] = value

    @get_hermes_home.deleter
    def get_hermes_home(self) -> None:
        vars(paths)["home"] = _home  # mock.patch deletes what it has set on a face


sys.modules[__name__].__class__ = _Constants
