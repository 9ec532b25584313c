"""The estimate: CLEVER scores of first and second order.

`clever` is the door; `samplers` find block maxima, `extremes` fits them, `ball` chooses the radius, `evidence` keeps
what was met, `scores` turns it all into a record with a `status`.
"""
