"""The forms of a report that go into a file, each by its name."""

from pathlib import Path

from contract_tests.report.junit import as_junit
from contract_tests.report.markdown import as_markdown
from contract_tests.report.model import Report

__all__ = ["FORMS", "write_report"]

FORMS = {
    "json": lambda report: report.model_dump_json(indent=2) + "\n",
    "junit": as_junit,
    "markdown": as_markdown,
}


def write_report(report: Report, form: str, path: Path) -> None:
    """Write a report, whole or not at all; what is no file, ``/dev/stdout``, is written into.

    Raises:
        OSError: it cannot be written there.
    """
    if path.exists() and not path.is_file():
        path.write_text(FORMS[form](report), encoding="utf-8")
        return
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(FORMS[form](report), encoding="utf-8")
    beside.replace(path)
