"""A network and everything that is asked of it: logits, margins, gradients, curvature, and what they cost.

`classifier` is the only door to the network; `gradients` and `curvature` are where derivatives of margins are computed.
`transforms` holds input transformations and the stand-ins for parts without a gradient (BPDA, EOT).
"""
