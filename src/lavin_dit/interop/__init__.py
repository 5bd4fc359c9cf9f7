"""Bridges to other libraries. Each is optional: nothing else in the package imports them."""
