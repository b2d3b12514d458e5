"""Small templates for template_compare.py, and the variables that they see."""
VARIABLES = {}
SNIPPETS = ["{{ 1 }}"]
