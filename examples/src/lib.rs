//! Runnable examples
