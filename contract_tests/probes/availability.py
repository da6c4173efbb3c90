"""AVAIL: asking whether a provider is available."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from contract_tests.engine import Context, Outcome, held, probe, unknown, violated
from contract_tests.surroundings import Answer, Watch, ask, captured_logs, home, watched

__all__: list[str] = []  # probes are found by their ids

AT_ONCE_S = 1.0
ASKED_AGAIN = 5
SETTINGS = ("portal_url", "callback_url", "expected_audience")

# What a provider's own section, the sections above it and the login can hold by accident.
ODD_VALUES: tuple[Any, ...] = (None, 0, 42, True, "", "text", [], ["a"], {}, {"a": {"b": 1}})
ODD_FILES: dict[str, bytes] = {
    "an empty file": b"",
    "not YAML": b"cron: [unclosed\n  provider: {",
    "bytes that are no text": b"\xff\xfe\x00\x9d",
    "a list": b"- 1\n- 2\n",
    "a number": b"42",
    "a tab": b"cron:\n\tprovider: x\n",
    "a recursive value": b"cron: &c\n  provider: *c\n",
}


@probe("AVAIL-1")
def no_network(context: Context) -> Outcome:
    """With and without a working set-up, and with a login that has run out."""
    seen = []
    for label, prepare in _plain_homes(context):
        watch, answer = _ask_in(context, label, prepare)
        if watch.network:
            return violated(f"with {label}, is_available() reached for the network", *watch.network)
        if answer.late or not watch.asked:
            return unknown(f"with {label}, is_available() could not be seen to its end: {answer}")
        seen.append(f"with {label}: {answer}, no connection and no look-up")
    return held(*seen)


@probe("AVAIL-2")
def a_bool_whatever_the_configuration(context: Context) -> Outcome:
    """Over a table of configurations and logins that a tired user could leave behind."""
    count = 0
    for label, prepare in _odd_homes(context):
        count += 1
        _, answer = _ask_in(context, f"odd {count}", prepare)
        if answer.error is not None or answer.late or type(answer.value) is not bool:
            return violated(f"with {label}, is_available() {answer}")
    return held(f"a bool in each of {count} configurations")


@probe("AVAIL-3")
def leaves_no_trace(context: Context) -> Outcome:
    """Nothing is written, and the answer does not take long."""
    for label, prepare in _plain_homes(context):
        # A home of its own: what is left in one that was asked before changes less.
        watch, answer = _ask_in(context, f"untouched {label}", prepare)
        if watch.writes:
            return violated(f"with {label}, is_available() changed the disk", *watch.writes)
        if not watch.asked:
            return unknown(f"with {label}, no provider could be made: {answer}")
        if answer.late:
            return violated(f"with {label}, is_available() {answer}")
        # Slow once may be the machine's doing; slow each time is the provider's.
        took_s = [answer.took_s]
        while min(took_s) > AT_ONCE_S and len(took_s) < ASKED_AGAIN:
            again = _ask_in(context, f"untouched {label} {len(took_s)}", prepare)[1]
            took_s.append(float("inf") if again.late else again.took_s)
        if min(took_s) > AT_ONCE_S:
            return violated(f"with {label}, is_available() took {min(took_s):.1f} s")
    return held("nothing was written, and each answer came at once")


def _ask_in(context: Context, label: str, prepare: Callable[[Path], None]) -> tuple[Watch, Answer]:
    folder = context.folder / "available" / label.replace(" ", "-") / "home"
    with home(folder), captured_logs():
        prepare(folder)
        made = ask(context.target.make)
        if made.error is not None or made.late:
            return Watch(asked=False), made
        with watched() as watch:
            # `bool` subclasses and truthy objects are told apart by the caller.
            answer = ask(made.value.is_available)
    return watch, answer


def _name(context: Context) -> str:
    answer = ask(lambda: context.target.make().name)
    return answer.value if isinstance(answer.value, str) and answer.value else "a-provider"


def _plain_homes(context: Context) -> Iterator[tuple[str, Callable[[Path], None]]]:
    name, furnish = _name(context), context.host.furnish
    yield "an empty home", lambda _: None
    yield "a working set-up", lambda folder: furnish(folder, name)
    yield "a login that ran out", lambda folder: furnish(folder, name, stale_login=True)


def _odd_homes(context: Context) -> Iterator[tuple[str, Callable[[Path], None]]]:
    name, furnish = _name(context), context.host.furnish
    yield from _plain_homes(context)
    for what, data in ODD_FILES.items():
        yield f"{what} as config.yaml", _writer("config.yaml", data)
    yield "a folder in place of config.yaml", lambda folder: _folder_at(folder / "config.yaml")
    for value in ODD_VALUES:
        for shape in (value, {"cron": value}, {"cron": {"provider": name, name: value}}):
            yield f"config.yaml saying {shape!r}", _writer("config.yaml", _yaml(shape))
        for keys in ((key,) for key in SETTINGS):
            label = f"{keys[0]} being {value!r}"
            yield label, _after(furnish, name, _setter(name, keys, value))
        yield (
            f"settings that are all {value!r}",
            _after(furnish, name, _setter(name, SETTINGS, value)),
        )
        for login in (value, {"providers": value}, {"providers": {"nous": value}}):
            yield (
                f"auth.json saying {login!r}",
                _after(furnish, name, _writer("auth.json", json.dumps(login).encode())),
            )
    yield "auth.json that is not JSON", _after(furnish, name, _writer("auth.json", b"{"))


def _yaml(value: Any) -> bytes:
    return str(yaml.safe_dump(value)).encode()


def _writer(file: str, data: bytes) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / file).write_bytes(data)

    return write


def _after(
    furnish: Callable[[Path, str], None], name: str, then: Callable[[Path], None]
) -> Callable[[Path], None]:
    def prepare(folder: Path) -> None:
        furnish(folder, name)
        then(folder)

    return prepare


def _setter(name: str, keys: tuple[str, ...], value: Any) -> Callable[[Path], None]:
    """Change settings of the provider's own section, and leave the others as they work."""

    def change(folder: Path) -> None:
        path = folder / "config.yaml"
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        config["cron"][name].update(dict.fromkeys(keys, value))
        path.write_bytes(_yaml(config))

    return change


def _folder_at(path: Path) -> None:
    path.mkdir()
