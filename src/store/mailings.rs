//! Mailings on disk. The pattern of every record family: keys from [`super::keys`], a form on disk with its version,
//! reads that hand out a stamp, writes that are data with their preconditions.
