"""
Which measurement decides?
==========================

A linear classifier for wine, on 13 measurements in 13 different units. Distances are in standard deviations of each
(``scale``), and the nearest witness says which measurements would have to move.
"""

import altair as alt
import torch
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression

import clearance as cl

wine = load_wine()
scale = torch.tensor(wine.data.std(axis=0))
fitted = LogisticRegression(max_iter=5000).fit(wine.data / scale.numpy(), wine.target)
network = torch.nn.Linear(13, 3, dtype=torch.float64)
with torch.no_grad():
    network.weight.copy_(torch.tensor(fitted.coef_) / scale)
    network.bias.copy_(torch.tensor(fitted.intercept_))
low, high = torch.tensor(wine.data.min(axis=0)), torch.tensor(wine.data.max(axis=0))
model = cl.Classifier(network, bounds=(low, high), scale=scale)

x = torch.tensor(wine.data[:1])
(found,) = cl.bracket(model, x, wine.target[:1].tolist(), norm=1, budget=2000)
print(f"proved {found.lower:.2f}, witness at {found.attacked.distance:.2f} standard deviations (l1)")

# %%
# The proof of a linear network is exact: it meets the witness. In l1 the nearest witness moves few measurements.

moved = ((found.attacked.adversarial - x[0]) / scale).tolist()
rows = [{"measurement": name, "moved": step} for name, step in zip(wine.feature_names, moved, strict=True)]
chart = (
    alt.Chart(alt.Data(values=rows))
    .mark_bar(height=12, color="#3f7fd1")
    .encode(
        x=alt.X("moved:Q", title="moved by (standard deviations)"),
        y=alt.Y("measurement:N", title=None, sort=None, axis=alt.Axis(labelLimit=220)),
    )
    .properties(width=320, height=240, description="By how much each measurement of a wine has to move")
)
