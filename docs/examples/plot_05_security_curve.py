"""
Robust accuracy at every radius
===============================

A table of robust accuracy has one column for each radius. Proofs and witnesses give the whole curve at once: the share
of inputs that is proved lies below it, the share that is not broken above it. What lies between is not known.
"""

import altair as alt

import clearance as cl

digits = cl.load_data("digits", count=6)
curves = []
for name in ("digits-standard", "digits-robust"):
    model = cl.load_model(name)
    proofs = cl.certify(model, digits.images, labels=digits.labels, norm="inf")
    attacks = cl.attack(model, digits.images, digits.labels, norm="inf", budget="quick")
    for radius in [step / 400 for step in range(121)]:
        proved = [proof.status.has_radius and proof.radius >= radius for proof in proofs]
        # A misclassified input counts as broken at every radius, as everywhere in robust accuracy.
        broken = [attack.method == "misclassified" or attack.distance <= radius for attack in attacks]
        curves += [
            {"network": name, "radius": radius, "bound": "proved", "share": sum(proved) / len(proofs)},
            {"network": name, "radius": radius, "bound": "not broken", "share": 1 - sum(broken) / len(attacks)},
        ]

chart = (
    alt.Chart(alt.Data(values=curves))
    .mark_line(interpolate="step-after", strokeWidth=2)
    .encode(
        x=alt.X("radius:Q", title="radius (linf, pixel values in [0, 1])"),
        y=alt.Y("share:Q", title="share of the inputs", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
        color=alt.Color("network:N", title=None, legend=alt.Legend(orient="top")),
        strokeDash=alt.StrokeDash("bound:N", title=None, sort=None, legend=alt.Legend(orient="top")),
    )
    .properties(width=420, height=240, description="Share of digits proved and not broken at each radius, two networks")
)
