"""The floors of the house (docs: C++ floors F0 to F5, then Python): every arrow goes down.

The tests read `#include` lines and `import` statements; nothing is compiled or imported.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CPP = ROOT / "cpp"
PYTHON = ROOT / "python" / "lamina"

CPP_FLOORS = ["base", "functions", "nn", "train", "io", "public", "bindings"]
PUBLIC_HEADERS = ["lamina.hpp", "predict.hpp", "train.hpp"]

# Lowest first; modules of one floor may use each other, without cycles.
PYTHON_FLOORS = [
    ["_isa"],
    [
        "_config",
        "arrow",
        "budget",
        "data",
        "files",
        "interrupts",
        "progress",
        "sparse",
        "streams",
        "tensors",
        "versions",
        "windows",
    ],
    [
        "activations",
        "constraints",
        "initializers",
        "losses",
        "metrics",
        "optimizers",
        "regularizers",
        "schedules",
    ],
    ["layers"],
    ["network", "predictor", "summary", "memory"],
    ["model"],
    ["callbacks", "diagnosis", "gradients", "heads"],
    [
        "history",
        "history_facts",
        "history_files",
        "history_layers",
        "history_lines",
        "history_plot",
        "history_record",
    ],
    ["baseline"],
    [
        "estimating",
        "finding",
        "fitting",
        "given_data",
        "measuring",
        "online",
        "streaming",
        "watching",
    ],
    ["resuming", "saving"],
    ["trainer"],
    ["examination"],
    ["checkpoint", "datasets", "plots", "table_cells", "tables_io"],
    ["sklearn", "table"],
    ["__init__"],
    ["cli"],  # a program: it may use the public API
    ["__main__"],
]


# ---- C++ ----------------------------------------------------------------------------------------


def cpp_files() -> list[Path]:
    return sorted(p for p in CPP.rglob("*") if p.suffix in {".cpp", ".hpp"})


def includes(path: Path) -> list[str]:
    """The included names: own ones as in `"lamina/nn/op.hpp"`, others in their angle brackets."""
    found = re.findall(r'^\s*#\s*include\s+(?:"([^"]+)"|(<[^>]+>))', path.read_text(), re.MULTILINE)
    return [own or other for own, other in found]


def resolve(path: Path, name: str) -> Path | None:
    """The file of this project that an include means, or None for a foreign header."""
    if name.startswith("<"):
        assert not name.startswith("<lamina"), f'{path}: write "{name[1:-1]}", not {name}'
        return None
    for candidate in (CPP / name, path.parent / name):
        if candidate.exists():
            return candidate.resolve()
    raise AssertionError(f"{path.relative_to(ROOT)} includes {name}, which is not in cpp/")


def cpp_floor(path: Path) -> str | None:
    """Name of the floor; None for programs (tests, examples), which may use everything."""
    parts = path.relative_to(CPP).parts
    if parts[0] == "bindings":
        return "bindings"
    if parts[0] != "lamina":
        return None
    return parts[1] if len(parts) > 2 else "public"


def own_includes() -> dict[Path, list[Path]]:
    return {
        path: [target for name in includes(path) if (target := resolve(path, name))]
        for path in cpp_files()
    }


def closure(start: Path, graph: dict[Path, list[Path]]) -> set[Path]:
    seen: set[Path] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting.extend(graph[path])
    return seen


def find_cycle(graph: dict) -> list | None:
    """Some cycle of the graph as a list of its nodes, or None."""
    done: set = set()

    def visit(node, trail: list) -> list | None:
        if node in trail:
            return [*trail[trail.index(node) :], node]
        if node in done:
            return None
        for target in graph.get(node, []):
            if cycle := visit(target, [*trail, node]):
                return cycle
        done.add(node)
        return None

    return next((cycle for node in graph if (cycle := visit(node, []))), None)


def test_cpp_arrows_go_down() -> None:
    graph = own_includes()
    assert graph, "no C++ files found"
    for path, targets in graph.items():
        floor = cpp_floor(path)
        if floor is None:
            continue
        assert floor in CPP_FLOORS, f"{path.relative_to(ROOT)} stands on no known floor"
        for target in targets:
            below = cpp_floor(target)
            assert below is not None, f"{path.relative_to(ROOT)} includes a test or an example"
            assert CPP_FLOORS.index(below) <= CPP_FLOORS.index(floor), (
                f"{path.relative_to(ROOT)} ({floor}) includes {target.relative_to(CPP)} ({below})"
            )


def test_cpp_includes_have_no_cycle() -> None:
    assert find_cycle(own_includes()) is None


def test_openmp_is_named_in_one_room() -> None:
    pattern = re.compile(r"#\s*pragma\s+omp|_Pragma\(\s*\"omp|<omp\.h>|\bomp_[a-z_]+\(")
    for path in cpp_files():
        if cpp_floor(path) is not None and path.stem != "parallel":
            assert not pattern.search(path.read_text()), f"{path.relative_to(ROOT)} says OpenMP"


@pytest.mark.parametrize("header", PUBLIC_HEADERS)
def test_public_headers_reach_the_standard_library_alone(header: str) -> None:
    """Neither directly nor through each other more: a user needs no Eigen, no JSON, no inside."""
    for reached in closure(CPP / "lamina" / header, own_includes()):
        assert reached.name in PUBLIC_HEADERS, f"{header} reaches {reached.relative_to(CPP)}"
        foreign = [name for name in includes(reached) if re.match(r"<.*[/.]", name)]
        assert not foreign, f"{reached.relative_to(CPP)} includes {foreign}"


def test_core_knows_nothing_of_python() -> None:
    for path in cpp_files():
        if cpp_floor(path) != "bindings":
            foreign = [name for name in includes(path) if re.match(r"<(pybind11|Python\.h)", name)]
            assert not foreign, f"{path.relative_to(ROOT)} includes {foreign}"


def test_only_array_hpp_knows_numpy() -> None:
    users = [path.name for path in cpp_files() if "<pybind11/numpy.h>" in includes(path)]
    assert set(users) <= {"array.hpp"}


# ---- Python -------------------------------------------------------------------------------------


def module_name(path: Path) -> str:
    """`trainer` for trainer.py, `datasets` for every file in datasets/."""
    return path.relative_to(PYTHON).with_suffix("").parts[0]


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING`, which only annotations use."""
    for child in ast.iter_child_nodes(node):
        if not is_type_checking(child):
            yield child
            yield from statements(child)


