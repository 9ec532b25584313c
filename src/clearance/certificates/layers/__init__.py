"""The layers that have bounds, one file for each family, and the table of them.

    table.py           which function stands for which layer, function or method of torch
    linear.py          products with constant matrices: Linear, Conv2d, batch normalisation
    arithmetic.py      sums, and products with constants
    activations.py     ReLU, tanh and other functions of one number
    average_pool.py    means over windows or dimensions
    max_pool.py        largest values over windows
    shapes.py          reshapes, indexing, padding, concatenation

A new layer is a function in the file of its family, from a `Builder` and the layer's arguments to a value of the graph,
and one line in `table.py`. An affine step needs only its function (`Builder.affine`); any other is a class with the
methods of `operations.NonlinearOperation`.
"""
