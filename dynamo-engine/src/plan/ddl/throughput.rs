//! Provisioned units, on-demand limits and warm throughput, and how each goes with the billing mode.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::shapes;

use super::invalid;
use crate::catalog::pending;
use crate::catalog::{BillingMode, OnDemandLimits, Throughput, WarmThroughput};

/// More units than this are out of bounds whatever the account's limits are.
const UNITS_MAX: i64 = 1_000_000_000_000;

/// What a number is about, for texts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subject<'a> {
    /// The table.
    Table,
    /// The index of that name.
    Index(&'a str),
}

impl Subject<'_> {
    /// `for table`, `for index NAME`.
    fn behind(&self) -> String {
        match self {
            Subject::Table => "for table".to_owned(),
            Subject::Index(name) => format!("for index {name}"),
        }
    }
}

/// The model's billing mode as ours.
pub(crate) fn billing_mode(mode: shapes::BillingMode) -> BillingMode {
    match mode {
        shapes::BillingMode::Provisioned => BillingMode::Provisioned,
        shapes::BillingMode::PayPerRequest => BillingMode::PayPerRequest,
    }
}

/// The units of a request, within bounds.
pub(crate) fn units(requested: &shapes::ProvisionedThroughput) -> Result<(u64, u64), ApiError> {
    let bounded = |value: i64, name: &str| match u64::try_from(value) {
        Ok(units) if value <= UNITS_MAX => Ok(units),
        _ => Err(ApiError::validation(format!("Given value {value} for {name} is out of bounds"))),
    };
    let read_units = bounded(requested.read_capacity_units, "ReadCapacityUnits")?;
    let write_units = bounded(requested.write_capacity_units, "WriteCapacityUnits")?;
    Ok((read_units, write_units))
}

/// The units of a table to be created.
pub(crate) fn of_new_table(
    mode: BillingMode,
    requested: Option<&shapes::ProvisionedThroughput>,
) -> Result<Throughput, ApiError> {
    match (mode, requested) {
        (BillingMode::PayPerRequest, Some(_)) => Err(not_on_demand()),
        (BillingMode::PayPerRequest, None) => Ok(Throughput::default()),
        (BillingMode::Provisioned, None) => Err(invalid(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
        )),
        (BillingMode::Provisioned, Some(requested)) => {
            let (read_units, write_units) = units(requested)?;
            Ok(Throughput::new(read_units, write_units))
        }
    }
}

/// Units on a table that is billed by request.
pub(crate) fn not_on_demand() -> ApiError {
    invalid("Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST")
}

/// The units of an index that comes with its table.
pub(crate) fn of_index_of_new_table(
    mode: BillingMode,
    name: &str,
    requested: Option<&shapes::ProvisionedThroughput>,
) -> Result<Throughput, ApiError> {
    match (mode, requested) {
        (BillingMode::PayPerRequest, Some(_)) => Err(invalid(format_args!(
            "ProvisionedThroughput should not be specified for index: {name} when BillingMode is PAY_PER_REQUEST"
        ))),
        (BillingMode::PayPerRequest, None) => Ok(Throughput::default()),
        (BillingMode::Provisioned, None) => {
            Err(invalid(format_args!("ProvisionedThroughput is not specified for index: {name}")))
        }
        (BillingMode::Provisioned, Some(requested)) => {
            let (read_units, write_units) = units(requested)?;
            Ok(Throughput::new(read_units, write_units))
        }
    }
}

/// The units of an index that is added to a table.
pub(crate) fn of_added_index(
    mode: BillingMode,
    name: &str,
    requested: Option<&shapes::ProvisionedThroughput>,
) -> Result<Throughput, ApiError> {
    match (mode, requested) {
        (BillingMode::PayPerRequest, Some(_)) => Err(index_not_on_demand(name)),
        (BillingMode::PayPerRequest, None) => Ok(Throughput::default()),
        (BillingMode::Provisioned, None) => Err(invalid(format_args!(
            "Both ReadCapacityUnits and WriteCapacityUnits must be specified for index: {name}"
        ))),
        (BillingMode::Provisioned, Some(requested)) => {
            let (read_units, write_units) = units(requested)?;
            Ok(Throughput::new(read_units, write_units))
        }
    }
}

/// Units for an index of a table that is billed by request.
pub(crate) fn index_not_on_demand(name: &str) -> ApiError {
    invalid(format_args!(
        "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified for index: {name} \
         when BillingMode is PAY_PER_REQUEST"
    ))
}

