"""The Lipschitz profile of one digit: how fast the margin can fall at each distance, and where nothing is left of it.

    python experiments/lipschitz_profile.py                       # writes docs/figures/lipschitz_profile.svg
    python experiments/lipschitz_profile.py --image 3 --norm inf  # of another digit or norm

The classifier is the bundled `digits-standard`. All three bounds rest on the same evidence, that of one estimate; the
constant is that of the best of all balls, the largest `min(g / L(R), R)`.
"""

import argparse
from pathlib import Path

import clearance as cl
from clearance.zoo.specs import load_model

FIGURE = Path(__file__).parents[1] / "docs" / "figures" / "lipschitz_profile.svg"
CONSTANT, NORM, RADIAL = "constant L(R), one ball", "Lipschitz profile L(s)", "radial slope"
COLORS = {CONSTANT: "#d95f02", NORM: "#1b6ca8", RADIAL: "#2a9d6f"}
WIDTH, HEIGHT = 380, 260

Row = dict[str, float | str]
Curve = list[tuple[float, float]]


def estimate(image: int, norm: float) -> cl.ProfileScore:
    """The estimate of one correctly classified test digit."""
    test = cl.datasets.load("digits", count=image + 1)
    model = cl.Classifier(load_model("digits-standard").network, bounds=(0, 1))
    (score,) = cl.clever(model, test.images[image:], test.labels[image:], norm=norm)
    return score


def steps(score: cl.ProfileScore, reading: cl.Reading) -> tuple[Curve, Curve]:
    """A reading's step function, and what it leaves of the margin, up to where nothing is left."""
    ends = [level for level in score.levels if level < reading.radius] + [reading.radius]
    rates: Curve = []
    left: Curve = [(0.0, score.margin)]
    for end, value in zip(ends, reading.values, strict=False):
        start, margin = left[-1]
        rates += [(start, value), (end, value)]
        left.append((end, margin - value * (end - start)))
    return rates, left


def constant(score: cl.ProfileScore, reading: cl.Reading) -> tuple[Curve, Curve]:
    """The largest `min(g / L(R), R)` over the profile's levels: the fixed point where `L` does not jump."""
    pairs = zip(score.levels, reading.values, strict=True)
    radius, value = max((min(score.margin / value, end), value) for end, value in pairs)
    return [(0.0, value), (radius, value)], [(0.0, score.margin), (radius, score.margin - value * radius)]


def curves(score: cl.ProfileScore) -> tuple[list[Row], list[Row], list[Row]]:
    """Rows of the left panel, of the right panel, and of the radii."""
    norm, radial = score.by_norm, score.by_radial
    if norm is None or radial is None:
        raise SystemExit("this digit is misclassified")
    found = {
        CONSTANT: constant(score, norm),
        NORM: steps(score, norm),
        RADIAL: steps(score, radial),
    }
    rates = [{"s": at, "value": value, "bound": name} for name, (rate, _) in found.items() for at, value in rate]
    left = [{"s": at, "value": value, "bound": name} for name, (_, margin) in found.items() for at, value in margin]
    radii: list[Row] = []
    for name, (_, margin) in found.items():
        radius = margin[-1][0]
        radii.append({"s": radius, "value": 0.0, "bound": name})
        print(f"{name}: {radius:.3f}")
    print(f"margin {score.margin:.2f}, nearest witness {score.witness_distance:.3f}")
    return rates, left, radii


def draw_figure(path: Path, score: cl.ProfileScore) -> None:
    """Two panels as SVG: the rates that the bounds allow, and what they leave of the margin."""
    import altair
    import vl_convert

    rates, left, radii = curves(score)
    color = (
        altair.Color("bound:N")
        .scale(domain=list(COLORS), range=list(COLORS.values()))
        .legend(orient="top", title=None, columnPadding=24)
    )
    reach = (
        altair.X("s:Q")
        .title(f"l{score.norm:g} distance s from the input")
        .scale(nice=False, domainMin=0)
        .axis(tickCount=7)
    )
    witness = altair.Chart(altair.Data(values=[{"s": score.witness_distance, "text": "nearest witness"}]))
    rule = witness.mark_rule(strokeDash=[4, 4], color="#555").encode(reach)
    label = witness.mark_text(angle=270, dy=-7, align="right", y=6, color="#555").encode(reach, altair.Text("text:N"))

    def panel(rows: list[Row], title: str, axis: str, **layers: altair.Chart) -> altair.LayerChart:
        value = altair.Y("value:Q").title(axis).scale(domainMin=0)
        lines = altair.Chart(altair.Data(values=rows)).mark_line(strokeWidth=2).encode(reach, value, color)
        return altair.layer(rule, label, lines, *layers.values(), title=title, width=WIDTH, height=HEIGHT)

    dots = altair.Chart(altair.Data(values=radii)).mark_point(size=70, filled=True, opacity=1)
    ends = dots.encode(reach, altair.Y("value:Q").scale(domainMin=0), color)
    first = panel(rates, "how fast the margin can fall at distance s", "rate")
    second = panel(left, "what is left of the margin: none at the radius", "margin g", ends=ends)
    svg = vl_convert.vegalite_to_svg(altair.hconcat(first, second).to_json())
    path.write_text(svg, encoding="utf-8")
    print(f"{path}: {len(svg)} bytes")


def main() -> None:
    """Read the flags and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", type=int, default=6)
    parser.add_argument("--norm", type=float, default=2.0)
    parser.add_argument("--figure", type=Path, default=FIGURE)
    chosen = parser.parse_args()
    draw_figure(chosen.figure, estimate(chosen.image, chosen.norm))


if __name__ == "__main__":
    main()
