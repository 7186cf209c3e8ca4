"""Cases about what an application does and sees, asked of one that takes orders."""
