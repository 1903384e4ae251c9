"""The container contract: training and serving over `/opt/ml`."""
