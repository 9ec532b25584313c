"""The layers that have bounds, one file for each family, and the table of them.

    table.py           which function stands for which layer, function or method of torch
    linear.py          products with constant matrices: Linear, batch normalisation
    convolution.py     convolutions and transposed convolutions of one, two and three dimensions
    arithmetic.py      sums, products and quotients, powers
    activations.py     ReLU, tanh and other functions of one number that never decrease
    smooth.py          any function of one number, by tangents and chords of its convex and concave pieces
    curves.py          GELU, SiLU and other smooth functions
    piecewise.py       PReLU, hard sigmoid and other functions with kinks or jumps
    powers.py          exponentials, powers, roots, the reciprocal
    average_pool.py    means and sums over windows or dimensions
    max_pool.py        largest values over windows
    resampling.py      interpolation, rearranged pixels
    shapes.py          reshapes, indexing, padding, concatenation
    rearrangement.py   permutations, chunks, stacks, repeated entries
    products.py        products of two values, entry by entry and as matrices
    two_values.py      matrix products with constants, gates, the largest of two values
    normalisation.py   softmax, layer, group and instance normalisation
    attention.py       attention

A new layer is a function in the file of its family, from a `Builder` and the layer's arguments to a value of the graph,
and one line in `table.py`. An affine step needs only its function (`Builder.affine`); any other is a class with the
methods of `operations.NonlinearOperation`.
"""