/// An update to the units that there are.
pub(crate) fn unchanged(subject: Subject<'_>, current: &Throughput) -> ApiError {
    let whose = match subject {
        Subject::Table => "the table".to_owned(),
        Subject::Index(name) => format!("index {name}"),
    };
    let article = if matches!(subject, Subject::Index(_)) { "the " } else { "" };
    let Throughput { read_units, write_units, .. } = current;
    ApiError::validation(format!(
        "The provisioned throughput for {article}{whose} will not change. The requested value equals the current value. \
         Current ReadCapacityUnits provisioned for {whose}: {read_units}. Requested ReadCapacityUnits: {read_units}. \
         Current WriteCapacityUnits provisioned for {whose}: {write_units}. \
         Requested WriteCapacityUnits: {write_units}. \
         Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."
    ))
}

/// The on-demand limits of a request. `-1` lifts a limit; only an update may say so (`may_lift`).
pub(crate) fn on_demand(
    subject: Subject<'_>,
    mode: BillingMode,
    requested: Option<&shapes::OnDemandThroughput>,
    may_lift: bool,
) -> Result<Option<OnDemandLimits>, ApiError> {
    let Some(requested) = requested else { return Ok(None) };
    let members = [
        (requested.max_read_request_units, "MaxReadRequestUnits"),
        (requested.max_write_request_units, "MaxWriteRequestUnits"),
    ];
    for (value, name) in members {
        let Some(value) = value else { continue };
        if mode == BillingMode::Provisioned {
            // The service's words for a new table and for an update differ.
            let index = match subject {
                Subject::Table => String::new(),
                Subject::Index(name) if may_lift => format!(" for index : {name}"),
                Subject::Index(name) => format!(" for index: {name}"),
            };
            let when =
                if may_lift { "the table BillingMode is PROVISIONED" } else { "table BillingMode is PROVISIONED." };
            return Err(invalid(format_args!("{name} for OnDemandThroughput{index} cannot be specified when {when}")));
        }
        if value < 1 && !(value == -1 && may_lift) {
            let subject = match subject {
                Subject::Table => "for table".to_owned(),
                Subject::Index(name) => format!("for index : {name}"),
            };
            return Err(invalid(format_args!(
                "Requested {name} for OnDemandThroughput {subject} is outside of valid range"
            )));
        }
    }
    let limits = OnDemandLimits {
        read_units_max: requested.max_read_request_units,
        write_units_max: requested.max_write_request_units,
    };
    Ok((limits != OnDemandLimits::default()).then_some(limits))
}

/// The limits after an update: a member that was not sent keeps its value, `-1` lifts it, and limits that are all
/// lifted are no limits.
pub(crate) fn merge_on_demand(current: Option<&OnDemandLimits>, update: OnDemandLimits) -> OnDemandLimits {
    let current = current.copied().unwrap_or_default();
    OnDemandLimits {
        read_units_max: update.read_units_max.or(current.read_units_max),
        write_units_max: update.write_units_max.or(current.write_units_max),
    }
}

/// The warm throughput of a request: no lower than what there is already.
///
/// `floor` is what there is: (reads, writes).
pub(crate) fn warm(
    subject: Subject<'_>,
    requested: Option<&shapes::WarmThroughput>,
    floor: (i64, i64),
    too_low: &str,
) -> Result<Option<WarmThroughput>, ApiError> {
    let Some(requested) = requested else { return Ok(None) };
    let members = [
        (requested.read_units_per_second, floor.0, "ReadUnitsPerSecond"),
        (requested.write_units_per_second, floor.1, "WriteUnitsPerSecond"),
    ];
    for (value, floor, name) in members {
        if value.is_some_and(|value| value < floor) {
            let subject = subject.behind();
            return Err(invalid(format_args!("Requested {name} for WarmThroughput {subject} is lower than {too_low}")));
        }
    }
    let warm = WarmThroughput {
        read_units_per_second: requested.read_units_per_second,
        write_units_per_second: requested.write_units_per_second,
    };
    Ok((warm != WarmThroughput::default()).then_some(warm))
}

/// What a table or an index is warm for: (reads, writes).
fn warm_floor(mode: BillingMode, throughput: &Throughput, kept: Option<&WarmThroughput>) -> (i64, i64) {
    let (reads, writes) = pending::warm_now(kept, pending::warm_floor(mode, throughput));
    (reads.cast_signed(), writes.cast_signed())
}

