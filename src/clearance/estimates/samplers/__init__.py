"""Samplers: where a ball is sampled and block maxima of gradient norms and curvatures are found.

table               the samplers by name, with their rules and defaults
uniform             uniform points of the ball (Weng et al. 2018, algorithm 1), first and second order
gradient_search     directed, first order: a search for large gradient norms
region_search       part of it in few dimensions: the steep linear regions of a ReLU network
curvature_search    directed, second order: a search for large curvature
block_maxima        how blocks are run, whatever they measure
block_streams       a random stream for each block
point_curvature     the curvature of a margin at given points
"""
