"""The parts of a transform job's work: records, requests, filters and joins, outputs."""
