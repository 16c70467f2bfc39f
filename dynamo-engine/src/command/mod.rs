//! What travels in the log.
