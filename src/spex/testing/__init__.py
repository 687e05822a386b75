"""Tools for testing searches: a synthetic world, a driver without a controller, a conformance suite."""
