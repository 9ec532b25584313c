"""The estimate: CLEVER scores of first and second order.

clever              the public function
fixed_point         which ball
ball                the estimate in a ball: Algorithms 1 and 2 of Weng et al. 2018
samplers            where a ball is sampled and block maxima are found
extremes            where a maximum is fitted: extreme-value distributions
evidence            what was met: largest gradient, largest slope, nearest witness
smoothness          whether a Hessian says anything about the network
judgement           what the numbers of a target amount to, and with which status
scores              the record of a score, and the first-order one
second_order        the second-order score and its formula
settings, status    what may be asked for, and what an answer may be trusted for
"""
