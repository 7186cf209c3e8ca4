"""Cases of Socket.IO 4: what it does unlike revision 5. The rest is beside the cases of that."""
