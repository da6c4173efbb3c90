"""Scenario files: YAML in, YAML out, every mistake with its file and line.

The YAML is that of version 1.2 where it matters: `on` and `no` are words, `12:30` is text and
instants stay text, so that nothing is silently turned into something else.
"""

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from simulator.scenario import Scenario
from simulator.scenario_base import say_mistake

__all__ = ["ScenarioError", "load_scenario", "parse_scenario", "scenario_files", "to_yaml"]


class ScenarioError(ValueError):
    """A scenario file that cannot be used. One line a mistake: FILE:LINE: what."""


_WORDS = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_WHOLE = re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$")


class _Loader(yaml.SafeLoader):
    """Reads plain scalars as YAML 1.2 would. What repeats itself could grow without an end."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse a reference to what is said elsewhere in the file."""
        if self.check_event(yaml.AliasEvent):
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(
                problem=f"*{event.anchor} repeats what stands elsewhere; write it out",
                problem_mark=event.start_mark,
            )
        return super().compose_node(parent, index)


class _Dumper(yaml.SafeDumper):
    """Quotes only what `_Loader` would take for something else, and writes all of it out."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Write what is said twice twice."""
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Indent lists inside mappings, as people do."""
        super().increase_indent(flow, indentless=False)


for _tool in (_Loader, _Dumper):
    _tool.yaml_implicit_resolvers = {}
    _tool.add_implicit_resolver("tag:yaml.org,2002:bool", _WORDS, list("tTfF"))
    _tool.add_implicit_resolver("tag:yaml.org,2002:int", _WHOLE, list("-+0123456789"))
    _tool.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?[0-9]+\.[0-9]+(?:[eE][-+]?[0-9]+)?$"),
        list("-+0123456789"),
    )
    _tool.add_implicit_resolver(
        "tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
    )


def load_scenario(path: str | Path) -> Scenario:
    """Read one scenario file; its name must be the file's stem.

    Raises:
        ScenarioError: Cannot be read, is not YAML, or does not say a scenario.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from error
    scenario = parse_scenario(text, source=str(path))
    if scenario.name != path.stem:
        line = _line(_compose(text, str(path)), ("name",))
        raise ScenarioError(
            f"{path}:{line}: name is {scenario.name!r}, but the file is {path.stem!r}; "
            "make them equal"
        )
    return scenario


def parse_scenario(text: str, *, source: str = "<text>") -> Scenario:
    """Read a scenario from YAML text.

    Args:
        text: The YAML.
        source: What stands for the file in messages.

    Raises:
        ScenarioError: With one line `SOURCE:LINE: what is wrong` for each mistake.
    """
    root = _compose(text, source)
    data = _build(root, source)
    if not isinstance(data, dict):
        raise ScenarioError(f"{source}:1: a scenario is a mapping with name, start, lasts, ...")
    try:
        return Scenario.model_validate(data)
    except ValidationError as error:
        raise ScenarioError(_explain(error, root, source)) from error


def scenario_files(folder: str | Path) -> list[Path]:
    """The scenario files of a folder, by name."""
    return sorted(Path(folder).glob("*.yaml"))


def to_yaml(scenario: Scenario) -> str:
    """The scenario as a file that `parse_scenario` reads back to an equal one."""
    return yaml.dump(
        scenario.plain(),
        Dumper=_Dumper,
        sort_keys=False,
        default_flow_style=None,
        allow_unicode=True,
        width=100,
    )


def _compose(text: str, source: str) -> yaml.Node:
    """The tree of nodes, which know their lines."""
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ScenarioError(f"{source}:{line}: not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ScenarioError(f"{source}:1: not YAML: {error}") from error
    except RecursionError as error:
        raise ScenarioError(f"{source}:1: nested too deeply for a scenario") from error
    if root is None:
        raise ScenarioError(f"{source}:1: empty; a scenario has name, start, lasts, ...")
    return root


def _build(node: yaml.Node, source: str) -> Any:
    """The plain value of a node. Unlike PyYAML's own, it refuses a key that stands twice."""
    if isinstance(node, yaml.MappingNode):
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise ScenarioError(f"{source}:{line}: a key must be a word")
            key = str(key_node.value)
            if key in result:
                raise ScenarioError(f"{source}:{line}: key {key!r} stands twice")
            result[key] = _build(value_node, source)
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, source) for item in node.value]
    loader = _Loader("")
    try:
        return loader.construct_object(node)
    except yaml.MarkedYAMLError as error:
        raise ScenarioError(f"{source}:{node.start_mark.line + 1}: {error.problem}") from error
    finally:
        loader.dispose()


def _line(node: yaml.Node, place: tuple[int | str, ...]) -> int:
    """The line of the deepest node on the way to `place`; what is not in the file is passed."""
    line = node.start_mark.line + 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            for key_node, value_node in node.value:
                if key_node.value == part:
                    line, node = key_node.start_mark.line + 1, value_node
                    break
        elif (
            isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value)
        ):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


# How the scenario as a whole names the part that it complains about.
_PLACE = re.compile(r"^((?:[a-z]+)(?:[.][a-z]+|\[[0-9]+\])*): ")


def _explain(error: ValidationError, root: yaml.Node, source: str) -> str:
    """One line for each mistake, in the file's order."""
    found: dict[tuple[int, str], None] = {}
    for problem in error.errors(include_url=False):
        place: tuple[int | str, ...] = problem["loc"]
        said = say_mistake(problem)
        if problem["type"] == "unknown_key":
            place = (*place, problem["ctx"]["key"])
        elif not place and (named := _PLACE.match(said)):
            words = re.findall(r"[a-z]+|[0-9]+", named[1])
            place = tuple(int(word) if word.isdigit() else word for word in words)
            said = said[named.end() :]
        found[_line(root, place), said] = None
    return "\n".join(f"{source}:{line}: {said}" for line, said in sorted(found))
