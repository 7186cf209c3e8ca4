"""Help for testing applications. See ``sioproto.testing.trio``."""

__all__ = ()
