//! The bytes of a shard's refusal, so that the node that asked can do what it would have done itself.

use dynamo_engine::codec::{DecodeError, get_option, get_u8, get_u64, put_option, put_u64};

use crate::shard::ShardError;

const NOT_LEADER: u8 = 1;
const UNKNOWN: u8 = 2;
const DEADLINE_PASSED: u8 = 3;
const NOT_CONFIRMED: u8 = 4;
const OVERLOADED: u8 = 5;
const DISK_FULL: u8 = 6;
const STOPPED: u8 = 7;

/// Appends an error.
pub fn put_failure(out: &mut Vec<u8>, error: &ShardError) {
    match error {
        ShardError::NotLeader { leader } => {
            out.push(NOT_LEADER);
            put_option(out, leader.as_ref(), |out, leader| put_u64(out, *leader));
        }
        ShardError::Unknown => out.push(UNKNOWN),
        ShardError::DeadlinePassed => out.push(DEADLINE_PASSED),
        ShardError::NotConfirmed => out.push(NOT_CONFIRMED),
        ShardError::Overloaded => out.push(OVERLOADED),
        ShardError::DiskFull => out.push(DISK_FULL),
        ShardError::Stopped => out.push(STOPPED),
    }
}

/// Takes an error off the front of `input`.
///
/// # Errors
/// When this program does not know it.
pub fn get_failure(input: &mut &[u8]) -> Result<ShardError, DecodeError> {
    Ok(match get_u8(input)? {
        NOT_LEADER => ShardError::NotLeader { leader: get_option(input, get_u64)? },
        UNKNOWN => ShardError::Unknown,
        DEADLINE_PASSED => ShardError::DeadlinePassed,
        NOT_CONFIRMED => ShardError::NotConfirmed,
        OVERLOADED => ShardError::Overloaded,
        DISK_FULL => ShardError::DiskFull,
        STOPPED => ShardError::Stopped,
        tag => return Err(DecodeError::Tag { what: "refusal", tag }),
    })
}

/// Appends a result.
pub fn put_result<T>(out: &mut Vec<u8>, result: &Result<T, ShardError>, put: impl FnOnce(&mut Vec<u8>, &T)) {
    match result {
        Ok(value) => {
            out.push(0);
            put(out, value);
        }
        Err(error) => put_failure(out, error),
    }
}

/// Takes a result off the front of `input`.
///
/// # Errors
/// When this program does not understand it.
pub fn get_result<T>(
    input: &mut &[u8],
    get: impl FnOnce(&mut &[u8]) -> Result<T, DecodeError>,
) -> Result<Result<T, ShardError>, DecodeError> {
    match input.first() {
        Some(0) => {
            *input = &input[1..];
            get(input).map(Ok)
        }
        _ => get_failure(input).map(Err),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_read_back() {
        for error in [
            ShardError::NotLeader { leader: Some(3) },
            ShardError::NotLeader { leader: None },
            ShardError::Unknown,
            ShardError::DeadlinePassed,
            ShardError::NotConfirmed,
            ShardError::Overloaded,
            ShardError::DiskFull,
            ShardError::Stopped,
        ] {
            let mut out = Vec::new();
            put_result::<()>(&mut out, &Err(error.clone()), |_, ()| ());
            let read = get_result(&mut &out[..], |_| Ok(()));
            assert_eq!(read, Ok(Err(error)));
        }
        assert_eq!(get_failure(&mut &[99][..]), Err(DecodeError::Tag { what: "refusal", tag: 99 }));
    }
}
