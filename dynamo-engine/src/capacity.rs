//! Capacity units and collection metrics.
