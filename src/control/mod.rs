//! Floor 4: the JSON API on a Unix socket.
