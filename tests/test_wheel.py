"""The built wheel works where nothing of the clone is in sight: the three commands and the suite.

An environment of its own gets the wheel; the libraries that it needs are lent to it by path, since
tests use no network.
"""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

SUITE = """
import pytest
from contract_tests import CronSchedulerContract
from hermes_cron import InProcessCronScheduler
class Mine(InProcessCronScheduler):
    name = "mine"
class TestMine(CronSchedulerContract):
    @pytest.fixture
    def provider(self): return Mine
"""


class Installed:
    """An environment with the wheel, used from a folder outside the clone."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "env" / "bin"
        self.cwd = folder / "elsewhere"
        self.cwd.mkdir()
        self.home = folder / "home"

    def run(self, *command: str, code: int = 0, timeout: float = 300) -> str:
        done = subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.cwd,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "HERMES_HOME": str(self.home),
                "LANG": "C.UTF-8",
            },
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    venv.create(folder / "env", with_pip=False)
    libraries = folder / "env" / "lib" / f"python{sysconfig.get_python_version()}" / "site-packages"
    (libraries / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    wheel = next(folder.glob("*.whl"))
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", folder / "env" / "bin" / "python"),
            *("install", "--no-deps", "--no-index", "--ignore-installed", wheel),
        ],
        check=True,
        capture_output=True,
    )
    return Installed(folder)


def test_the_packages_come_from_the_wheel(installed: Installed) -> None:
    program = (
        "import hermes_cron, simulator, contract_tests as c, pathlib as p;"
        "print(*(m.__file__ for m in (hermes_cron, simulator, c)), sep='\\n')"
    )
    places = installed.run("python", "-c", program).split()
    assert len(places) == 3
    assert all(Path(place).is_relative_to(installed.bin.parent) for place in places)


def test_hermes_cron(installed: Installed) -> None:
    installed.run("hermes-cron", "create", "every 1h", "say hello", "--name", "greeter")
    assert "greeter" in installed.run("hermes-cron", "list")


def test_hermes_sim(installed: Installed) -> None:
    assert "held" in installed.run("hermes-sim", "run", "tick-raises-systemexit")


def test_hermes_contract(installed: Installed) -> None:
    assert "PASS" in installed.run("hermes-contract", "check", "builtin")


def test_a_five_line_subclass_of_the_suite(installed: Installed) -> None:
    (installed.cwd / "test_mine.py").write_text(SUITE, encoding="utf-8")
    assert "passed" in installed.run("python", "-m", "pytest", "-q", "test_mine.py")
