"""The nouns: frozen values, one module each."""
