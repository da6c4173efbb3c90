"""What survived, held against the written arguments. Knows nothing of the tool that broke the code.

survivors.toml has an entry for each reason: `why`, the `module`, and the `mutants` that it speaks
for, each as [function, the line as it was, the line that survived].
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

KILLED = {"killed", "timeout", "segfault"}
SURVIVED = {"survived", "no tests"}

Key = tuple[str, str, str, str]
"""Module, function, the lines as they were, the lines as they became."""

_LITERAL = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""")
_SENTENCE = re.compile(r"[a-z]{2,} [a-z]{2,}", re.IGNORECASE)


@dataclass(frozen=True)
class Mutant:
    """One small edit and what the tests made of it, in mutmut's words."""

    module: str
    function: str
    was: str
    became: str
    status: str

    @property
    def key(self) -> Key:
        return self.module, self.function, self.was, self.became


@dataclass
class Row:
    """A module's line of the table. What is `open` has no argument; `unjudged` never ran."""

    module: str
    mutants: int = 0
    killed: int = 0
    wording: int = 0
    argued: int = 0
    open: list[Mutant] = field(default_factory=list)
    unjudged: list[Mutant] = field(default_factory=list)


def arguments(text: str) -> Counter[Key]:
    """The mutants that survivors.toml speaks for, and how often each may survive.

    Raises:
        ValueError: an entry gives no reason, or speaks for nothing.
    """
    found: Counter[Key] = Counter()
    for entry in tomllib.loads(text).get("equivalent", []):
        if not entry.get("why", "").strip() or not entry.get("mutants"):
            raise ValueError(f"an argument needs a why and its mutants: {entry}")
        found.update((entry["module"], *mutant) for mutant in entry["mutants"])
    return found


def judge(
    modules: Sequence[str], mutants: Iterable[Mutant], argued: Counter[Key]
) -> tuple[list[Row], list[Key]]:
    """The table, and the arguments of these modules that no survivor needs any more."""
    rows = {module: Row(module) for module in modules}
    left = Counter({key: count for key, count in argued.items() if key[0] in rows})
    for mutant in mutants:
        row = rows[mutant.module]
        row.mutants += 1
        if mutant.status in KILLED:
            row.killed += 1
        elif mutant.status not in SURVIVED:
            row.unjudged.append(mutant)
            left[mutant.key] -= 1  # it may survive yet
        elif left[mutant.key] > 0:
            left[mutant.key] -= 1
            row.argued += 1
        elif is_wording(mutant):
            row.wording += 1
        else:
            row.open.append(mutant)
    return list(rows.values()), sorted(left.elements())


def is_wording(mutant: Mutant) -> bool:
    """Whether only the words of a sentence differ: it is for people, and says the same."""
    return mutant.was != mutant.became and _unworded(mutant.was) == _unworded(mutant.became)


def _unworded(line: str) -> str:
    return _LITERAL.sub(lambda found: '""' if _SENTENCE.search(found[0]) else found[0], line)
