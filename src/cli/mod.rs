//! Floor 5: the command line, one file per noun; all but a few commands talk to the daemon through [`crate::control`].
