"""What answers for an endpoint: model processes, fleets of them, and the way of a request."""
