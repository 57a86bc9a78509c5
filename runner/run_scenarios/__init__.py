"""Run declarative test scenarios against QEMU's block layer.

The stages are modules, in this order: load, validate, plan, execute, report; `cli` strings them together.
"""

__version__ = "0.1.0"
