//! The raw answer to a listing: the SDK drops what it does not know, and we must not.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::kms::members::unknown_members;

/// What of the answer is read a second time.
#[derive(Deserialize)]
struct Grants {
    #[serde(rename = "Grants")]
    grants: Vec<Map<String, Value>>,
}

/// Reads the answer to one listing beside the SDK; locked because the SDK wants its interceptors
/// `Send`.
#[derive(Debug, Clone, Default)]
pub(super) struct Raw(Arc<Mutex<Option<Vec<Vec<String>>>>>);

impl Raw {
    /// The members of each of the `count` grants of the answer that this version does not know.
    ///
    /// # Errors
    /// The raw answer shows other grants than the SDK does: which is whose cannot be told.
    pub(super) fn unknown(&self, count: usize) -> Result<Vec<Vec<String>>, String> {
        let read = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        read.filter(|grants| grants.len() == count)
            .ok_or_else(|| "the grants of KMS's answer cannot be read one by one".to_owned())
    }
}

impl Intercept for Raw {
    fn name(&self) -> &'static str {
        "grantd::Raw"
    }

    /// The first moment at which the whole answer is in memory.
    fn read_after_deserialization(
        &self,
        answered: &context::AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = answered.response().body().bytes();
        let read = body.and_then(|body| serde_json::from_slice::<Grants>(body).ok());
        let unknown = read.map(|read| read.grants.iter().map(unknown_members).collect());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = unknown;
        Ok(())
    }
}
