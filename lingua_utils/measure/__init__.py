"""What is measured: activations, similarity, regions, silencing, likelihood, tasks, and their intervals."""
