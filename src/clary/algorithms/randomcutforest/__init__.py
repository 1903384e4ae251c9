"""Random cut forest: anomaly scores of rows and of streams, after SageMaker's built-in."""
