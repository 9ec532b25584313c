"""
What more passes buy
====================

``budget`` is the number of forward and backward passes that an input may cost. More of them find steeper places, so the
estimate falls, and its interval tightens.
"""

import altair as alt

import clearance as cl

model = cl.load_model("digits-standard")
digits = cl.load_data("digits", count=1)
rows = []
for budget in (400, 800, 1600, 3200, 6400):
    (score,) = cl.clever(model, digits.images, budget=budget)
    low, high = score.interval
    print(
        f"{budget:5} passes: {score.radius:.3f}, interval {low:.3f} to {high:.3f}, witness {score.witness_distance:.3f}"
    )
    rows.append({"passes": budget, "low": low, "high": high, "witness": score.witness_distance})

# %%
# Blue: the estimate, at the upper end of its interval. Red: the nearest witness that the search met. The interval says
# where the estimate of a search 25 times as long would lie. It is no confidence interval for the true distance: a steep
# place that no search meets is in no interval.

x = alt.X("passes:O", title="passes (budget)", axis=alt.Axis(labelAngle=0))
base = alt.Chart(alt.Data(values=rows)).encode(x=x)
scale = alt.Scale(zero=False)
interval = base.mark_bar(width=14, opacity=0.35, color="#3f7fd1").encode(
    y=alt.Y("low:Q", title="distance (l2)", scale=scale), y2="high:Q"
)
estimate = base.mark_point(filled=True, size=80, color="#3f7fd1", opacity=1).encode(y=alt.Y("high:Q", scale=scale))
witness = base.mark_point(filled=True, size=80, shape="triangle-down", color="#d1495b", opacity=1).encode(y="witness:Q")
chart = (interval + estimate + witness).properties(
    width=360, height=240, description="Estimate with its interval, and witness, against the number of passes"
)
