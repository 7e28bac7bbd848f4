"""The gRPC edge: what clients reach, what they may ask, and what they are told when it is wrong."""
