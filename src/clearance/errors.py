"""Every error that Clearance raises on purpose, as one tree.

Misuse raises; poor statistics are a status on the result (see `estimates.status`). Each error also inherits the
builtin that a user would expect, so `except ValueError` keeps working.

    ClearanceError
    ├── InputError (ValueError)          an argument or an input has the wrong value
    │   ├── ShapeError                   … the wrong shape or count
    │   ├── BoundsError                  … lies outside the classifier's bounds
    │   └── TargetError                  … names a target that cannot be moved to
    ├── DtypeError (TypeError)           an input has the wrong dtype
    ├── NetworkError (RuntimeError)      the network's own answer cannot be used
    ├── EngineError (RuntimeError)       tasks cannot be computed where they were meant to be
    └── FileError (OSError)              a file is missing, damaged, or refused
        └── PickleRefusedError           … because loading it could run code
"""


class ClearanceError(Exception):
    """Base of every error that Clearance raises on purpose."""


class InputError(ClearanceError, ValueError):
    """An argument or an input has a value that cannot be used."""


class ShapeError(InputError):
    """An input, or a list that belongs to it, has the wrong shape or count."""


class BoundsError(InputError):
    """An input lies outside the bounds of its classifier."""


class TargetError(InputError):
    """A target is unknown, or is the class that the input already has."""


class DtypeError(ClearanceError, TypeError):
    """An input has a dtype that distances and gradients are not defined for."""


class NetworkError(ClearanceError, RuntimeError):
    """The network's output is not usable: wrong shape, not finite, or no backward pass."""


class EngineError(ClearanceError, RuntimeError):
    """The place where tasks are computed cannot be reached, or has not what they need."""


class FileError(ClearanceError, OSError):
    """A file is missing, damaged, or of a kind that cannot be read."""


class PickleRefusedError(FileError):
    """A file holds a pickle, which could run code when loaded."""
