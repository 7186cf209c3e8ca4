"""Socket.IO, revision 5."""
