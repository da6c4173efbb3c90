"""hermes-agent's import paths resolve to ours: for plugins, for tests, and for nobody by accident."""

import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import ModuleType
from unittest import mock

import pytest

from hermes_cron import compat, paths
from hermes_cron.compat import aliases

OUTSIDERS = Path(__file__).parents[1] / "outsiders"

MODULES = (
    *aliases.HOMES,
    *(
        f"{package}.{name}"
        for package in ("plugins.cron", "plugins.cron_providers")
        for name in ("chronos", "chronos._nas_client", "chronos.verify")
    ),
)

# What HOST.md says that each path must offer.
OFFERED = {
    "cron": "create_job get_job list_jobs tick JOBS_FILE",
    "cron.scheduler_provider": "CronScheduler InProcessCronScheduler resolve_cron_scheduler",
    "cron.jobs": "parse_schedule parse_duration compute_next_run create_job get_job list_jobs "
    "resolve_job_ref AmbiguousJobReference update_job pause_job resume_job trigger_job remove_job "
    "load_jobs save_jobs get_due_jobs advance_next_run claim_dispatch claim_job_for_fire "
    "mark_job_run save_job_output record_ticker_heartbeat get_ticker_heartbeat_age "
    "get_ticker_success_age CRON_DIR JOBS_FILE OUTPUT_DIR TICKER_HEARTBEAT_FILE "
    "TICKER_SUCCESS_FILE TICKER_INTERVAL_SECONDS _hermes_now "
    "ensure_dirs HAS_CRONITER _jobs_lock_file _ensure_aware _secure_file _job_output_dir",
    "cron.scheduler": "tick run_one_job run_job _notify_provider_jobs_changed _deliver_result "
    "_running_job_ids _shutdown_parallel_pool",
    "plugins.cron": "discover_cron_schedulers load_cron_scheduler find_provider_dir",
    "plugins.cron.chronos": "ChronosCronScheduler _cfg register",
    "plugins.cron_providers.chronos._nas_client": "NasCronClient NasCronClientError",
    "plugins.cron_providers.chronos.verify": "verify_nas_fire_token get_fire_verifier",
    "hermes_cli.config": "DEFAULT_CONFIG load_config cfg_get",
    "hermes_cli.auth": "get_provider_auth_state resolve_nous_access_token",
    "hermes_cli.cron": "cron_status cron_command _active_cron_provider_name",
    "hermes_cli.gateway": "find_gateway_pids",
    "gateway.run": "_start_cron_ticker",
    "hermes_cli.web_server": "_start_desktop_cron_ticker app _fire_cron_job_for_profile",
    "hermes_constants": "get_hermes_home get_config_path",
    "hermes_time": "now reset_cache",
}


@pytest.fixture
def absent():
    """Without the paths, as a process begins; and again afterwards."""
    compat.uninstall()
    yield
    compat.uninstall()


@pytest.fixture
def installed(absent):
    compat.install()


def run(*arguments, cwd, path=""):
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(path), "HERMES_HOME": str(cwd)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


# -- which module is which ---------------------------------------------------------------------


@pytest.mark.parametrize("path", MODULES)
def test_a_path_is_a_module_of_ours(installed, path):
    home = aliases.home_of(path)
    module = importlib.import_module(path)
    assert module is sys.modules[home]
    assert (module.__name__, module.__spec__.name) == (home, home)
    parent, _, name = path.rpartition(".")
    if parent:
        assert getattr(sys.modules[parent], name) is module, "patches go by attributes"


@pytest.mark.parametrize("path", OFFERED)
def test_a_path_offers_what_its_users_need(installed, path):
    module = importlib.import_module(path)
    assert [name for name in OFFERED[path].split() if not hasattr(module, name)] == []


