//! The composition root: a `Config` in, a running daemon out; start order, stop order. Sees everything.
