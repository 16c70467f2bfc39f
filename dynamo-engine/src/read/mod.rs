//! Executes read plans.
