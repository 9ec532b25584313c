"""Mathematics without networks.

The files:

exponents         the `p` of a norm, from a number or text
norms             l_p norms and their duals, steepest directions, projections
balls             uniform samples in l_p balls
eigenvalues       both ends of the spectrum of a symmetric matrix, by the Lanczos process
induced_norms     an estimate of the induced norm of a symmetric matrix, from l_p to its dual
least_distance    the point of a polyhedron nearest to the origin
"""
