"""Training, standard and adversarial."""