/// The warm throughput of a new table or of an index that comes with one.
pub(crate) fn warm_of_new(
    subject: Subject<'_>,
    mode: BillingMode,
    throughput: &Throughput,
    requested: Option<&shapes::WarmThroughput>,
) -> Result<Option<WarmThroughput>, ApiError> {
    let too_low = match mode {
        BillingMode::PayPerRequest => {
            "initial throughput for OnDemand. See: \
             https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html\
             #on-demand-capacity-mode-initial"
        }
        BillingMode::Provisioned => "ReadCapacityUnits of ProvisionedThroughput",
    };
    warm(subject, requested, warm_floor(mode, throughput, None), too_low)
}

/// The warm throughput of an update: never lower than it is.
pub(crate) fn warm_of_update(
    subject: Subject<'_>,
    mode: BillingMode,
    throughput: &Throughput,
    current: Option<&WarmThroughput>,
    requested: Option<&shapes::WarmThroughput>,
) -> Result<Option<WarmThroughput>, ApiError> {
    let floor = warm_floor(mode, throughput, current);
    let too_low = "current WarmThroughput, decreasing WarmThroughput is not supported";
    warm(subject, requested, floor, too_low)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested(read: i64, write: i64) -> shapes::ProvisionedThroughput {
        shapes::ProvisionedThroughput { read_capacity_units: read, write_capacity_units: write }
    }

    fn message<T>(result: Result<T, ApiError>) -> String {
        result.map_or_else(|error| error.message().to_owned(), |_| "fine".to_owned())
    }

    #[test]
    fn units_and_billing() {
        use BillingMode::{PayPerRequest, Provisioned};
        let five = requested(5, 5);
        for (mode, units, expected) in [
            (Provisioned, Some(&five), "fine"),
            (PayPerRequest, None, "fine"),
            (
                Provisioned,
                None,
                "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be \
                 specified when BillingMode is PROVISIONED",
            ),
            (
                PayPerRequest,
                Some(&five),
                "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be \
                 specified when BillingMode is PAY_PER_REQUEST",
            ),
        ] {
            assert_eq!(message(of_new_table(mode, units)), expected);
        }
        let much = requested(1_000_000_000_001, 1_000_000_000_001);
        assert_eq!(message(units(&much)), "Given value 1000000000001 for ReadCapacityUnits is out of bounds");
        let much = requested(1_000_000_000_000, 1_000_000_000_001);
        assert_eq!(message(units(&much)), "Given value 1000000000001 for WriteCapacityUnits is out of bounds");
        assert_eq!(
            message(of_index_of_new_table(PayPerRequest, "abd", Some(&five))),
            "One or more parameter values were invalid: ProvisionedThroughput should not be specified for index: abd \
             when BillingMode is PAY_PER_REQUEST"
        );
    }

    #[test]
    fn on_demand_limits() {
        let limits =
            |read| shapes::OnDemandThroughput { max_read_request_units: Some(read), max_write_request_units: None };
        let check = |subject, mode, read, lift| message(on_demand(subject, mode, Some(&limits(read)), lift));
        use BillingMode::{PayPerRequest, Provisioned};
        assert_eq!(check(Subject::Table, PayPerRequest, 10, false), "fine");
        assert_eq!(check(Subject::Table, PayPerRequest, -1, true), "fine");
        assert_eq!(
            check(Subject::Table, PayPerRequest, -1, false),
            "One or more parameter values were invalid: Requested MaxReadRequestUnits for OnDemandThroughput for table \
             is outside of valid range"
        );
        assert_eq!(
            check(Subject::Table, Provisioned, 10, false),
            "One or more parameter values were invalid: MaxReadRequestUnits for OnDemandThroughput cannot be specified \
             when table BillingMode is PROVISIONED."
        );
        assert_eq!(
            check(Subject::Table, Provisioned, 10, true),
            "One or more parameter values were invalid: MaxReadRequestUnits for OnDemandThroughput cannot be specified \
             when the table BillingMode is PROVISIONED"
        );
        let current = OnDemandLimits { read_units_max: Some(5), write_units_max: Some(6) };
        let update = OnDemandLimits { read_units_max: Some(-1), write_units_max: None };
        assert_eq!(
            merge_on_demand(Some(&current), update),
            OnDemandLimits { read_units_max: Some(-1), write_units_max: Some(6) }
        );
    }

    #[test]
    fn the_same_units_again() {
        assert_eq!(
            unchanged(Subject::Table, &Throughput::new(1, 2)).message(),
            "The provisioned throughput for the table will not change. The requested value equals the current value. \
             Current ReadCapacityUnits provisioned for the table: 1. Requested ReadCapacityUnits: 1. \
             Current WriteCapacityUnits provisioned for the table: 2. Requested WriteCapacityUnits: 2. \
             Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."
        );
    }
}
