"""K-means: web-scale k-means on streams, after SageMaker's built-in of the same name."""
