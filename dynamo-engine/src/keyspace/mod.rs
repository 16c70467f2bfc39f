//! Row keys: order-preserving, type-tagged, and the one list of ranges that belong to a table.
