"""Engine.IO, revision 4."""
