"""Weng et al. 2018."""
