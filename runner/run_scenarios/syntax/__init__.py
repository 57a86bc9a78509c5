"""The text of a scenario: YAML, expressions, expected values and the schema."""
