"""A choice tape as a scenario file says it: `{seed: 7, choices: [[a#1/gateway, 2, 1s], ...]}`."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, InstanceOf, PlainSerializer

from simulator.durations import format_duration, parse_duration
from simulator.kernel.tape import Tape

__all__ = ["TapeField"]

_FORM = "a tape is {seed: 0, choices: [[task, nth, delay], ...]}, with a choice like"


def _read(data: Any) -> Any:
    """A choice without a delay lets everything go first that is ready.

    Raises:
        ValueError: No tape; says what one looks like.
    """
    if isinstance(data, Tape):
        return data
    if not isinstance(data, Mapping) or not data.keys() <= {"seed", "choices"}:
        raise ValueError(f"{_FORM} [a#1/gateway, 2, 1s]")
    try:
        choices = [
            (str(task), int(nth), *(parse_duration(delay) for delay in rest))
            for task, nth, *rest in data.get("choices", ())
        ]
        return Tape.from_data({"seed": data.get("seed", 0), "choices": choices})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{_FORM} [a#1/gateway, 2, 1s]: {error}") from error


def _say(tape: Tape) -> dict[str, Any]:
    choices = [
        [choice.task, choice.nth, format_duration(choice.delay_us)] for choice in tape.entries
    ]
    return {"seed": tape.seed, "choices": choices}


TapeField = Annotated[InstanceOf[Tape], BeforeValidator(_read), PlainSerializer(_say)]
"""The tape of a scenario."""
