"""The other end of the wire: raw senders and tolerant receivers, layer by layer."""
