"""The Python that is written once and runs in Lua too: read with ``ast``, never imported, and only what is reached.

A symbol is what a module of ``dissector`` defines at its top.  From the roots on, names lead from symbol to symbol; of
a class those methods are taken whose names are used anywhere.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from typing import NamedTuple

_PACKAGE = "dissector"
#: Methods that the language calls by itself.
_IMPLICIT = frozenset({"__init__", "__str__", "__getitem__"})
#: A name in a text that is filled in later: ``{about.server.ip}``.
_NAMED = re.compile(r"\{([a-z_.]+)\}")

Definition = ast.FunctionDef | ast.ClassDef | ast.expr


class Symbol(NamedTuple):
    """``module`` without the package: ``session.verdict``."""

    module: str
    name: str

    @property
    def lua(self) -> str:
        return f"{self.table}.{self.name}"

    @property
    def table(self) -> str:
        """What Lua calls the module; no variable has a name like that."""
        return self.module.replace(".", "_")


@dataclass(slots=True)
class Module:
    """A module's top: what it defines, and what its imports stand for."""

    name: str
    defined: dict[str, Definition] = field(default_factory=dict)
    imported: dict[str, Symbol] = field(default_factory=dict)


class Parameter(NamedTuple):
    name: str
    default: ast.expr | None = None


