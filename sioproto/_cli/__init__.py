"""The command line (extra ``cli``): ``decode``, ``connect``, ``probe``, ``serve``."""
