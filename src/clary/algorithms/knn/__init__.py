"""K-nearest neighbors: classification and regression by the most similar rows of a sample."""
