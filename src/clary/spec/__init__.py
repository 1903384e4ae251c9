"""The grammar of declarations. Imports neither numpy nor any ML library."""
