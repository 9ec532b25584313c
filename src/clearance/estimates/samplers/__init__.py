"""Samplers: where a ball is sampled and block maxima of gradient norms and curvatures are found.

uniform             uniform points of the ball (Weng et al. 2018, algorithm 1)
gradient_search     a search for large gradient norms
region_search       the same in few dimensions: a walk to the steep linear pieces of a ReLU network
curvature_search    a search for large curvature (second order)
"""
