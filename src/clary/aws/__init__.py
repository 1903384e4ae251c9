"""What AWS's clients speak: models, constraints, protocols, signatures; only here is botocore."""
