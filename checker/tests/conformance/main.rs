//! The checkers' own conformance suite: each against trying every order on small histories, on histories of correct objects, and on
//! histories that are known to be bad. A checker that has never failed has proved nothing.

mod register;
mod search;
mod serial;
