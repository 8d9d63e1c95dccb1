"""A small world of news sites on loopback, for the tests of discovery and fetching."""
