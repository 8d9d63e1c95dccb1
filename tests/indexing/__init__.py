"""What the tests of index and search share: articles, an installation of their own, a server that loses requests."""
