"""The content model: which bytes each disk of a case may hold now, and which after a power cut."""
