"""
Two networks, input by input
============================

Medians hide which inputs moved. Paired points do not: above the diagonal the second network keeps its distance better.
"""

import statistics

import altair as alt

import clearance as cl

digits = cl.load_data("digits", count=9)
distances = {}
for name in ("digits-standard", "digits-robust"):
    found = cl.attack(cl.load_model(name), digits.images, digits.labels, budget="quick")
    distances[name] = [one.distance if one.success else None for one in found]

pairs = [
    {"standard": standard, "robust": robust}
    for standard, robust in zip(distances["digits-standard"], distances["digits-robust"], strict=True)
    if standard is not None and robust is not None
]
gain = statistics.median(pair["robust"] - pair["standard"] for pair in pairs)
print(
    f"{len(pairs)} digits that both read correctly; adversarial training moves the witness out by {gain:.2f} (median)"
)

# %%
# These are attack distances: facts, and upper bounds. A better attack can move a point left or down.

axes = {"scale": alt.Scale(domain=[0, 1.2]), "axis": alt.Axis(tickCount=6)}
points = (
    alt.Chart(alt.Data(values=pairs))
    .mark_point(filled=True, size=80, opacity=0.9, color="#3f7fd1")
    .encode(
        x=alt.X("standard:Q", title="attack distance, trained as usual", **axes),
        y=alt.Y("robust:Q", title="attack distance, adversarially trained", **axes),
    )
)
ends = alt.Data(values=[{"standard": 0, "robust": 0}, {"standard": 1.2, "robust": 1.2}])
diagonal = alt.Chart(ends).mark_line(strokeDash=[4, 3], color="#8a8f98").encode(x="standard:Q", y="robust:Q")
chart = (diagonal + points).properties(
    width=280, height=280, description="Attack distances of two networks for the same digits, with the diagonal"
)
