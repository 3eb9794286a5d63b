"""Digests of the code that a trial runs, one for each function.

They tell whether two records were made by the same code. They are part of a trial's identity only if the code has no released
version. Changes without effect on results do not change a digest: imports and the names that they bind, comments, docstrings,
annotations, formatting, and the module in which a function is. Source files are parsed, not imported.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
import tokenize
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType

from ferbench.hashing import digest

CORE = (
    "ferbench.interfaces", "ferbench.randomness", "ferbench.blocks", "ferbench.protocols", "ferbench.factors", "ferbench.data",
    "ferbench.training", "ferbench.evaluation", "ferbench.execution.setup", "ferbench.execution.trial",
)  # fmt: skip
"""Packages of the core whose code determines the result of a trial."""

Functions = Mapping[str, str]
"""Digest of each function, class body and constant, by "module:name"."""

PLUGIN_FILE = "ferbench_file_"
"""How the module of a file given with `--plugin` begins."""


def functions_of(modules: Iterable[str]) -> dict[str, str]:
    """Digests of the code of some modules and of what they import: from their own packages, from our plugins, and for a plugin
    file from the modules beside it. Of a module that this process has loaded it is the code that runs, not an edit made since.

    Returns:
        Digests by "module:name", sorted. Modules without a source file are ignored.
    """
    digests: dict[str, str] = {}
    for name, (_, module) in _reached(modules).items():
        digests |= {f"{name}:{unit}": _short(_with_imports(text, module)) for unit, text in module.units.items()}
    return dict(sorted(digests.items()))


def _reached(modules: Iterable[str]) -> dict[str, tuple[Path, _Module]]:
    """File and running code of some modules and of what they import, as `functions_of` says."""
    waiting = list(modules)
    packages = {name.partition(".")[0] for name in waiting} - {"ferbench"}
    found: dict[str, tuple[Path, _Module]] = {}
    while waiting:
        name = waiting.pop()
        path = source(name)
        if name in found or path is None:
            continue
        module = _running(path, name)
        found[name] = path, module
        for other in module.imports:
            root = other.partition(".")[0]
            if root in packages or root.startswith("ferbench_") or _beside(root, path, name):
                packages.add(root)
                waiting.append(other)
    return found


_RUNNING: dict[str, tuple[ModuleType | None, _Module]] = {}
"""What modules were, and the code of their files, when `functions_of` saw them first; None for one that was not loaded."""


def _running(path: Path, name: str) -> _Module:
    """The code of a module: of one that is loaded, what its file had when it was first seen."""
    loaded, code = sys.modules.get(name), _read(path, name, path.stat().st_mtime_ns)
    before = _RUNNING.get(name)
    if before is not None and loaded is not None and before[0] in (None, loaded):
        code = before[1]
    _RUNNING[name] = (loaded, code)
    return code


def edited(modules: Iterable[str]) -> list[Path]:
    """Files whose code was changed since this process loaded them: of the core, of some modules and of what they import."""
    used = [module for package in CORE for module in package_modules(package)] + list(modules)
    return sorted(
        path
        for name, (path, code) in _reached(used).items()
        if name in sys.modules and _read(path, name, path.stat().st_mtime_ns).units != code.units
    )


def _beside(root: str, path: Path, name: str) -> bool:
    """Whether a module is imported from the folder of a plugin file (`--plugin`)."""
    if not name.startswith(PLUGIN_FILE):
        return False
    other = source(root)
    if other is None:
        return False
    return (other.parent.parent if other.name == "__init__.py" else other.parent) == path.parent


def imported_beside(path: Path) -> list[Path]:
    """A plugin file, and the files of its folder that it imports, that these import, and so on."""
    waiting, found = [path], {path}
    while waiting:
        file = waiting.pop()
        name = ".".join(file.relative_to(path.parent).with_suffix("").parts).removesuffix(".__init__")
        for other in _read(file, name, file.stat().st_mtime_ns).imports:
            parts = other.split(".")
            for length in range(1, len(parts) + 1):
                base = path.parent.joinpath(*parts[:length])
                new = {code for code in (base.with_suffix(".py"), base / "__init__.py") if code.is_file()} - found
                waiting += new
                found |= new
    return sorted(found)


@lru_cache(maxsize=1)
def core_functions() -> Mapping[str, str]:
    """Digests of the code of the packages and modules in CORE."""
    return functions_of(module for package in CORE for module in package_modules(package))


def code_digest(functions: Functions) -> str:
    """One digest of many functions. It does not depend on the names of their modules."""
    return digest(sorted([name.partition(":")[2], value] for name, value in functions.items()))


def package_modules(package: str) -> list[str]:
    """The names of a package and of all its modules, found without importing them; of a plain module, its own name."""
    origin = source(package)
    if origin is None or origin.name != "__init__.py":
        return [package]
    base = origin.parent
    names = []
    for path in sorted(base.rglob("*.py")):
        parts = [package, *path.relative_to(base).with_suffix("").parts]
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


@dataclass(frozen=True)
class _Module:
    """Normalised code.

    Attributes:
        units: source of each function, method, class body and constant by name; of all other statements together by "".
        imports: names of modules that are imported.
        own: names that are imported from the module's own package or from ferbench, with the module of each.
    """

    units: Mapping[str, str]
    imports: tuple[str, ...]
    own: Mapping[str, str]


@lru_cache(maxsize=1024)
def _read(path: Path, name: str, changed: int) -> _Module:
    """`changed`: the file's time of change, a key of the cache. A file that this Python cannot parse counts by its bytes."""
    try:
        with tokenize.open(path) as file:
            tree = ast.parse(file.read())
    except (SyntaxError, UnicodeDecodeError):
        return _Module({"": hashlib.sha256(path.read_bytes()).hexdigest()}, (), {})
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    bound, modules = _imports(tree, package)
    roots = (name.partition(".")[0], "ferbench")
    own = {
        full.rpartition(".")[2]: full.rpartition(".")[0] for full in bound.values() if full.partition(".")[0] in roots
    }
    tree = ast.fix_missing_locations(_Normalise(bound, roots).visit(tree))
    units: dict[str, str] = {}
    for unit, text in _units(tree):  # a name may be defined twice: property and setter, overloads
        units[unit] = f"{units[unit]}\n{text}" if unit in units else text
    return _Module(units, tuple(sorted(modules)), own)


