"""Functions, classes and constants of Python as Lua: statements around ``rules_expressions``.

A generator becomes a function that gives the list of what it yields.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from dissector.codegen.rules_expressions import Expressions
from dissector.codegen.rules_source import ClassView, Definition, RuleSource, Symbol, is_bool, parameters
from dissector.codegen.rules_words import literal, member, targets, word

_YIELDED = "yielded_"


class Function(Expressions):
    """One function of Python; ``lines`` are its Lua."""

    def __init__(self, source: RuleSource, symbol: Symbol, node: ast.FunctionDef) -> None:
        arguments = node.args
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        known = {one.arg: is_bool(one.annotation) for one in every}
        if arguments.vararg is not None:
            known[arguments.vararg.arg] = False
        self._locals = [name for name in dict.fromkeys(_bound(node)) if name not in known]
        super().__init__(source, symbol, known | dict.fromkeys(self._locals, False))
        if arguments.vararg is not None and arguments.kwonlyargs:
            raise self.failure(node, "a function with both")
        self._node = node
        self._is_generator = any(isinstance(one, (ast.Yield, ast.YieldFrom)) for one in ast.walk(node))

    def lines(self, name: str) -> Iterator[str]:
        node = self._node
        wanted = parameters(node)
        names = [word(one.name) for one in wanted]
        variable = node.args.vararg
        if variable is not None:
            names.append("...")
        yield f"{name} = function({', '.join(names)})"
        if variable is not None:
            yield f"  local {word(variable.arg)} = py.pack(...)"
        for one in wanted:
            if one.default is not None and not (isinstance(one.default, ast.Constant) and not one.default.value):
                yield f"  if {word(one.name)} == nil then {word(one.name)} = {self.value(one.default)} end"
            elif isinstance(one.default, ast.Constant) and one.default.value not in (None, False):
                yield f"  if {word(one.name)} == nil then {word(one.name)} = {literal(one.default.value)} end"
        if self._locals:
            yield f"  local {', '.join(map(word, self._locals))}"
        if self._is_generator:
            yield f"  local {_YIELDED} = py.pack()"
        yield from self._block(node.body, 1)
        if self._is_generator and not isinstance(node.body[-1], ast.Return):
            yield f"  return {_YIELDED}"
        yield "end"

    def _block(self, body: list[ast.stmt], level: int) -> Iterator[str]:
        for statement in body:
            yield from self._statement(statement, level)

    def _statement(self, node: ast.stmt, level: int) -> Iterator[str]:
        found = getattr(self, f"_do_{type(node).__name__.lower()}", None)
        if found is None:
            raise self.failure(node)
        indent = "  " * level
        for line in found(node, level):
            yield line if line.startswith(" ") else indent + line

    def _do_expr(self, node: ast.Expr, _level: int) -> Iterator[str]:
        value = node.value
        if isinstance(value, ast.Constant):
            return  # a docstring
        if isinstance(value, ast.IfExp):
            # ``yield one if test else other`` is an expression of its own; this one stands alone.
            raise self.failure(node)
        if isinstance(value, ast.Yield) and value.value is not None:
            yield f"py.append({_YIELDED}, {self.value(value.value)})"
        elif isinstance(value, ast.YieldFrom):
            yield f"py.extend({_YIELDED}, {self.value(value.value)})"
        else:
            yield self.value(value)

    def _do_return(self, node: ast.Return, _level: int) -> Iterator[str]:
        if self._is_generator:
            yield f"do return {_YIELDED} end"
        elif node.value is None:
            yield "do return end"
        else:
            yield f"do return {self.value(node.value)} end"

    def _do_if(self, node: ast.If, level: int) -> Iterator[str]:
        indent, keyword = "  " * level, "if"
        while True:
            yield f"{indent}{keyword} {self.test(node.test)} then"
            yield from self._block(node.body, level + 1)
            if len(node.orelse) == 1 and isinstance(node.orelse[0], ast.If):
                node, keyword = node.orelse[0], "elseif"
                continue
            if node.orelse:
                yield f"{indent}else"
                yield from self._block(node.orelse, level + 1)
            yield f"{indent}end"
            return

    def _do_for(self, node: ast.For, level: int) -> Iterator[str]:
        indent = "  " * level
        yield f"{indent}for _, item_ in py.each({self.value(node.iter)}) do"
        yield f"{indent}  {self._assignment(node.target, 'item_')}"
        yield from self._block(_without_continue(node.body), level + 1)
        yield f"{indent}end"

    def _do_while(self, node: ast.While, level: int) -> Iterator[str]:
        indent = "  " * level
        yield f"{indent}while {self.test(node.test)} do"
        yield from self._block(_without_continue(node.body), level + 1)
        yield f"{indent}end"

    def _do_delete(self, node: ast.Delete, _level: int) -> Iterator[str]:
        for target in node.targets:
            if not isinstance(target, ast.Subscript) or isinstance(target.slice, ast.Slice):
                raise self.failure(node)
            yield f"py.pop({self.value(target.value)}, {self.value(target.slice)})"

    def _do_break(self, _node: ast.Break, _level: int) -> Iterator[str]:
        yield "do break end"

    def _do_pass(self, _node: ast.Pass, _level: int) -> Iterator[str]:
        yield from ()

    def _do_assign(self, node: ast.Assign, _level: int) -> Iterator[str]:
        first, *others = node.targets
        if isinstance(first, ast.Tuple) and isinstance(node.value, ast.Tuple) and _is_flat(first, node.value):
            places = ", ".join(map(self._place, first.elts))
            yield f"{places} = {self.values(node.value.elts)}"
        else:
            yield self._assignment(first, self.value(node.value))
        for other in others:
            yield self._assignment(other, self._place(first))

    def _do_annassign(self, node: ast.AnnAssign, _level: int) -> Iterator[str]:
        if node.value is not None:
            yield self._assignment(node.target, self.value(node.value))

    def _do_augassign(self, node: ast.AugAssign, _level: int) -> Iterator[str]:
        target = node.target
        now = ast.parse(ast.unparse(target), mode="eval").body
        value = ast.copy_location(ast.BinOp(now, node.op, node.value), node)
        yield self._assignment(target, self.value(value))

    def _assignment(self, target: ast.expr, value: str) -> str:
        if isinstance(target, ast.Subscript) and not isinstance(target.slice, ast.Slice):
            return f"py.put({self.value(target.value)}, {self.value(target.slice)}, {value})"
        if not isinstance(target, ast.Tuple):
            return f"{self._place(target)} = {value}"
        names = targets(target)
        return f"do local from_ = {value} {', '.join(map(word, names))} = {self.unpacking(target, 'from_')} end"

    def _place(self, target: ast.expr) -> str:
        if isinstance(target, ast.Name):
            return word(target.id)
        if isinstance(target, ast.Attribute):
            return f"{self.value(target.value)}{member(target.attr)}"
        raise self.failure(target)


def _is_flat(left: ast.Tuple, right: ast.Tuple) -> bool:
    every = [*left.elts, *right.elts]
    return (
        len(left.elts) == len(right.elts)
        and not any(isinstance(one, (ast.Starred, ast.Tuple)) for one in left.elts)
        and bool(every)
    )


def _without_continue(body: list[ast.stmt]) -> list[ast.stmt]:
    """Lua has no word for it: what follows ``if test: continue`` is for when the test fails."""
    for index, one in enumerate(body):
        if isinstance(one, ast.If) and isinstance(one.body[-1], ast.Continue) and not one.orelse:
            rest = _without_continue(body[index + 1 :])
            return [*body[:index], ast.copy_location(ast.If(one.test, one.body[:-1], rest), one)]
    return body


def _bound(node: ast.FunctionDef) -> Iterator[str]:
    """Variables that the function assigns, those of comprehensions aside."""
    pending: list[ast.AST] = list(node.body)
    while pending:
        one = pending.pop(0)
        if isinstance(one, ast.Assign):
            yield from (name for target in one.targets for name in targets(target))
        elif isinstance(one, (ast.AnnAssign, ast.AugAssign, ast.For, ast.NamedExpr)):
            yield from targets(one.target)
        pending += ast.iter_child_nodes(one)


# --- all of it -----------------------------------------------------------------------------------------------------


def lines(source: RuleSource) -> Iterator[str]:
    """Lua for everything that was reached, and the table ``js.python`` with its modules."""
    names = sorted({symbol.table for symbol in (*source.reached, *source.natives)})
    yield "do"
    yield f"  local {', '.join(names)} = {', '.join('{}' for _ in names)}"
    yield f"  js.python = {{ {', '.join(f'{name} = {name}' for name in names)} }}"
    yield "  local py = js.py"
    for symbol, reason in source.left_out.items():
        yield f"  {symbol.lua} = {_nothing(source.definition(symbol))}  -- {reason}"
    for symbol, node in source.reached.items():
        if isinstance(node, ast.FunctionDef):
            yield from _indented(Function(source, symbol, node).lines(symbol.lua))
        elif isinstance(node, ast.ClassDef):
            view = source.classes[symbol]
            yield from _indented(_enum(symbol, view) if view.is_enum else _class(source, symbol, view))
    for symbol, base in _inherited(source):
        yield f"  py.inherit({symbol.lua}, {base.lua})"
    for symbol in _in_order(source):
        yield f"  {symbol.lua} = {_constant(source, symbol)}"
    yield "end"


def _nothing(node: Definition) -> str:
    """A function that finds nothing, a table without a row."""
    if not isinstance(node, ast.FunctionDef):
        return "py.pack()"
    is_list = isinstance(node.returns, ast.Subscript) and ast.unparse(node.returns.value) == "Iterator"
    return f"function() return {'py.pack()' if is_list else 'nil'} end"


def _indented(found: Iterator[str]) -> Iterator[str]:
    for line in found:
        yield f"  {line}"


def _inherited(source: RuleSource) -> list[tuple[Symbol, Symbol]]:
    """Classes with their bases, those that are bases themselves first."""
    found = [
        (symbol, base)
        for symbol, view in source.classes.items()
        for base in (source.resolve(symbol.module, name) for name in view.bases)
        if base is not None and symbol in source.reached
    ]
    return sorted(found, key=lambda pair: source.depth(pair[0]))


def _enum(symbol: Symbol, view: ClassView) -> Iterator[str]:
    """For what is written in Lua: rules have the values themselves."""
    yield f"{symbol.lua} = {{"
    yield from (f"  {name} = {literal(value)}," for name, value in view.members().items())
    yield "}"


def _class(source: RuleSource, symbol: Symbol, view: ClassView) -> Iterator[str]:
    name, expressions = symbol.lua, Expressions(source, symbol, {})
    fields = [one.name for one in view.parameters]
    yield f"{name} = py.class({{ {', '.join(literal(one) for one in fields)} }}, {{"
    for one in view.fields:
        made = _made(expressions, one.default)
        if made is not None:
            yield f'  ["{one.name}"] = function() return {made} end,'
    yield "})"
    for key, method in view.own.items():
        if key == "__init__":
            yield from Function(source, symbol, method).lines(f'{name}.members["{key}"]')
        elif source.uses(view, key):
            place = "getters" if view.is_property(key) else "members"
            yield from Function(source, symbol, method).lines(f'{name}.{place}["{key}"]')


def _made(expressions: Expressions, default: ast.expr | None) -> str | None:
    """What a field is where nobody gave it; None: nil."""
    if default is None or (isinstance(default, ast.Constant) and default.value is None):
        return None
    if isinstance(default, ast.Call) and isinstance(default.func, ast.Name) and default.func.id == "field":
        factory = default.keywords[0].value
        if isinstance(factory, ast.Lambda):
            return expressions.value(factory.body)
        if isinstance(factory, ast.Name) and factory.id in ("list", "dict", "Counter", "OrderedDict"):
            return "py.pack()" if factory.id == "list" else "py.dict()"
        return f"{expressions.value(factory)}.new()"
    return expressions.value(default)


def _in_order(source: RuleSource) -> list[Symbol]:
    """Constants, each behind those that it is made of."""
    found: list[Symbol] = []
    constants = {symbol: node for symbol, node in source.reached.items() if isinstance(node, ast.expr)}

    def add(symbol: Symbol) -> None:
        if symbol in found:
            return
        for one in ast.walk(constants[symbol]):
            used = source.resolve(symbol.module, one.id) if isinstance(one, ast.Name) else None
            if used in constants and used != symbol:
                add(used)
        found.append(symbol)

    for symbol in constants:
        add(symbol)
    return found


def _constant(source: RuleSource, symbol: Symbol) -> str:
    node: Definition = source.reached[symbol]
    assert isinstance(node, ast.expr)
    return Expressions(source, symbol, {}).value(node)
