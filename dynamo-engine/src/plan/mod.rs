//! From request to command or read plan: one file per operation, all pure.
