import inspect

import pytest

from clearance import errors

BUILTINS = {
    "InputError": ValueError,
    "ShapeError": ValueError,
    "BoundsError": ValueError,
    "TargetError": ValueError,
    "DtypeError": TypeError,
    "NetworkError": RuntimeError,
    "EngineError": RuntimeError,
    "FileError": OSError,
    "PickleRefusedError": OSError,
}
CLASSES = {
    name: kind for name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__
}


def test_every_error_is_covered_here():
    assert set(CLASSES) - {"ClearanceError"} == set(BUILTINS)


@pytest.mark.parametrize(("name", "builtin"), BUILTINS.items())
def test_error_is_caught_as_ours_and_as_the_builtin(name: str, builtin: type[Exception]):
    for caught in (errors.ClearanceError, builtin):
        with pytest.raises(caught, match="expected 1, got 2"):
            raise CLASSES[name]("expected 1, got 2")


def test_message_is_the_text_alone():
    # OSError prints errno and file name where it is given more than one argument.
    assert str(errors.FileError("a.npz: no such file")) == "a.npz: no such file"


def test_the_docstring_shows_the_tree():
    for name, kind in CLASSES.items():
        assert name in (errors.__doc__ or ""), name
        assert kind.__doc__


def test_refinements_keep_their_parent():
    assert issubclass(errors.PickleRefusedError, errors.FileError)
    assert {errors.ShapeError, errors.BoundsError, errors.TargetError} <= set(errors.InputError.__subclasses__())
