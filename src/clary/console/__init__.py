"""What a browser shows of the server: jobs, endpoints, algorithms."""
