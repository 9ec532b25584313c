"""The table of certificates: every method that proves a radius, by name.

A new certificate is one new file with a function `prove(problem: VerificationProblem) -> list[Proof]` (copy
`operator_norms.py`) and one line here. The choices of `certify`, of `bracket` and of the command line, their help texts
and the table of docs/certificates.md are read from this table; nothing else lists the methods.

Importing this module brings in neither torch nor any of the methods.
"""

from __future__ import annotations

from dataclasses import dataclass

from clearance.errors import InputError
from clearance.records import Choice


@dataclass(frozen=True)
class Method(Choice):
    """One method that proves a radius.

    Its function takes a `VerificationProblem` and returns one `Proof` for each input; it raises `NotSupportedError`
    where it has no proof for the network or the norm.

    Attributes:
        proves: What is proved, as a formula with its source, for the docs.
        networks: For which networks there is a proof, in a few words, for the docs.
        in_best: Whether `best` tries it. The order of the table is the order in which `best` tries the methods, and of
            two equal radii the first counts.
        worth: Function from a problem to whether `best` tries it there; empty: always.
        includes: Methods whose radius its own is never below: where it applies, `best` leaves them out.
        exact: Whether its radius is the minimum distortion itself: where it applies, `best` tries nothing else.
        package: Function that raises `InputError` where a package that the method needs is not installed, as
            `package.module:name`; empty where it needs none.
        fits: Function `check(graph)` that raises `NotSupportedError` where the network is none that the method takes,
            before anything is computed; empty where it takes every network that can be translated.
    """

    proves: str
    networks: str = "any supported layers"
    in_best: bool = False
    worth: str = ""
    includes: tuple[str, ...] = ()
    exact: bool = False
    package: str = ""
    fits: str = ""

    def check_package(self) -> None:
        """Raise the error of `package` where the package that the method needs is not installed."""
        if self.package:
            Choice(self.meaning, self.package).load()()

    def is_worth(self, problem: object) -> bool:
        """Whether `best` tries it for a `VerificationProblem`."""
        return self.in_best and (not self.worth or Choice(self.meaning, self.worth).load()(problem))

    def check_graph(self, graph: object) -> None:
        """Raise the error of `fits` where the method does not take a network, a `certificates.graph.Graph`."""
        if self.fits:
            Choice(self.meaning, self.fits).load()(graph)


CERTIFICATES: dict[str, Method] = {
    "linear": Method(
        "the distance to each class boundary of an affine network, exact",
        "clearance.certificates.linear:linear",
        "the distance to each hyperplane `f_c = f_t`: `g_t / ‖∇g_t‖_q` without bounds; within bounds, the smallest "
        "radius at which the ball, cut by the bounds, reaches it. Exact",
        networks="affine",
        fits="clearance.certificates.linear:check_affine",
        in_best=True,
        exact=True,
    ),
    "sdp-crown": Method(
        "CROWN with the units of a layer bounded together, for p <= 2 (SDP-CROWN)",
        "clearance.certificates.sdp_crown:sdp_crown",
        "as `crown`, where it begins, with the inputs of each layer in their intervals and in an l2 ball as well (Chiu "
        "et al. 2025), and coefficients by gradient ascent (Xu et al. 2021); p ≤ 2",
        networks="some layer of ReLU or LeakyReLU",
        fits="clearance.certificates.sdp_crown:check_two_pieces",
        in_best=True,
        worth="clearance.certificates.sdp_crown:worth_together",
        includes=("crown",),
    ),
    "crown": Method(
        "linear bounds of each activation, propagated backwards (CROWN)",
        "clearance.certificates.crown:crown",
        "every activation between two linear functions, propagated backwards to one linear function below each margin "
        "(Zhang et al. 2018); the largest radius at which all are positive",
        in_best=True,
    ),
    "one-hidden": Method(
        "the largest gradient in a ball, for one hidden layer",
        "clearance.certificates.one_hidden:one_hidden",
        "the largest R with `R · max ‖∇g_t‖_q ≤ g_t`, the maximum over the ball bounded in closed form (Hein and "
        "Andriushchenko 2017, section 2.2)",
        networks="one layer of ReLU, LeakyReLU or softplus",
        fits="clearance.certificates.one_hidden:check_one_hidden",
        in_best=True,
    ),
    "operator-norms": Method(
        "the product of the layers' operator norms",
        "clearance.certificates.operator_norms:operator_norms",
        "`g_t / L_t`, with `L_t` from the product of the layers' operator norms and the row `J^T (e_c - e_t)` of the "
        "last one (Szegedy et al. 2013, section 4.3)",
        in_best=True,
    ),
    "exact": Method(
        "the minimum distortion of a tiny ReLU network",
        "clearance.certificates.exact:exact",
        "the minimum distortion itself, by mixed-integer programs (p = 1, ∞: Tjeng, Xiao and Tedrake 2019) or a search "
        "over regions (p = 2: Jordan, Lewis and Dimakis 2019)",
        networks="tiny ReLU networks",
        fits="clearance.certificates.exact:check_tiny",
        exact=True,
    ),
    "branch-and-bound": Method(
        "branch and bound on the signs of ReLU units, with a time limit",
        "clearance.certificates.branch_and_bound:branch_and_bound",
        "the smallest bound of the parts of the ball in which some units have a given sign, their constraints as "
        "multipliers in CROWN's backward pass (Bunel et al. 2020; Wang et al. 2021); it rises towards the nearest "
        "point of another class until the time is up",
        networks="ReLU and LeakyReLU networks",
        fits="clearance.certificates.split_bounds:check_piecewise_linear",
    ),
    "auto-lirpa": Method(
        "CROWN by the package auto_LiRPA, where it is installed",
        "clearance.certificates.auto_lirpa:auto_lirpa",
        "its CROWN bounds, our search for the radius",
        networks="what auto_LiRPA takes",
        package="clearance.certificates.auto_lirpa:import_auto_lirpa",
    ),
}
"""The methods by name, in the order in which `best` tries them: sharper ones first, since they share one time limit."""


def method_names() -> tuple[str, ...]:
    """What `method` may be: `best`, then every name of the table."""
    return ("best", *CERTIFICATES)


def best_in_words() -> str:
    """What `best` does, for help texts.

    >>> best_in_words()
    'the largest radius of linear, sdp-crown, crown, one-hidden and operator-norms, where they apply'
    """
    *first, last = (name for name, method in CERTIFICATES.items() if method.in_best)
    return f"the largest radius of {', '.join(first)} and {last}, where they apply"


def methods_in_words() -> str:
    """Every method with what it does, for `--help`.

    >>> methods_in_words().startswith("best: the largest radius of linear")
    True
    """
    return f"best: {best_in_words()}. " + " ".join(f"{name}: {m.meaning}." for name, m in CERTIFICATES.items())


def check_time_limit(seconds: float) -> None:
    """Check the seconds that a certificate may take.

    Args:
        seconds: For each input; may be infinite.

    Raises:
        InputError: If they are no positive number.
    """
    if not (isinstance(seconds, int | float) and seconds > 0):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"time_limit: expected a positive number of seconds, got {seconds!r}")
