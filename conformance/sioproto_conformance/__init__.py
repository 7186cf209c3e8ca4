"""The conformance suite for servers of Engine.IO and Socket.IO, told over the network.

It speaks raw bytes through its own small peers, so that a bug of a library cannot vouch for
itself. The command is ``sio-conformance``.
"""