def imported_names(path: Path) -> set[str]:
    """Absolute dotted names, also of imports inside functions: `lamina.trainer`, `numpy`, ..."""
    package = ["lamina", *path.relative_to(PYTHON).parent.parts]
    names = set()
    for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            names |= {f"{start}.{alias.name}" for alias in node.names}
    return names


def python_targets(path: Path, modules: set[str]) -> set[str]:
    """The modules of this package that a file imports; the package itself counts as __init__."""
    targets = set()
    for name in imported_names(path):
        parts = name.split(".")
        if parts[0] == "lamina":
            known = len(parts) > 1 and parts[1] in modules
            targets.add(parts[1] if known else "__init__")
    return targets - {module_name(path)}


def python_graph() -> dict[str, set[str]]:
    paths = sorted(PYTHON.rglob("*.py"))
    graph: dict[str, set[str]] = {module_name(path): set() for path in paths}
    modules = graph.keys() | {module for floor in PYTHON_FLOORS for module in floor}
    for path in paths:
        graph[module_name(path)] |= python_targets(path, modules)
    return graph


def test_python_arrows_go_down() -> None:
    floors = {module: i for i, names in enumerate(PYTHON_FLOORS) for module in names}
    graph = python_graph()
    assert not graph.keys() - floors.keys(), "give every new module a floor in PYTHON_FLOORS"
    for module, targets in graph.items():
        for target in sorted(targets):
            assert floors[target] <= floors[module], f"lamina/{module} imports lamina/{target}"


def test_python_imports_have_no_cycle() -> None:
    assert find_cycle(python_graph()) is None


def test_only_isa_imports_a_compiled_module() -> None:
    for path in sorted(PYTHON.rglob("*.py")):
        if path.name != "_isa.py":
            compiled = [name for name in imported_names(path) if "._core" in name]
            assert not compiled, f"{path.relative_to(ROOT)}: take `core` from lamina._isa"
            assert "lamina._core_" not in path.read_text(encoding="utf-8"), path.relative_to(ROOT)


def test_import_needs_only_the_hard_dependencies() -> None:
    """At module level nothing but the standard library, numpy and tqdm is imported."""
    optional = {"matplotlib", "pandas", "polars", "sklearn", "scipy", "torch"}
    for path in sorted(PYTHON.rglob("*.py")):
        if module_name(path) == "sklearn":
            continue
        top = ast.Module(
            [
                n
                for n in ast.parse(path.read_text(encoding="utf-8")).body
                if not is_type_checking(n)
            ],
            [],
        )
        for node in ast.walk(top):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                node.body = []
        names = {
            alias.name for n in ast.walk(top) if isinstance(n, ast.Import) for alias in n.names
        }
        names |= {n.module or "" for n in ast.walk(top) if isinstance(n, ast.ImportFrom)}
        eager = {name.split(".")[0] for name in names} & optional
        assert not eager, (
            f"{path.relative_to(ROOT)} imports {eager} at module level: do it in the function"
        )
