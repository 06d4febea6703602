"""The user's own classes and functions, carried into the exported source with all that they need."""

from __future__ import annotations

import ast
import builtins
import inspect
import json
import math
import symtable
import sys
import textwrap
import types
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as functional
from torch import nn

from archwright.errors import ExportError
from archwright.space import searchable

__all__ = ["CannotWriteError", "Carried"]

FUTURE = "from __future__ import annotations\n"


class CannotWriteError(ExportError):
    """A network, or a part of it, that cannot be written as source which needs only torch."""


class Carried:
    """Definitions copied from the user's files, and the imports that they need: torch and the standard library.

    Attributes:
        imports: Import lines.
        definitions: Source by name, each after those it needs.
    """

    def __init__(self) -> None:
        self.imports: set[str] = set()
        self.definitions: dict[str, str] = {}
        # What the exported file defines and imports itself: a name of the user's must not mean another thing.
        self._objects: dict[str, Any] = {"torch": torch, "nn": nn, "F": functional, "json": json, "Path": Path}
        self._objects |= dict.fromkeys(("load", "read_weights", "DTYPES", "assemble"))

    def reference(self, thing: Any) -> str:
        """An expression for a class or function that is valid in the exported file."""
        known = torch_name(thing)
        if known:
            return known
        self.define(thing.__name__, thing)
        return str(thing.__name__)

    def define(self, name: str, thing: Any) -> None:
        """Make `name` mean `thing` in the exported file. Raises `CannotWriteError` with the reason if it can't."""
        if name in self._objects:
            if self._objects[name] is not thing:
                raise CannotWriteError(f"two different things are called {name!r}")
            return
        self._objects[name] = thing
        line = _import_line(name, thing)
        if line:
            self.imports.add(line)
        elif isinstance(thing, type(searchable(len))):
            self.define(name, thing.function)
        elif isinstance(thing, (type, types.FunctionType)):
            self._carry(name, thing)
        elif _is_literal(thing):
            self.definitions[name] = f"{name} = {thing!r}"
        elif isinstance(thing, types.ModuleType):
            raise CannotWriteError(f"it needs the module {thing.__name__!r}, and exported source needs torch alone")
        else:
            raise CannotWriteError(f"it uses {name!r}, a {type(thing).__name__} that cannot be written as source")

    def _carry(self, name: str, thing: Any) -> None:
        source, optional = _source(thing)
        home = vars(sys.modules[thing.__module__]) if thing.__module__ in sys.modules else {}
        for needed in sorted(_globals(source)):
            if needed == thing.__name__ or (needed not in home and hasattr(builtins, needed)):
                continue
            if needed not in home:
                if needed not in optional:
                    raise CannotWriteError(f"{thing.__qualname__} uses {needed!r}, which is not found in its file")
                continue
            try:
                self.define(needed, home[needed])
            except CannotWriteError:
                self._objects.pop(needed, None)
                if needed not in optional:
                    raise
        self.definitions[name] = source if name == thing.__name__ else f"{source}\n\n{name} = {thing.__name__}"


def torch_name(thing: Any) -> str | None:
    """What the exported file calls something of torch: ``torch.cat``, ``F.relu``, ``nn.Conv2d``."""
    name = getattr(thing, "__name__", "")
    for prefix, space in (("torch", torch), ("F", functional), ("nn", nn), ("nn.init", nn.init), ("math", math)):
        if name and getattr(space, name, None) is thing:
            return f"{prefix}.{name}"
    module = getattr(thing, "__module__", None) or ""
    if module.split(".")[0] == "torch" and getattr(sys.modules.get(module), name, None) is thing:
        return f"{module}.{name}"
    return None


def _import_line(name: str, thing: Any) -> str | None:
    """The import that makes `name` mean something of torch or the standard library."""
    allowed = {"torch", *sys.stdlib_module_names}
    if isinstance(thing, types.ModuleType):
        path = thing.__name__
        if path.split(".")[0] not in allowed:
            return None
        if path == name:
            return f"import {path}"
        parent, _, last = path.rpartition(".")
        if parent and last == name:
            return f"from {parent} import {name}"
        return f"import {path} as {name}"
    module = getattr(thing, "__module__", None) or ""
    own = getattr(thing, "__qualname__", getattr(thing, "__name__", ""))
    if module.split(".")[0] not in allowed or module == "__main__":
        return None
    for place in ("torch", "torch.nn", "torch.nn.functional", module):
        if own and getattr(sys.modules.get(place), own, None) is thing:
            return f"from {place} import {own}" + (f" as {name}" if name != own else "")
    return None


def _source(thing: Any) -> tuple[str, set[str]]:
    """Source without the decorator that makes it searchable, and the names that only annotations use."""
    if isinstance(thing, types.FunctionType) and thing.__closure__:
        raise CannotWriteError(f"{thing.__qualname__} is a closure: its source alone does not say what it does")
    if "<locals>" in thing.__qualname__ and isinstance(thing, types.FunctionType) and thing.__name__ == "<lambda>":
        raise CannotWriteError("it uses a lambda, which has no source of its own")
    try:
        source = textwrap.dedent(inspect.getsource(thing)).strip()
        tree = ast.parse(source)
    except (OSError, TypeError, SyntaxError) as error:
        raise CannotWriteError(f"the source of {thing.__qualname__} is not found") from error
    body = tree.body[0]
    if not isinstance(body, (ast.ClassDef, ast.FunctionDef)):
        raise CannotWriteError(f"the source of {thing.__qualname__} is not a definition")
    if any(_called(d) == "searchable" for d in body.decorator_list):
        source = "\n".join(source.splitlines()[body.lineno - 1 :])
    annotated: set[str] = set()
    for node in ast.walk(tree):
        places = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        for place in places:
            if isinstance(place, ast.AST):
                annotated |= {n.id for n in ast.walk(place) if isinstance(n, ast.Name)}
    return source, annotated - _globals(_without_annotations(tree))


def _called(decorator: ast.expr) -> str:
    inner = decorator.func if isinstance(decorator, ast.Call) else decorator
    return inner.attr if isinstance(inner, ast.Attribute) else getattr(inner, "id", "")


def _without_annotations(tree: ast.Module) -> str:
    class Remove(ast.NodeTransformer):
        def visit_arg(self, node: ast.arg) -> ast.arg:
            node.annotation = None
            return node

        def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
            node.returns = None
            return self.generic_visit(node)

        def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
            node.annotation = ast.Constant(None)
            return self.generic_visit(node)

    return ast.unparse(ast.fix_missing_locations(Remove().visit(tree)))


def _globals(source: str) -> set[str]:
    """Names that a piece of source reads from the file around it."""
    top = symtable.symtable(FUTURE + source, "<source>", "exec")
    bound = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    found: set[str] = set()

    def visit(table: symtable.SymbolTable) -> None:
        for symbol in table.get_symbols():
            outside = symbol.is_global() or table.get_type() == "module"
            if outside and symbol.is_referenced() and symbol.get_name() not in bound:
                found.add(symbol.get_name())
        for child in table.get_children():
            visit(child)

    visit(top)
    for node in ast.walk(ast.parse(source)):  # annotations: symbol tables leave them out
        for place in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(place, ast.AST):
                found |= {n.id for n in ast.walk(place) if isinstance(n, ast.Name)} - bound
    return found


def _is_literal(thing: Any) -> bool:
    try:
        return bool(ast.literal_eval(repr(thing)) == thing)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False
