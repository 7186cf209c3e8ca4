"""The cases, one module per area, one package per protocol revision."""
