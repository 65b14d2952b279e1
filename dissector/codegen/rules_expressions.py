"""Python expressions as Lua, for functions that run once a task and not once a packet.

Lua takes 0, "" and empty lists for true, has no ``None`` in lists and no slices: where Python means something else by
the same words, a function of ``lua/python*.lua`` is called.  What has no words here is a ``TypeError`` with its place.
"""

from __future__ import annotations

import ast
import re

from dissector.codegen.rules_source import ClassView, Parameter, RuleSource, Symbol, is_bool, parameters
from dissector.codegen.rules_words import alternatives, literal, member, targets, word

#: Methods of str, list, dict and set: whatever has them at run time.
_BUILTIN_METHODS = frozenset(
    {
        "append", "extend", "remove", "get", "items", "values", "keys", "setdefault", "sort", "upper", "lower",
        "startswith", "rstrip", "lstrip", "format", "join", "replace", "rpartition", "partition", "fromkeys",
        "_replace", "index", "split", "search", "format_map", "pop"
    }
)  # fmt: skip
_FUNCTIONS = frozenset(
    {
        "any", "all", "len", "min", "max", "sum", "sorted", "next", "list", "tuple", "set", "frozenset",
        "dict", "map", "filter", "zip", "range", "isinstance", "reversed", "int", "str", "bool", "abs", "iter",
        "enumerate", "getattr", "OrderedDict", "heappush", "heappop", "heapify", "heapreplace"
    }
)  # fmt: skip
_LAZY = frozenset({"any", "all", "next"})
_TRUTHS = frozenset({"any", "all", "isinstance", "bool"})
_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_OPERATORS: dict[type[ast.operator], str] = {ast.Mult: "*", ast.Div: "/", ast.Mod: "%"}
_CALLED: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.FloorDiv: "floordiv", ast.BitOr: "union", ast.BitAnd: "common",
    ast.RShift: "shift",
}  # fmt: skip


