"""Packages that a kind of spec needs: what is said where they are absent or do not import."""

import importlib
from collections.abc import Callable
from types import ModuleType

import pytest

from clearance.errors import InputError
from clearance.zoo.loaded import ModelRequest, bring, import_failure, one_line


def failing(error: Exception) -> Callable[[str], ModuleType]:
    def import_module(name: str) -> ModuleType:
        raise error

    return import_module


@pytest.mark.parametrize(
    ("error", "extra", "message"),
    [
        (ModuleNotFoundError("no", name="timm"), None, "x needs timm, which is not installed: pip install timm"),
        (ModuleNotFoundError("no", name="timm.a"), "hf", r"needs timm, .*: pip install 'clearance\[hf\]'"),
        (
            RuntimeError("operator torchvision::nms does not exist"),
            "onnx",
            r"needs timm, which imports torchvision, and the one that is installed does not go with torch 2",
        ),
        (ValueError("a\nb"), None, r"needs timm, which does not import here \(ValueError: a b\)"),
    ],
)
def test_packages_that_do_not_import(
    monkeypatch: pytest.MonkeyPatch, error: Exception, extra: str | None, message: str
):
    monkeypatch.setattr(importlib, "import_module", failing(error))
    with pytest.raises(InputError, match=f"^model: {message if message.startswith('x') else 'x ' + message}") as caught:
        bring("timm", extra=extra, spec="x")
    assert "\n" not in str(caught.value)


def test_the_cause_of_a_failing_import_may_stand_behind_it():
    """transformers says that it could not import the network's class, and not why."""
    outer = ModuleNotFoundError("Could not import module 'ViTForImageClassification'")
    assert import_failure(outer).startswith("which does not import here (ModuleNotFoundError: Could not")
    outer.__cause__ = ValueError("x")
    outer.__cause__.__context__ = RuntimeError("operator torchvision::nms does not exist")
    assert import_failure(outer).startswith("which imports torchvision, and the one that is installed does not go with")
    outer.__cause__.__context__.__cause__ = outer
    assert "torchvision" in import_failure(outer)


def test_what_does_not_go_with_a_kind_of_spec():
    request = ModelRequest("n.pt2", "n.pt2", arguments={"a": 1, "b": 2})
    request.refuse_weights()
    request.accept_arguments("a", "b")
    with pytest.raises(InputError, match=r"model-args: n\.pt2 takes none, got a, b"):
        request.accept_arguments()
    with pytest.raises(InputError, match="model-args: expected a or c, got b"):
        request.accept_arguments("a", "c")


def test_long_errors_are_cut():
    assert len(one_line(ValueError("x" * 1000))) == 300
