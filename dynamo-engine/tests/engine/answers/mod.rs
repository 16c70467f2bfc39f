//! What a client is told, word for word.

mod plan_errors;
mod replies;
mod write_errors;
mod write_replies;
