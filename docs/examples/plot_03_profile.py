"""
Where the estimate comes from
=============================

The margin is what the right class is ahead by. If it can fall by at most L(s) per unit of distance at the distance s,
it lasts as far as R, where the area under L from 0 to R is the margin. The search measures L at a few distances.
"""

import altair as alt

import clearance as cl

model = cl.load_model("digits-standard")
digits = cl.load_data("digits", count=1)
(score,) = cl.clever(model, digits.images, budget="quick")
low, high = score.interval
print(f"margin {score.margin:.2f}, estimated radius {score.radius:.3f}, interval {low:.3f} to {high:.3f}")

# %%
# The shaded area equals the margin. One constant for the whole ball, its steepest value, would be used up earlier: that
# is the original CLEVER score, as Weng et al. (2018) have it.

constant = score.margin / score.by_norm.values[-1]
print(f"with one constant: {constant:.3f}")

steps = [
    {"from": start, "to": end, "steepness": value}
    for start, end, value in zip((0.0, *score.levels), score.levels, score.by_norm.values, strict=False)
]
base = alt.Chart(alt.Data(values=steps))
title = "steepest fall of the margin, L(s)"
counted = [step | {"to": min(step["to"], score.radius)} for step in steps if step["from"] < score.radius]
area = (
    alt.Chart(alt.Data(values=counted))
    .mark_rect(opacity=0.25, color="#3f7fd1")
    .encode(x="from:Q", x2="to:Q", y=alt.Y("steepness:Q", title=title), y2=alt.datum(0))
)
line = base.mark_rule(strokeWidth=2.5, color="#3f7fd1").encode(
    x=alt.X("from:Q", title="distance s from the digit (l2)"), x2="to:Q", y="steepness:Q"
)
ends = [{"at": constant, "of": "one constant"}, {"at": score.radius, "of": "profile"}]
ends += [{"at": score.witness_distance, "of": "witness"}]
colours = alt.Scale(range=["#8a8f98", "#3f7fd1", "#d1495b"])
rules = (
    alt.Chart(alt.Data(values=ends))
    .mark_rule(strokeDash=[4, 3], strokeWidth=2)
    .encode(x="at:Q", color=alt.Color("of:N", title="ends at", sort=None, scale=colours))
)
chart = (area + line + rules).properties(
    width=420, height=240, description="The Lipschitz profile of a digit; the area up to the radius is the margin"
)
