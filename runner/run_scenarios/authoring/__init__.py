"""Help for authors: references, editor schemas, templates and explanations."""
