"""
How far can a digit move?
=========================

Five digits and a small classifier that comes with the package. For each digit: how far it may move without a change of
class (proved), how far it probably may (estimated), and where the class does change (a witness).
"""

import altair as alt

import clearance as cl

model = cl.load_model("digits-standard")
digits = cl.load_data("digits", count=5)
brackets = cl.bracket(model, digits.images, digits.labels, budget=2000)

for place, found in enumerate(brackets):
    if found.status.has_number:
        witness = found.attacked.distance
        print(f"digit {place}: {found.lower:.3f} proved, {found.radius:.3f} estimated, {witness:.3f} found")
    else:
        print(f"digit {place}: {found.status.value}")

# %%
# A distance of .5 is one pixel halfway from black to white. The second digit is misread to begin with, so there is
# nothing to measure. No number stands for another: only the proof is a bound, and the estimate may be too large.

rows = [
    {"digit": f"digit {place}", "proved": found.lower, "estimated": found.radius, "found": found.attacked.distance}
    for place, found in enumerate(brackets)
    if found.status.has_number
]
base = alt.Chart(alt.Data(values=rows)).encode(y=alt.Y("digit:N", title=None))
span = base.mark_rule(strokeWidth=2).encode(
    x=alt.X("proved:Q", title="distance (l2, pixel values in [0, 1])"), x2="found:Q"
)
kinds = alt.Scale(domain=["proved", "estimated", "found"], range=["#2a8f6d", "#3f7fd1", "#d1495b"])
shapes = alt.Scale(domain=["proved", "estimated", "found"], range=["square", "circle", "triangle-left"])
marks = (
    base.transform_fold(["proved", "estimated", "found"], as_=["what", "distance"])
    .mark_point(filled=True, size=90, opacity=1)
    .encode(
        x="distance:Q",
        color=alt.Color("what:N", title=None, scale=kinds, legend=alt.Legend(orient="top")),
        shape=alt.Shape("what:N", title=None, scale=shapes),
    )
)
chart = (span + marks).properties(
    width=420, height=170, description="Proved radius, estimated radius and attack distance of four digits"
)
