"""What AWS's clients speak: service models, constraints, wire protocols, signatures. Only here is botocore used."""
