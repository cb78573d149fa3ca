"""Whether RLBench's source has what the adapter `envs.rlbench.official` uses of it, without importing or running it.

    python -m benchmarks.rlbench_signatures FOLDER [--pyrep FOLDER]

FOLDER is a checkout of https://github.com/stepjam/RLBench, --pyrep names one of https://github.com/stepjam/PyRep. What
is used stands in `envs.rlbench.official_api`. The exit status is 0 if everything is there, 1 if something is not, and 2
for a folder that holds no such source.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.report import Parser, benchmark
from envs.errors import UserError
from envs.rlbench.official_api import USED

_LANDMARKS = {"rlbench": "task_environment.py", "pyrep": "errors.py"}  # a file that every version has

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Finding(NamedTuple):
    """One thing that is used: how, in which file it should be, and what is wrong with it; "" for nothing."""

    call: str
    file: str
    trouble: str


class Found(NamedTuple):
    """A class or function, and the module that defines it."""

    module: str
    node: ast.ClassDef | Function


class Source:
    """The parsed files of one package; those that are not looked at are not read."""

    def __init__(self, package: str, folder: Path) -> None:
        """folder: a checkout, or the package in it. UserError if it is neither."""
        self.package = package
        landmark = _LANDMARKS[package]
        for place in (folder / package, folder):
            if (place / landmark).is_file():
                self.folder = place
                break
        else:
            raise UserError(
                f"{folder} holds no source of {package}, {package}/{landmark} is not there; give a checkout of its "
                "repository"
            )
        self._modules: dict[str, ast.Module | None] = {}

    def file(self, module: str) -> Path:
        """The file of a module, there or not."""
        path = self.folder.joinpath(*module.split(".")[1:])
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

    def version(self) -> str:
        """What the package says of itself."""
        for node in self._body(self.package):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__":
                return str(ast.literal_eval(node.value))
        return "unknown"

    def find(self, name: str) -> Found | None:
        """The definition of a full name, imports from other modules of the package followed."""
        module, _, own_name = name.rpartition(".")
        for node in self._body(module):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == own_name:
                return Found(module, node)
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == self.package:
                for alias in node.names:
                    if (alias.asname or alias.name) == own_name:
                        return self.find(f"{node.module}.{alias.name}")
        return None

    def family(self, found: Found) -> Iterator[ast.ClassDef]:
        """A class and the classes of this package that it inherits from."""
        assert isinstance(found.node, ast.ClassDef)
        yield found.node
        for base in found.node.bases:
            parent = self.find(f"{found.module}.{ast.unparse(base)}")
            if parent is not None and isinstance(parent.node, ast.ClassDef):
                yield from self.family(parent)

    def _body(self, module: str) -> Sequence[ast.stmt]:
        if module not in self._modules:
            try:
                text = self.file(module).read_text(encoding="utf-8")
                self._modules[module] = ast.parse(text)
            except (OSError, UnicodeDecodeError, SyntaxError):
                self._modules[module] = None
        tree = self._modules[module]
        return [] if tree is None else tree.body


def compare(source: Source) -> list[Finding]:
    """Everything that is used of a package, against its source."""
    findings = []
    for name, part in USED.items():
        module, _, short = name.rpartition(".")
        if name.split(".")[0] != source.package:
            continue
        found = source.find(name)
        home = str(source.file(module if found is None else found.module).relative_to(source.folder.parent))
        findings += [Finding(call, home, trouble) for call, trouble in _compare_one(source, found, short, part)]
    return findings


def _compare_one(source: Source, found: Found | None, name: str, part: type) -> Iterator[tuple[str, str]]:
    if issubclass(part, Exception):
        yield f"except {name}", _trouble_with_exception(source, found)
        return
    for member in _parsed(part).body:
        if isinstance(member, ast.FunctionDef):
            yield _spelled(name, member), _trouble_with_call(source, found, member)
        elif isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
            attribute = member.target.id
            there = found is not None and attribute in _attributes(source, found)
            yield f"{name}.{attribute}", "" if there else "no such attribute"


def _parsed(part: type) -> ast.ClassDef:
    wanted = ast.parse(textwrap.dedent(inspect.getsource(part))).body[0]
    assert isinstance(wanted, ast.ClassDef)
    return wanted


def _trouble_with_exception(source: Source, found: Found | None) -> str:
    if found is None:
        return "not found"
    bases = {ast.unparse(base) for kind in source.family(found) for base in kind.bases}
    return "" if any(base.endswith(("Exception", "Error")) for base in bases) else "is no exception"


def _trouble_with_call(source: Source, found: Found | None, wanted: ast.FunctionDef) -> str:
    """What is wrong with calling a class, a method of it or a function as our protocol does."""
    if found is None:
        return "not found"
    if not isinstance(found.node, ast.ClassDef):
        return _trouble_with_arguments(found.node, wanted, bound=False)
    if wanted.name == "__call__":
        return "is a class and no function"
    for kind in source.family(found):
        for member in kind.body:
            if isinstance(member, (ast.FunctionDef, ast.AsyncFunctionDef)) and member.name == wanted.name:
                return _trouble_with_arguments(member, wanted, bound=True)
    plain = wanted.name == "__init__" and len(_positional(wanted, bound=True)) + len(wanted.args.kwonlyargs) == 0
    return "" if plain else "no such method"


def _trouble_with_arguments(theirs: Function, ours: ast.FunctionDef, *, bound: bool) -> str:
    positions, given = _positional(theirs, bound=bound), _positional(ours, bound=True)
    by_name = [argument.arg for argument in ours.args.kwonlyargs]
    for i, name in enumerate(given):
        if i >= len(positions):
            if theirs.args.vararg is None:
                return f"takes no {name}"
        elif positions[i] != name:
            return f"argument {i + 1} is {positions[i]} and not {name}"
    named = {*positions, *(argument.arg for argument in theirs.args.kwonlyargs)}
    for name in by_name:
        if name not in named and theirs.args.kwarg is None:
            return f"takes no {name}"
    needed = positions[: len(positions) - len(theirs.args.defaults)]
    needed += [a.arg for a, b in zip(theirs.args.kwonlyargs, theirs.args.kw_defaults, strict=True) if b is None]
    missing = [name for name in needed if name not in (*given, *by_name)]
    if missing:
        return f"wants {', '.join(missing)} too"
    count = _values(ours)
    returned = [node.value for node in ast.walk(theirs) if isinstance(node, ast.Return)]
    lengths = {len(value.elts) for value in returned if isinstance(value, ast.Tuple)}
    return "" if count is None or lengths <= {count} else f"returns {min(lengths - {count})} values and not {count}"


def _positional(function: Function, *, bound: bool) -> list[str]:
    names = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
    return names[1:] if bound else names


def _values(ours: ast.FunctionDef) -> int | None:
    """How many values our protocol expects back, if it is a tuple of them."""
    result = ours.returns
    if (
        isinstance(result, ast.Subscript)
        and ast.unparse(result.value) == "tuple"
        and isinstance(result.slice, ast.Tuple)
    ):
        return len(result.slice.elts)
    return None


def _attributes(source: Source, found: Found) -> set[str]:
    """What instances of a class have, as far as the class and those it inherits from set it themselves."""
    names: set[str] = set()
    if not isinstance(found.node, ast.ClassDef):
        return names
    for kind in source.family(found):
        for node in ast.walk(kind):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                names |= {node.attr} if ast.unparse(node.value) == "self" else set()
        for statement in kind.body:
            if isinstance(statement, ast.Assign):
                names |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                names.add(statement.target.id)
            elif isinstance(statement, ast.FunctionDef):
                names.add(statement.name)
    return names


def _spelled(name: str, member: ast.FunctionDef) -> str:
    """A call as a reader would write it."""
    by_name = [f"{argument.arg}=" for argument in member.args.kwonlyargs]
    arguments = ", ".join([*_positional(member, bound=True), *by_name])
    if member.name in ("__init__", "__call__"):
        return f"{name}({arguments})"
    count = _values(member)
    return f"{name}.{member.name}({arguments})" + ("" if count is None else f" -> {count} values")


@benchmark
def main(arguments: Sequence[str] | None) -> None:
    """Compare and print; exits with 1 if something is not there."""
    what = "Check that RLBench's source has what the adapter of backend 'official' uses."
    parser = Parser(prog="python -m benchmarks.rlbench_signatures", description=what)
    parser.add_argument("source", type=Path, help="a checkout of RLBench, or the folder rlbench in it")
    parser.add_argument("--pyrep", type=Path, help="a checkout of PyRep, to check what is used of it as well")
    options = parser.parse_args(arguments)
    sources = [Source("rlbench", options.source)]
    if options.pyrep is not None:
        sources.append(Source("pyrep", options.pyrep))
    console = Console() if sys.stdout.isatty() else Console(width=120)
    missing = 0
    for source in sources:
        findings = compare(source)
        wrong = sum(bool(finding.trouble) for finding in findings)
        table = Table(title=f"{source.package} {source.version()}: {len(findings) - wrong} of {len(findings)} found")
        for column in ("used", "file", "result"):
            table.add_column(column, overflow="fold")
        for finding in findings:
            table.add_row(finding.call, finding.file, finding.trouble or "found")
        console.print(table)
        missing += wrong
    if options.pyrep is None:
        print("What is used of pyrep was not looked at; name a checkout of it with --pyrep.")
    if missing:
        sys.exit(1)


if __name__ == "__main__":
    sys.exit(main(None))
