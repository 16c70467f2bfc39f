//! Hybrid logical clock with a ceiling agreed through a replicated log
