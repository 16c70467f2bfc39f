//! Laws of the state machines: every short history, and random long ones, against definitions that look at the whole
//! history instead of keeping state.
#![cfg(not(loom))]

mod allocation;
mod grantor;
mod holder;
mod word;
