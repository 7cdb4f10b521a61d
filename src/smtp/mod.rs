//! Floor 4: mail in over the network: the session as a state machine without I/O, and the listener that drives it.