# How HOST.md has them called: positional names in order, then keywords.
CALLED = {
    "cron.jobs:create_job": "prompt schedule name= repeat= deliver= script= no_agent= workdir=",
    "cron.jobs:list_jobs": "include_disabled=",
    "cron.jobs:compute_next_run": "schedule last_run_at=",
    "cron.jobs:pause_job": "job_id reason=",
    "cron.jobs:update_job": "job_id updates",
    "cron.jobs:claim_job_for_fire": "job_id claim_ttl_seconds=",
    "cron.jobs:mark_job_run": "job_id success error= delivery_error=",
    "cron.jobs:record_ticker_heartbeat": "success=",
    "cron.scheduler:tick": "verbose= adapters= loop= sync=",
    "cron.scheduler:run_one_job": "job adapters= loop= verbose=",
    "cron.scheduler:run_job": "job",
    "hermes_cli.config:cfg_get": "cfg a b default=",
    "hermes_cli.auth:get_provider_auth_state": "provider",
    "hermes_cli.gateway:find_gateway_pids": "",
    "gateway.run:_start_cron_ticker": "stop_event adapters= loop= interval=",
    "hermes_cli.web_server:_start_desktop_cron_ticker": "stop_event interval=",
    "plugins.cron.chronos.verify:verify_nas_fire_token": "token= expected_audience= jwks_or_key= "
    "issuer= leeway_seconds=",
    "plugins.cron.chronos._nas_client:NasCronClient.provision": "self job_id= fire_at= "
    "agent_callback_url= dedup_key=",
    "plugins.cron.chronos._nas_client:NasCronClient.cancel": "self job_id=",
    "plugins.cron.chronos._nas_client:NasCronClient.list_armed": "self",
    "plugins.cron.chronos:ChronosCronScheduler.start": "self stop adapters= loop= interval=",
    "plugins.cron.chronos:ChronosCronScheduler.fire_due": "self job_id adapters= loop=",
    "plugins.cron.chronos:ChronosCronScheduler._arm_one_shot": "self job",
    "plugins.cron.chronos:ChronosCronScheduler._cancel": "self job_id",
    "plugins.cron.chronos:ChronosCronScheduler._list_armed": "self",
    "plugins.cron.chronos:ChronosCronScheduler._get_client": "self",
    "plugins.cron.chronos:ChronosCronScheduler._have_nous_token": "self",
    "plugins.cron.chronos:ChronosCronScheduler._callback_url": "self",
}


@pytest.mark.parametrize("place", CALLED)
def test_a_function_takes_what_its_callers_give(installed, place):
    module, _, path = place.partition(":")
    function = importlib.import_module(module)
    for name in path.split("."):
        function = getattr(function, name)
    words = CALLED[place].split()
    plain = [word for word in words if not word.endswith("=")]
    named = {word[:-1]: None for word in words if word.endswith("=")}
    inspect.signature(function).bind(*plain, **named)


def test_a_file_of_ours_is_never_loaded_twice(installed):
    import plugins.cron.loading

    from hermes_cron.plugins import loading

    assert plugins.cron.loading is loading


@pytest.mark.parametrize(
    "path", ["cron.suggestions", "plugins.cron.nope", "plugins.cron.nope.deeper", "hermes_cli.nope"]
)
def test_what_is_not_offered_is_not_there(installed, path):
    with pytest.raises(ModuleNotFoundError, match="No module named"):
        importlib.import_module(path)


def test_a_package_has_no_other_names(installed):
    import cron

    with pytest.raises(AttributeError, match="module 'cron' has no attribute 'nope'"):
        _ = cron.nope


def test_the_home_is_patched_as_one(installed, tmp_path):
    original = paths.home
    with mock.patch("hermes_constants.get_hermes_home", return_value=tmp_path):
        assert paths.home() == tmp_path
    assert paths.home is original
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hermes_constants.get_hermes_home", lambda: tmp_path)
        assert paths.home() == tmp_path
    assert paths.home is original


