"""Where bytes live: folders and S3, and the archive a model travels in."""
