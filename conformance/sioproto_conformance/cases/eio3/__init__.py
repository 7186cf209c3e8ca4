"""Cases of Engine.IO 3: what it does unlike revision 4. The rest is beside the cases of that."""
