"""
One digit, three norms
======================

What counts as near is a choice. l1 adds up all changes, l2 their squares, linf takes the largest. The numbers of
different norms cannot be compared with each other; what can be compared is how tight each bracket is.
"""

import altair as alt

import clearance as cl

model = cl.load_model("digits-robust")
digits = cl.load_data("digits", count=1)
rows = []
for norm, name in ((1, "l1"), (2, "l2"), ("inf", "linf")):
    (found,) = cl.bracket(model, digits.images, digits.labels, norm=norm, budget=2000)
    print(f"{name}: {found.lower:.3f} proved, {found.radius:.3f} estimated, {found.attacked.distance:.3f} found")
    parts = {"proved": found.lower, "estimated": found.radius, "found": found.attacked.distance}
    rows += [{"norm": name, "what": what, "share": part / found.attacked.distance} for what, part in parts.items()]

# %%
# As shares of the attack distance: the gap between proof and witness is what nobody knows about this digit.

kinds = ["proved", "estimated", "found"]
chart = (
    alt.Chart(alt.Data(values=rows))
    .mark_point(filled=True, size=110, opacity=1)
    .encode(
        x=alt.X(
            "share:Q", title="share of the attack distance", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])
        ),
        y=alt.Y("norm:N", title=None),
        color=alt.Color(
            "what:N",
            title=None,
            scale=alt.Scale(domain=kinds, range=["#2a8f6d", "#3f7fd1", "#d1495b"]),
            legend=alt.Legend(orient="top"),
        ),
        shape=alt.Shape(
            "what:N", title=None, scale=alt.Scale(domain=kinds, range=["square", "circle", "triangle-left"])
        ),
    )
    .properties(
        width=420, height=120, description="Brackets of a digit in three norms, as shares of the attack distance"
    )
)
