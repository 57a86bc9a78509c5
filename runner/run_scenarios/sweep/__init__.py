"""Sweeps: run one unchanged scenario into every state that a fault or a power cut can leave."""
