"""
A network that hides its gradients
==================================

Round the input to a few levels and its gradient is zero nearly everywhere. Attacks along the gradient fail and the
plain score soars, although the network is no more robust. The audit says so, and a stand-in for the rounding brings the
number back.
"""

import altair as alt

import clearance as cl

bare = cl.load_model("digits-standard")
digits = cl.load_data("digits", count=1)
stairs = cl.transforms.Staircase(255)
rounded = cl.Classifier(bare.network, bounds=bare.bounds, preprocessing=stairs)
repaired = cl.Classifier(bare.network, bounds=bare.bounds, preprocessing=cl.bpda(stairs))

rows = []
for name, model in {"bare": bare, "rounded": rounded, "rounded, with a stand-in": repaired}.items():
    (plain,) = cl.clever(model, digits.images, bound="ball", sampler="uniform", radius=5, blocks=20, block_size=50)
    (found,) = cl.bracket(model, digits.images, digits.labels, certificate="none", budget=2000)
    flags = [flag.code for flag in found.audit.flags if flag.severity.value != "info"]
    print(f"{name}: plain score {plain.radius:.2f}; the audit says {', '.join(flags) or 'nothing'}")
    rows.append({"network": name, "score": plain.radius, "audit": "doubts it" if found.audit.masked else "no doubt"})

# %%
# The same weights every time. Only the rounded network without a stand-in has the ball's own radius as its score: a
# number about the search, not about the network.

chart = (
    alt.Chart(alt.Data(values=rows))
    .mark_bar(height=18)
    .encode(
        x=alt.X("score:Q", title="plain CLEVER score (l2, an estimate)"),
        y=alt.Y("network:N", title=None, sort=None, axis=alt.Axis(labelLimit=200)),
        color=alt.Color("audit:N", title="the audit", scale=alt.Scale(range=["#d1495b", "#3f7fd1"])),
    )
    .properties(width=340, height=110, description="Plain scores of one network: bare, rounded, and with a stand-in")
)
