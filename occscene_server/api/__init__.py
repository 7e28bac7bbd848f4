"""The gRPC edge: what clients reach, what they may ask, and how they learn what is wrong."""
