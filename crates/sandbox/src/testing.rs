//! What the unit tests share.

use serde_json::{Value, json};

use crate::{Caller, KmsError, Op, Propagation, Story, StoryOptions};

pub(crate) const T0: i64 = 1_795_000_000_000;

pub(crate) fn story() -> Story {
    Story::new(StoryOptions::default(), T0)
}

pub(crate) fn lagging(ms: u32) -> Story {
    Story::new(StoryOptions { propagation: Propagation::fixed(ms), ..StoryOptions::default() }, T0)
}

impl Story {
    /// A call at `T0`.
    pub(crate) fn by(&mut self, caller: &Caller, op: Op, body: Value) -> Result<Value, KmsError> {
        self.core.call(caller, op, &body, T0)
    }

    /// A call by the administrator, which succeeds.
    pub(crate) fn admin_does(&mut self, op: Op, body: Value) -> Value {
        let admin = self.admin.caller.clone();
        self.by(&admin, op, body).expect("the administrator may do this")
    }

    /// A named grant for RoleB.
    pub(crate) fn terms(&self) -> Value {
        json!({
            "KeyId": self.key_arn,
            "GranteePrincipal": self.role_b.arn,
            "RetiringPrincipal": self.grantd.arn,
            "Operations": ["Decrypt", "DescribeKey"],
            "Name": "grantd/prod/g-1/1/2026-11-23T18:00:00Z",
        })
    }
}

pub(crate) fn code(result: Result<Value, KmsError>) -> String {
    result.map_or_else(|error| error.code, |answer| format!("no error but {answer}"))
}

/// A body with one member changed; `null` takes it away.
pub(crate) fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}
