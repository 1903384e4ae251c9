"""IP Insights: which addresses go with which entities."""
