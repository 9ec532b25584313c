"""Evaluation sets by name and from files: inputs with their labels."""