def test_somebodys_folder_of_the_same_name_stays_in_sight(absent, tmp_path, monkeypatch):
    (tmp_path / "plugins" / "cron").mkdir(parents=True)
    (tmp_path / "plugins" / "of_mine.py").write_text("ANSWER = 42\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("plugins")  # the namespace package, before ours
    compat.install()
    assert importlib.import_module("plugins.cron").load_cron_scheduler
    assert importlib.import_module("plugins.of_mine").ANSWER == 42
    del sys.modules["plugins.of_mine"]


# -- install and uninstall ---------------------------------------------------------------------


def test_installing_is_idempotent_and_undone(absent):
    before = list(sys.meta_path)
    compat.install()
    compat.install()
    assert len(sys.meta_path) == len(before) + 1
    assert importlib.util.find_spec("cron") is not None
    jobs = importlib.import_module("cron.jobs")
    assert jobs.HAS_CRONITER
    compat.uninstall()
    compat.uninstall()
    assert sys.meta_path == before
    assert not [name for name in sys.modules if name.partition(".")[0] in aliases.ROOTS]
    assert not hasattr(jobs, "HAS_CRONITER")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("cron.jobs")


def test_nothing_is_imported_before_a_path_is_used(tmp_path):
    code = (
        "import sys, hermes_cron.compat as c; c.install(); import cron, hermes_cli, plugins;"
        "print(sorted(m for m in sys.modules if m.startswith('hermes_cron')))"
    )
    said = run("-c", code, cwd=tmp_path).stdout
    assert said.strip() == "['hermes_cron', 'hermes_cron.compat', 'hermes_cron.compat.aliases']"


def test_it_stands_back_for_hermes_agent(absent, tmp_path, monkeypatch):
    meta = tmp_path / "hermes_agent-0.19.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: hermes-agent\nVersion: 0.19.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(compat.AgentPathsTakenError, match=r"hermes-agent 0\.19\.0 is installed"):
        compat.install()
    assert not compat.try_install()
    assert not compat.is_installed()


@pytest.mark.parametrize("root", ["cron", "gateway", "hermes_time"])
def test_it_stands_back_for_whoever_has_a_name(absent, tmp_path, monkeypatch, root):
    (tmp_path / f"{root}.py").touch()
    meta = tmp_path / "other-1.0.dist-info"
    meta.mkdir()
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (meta / "top_level.txt").write_text(f"{root}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(
        compat.AgentPathsTakenError, match=rf"'{root}' is .*{root}\.py \(of other\): import from"
    ):
        compat.install()


def test_it_stands_back_for_a_stub(absent, monkeypatch):
    stub = ModuleType("hermes_constants")
    monkeypatch.setitem(sys.modules, "hermes_constants", stub)
    with pytest.raises(compat.AgentPathsTakenError, match=r"was put into sys\.modules"):
        compat.install()
    assert sys.modules["hermes_constants"] is stub


def test_many_threads_install_once(absent):
    threads = [threading.Thread(target=compat.install) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(one, aliases.AgentPathFinder) for one in sys.meta_path) == 1


# -- unmodified code of others -----------------------------------------------------------------


def test_tests_written_for_hermes_agent_run_unmodified(tmp_path):
    """Also a conftest that uses the paths while it is imported."""
    suites = ("suite", "jobs", "chronos")
    for name in suites:
        shutil.copy(OUTSIDERS / f"agent_style_{name}.py", tmp_path / f"test_{name}.py")
    shutil.copytree(OUTSIDERS / "clockwork", tmp_path / "clockwork")
    (tmp_path / "conftest.py").write_text("from cron.jobs import create_job\n")
    plain = ("-m", "pytest", "-q", "-p", "no:cacheprovider")
    files = [f"test_{name}.py" for name in suites]
    done = run(*plain, "-p", "hermes_cron.compat", *files, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in done.stdout
    assert "skipped" not in done.stdout

    (tmp_path / "cron.py").touch()
    refused = run(*plain, "-p", "hermes_cron.compat", *files, cwd=tmp_path, path=tmp_path)
    assert refused.returncode == 4
    assert "stands in for hermes-agent only where that is not installed" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_kit_judges_a_plugin_written_for_hermes_agent(tmp_path):
    code = "from contract_tests.cli import main; main()"
    done = run("-c", code, "check", OUTSIDERS / "clockwork", cwd=tmp_path)
    assert "clockwork (Clockwork): blocking" in done.stdout, done.stdout + done.stderr
    # Its loop is as plain as hermes-agent's own, which is core; the strict rows want more of it.
    assert "core: conformant" in done.stdout
    assert "KIT_ERROR" not in done.stdout
    assert done.returncode == 0


PLUGIN_IN_A_CLEAN_PROCESS = """
import sys
from hermes_cron.scheduler_provider import CronScheduler, resolve_cron_scheduler
provider = resolve_cron_scheduler()
assert isinstance(provider, CronScheduler), provider
print(provider.name, "cron.scheduler_provider" in sys.modules)
"""


def test_the_gateway_runs_a_plugin_written_for_hermes_agent(tmp_path):
    """Discovery makes the paths resolve by itself: nobody called `install`."""
    shutil.copytree(OUTSIDERS / "clockwork", tmp_path / "plugins" / "clockwork")
    (tmp_path / "config.yaml").write_text("cron: {provider: clockwork}\n")
    done = run("-c", PLUGIN_IN_A_CLEAN_PROCESS, cwd=tmp_path)
    assert done.stdout.strip() == "clockwork True", done.stdout + done.stderr
