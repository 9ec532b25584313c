"""The Lipschitz profile: an estimate that bounds the fall of the margin at every distance at once.

estimate        the estimate of one input: how its passes are shared out, and its status
search          all levels and blocks side by side in one batch
starts          where a block begins
pool            everything that was met
levels          what it says at each level, in two readings with intervals
readings        the radius of a profile
score           the record
"""