class ClassView:
    """A class as translated: its fields in order, and its methods by name."""

    def __init__(self, node: ast.ClassDef, bases: Iterable[ClassView] = ()) -> None:
        self.node = node
        names = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        self.is_enum = bool(names & {"Enum", "IntEnum"})
        self.bases = [base.node.name for base in bases]
        #: Those that it defines itself, and with those of its bases.
        self.own = {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
        self.methods: dict[str, ast.FunctionDef] = {
            name: method for base in bases for name, method in base.methods.items()
        } | self.own
        self.fields: list[Parameter] = [one for base in bases for one in base.fields] + [
            Parameter(item.target.id, item.value)
            for item in node.body
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
        ]
        #: Whose annotation is bool: fields, properties and methods.
        self.booleans: set[str] = {name for base in bases for name in base.booleans}
        self.booleans |= {name for name, method in self.own.items() if is_bool(method.returns)}
        self.booleans |= {
            item.target.id
            for item in node.body
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and is_bool(item.annotation)
        }

    @property
    def parameters(self) -> list[Parameter]:
        """What its constructor takes."""
        init = self.methods.get("__init__")
        return parameters(init)[1:] if init is not None else self.fields

    def is_property(self, name: str) -> bool:
        return any(ast.unparse(one) in ("property", "cached_property") for one in self.methods[name].decorator_list)

    def members(self) -> dict[str, object]:
        """The values of an enum, by name."""
        found: dict[str, object] = {}
        for item in self.node.body:
            name = item.targets[0] if isinstance(item, ast.Assign) else None
            if isinstance(item, ast.Assign) and isinstance(name, ast.Name) and not name.id.startswith("__"):
                found[name.id] = ast.literal_eval(item.value)
        return found


def is_bool(annotation: ast.expr | None) -> bool:
    return isinstance(annotation, ast.Name) and annotation.id == "bool"


def parameters(function: ast.FunctionDef) -> list[Parameter]:
    """Positional and keyword-only ones alike: calls are written with all of them in this order."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    found = [
        Parameter(one.arg, default) for one, default in zip(positional, [*defaults, *arguments.defaults], strict=True)
    ]
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return [*found, *(Parameter(one.arg, default) for one, default in keywords)]


class RuleSource:
    """Everything that is reached from ``roots``.

    ``natives`` are symbols that are written in Lua by hand: they are known, but not looked into.  ``left_out`` are
    those that find nothing in Lua, and why.  ``methods`` are members that are asked for in Lua.  ``texts`` are modules
    that are not read from the package.
    """

    def __init__(
        self,
        roots: Iterable[Symbol],
        natives: Iterable[Symbol] = (),
        methods: Iterable[str] = (),
        texts: Mapping[str, str] | None = None,
        left_out: Mapping[Symbol, str] | None = None,
    ) -> None:
        self.left_out = dict(left_out or {})
        self.natives = frozenset((*natives, *self.left_out))
        self._modules = {name: _module(name, text) for name, text in (texts or {}).items()}
        #: Names of members that are asked for, and of those that are called.
        self._attributes = set(methods)
        self._called = {*methods, *_IMPLICIT}
        #: In the order in which they were reached.
        self.reached: dict[Symbol, Definition] = {}
        self._walked: set[tuple[Symbol, str]] = set()
        self._reach(roots)

    # --- what there is ---------------------------------------------------------------------------------------------

    def module(self, name: str) -> Module:
        if name not in self._modules:
            self._modules[name] = _read(name)
        return self._modules[name]

    def resolve(self, module: str, name: str) -> Symbol | None:
        """What ``name`` stands for in ``module``; None for builtins and what other packages have."""
        known = self.module(module)
        if name in known.defined:
            return Symbol(module, name)
        target = known.imported.get(name)
        if target is None or self.is_module(target):
            return None
        return self.resolve(target.module, target.name) or (target if target in self.natives else None)

    def is_module(self, symbol: Symbol) -> bool:
        return symbol.name == ""

    def submodule(self, module: str, name: str) -> str | None:
        """The module that ``name`` stands for in ``module``."""
        target = self.module(module).imported.get(name)
        return target.module if target is not None and self.is_module(target) else None

    def definition(self, symbol: Symbol) -> Definition:
        return self.module(symbol.module).defined[symbol.name]

    @cached_property
    def classes(self) -> dict[Symbol, ClassView]:
        known = {**self.reached, **{symbol: self.definition(symbol) for symbol in self.natives}}
        return {
            symbol: self._view(symbol.module, node) for symbol, node in known.items() if isinstance(node, ast.ClassDef)
        }

    def _view(self, module: str, node: ast.ClassDef) -> ClassView:
        """With what its bases have, those from elsewhere (``NamedTuple``) aside."""
        bases = [self.resolve(module, base.id) for base in node.bases if isinstance(base, ast.Name)]
        found = [(base, self.definition(base)) for base in bases if base is not None]
        return ClassView(node, [self._view(base.module, one) for base, one in found if isinstance(one, ast.ClassDef)])

    def depth(self, symbol: Symbol) -> int:
        """How many classes a class stands on."""
        bases = [self.resolve(symbol.module, name) for name in self.classes[symbol].bases]
        return max((1 + self.depth(base) for base in bases if base is not None), default=0)

    @cached_property
    def booleans(self) -> frozenset[str]:
        """Attributes that are bool wherever a class has them."""
        yes = {name for one in self.classes.values() for name in one.booleans}
        no = {
            name
            for one in self.classes.values()
            for name in (*one.methods, *(each.name for each in one.fields))
            if name not in one.booleans
        }
        return frozenset(yes - no)

    def method(self, name: str) -> ast.FunctionDef | None:
        """The method of that name, of whatever class has it."""
        return next((one.methods[name] for one in self.classes.values() if name in one.methods), None)

    def uses(self, view: ClassView, method: str) -> bool:
        """True for a property that is asked for, and for a method that is called."""
        return method in (self._attributes if view.is_property(method) else self._called)

    # --- reaching --------------------------------------------------------------------------------------------------

    def _reach(self, roots: Iterable[Symbol]) -> None:
        pending = list(roots)
        while pending:
            for symbol in pending:
                if symbol not in self.reached and symbol not in self.natives:
                    self.reached[symbol] = self.definition(symbol)
            pending = [
                symbol
                for reached, node in list(self.reached.items())
                for symbol in self._leads_to(reached, node)
                if symbol not in self.reached and symbol not in self.natives
            ]

    def _leads_to(self, symbol: Symbol, node: Definition) -> Iterator[Symbol]:
        for key, part in self._parts(symbol, node):
            if (symbol, key) in self._walked:
                continue
            self._walked.add((symbol, key))
            for inner in _walk(part):
                if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute):
                    self._called.add(inner.func.attr)
                if isinstance(inner, ast.Attribute):
                    self._attributes.add(inner.attr)
                    module = (
                        self.submodule(symbol.module, inner.value.id) if isinstance(inner.value, ast.Name) else None
                    )
                    found = self.resolve(module, inner.attr) if module else None
                elif isinstance(inner, ast.Name):
                    found = self.resolve(symbol.module, inner.id)
                elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                    self._attributes.update(name for one in _NAMED.findall(inner.value) for name in one.split("."))
                    continue
                else:
                    continue
                if found is not None:
                    yield found

    def _parts(self, symbol: Symbol, node: Definition) -> Iterator[tuple[str, ast.AST]]:
        if not isinstance(node, ast.ClassDef):
            yield "", node
            return
        view = self._view(symbol.module, node)
        if view.is_enum:
            return
        for one in view.fields:
            if one.default is not None:
                yield f"field {one.name}", one.default
        for base in node.bases:
            if isinstance(base, ast.Name):
                yield f"base {base.id}", base
        for name, method in view.own.items():
            if self.uses(view, name):
                yield name, method


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but annotations and decorators."""
    yield node
    if isinstance(node, ast.FunctionDef):
        arguments = node.args
        children: list[ast.AST] = [*node.body, *arguments.defaults, *(one for one in arguments.kw_defaults if one)]
    elif isinstance(node, ast.AnnAssign):
        children = [node.target, *([node.value] if node.value else [])]
    else:
        children = list(ast.iter_child_nodes(node))
    for child in children:
        yield from _walk(child)


def _read(name: str) -> Module:
    path = files(_PACKAGE)
    for part in name.split("."):
        path = path / part
    text = path.with_suffix(".py").read_text(encoding="utf-8")  # type: ignore[attr-defined]
    return _module(name, text)


def _module(name: str, text: str) -> Module:
    found = Module(name)
    for node in ast.parse(text).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.defined[node.name] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found.defined[node.target.id] = node.value
        elif isinstance(node, ast.Assign):
            found.defined.update(_assigned(node))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_PACKAGE):
            found.imported.update(_imported(node))
    return found


def _assigned(node: ast.Assign) -> Iterator[tuple[str, ast.expr]]:
    for target in node.targets:
        if isinstance(target, ast.Name):
            yield target.id, node.value
        elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            for one, value in zip(target.elts, node.value.elts, strict=True):
                if isinstance(one, ast.Name):
                    yield one.id, value


def _imported(node: ast.ImportFrom) -> Iterator[tuple[str, Symbol]]:
    module = (node.module or "").removeprefix(_PACKAGE).removeprefix(".")
    for alias in node.names:
        within = f"{module}.{alias.name}".removeprefix(".")
        is_module = (files(_PACKAGE) / (within.replace(".", "/") + ".py")).is_file()
        yield alias.asname or alias.name, Symbol(within, "") if is_module else Symbol(module, alias.name)
