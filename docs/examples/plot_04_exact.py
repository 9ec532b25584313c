"""
Against the exact answer
========================

Two inputs, a few ReLU units: small enough to know the minimum distance exactly, and to draw everything.
"""

import altair as alt
import torch

import clearance as cl

network = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
with torch.no_grad():
    network[0].weight.copy_(torch.tensor([[1.0, 0.6], [-0.4, 1.0], [-1.0, -0.3], [0.5, -1.2]]))
    network[0].bias.copy_(torch.tensor([0.2, 0.1, 0.3, -0.4]))
    network[2].weight.copy_(torch.tensor([[0.0, 0.0, 0.0, 0.0], [1.0, 1.3, 0.9, 1.1]]))
    network[2].bias.copy_(torch.tensor([1.3, 0.0]))
model = cl.Classifier(network)
x = torch.zeros(1, 2)

(found,) = cl.bracket(model, x, budget=2000)
(exact,) = cl.certify(model, x, method="exact")
print(f"proved      {found.lower:.4f}  by {found.certified.method}")
print(f"estimated   {found.radius:.4f}")
print(f"exact       {exact.radius:.4f}")
print(f"witness     {found.attacked.distance:.4f}")

# %%
# Inside the green circle nothing changes: that is proved. The blue circle is the estimate. The red cross is the
# witness, on the boundary of the other class (grey).

grid = torch.cartesian_prod(torch.linspace(-1.5, 1.5, 61), torch.linspace(-1.5, 1.5, 61))
classes = model.logits(grid).argmax(1)
cells = [{"x": float(a), "y": float(b)} for (a, b), k in zip(grid, classes, strict=True) if k == 1]
axes = {"scale": alt.Scale(domain=[-1.5, 1.5], nice=False), "axis": alt.Axis(grid=False, tickCount=5)}
other = (
    alt.Chart(alt.Data(values=cells))
    .mark_square(size=46, color="#a9aeb6", opacity=1)
    .encode(x=alt.X("x:Q", title=None, **axes), y=alt.Y("y:Q", title=None, **axes))
)
turn = torch.linspace(0, 2 * torch.pi, 121)
circles = [
    {"x": float(radius * a.cos()), "y": float(radius * a.sin()), "order": float(a), "radius": name}
    for name, radius in (("proved", found.lower), ("estimated", found.radius))
    for a in turn
]
colours = alt.Scale(domain=["proved", "estimated", "witness"], range=["#2a8f6d", "#3f7fd1", "#d1495b"])
rings = (
    alt.Chart(alt.Data(values=circles))
    .mark_line(strokeWidth=2)
    .encode(x="x:Q", y="y:Q", order="order:Q", color=alt.Color("radius:N", title=None, scale=colours))
)
a, b = found.attacked.adversarial.tolist()
points = [{"x": a, "y": b, "radius": "witness"}]
witness = (
    alt.Chart(alt.Data(values=points))
    .mark_point(shape="cross", size=120, filled=True, opacity=1)
    .encode(x="x:Q", y="y:Q", color=alt.Color("radius:N", scale=colours))
)
chart = (other + rings + witness).properties(
    width=320,
    height=320,
    description="The plane of a two-dimensional network: proved and estimated circle, and a witness",
)
