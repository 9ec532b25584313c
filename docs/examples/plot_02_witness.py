"""
Look at an adversarial example
==============================

The attack distance is a fact because there is a picture to show: an input at that distance which the network reads as
another class. Here it is for one digit, in two norms.
"""

import altair as alt

import clearance as cl

model = cl.load_model("digits-standard")
digits = cl.load_data("digits", count=1)
witnesses = {
    norm: cl.attack(model, digits.images, digits.labels, norm=norm, budget="quick")[0] for norm in ("2", "inf")
}
for norm, found in witnesses.items():
    print(f"norm {norm}: read as {found.predicted} at a distance of {found.distance:.3f} (method {found.method})")

# %%
# A small l2 distance is spent on few pixels, a small linf distance a little on all of them. Both attacks keep within
# the valid range of a pixel, 0 to 1.


def cells(image, panel):
    """One picture as rows of a chart."""
    return [
        {"panel": panel, "x": x, "y": y, "ink": float(image[0, y, x])}
        for y in range(image.shape[1])
        for x in range(image.shape[2])
    ]


values = cells(digits.images[0], f"the digit: {digits.labels[0]}")
for norm, found in witnesses.items():
    values += cells(found.adversarial, f"norm {norm}: read as {found.predicted}")
chart = (
    alt.Chart(alt.Data(values=values))
    .mark_rect()
    .encode(
        x=alt.X("x:O", axis=None),
        y=alt.Y("y:O", axis=None),
        color=alt.Color("ink:Q", scale=alt.Scale(scheme="greys", domain=[0, 1]), legend=None),
        column=alt.Column("panel:N", title=None, sort=[row["panel"] for row in values[::64]]),
    )
    .properties(width=150, height=150, description="A digit and its nearest adversarial examples in two norms")
)