class Expressions:
    """``symbol`` is the function, class or constant that the expressions stand in; ``known`` are its variables with
    whether they are bool."""

    def __init__(self, source: RuleSource, symbol: Symbol, known: dict[str, bool]) -> None:
        self.source = source
        self.symbol = symbol
        self.known = known

    def failure(self, node: ast.AST, why: str = "") -> TypeError:
        place = f"dissector/{self.symbol.module.replace('.', '/')}.py:{getattr(node, 'lineno', '?')}"
        return TypeError(f"{place}: {why or type(node).__name__} has no words in Lua: {ast.unparse(node)}")

    # --- truth -----------------------------------------------------------------------------------------------------

    def test(self, node: ast.expr) -> str:
        """For ``if``: true or false as Python sees it."""
        if isinstance(node, ast.BoolOp):
            sign = " and " if isinstance(node.op, ast.And) else " or "
            return f"({sign.join(map(self.test, node.values))})"
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return f"not {self.test(node.operand)}"
        return self.value(node) if self.is_truth(node) else f"py.truth({self.value(node)})"

    def is_truth(self, node: ast.expr) -> bool:
        """True for what is true, false or nil in Lua too."""
        if isinstance(node, (ast.Compare, ast.BoolOp)):
            return isinstance(node, ast.Compare) or all(map(self.is_truth, node.values))
        if isinstance(node, ast.UnaryOp):
            return isinstance(node.op, ast.Not)
        if isinstance(node, ast.Constant):
            return isinstance(node.value, bool)
        if isinstance(node, ast.Name):
            return self.known.get(node.id, False)
        if isinstance(node, ast.Attribute):
            return node.attr in self.source.booleans
        return isinstance(node, ast.Call) and self._calls_for_truth(node.func)

    def _calls_for_truth(self, function: ast.expr) -> bool:
        if isinstance(function, ast.Attribute):
            return function.attr in self.source.booleans or function.attr == "startswith"
        if not isinstance(function, ast.Name):
            return False
        symbol = self.source.resolve(self.symbol.module, function.id)
        if symbol is None:
            return function.id in _TRUTHS
        node = None if symbol in self.source.natives else self.source.definition(symbol)
        return isinstance(node, ast.FunctionDef) and is_bool(node.returns)

    # --- values ----------------------------------------------------------------------------------------------------

    def value(self, node: ast.expr) -> str:
        found = getattr(self, f"_{type(node).__name__.lower()}", None)
        if found is None:
            raise self.failure(node)
        text: str = found(node)
        return text

    def values(self, nodes: list[ast.expr]) -> str:
        return ", ".join(map(self.value, nodes))

    def _constant(self, node: ast.Constant) -> str:
        return literal(node.value)

    def _name(self, node: ast.Name) -> str:
        if node.id in self.known:
            return word(node.id)
        symbol = self.source.resolve(self.symbol.module, node.id)
        owner = self.source.classes.get(symbol) if symbol is not None else None
        if owner is not None and owner.is_enum:
            return f"py.pack({', '.join(map(literal, owner.members().values()))})"  # to be gone through
        if symbol is not None:
            return symbol.lua
        if node.id in _FUNCTIONS:
            return f"py.{node.id}"
        raise self.failure(node, "an unknown name")

    def _attribute(self, node: ast.Attribute) -> str:
        if isinstance(node.value, ast.Name) and node.value.id not in self.known:
            module = self.source.submodule(self.symbol.module, node.value.id)
            if module is not None:
                return Symbol(module, node.attr).lua
            owner = self.class_of(node.value)
            if owner is not None and owner.is_enum:
                return literal(owner.members()[node.attr])
            if owner is not None:
                return f"{self.value(node.value)}.{node.attr}"
        if node.attr == "other":
            return f"(1 - {self.value(node.value)})"  # of a Side, which is a number here
        if node.attr == "value":
            return f"py.word({self.value(node.value)})"
        return f"{self.value(node.value)}{member(node.attr)}"

    def class_of(self, node: ast.expr) -> ClassView | None:
        symbol = self._symbol(node)
        return self.source.classes.get(symbol) if symbol is not None else None

    def _symbol(self, node: ast.expr) -> Symbol | None:
        if isinstance(node, ast.Name) and node.id not in self.known:
            return self.source.resolve(self.symbol.module, node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id not in self.known:
            module = self.source.submodule(self.symbol.module, node.value.id)
            return self.source.resolve(module, node.attr) if module else None
        return None

    def _compare(self, node: ast.Compare) -> str:
        parts, left = [], node.left
        for operator, right in zip(node.ops, node.comparators, strict=True):
            parts.append(self._one_comparison(left, operator, right))
            left = right
        return parts[0] if len(parts) == 1 else f"({' and '.join(parts)})"

    def _one_comparison(self, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> str:
        if isinstance(operator, (ast.In, ast.NotIn)):
            found = f"py.has({self.value(right)}, {self.value(left)})"
            return found if isinstance(operator, ast.In) else f"not {found}"
        one, two = self.value(left), self.value(right)
        if isinstance(operator, (ast.Is, ast.IsNot)):
            return f"({one} {'==' if isinstance(operator, ast.Is) else '~='} {two})"
        if isinstance(operator, (ast.Eq, ast.NotEq)):
            sign = "" if isinstance(operator, ast.Eq) else "not "
            return f"{sign}py.same({one}, {two})"
        return f"({one} {_COMPARISONS[type(operator)]} {two})"

    def _boolop(self, node: ast.BoolOp) -> str:
        if all(map(self.is_truth, node.values[:-1])):
            sign = " and " if isinstance(node.op, ast.And) else " or "
            return f"({sign.join(map(self.value, node.values))})"
        way = "both" if isinstance(node.op, ast.And) else "either"
        found = self.value(node.values[-1])
        for one in reversed(node.values[:-1]):
            found = f"py.{way}({self.value(one)}, function() return {found} end)"
        return found

    def _unaryop(self, node: ast.UnaryOp) -> str:
        if isinstance(node.op, ast.Not):
            return f"not {self.test(node.operand)}"
        return f"-{self.value(node.operand)}"

    def _binop(self, node: ast.BinOp) -> str:
        if all(isinstance(part, (ast.BinOp, ast.Constant, ast.operator)) for part in ast.walk(node)):
            return literal(eval(compile(ast.Expression(node), "<constant>", "eval")))
        one, two, kind = self.value(node.left), self.value(node.right), type(node.op)
        if kind in _OPERATORS:
            return f"({one} {_OPERATORS[kind]} {two})"
        if kind not in _CALLED:
            raise self.failure(node)
        return f"py.{_CALLED[kind]}({one}, {two})"

    def _ifexp(self, node: ast.IfExp) -> str:
        test, body, other = self.test(node.test), self.value(node.body), self.value(node.orelse)
        if isinstance(node.body, (ast.JoinedStr, ast.Tuple, ast.List, ast.BinOp)) or (
            isinstance(node.body, ast.Constant) and node.body.value not in (None, False)
        ):
            return f"({test} and {body} or {other})"
        return f"(function() if {test} then return {body} end return {other} end)()"

    def _namedexpr(self, node: ast.NamedExpr) -> str:
        name = word(node.target.id)
        return f"(function() {name} = {self.value(node.value)} return {name} end)()"

    def _lambda(self, node: ast.Lambda) -> str:
        names = [one.arg for one in node.args.args]
        inner = self.within(names)
        return f"function({', '.join(map(word, names))}) return {inner.value(node.body)} end"

    def within(self, names: list[str]) -> Expressions:
        """The same with more variables."""
        return Expressions(self.source, self.symbol, {**self.known, **dict.fromkeys(names, False)})

    def _subscript(self, node: ast.Subscript) -> str:
        if isinstance(node.slice, ast.Slice):
            if node.slice.step is not None and ast.unparse(node.slice.step) != "-1":
                raise self.failure(node)
            if node.slice.step is not None:
                return f"py.reversed({self.value(node.value)})"
            lower, upper = node.slice.lower, node.slice.upper
            ends = [self.value(one) if one is not None else "nil" for one in (lower, upper)]
            return f"py.slice({self.value(node.value)}, {', '.join(ends)})"
        return f"py.at({self.value(node.value)}, {self.value(node.slice)})"

    # --- collections -----------------------------------------------------------------------------------------------

    def _tuple(self, node: ast.Tuple | ast.List | ast.Set) -> str:
        if not any(isinstance(one, ast.Starred) for one in node.elts):
            return f"py.pack({self.values(node.elts)})"
        parts = [
            self.value(one.value) if isinstance(one, ast.Starred) else f"py.pack({self.value(one)})"
            for one in node.elts
        ]
        return f"py.joined({', '.join(parts)})"

    _list = _tuple

    def _set(self, node: ast.Set) -> str:
        return f"py.set({self._tuple(node)})"

    def _dict(self, node: ast.Dict) -> str:
        parts = [
            f"py.items({self.value(value)})"
            if key is None
            else f"py.pack(py.pack({self.value(key)}, {self.value(value)}))"
            for key, value in zip(node.keys, node.values, strict=True)
        ]
        return f"py.dict(py.joined({', '.join(parts)}))" if parts else "py.dict()"

    def _listcomp(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp) -> str:
        inner, opening, closing = self.loops(node.generators)
        found = f"py.append(found_, {inner.value(node.elt)})"
        return f"(function() local found_ = py.pack() {opening}{found}{closing} return found_ end)()"

    _generatorexp = _listcomp

    def _setcomp(self, node: ast.SetComp) -> str:
        return f"py.set({self._listcomp(node)})"

    def _dictcomp(self, node: ast.DictComp) -> str:
        inner, opening, closing = self.loops(node.generators)
        pair = f"py.pack({inner.value(node.key)}, {inner.value(node.value)})"
        made = f"(function() local found_ = py.pack() {opening}py.append(found_, {pair}){closing} return found_ end)()"
        return f"py.dict({made})"

    def loops(self, generators: list[ast.comprehension]) -> tuple[Expressions, str, str]:
        """The loops of a comprehension: how they begin and end."""
        inner, opening, closing = self, "", ""
        for one in generators:
            names, item = targets(one.target), "item_"
            inner_next = inner.within(names)
            unpacking = inner_next.unpacking(one.target, item)
            bound = f"local {', '.join(map(word, names))} = {unpacking}"
            opening += f" for _, {item} in py.each({inner.value(one.iter)}) do {bound} "
            inner = inner_next
            tests = [inner.test(test) for test in one.ifs]
            if tests:
                opening += f"if {' and '.join(tests)} then "
                closing += " end"
            closing += " end"
        return inner, opening, closing

    def unpacking(self, target: ast.expr, value: str) -> str:
        """The values of all names of ``target``, in the order of ``targets``."""
        if isinstance(target, ast.Name):
            return value
        assert isinstance(target, ast.Tuple)
        found = []
        for index, one in enumerate(target.elts):
            found.append(self.unpacking(one, f"py.at({value}, {index})"))
        return ", ".join(found)

    # --- text ------------------------------------------------------------------------------------------------------

    def _joinedstr(self, node: ast.JoinedStr) -> str:
        parts = []
        for one in node.values:
            if isinstance(one, ast.Constant):
                parts.append(literal(one.value))
            elif isinstance(one, ast.FormattedValue) and one.format_spec is not None:
                spec = one.format_spec
                assert isinstance(spec, ast.JoinedStr)
                text = "".join(str(part.value) for part in spec.values if isinstance(part, ast.Constant))
                parts.append(self._formatted(node, self.value(one.value), text))
            elif isinstance(one, ast.FormattedValue):
                parts.append(f"py.str({self.value(one.value)})")
        return f"({' .. '.join(parts)})" if len(parts) > 1 else parts[0]

    def _formatted(self, node: ast.AST, value: str, spec: str) -> str:
        digits = re.fullmatch(r"\.(\d)f", spec)
        if digits is not None:
            return f"py.fixed({value}, {digits[1]})"
        hexadecimal = re.fullmatch(r"0(\d+)([xX])", spec)
        if hexadecimal is None:
            raise self.failure(node, f"the format {spec}")
        return f'string.format("%0{hexadecimal[1]}{hexadecimal[2]}", {value})'

    # --- calls -----------------------------------------------------------------------------------------------------

    def _call(self, node: ast.Call) -> str:
        function = node.func
        symbol = self._symbol(function)
        if symbol is not None:
            return self._call_of_symbol(node, symbol)
        if isinstance(function, ast.Attribute):
            return self._call_of_method(node, function)
        if isinstance(function, ast.Name) and function.id in _FUNCTIONS and function.id not in self.known:
            if function.id in _LAZY and isinstance(node.args[0], ast.GeneratorExp):
                return self._lazily(node, function.id, node.args[0])
            if re.fullmatch(r"next\(iter\(.+\)\)", ast.unparse(node)):
                assert isinstance(node.args[0], ast.Call)
                return f"py.first({self.value(node.args[0].args[0])})"
            return f"py.{function.id}({self._loosely(node)})"
        return f"{self.value(function)}({self._loosely(node)})"

    def _lazily(self, node: ast.Call, name: str, items: ast.GeneratorExp) -> str:
        """``any``, ``all`` and ``next`` go no farther than they have to."""
        inner, opening, closing = self.loops(items.generators)
        if name == "next":
            found, default = f"do return {inner.value(items.elt)} end", self.values(node.args[1:])
        else:
            test = inner.test(items.elt)
            found = f"if {test if name == 'any' else f'not ({test})'} then return {literal(name == 'any')} end"
            default = literal(name == "all")
        return f"(function() {opening}{found}{closing} return {default} end)()"

    def _call_of_symbol(self, node: ast.Call, symbol: Symbol) -> str:
        owner = self.source.classes.get(symbol)
        if owner is not None and owner.is_enum:
            return self.value(node.args[0])
        if owner is not None:
            return f"{symbol.lua}.new({self._arranged(node, owner.parameters)})"
        definition = None if symbol in self.source.natives else self.source.definition(symbol)
        if isinstance(definition, ast.FunctionDef):
            return f"{symbol.lua}({self._arranged(node, parameters(definition))})"
        return f"{symbol.lua}({self._loosely(node)})"

    def _pattern(self, node: ast.Call) -> str:
        """A regular expression."""
        patterns = alternatives(node.args[0])
        if patterns is None:
            raise self.failure(node, "a pattern that is not simple")
        ignores_case = any(ast.unparse(one) == "re.IGNORECASE" for one in node.args[1:])
        return f"py.pattern({literal(ignores_case)}, {', '.join(map(literal, patterns))})"

    def _call_of_method(self, node: ast.Call, function: ast.Attribute) -> str:
        name = function.attr
        if ast.unparse(function) == "re.compile":
            return self._pattern(node)
        method = self.source.method(name)
        if method is None and name in _BUILTIN_METHODS:
            arguments = self._loosely(node)
            return f"py.{name}({self.value(function.value)}{', ' if arguments else ''}{arguments})"
        if method is None:
            raise self.failure(node, "an unknown method")
        return f"{self.value(function.value)}:{name}({self._arranged(node, parameters(method)[1:])})"

    def _arranged(self, node: ast.Call, wanted: list[Parameter]) -> str:
        """Arguments in the order of the parameters."""
        given = self._positional(node)
        names = [one.name for one in wanted]
        for keyword in node.keywords:
            if keyword.arg not in names:
                raise self.failure(node, f"the argument {keyword.arg}")
            place = names.index(keyword.arg)
            given += ["nil"] * (place + 1 - len(given))
            given[place] = self.value(keyword.value)
        return ", ".join(given)

    def _positional(self, node: ast.Call) -> list[str]:
        return [
            f"py.unpack({self.value(one.value)})" if isinstance(one, ast.Starred) else self.value(one)
            for one in node.args
        ]

    def _loosely(self, node: ast.Call) -> str:
        """Keywords as one table behind the others."""
        given = self._positional(node)
        named = [
            f"{word(one.arg)} = {self.value(one.value)}" if one.arg else f"words = {self.value(one.value)}"
            for one in node.keywords
        ]
        return ", ".join([*given, f"{{ {', '.join(named)} }}"] if named else given)
