"""A folder of the user's that hides one of our packages is named."""

import subprocess
import sys

from contract_tests import shadow


def test_what_is_installed_is_not_shadowed():
    assert shadow.shadowed() == ()


def test_a_folder_on_pythonpath_is_named(tmp_path):
    other = tmp_path / "simulator"
    other.mkdir()
    (other / "__init__.py").write_text("")
    script = "from contract_tests.shadow import shadowed; print(*shadowed(), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("\n") == 1
    assert f"simulator is imported from {other}" in done.stdout
    assert "rename that folder" in done.stdout


def test_a_file_of_that_name_is_named_too(tmp_path):
    (tmp_path / "simulator.py").write_text("")
    script = "from contract_tests.shadow import shadowed; print(*shadowed(), sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "simulator is imported from" in done.stdout