def _with_imports(text: str, module: _Module) -> str:
    """The source of a unit, and a digest of each function that it uses from another module of its package: two functions of one
    name are two functions."""
    used = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)} if module.own else set()
    found = []
    for name in sorted(used & set(module.own)):
        path = source(module.own[name])
        if path is not None:
            units = _running(path, module.own[name]).units
            found += [f"{unit} {_short(code)}" for unit, code in units.items() if unit.partition(".")[0] == name]
    return "\n".join([text, *found])


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _imports(tree: ast.Module, package: str) -> tuple[dict[str, str], set[str]]:
    """(full name of each name that an import binds, names of modules that may have been imported)."""
    bound: dict[str, str] = {}
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                modules.add(alias.name)
                bound[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
            modules.add(base)
            for alias in node.names:
                modules.add(f"{base}.{alias.name}")
                bound[alias.asname or alias.name] = f"{base}.{alias.name}"
    return bound, modules


class _Normalise(ast.NodeTransformer):
    """Removes what cannot change a result, and replaces names that imports bind by their full names.

    Names from the module's own package and from ferbench are written without their module, so that they can be moved.
    """

    def __init__(self, bound: Mapping[str, str], roots: Sequence[str]) -> None:
        self.bound = bound
        self.roots = roots

    def visit_Name(self, node: ast.Name) -> ast.AST:
        full = self.bound.get(node.id)
        if full is None:
            return node
        parts = full.split(".")
        if parts[0] in self.roots:
            parts = parts[-1:]
        result: ast.expr = ast.Name(parts[0], node.ctx)
        for part in parts[1:]:
            result = ast.Attribute(result, part, node.ctx)
        return result

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.returns = None
        self._body(node)
        return self.generic_visit(node)

    visit_FunctionDef = visit_AsyncFunctionDef = _function

    def _import(self, node: ast.AST) -> ast.AST:
        return ast.Pass()

    visit_Import = visit_ImportFrom = _import

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Visit what is inside; `pass` stays only where a block has nothing else, because a block may not be empty."""
        super().generic_visit(node)
        for block in ("body", "orelse", "finalbody"):
            statements = getattr(node, block, None)
            if isinstance(statements, list) and statements:
                setattr(node, block, [part for part in statements if not isinstance(part, ast.Pass)] or [ast.Pass()])
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self._body(node)
        return self.generic_visit(node)

    def visit_Module(self, node: ast.Module) -> ast.AST:
        self._body(node)
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """`x: int = 1` becomes `x = 1`; `x: int`, a field without default, becomes `x = ...`."""
        value = node.value or ast.Constant(...)
        for kind in ("ClassVar", "InitVar", "KW_ONLY"):  # these decide which fields a dataclass has
            if kind in ast.unparse(node.annotation):
                value = ast.Call(ast.Name(kind, ast.Load()), [value], [])
        return self.generic_visit(ast.Assign([node.target], value))

    @staticmethod
    def _body(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """Remove docstrings and what only type checkers read."""
        node.body = [part for statement in node.body for part in _effective(statement)] or [ast.Pass()]


def _effective(node: ast.stmt) -> list[ast.stmt]:
    """The statements that are run in place of one."""
    if isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        return []
    if isinstance(node, ast.If) and ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING":
        negated = isinstance(node.test, ast.UnaryOp)
        return [part for statement in (node.body if negated else node.orelse) for part in _effective(statement)]
    return [node]


def _is_hookimpl(decorator: ast.expr) -> bool:
    """Whether a decorator is `hookimpl`, with or without arguments."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(called).rpartition(".")[2] == "hookimpl"


def _units(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """(name, source) of each function, method, class body and constant; all other statements together have the name "".

    Hooks are left out: what counts of the cards that they return (versions, settings, stages) is part of a trial's identity.
    """
    rest = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            methods = [part for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)]
            for method in methods:
                yield f"{node.name}.{method.name}", ast.unparse(method)
            node.body = [part for part in node.body if part not in methods] or [ast.Pass()]
            yield node.name, ast.unparse(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if not any(_is_hookimpl(decorator) for decorator in node.decorator_list):
                yield node.name, ast.unparse(node)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if node.targets[0].id != "__all__":
                yield node.targets[0].id, ast.unparse(node)
        elif not isinstance(node, ast.Pass):
            rest.append(ast.unparse(node))
    if rest:
        yield "", "\n".join(rest)


@lru_cache(maxsize=1024)
def source(name: str) -> Path | None:
    """The source file of a module, found without importing it or its parents; None if there is none."""
    root, _, rest = name.partition(".")
    loaded = sys.modules.get(root)
    if loaded is not None and getattr(loaded, "__file__", None):
        origin = str(loaded.__file__)
    else:
        try:
            spec = importlib.util.find_spec(root)
        except (ImportError, ValueError):
            return None
        if spec is None:
            return None
        folders = list(spec.submodule_search_locations or ())
        if spec.origin is None and not folders:
            return None
        origin = spec.origin or str(Path(folders[0]) / "__init__.py")  # a package without one has modules all the same
    path = Path(origin)
    if not rest:
        return path if path.suffix == ".py" and path.is_file() else None
    base = path.parent.joinpath(*rest.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None
