//! Checkers for recorded histories: linearizable registers, serializable transactions
