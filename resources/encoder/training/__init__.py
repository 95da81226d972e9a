"""How the projection of the embedded encoder was trained; run by hand, no part of any build."""
