"""Parts of tools/make_tiny_models.py."""
