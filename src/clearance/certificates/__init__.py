"""Certificates: radii within which it is proved that no adversarial example lies.

`certify` is the public function. Each method is one function in a file of its name, from a `VerificationProblem` to one
`Proof` for each input; `table.CERTIFICATES` lists them. `translate` reads the network with `torch.fx` into a `Graph` of
operations whose bounds are known (one file for each family of layers, in `layers/`); whatever else a network holds
makes the status `unsupported`, with its name.

    a new certificate          one file beside `operator_norms.py`, one line in `table.py`
    a new layer or function    its file in `layers/`, one line in `layers/table.py`

Names are imported when they are first used: `clearance.certificates.table` can be read without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clearance.records import on_first_use

if TYPE_CHECKING:
    from clearance.certificates.best import certify
    from clearance.certificates.certificate import Certificate, CertificateStatus

__all__ = ["Certificate", "CertificateStatus", "certify"]

_HOMES = {"Certificate": "certificate", "CertificateStatus": "certificate", "certify": "best"}
"""In which module each public name is defined."""


__getattr__ = on_first_use(__name__, _HOMES)
"""Its public names are imported when they are first used."""


def __dir__() -> list[str]:
    """The public names, imported or not."""
    return sorted({*globals(), *__all__})
