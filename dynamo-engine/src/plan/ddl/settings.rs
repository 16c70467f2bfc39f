//! Streams, encryption and table classes.

use dynamo_protocol::error::ApiError;
use dynamo_protocol::shapes;

use super::invalid;
use crate::catalog::{SseSettings, StreamView, TableClass};

/// The stream of a table to be created; `None` when it has none.
pub(crate) fn stream_of_new(requested: Option<&shapes::StreamSpecification>) -> Result<Option<StreamView>, ApiError> {
    let Some(requested) = requested else { return Ok(None) };
    match (requested.stream_enabled, requested.stream_view_type) {
        (true, Some(view)) => Ok(Some(stream_view(view))),
        (true, None) => Err(invalid("Table is being created with a stream enabled, UpdateViewType is required")),
        (false, Some(_)) => {
            Err(invalid("Table is being created with a stream disabled, UpdateViewType should not be specified"))
        }
        (false, None) => Ok(None),
    }
}

/// The stream of an update: `Some(view)` switches on, `None` off.
pub(crate) fn stream_of_update(requested: &shapes::StreamSpecification) -> Result<Option<StreamView>, ApiError> {
    match (requested.stream_enabled, requested.stream_view_type) {
        (true, Some(view)) => Ok(Some(stream_view(view))),
        (true, None) => Err(invalid("If stream is being enabled then UpdateViewType is required")),
        (false, Some(_)) => Err(invalid("If stream is being disabled, then UpdateViewType must not be specified")),
        (false, None) => Ok(None),
    }
}

fn stream_view(view: shapes::StreamViewType) -> StreamView {
    match view {
        shapes::StreamViewType::KeysOnly => StreamView::KeysOnly,
        shapes::StreamViewType::NewImage => StreamView::NewImage,
        shapes::StreamViewType::OldImage => StreamView::OldImage,
        shapes::StreamViewType::NewAndOldImages => StreamView::NewAndOldImages,
    }
}

/// The alias of the account's own key, which is what is used where no key is named.
const MANAGED_ALIAS: &str = "alias/aws/dynamodb";

/// Encryption with a customer's key, or `None` for the service's own, which every table has anyway. Naming the kind of
/// key is enough to ask for it.
pub(crate) fn sse(requested: &shapes::SseSpecification) -> Result<Option<SseSettings>, ApiError> {
    if !requested.enabled.unwrap_or(requested.sse_type.is_some()) {
        if requested.sse_type.is_some() {
            return Err(invalid("SSEType can not be specified if Enabled is false"));
        }
        if requested.kms_master_key_id.is_some() {
            return Err(invalid("KMSMasterKeyId can not be specified if Enabled is false"));
        }
        return Ok(None);
    }
    if requested.sse_type == Some(shapes::SseType::Aes256) {
        return Err(invalid("SSEType AES256 is not supported"));
    }
    if requested.kms_master_key_id.is_some() && requested.sse_type.is_none() {
        return Err(invalid("SSEType KMS is required if KMSMasterKeyId is specified"));
    }
    let key = requested.kms_master_key_id.clone().filter(|key| key.rsplit(':').next() != Some(MANAGED_ALIAS));
    Ok(Some(SseSettings { key }))
}

/// The model's table class as ours.
pub(crate) fn table_class(class: shapes::TableClass) -> TableClass {
    match class {
        shapes::TableClass::Standard => TableClass::Standard,
        shapes::TableClass::StandardInfrequentAccess => TableClass::StandardInfrequentAccess,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<T>(result: Result<T, ApiError>) -> String {
        result.map_or_else(
            |error| error.message().trim_start_matches("One or more parameter values were invalid: ").to_owned(),
            |_| "fine".to_owned(),
        )
    }

    #[test]
    fn streams() {
        let spec = |on, view| shapes::StreamSpecification { stream_enabled: on, stream_view_type: view };
        let view = Some(shapes::StreamViewType::NewImage);
        for (on, view, new, update) in [
            (true, view, "fine", "fine"),
            (false, None, "fine", "fine"),
            (
                true,
                None,
                "Table is being created with a stream enabled, UpdateViewType is required",
                "If stream is being enabled then UpdateViewType is required",
            ),
            (
                false,
                view,
                "Table is being created with a stream disabled, UpdateViewType should not be specified",
                "If stream is being disabled, then UpdateViewType must not be specified",
            ),
        ] {
            assert_eq!(message(stream_of_new(Some(&spec(on, view)))), new);
            assert_eq!(message(stream_of_update(&spec(on, view))), update);
        }
    }

    #[test]
    fn encryption() {
        let spec = |enabled, sse_type, key: Option<&str>| shapes::SseSpecification {
            enabled,
            sse_type,
            kms_master_key_id: key.map(str::to_owned),
        };
        let kms = Some(shapes::SseType::Kms);
        for (spec, expected) in [
            (spec(None, None, None), "fine"),
            (spec(Some(true), None, None), "fine"),
            (spec(Some(true), kms, Some("k")), "fine"),
            (spec(None, kms, None), "fine"),
            (spec(None, None, Some("k")), "KMSMasterKeyId can not be specified if Enabled is false"),
            (spec(Some(false), kms, None), "SSEType can not be specified if Enabled is false"),
            (spec(Some(false), None, Some("k")), "KMSMasterKeyId can not be specified if Enabled is false"),
            (spec(Some(true), None, Some("k")), "SSEType KMS is required if KMSMasterKeyId is specified"),
            (spec(Some(true), Some(shapes::SseType::Aes256), None), "SSEType AES256 is not supported"),
        ] {
            assert_eq!(message(sse(&spec)), expected);
        }
        let key = |spec| sse(&spec).unwrap().map(|settings| settings.key);
        assert_eq!(key(spec(None, None, None)), None);
        assert_eq!(key(spec(None, kms, Some("k"))), Some(Some("k".to_owned())));
        assert_eq!(key(spec(None, kms, Some("alias/aws/dynamodb"))), Some(None));
        assert_eq!(key(spec(None, kms, Some("arn:aws:kms:eu-west-1:1:alias/aws/dynamodb"))), Some(None));
    }
}
