"""How the projection of the embedded encoder was trained: run by hand. A build uses two parts of it, `source` and
`retrieval`, to compare with chance."""
