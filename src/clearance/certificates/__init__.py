"""Certificates: radii within which it is proved that no adversarial example lies.

`certify` is the door. Each method is one function in the file of its name, from a `Problem` to one `Proof` per input:

    linear            an affine network: exact
    operator_norms    the product of the layers' operator norms
    one_hidden        one hidden layer: the largest gradient in a ball, in closed form
    crown             linear bounds pulled backwards through any feed-forward network
    exact             a tiny ReLU network: integer programs (l1, linf) and a search over regions (l2)
    auto_lirpa        auto_LiRPA's bounds, where it is installed

`translate` reads the network with `torch.fx` into a `Graph` of operations whose bounds are known; whatever else a
network holds makes the status `unsupported`, with its name.
"""

from clearance.certificates.best import certify
from clearance.certificates.certificate import Certificate, CertificateStatus

__all__ = ["Certificate", "CertificateStatus", "certify"]
