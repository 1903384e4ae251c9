"""AWS-shaped operations, one file for each resource."""
