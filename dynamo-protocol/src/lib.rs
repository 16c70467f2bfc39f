//! The DynamoDB wire protocol: types, JSON, errors, limits, numbers, sizes; no I/O.
