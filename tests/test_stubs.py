"""python/lamina/_core.pyi says what the compiled module has."""

import ast

import pytest
import regenerate_stubs


def outline(tree: ast.AST, prefix: str = "") -> set[str]:
    """Every class, function with its argument names, and attribute, without the types.

    How a type is spelled depends on the versions of pybind11 and its stub generator; names do not.
    """
    found = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            found |= {prefix + node.name} | outline(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            found.add(f"{prefix}{node.name}({', '.join(a.arg for a in arguments)})")
        elif isinstance(node, ast.AnnAssign):
            found.add(prefix + ast.unparse(node.target))
    return found


def test_stub_is_up_to_date() -> None:
    pytest.importorskip("pybind11_stubgen")
    installed = outline(ast.parse(regenerate_stubs.generate()))
    committed = outline(ast.parse(regenerate_stubs.STUB.read_text(encoding="utf-8")))
    assert installed == committed, "run `python tests/regenerate_stubs.py` and commit the result"
