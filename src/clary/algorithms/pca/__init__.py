"""PCA, after SageMaker's built-in of the same name: principal components in one pass."""
