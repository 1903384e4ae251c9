"""One process that clients reach: the API, the object store and the console on one port."""
