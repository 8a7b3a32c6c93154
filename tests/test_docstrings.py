"""Every public name is documented, and every example in a docstring runs."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import lamina as lm

MODULES = sorted(
    name
    for _, name, _ in pkgutil.walk_packages(lm.__path__, "lamina.")
    if not name.rpartition(".")[2].startswith(("_core", "_isa", "__main__"))
)


# Their examples need what plain `pytest` has not: the extra `callbacks`.
NEEDS_MORE = {
    "lamina.callbacks.optuna_pruning": "optuna",
    "lamina.callbacks.tensorboard": "tensorboardX",
}


@pytest.mark.parametrize("name", ["lamina", *sorted(set(MODULES) - set(NEEDS_MORE))])
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0, f"{result.failed} of {result.attempted} examples in {name} fail"


@pytest.mark.ci
@pytest.mark.parametrize("name", NEEDS_MORE)
def test_examples_run_that_need_more(name, tmp_path, monkeypatch):
    pytest.importorskip(NEEDS_MORE[name])
    test_examples_run(name, tmp_path, monkeypatch)


def public():
    for name in ["lamina", *MODULES]:
        module = importlib.import_module(name)
        for attribute in getattr(module, "__all__", []):
            yield f"{name}.{attribute}", getattr(module, attribute)


@pytest.mark.parametrize(("name", "item"), list(public()), ids=lambda value: str(value)[:60])
def test_public_names_are_documented(name, item):
    if inspect.isclass(item) or inspect.isfunction(item) or inspect.ismodule(item):
        assert inspect.getdoc(item), name
    if not inspect.isclass(item):
        return
    for attribute, member in vars(item).items():
        if not attribute.startswith("_") and (
            inspect.isfunction(member) or isinstance(member, property)
        ):
            assert inspect.getdoc(member), f"{name}.{attribute}"
