//! What may go wrong around a call: a pure table of rules, asked once for each call.
//!
//! A rule says which calls it is for, on which side of the effect it acts, what it does, and how
//! often. It does nothing by itself: [`crate::Handle`] carries the acts out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::KmsError;
use crate::op::Op;
use crate::principals::Caller;

/// Which calls a rule is for; what is absent matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Match {
    /// The operation.
    pub op: Option<Op>,
    /// A part of the request's `KeyId`.
    pub key: Option<String>,
    /// The request's `GrantId`.
    pub grant_id: Option<String>,
    /// A part of the request's `Name`.
    pub name: Option<String>,
    /// A part of the request's `GranteePrincipal`.
    pub grantee: Option<String>,
    /// A part of the caller's ARN.
    pub caller: Option<String>,
}

impl Match {
    /// Every call of one operation.
    #[must_use]
    pub fn op(op: Op) -> Self {
        Self { op: Some(op), ..Self::default() }
    }

    fn fits(&self, caller: &Caller, op: Op, body: &Value) -> bool {
        let member = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let part = |wanted: &Option<String>, text: &str| {
            wanted.as_ref().is_none_or(|part| text.contains(part.as_str()))
        };
        self.op.is_none_or(|wanted| wanted == op)
            && part(&self.key, member("KeyId"))
            && self.grant_id.as_ref().is_none_or(|id| id == member("GrantId"))
            && part(&self.name, member("Name"))
            && part(&self.grantee, member("GranteePrincipal"))
            && part(&self.caller, caller.arn())
    }
}

/// On which side of the effect a rule acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// Nothing has happened yet. A failure here means: it did not take effect.
    Before,
    /// It has taken effect, and the answer is on its way. A failure here loses the answer only.
    After,
}

/// What a rule does to a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Keep the call until the rule is released.
    Hold,
    /// Keep the call for so many milliseconds.
    Delay(u64),
    /// Answer `ThrottlingException`.
    Throttle,
    /// Answer `KMSInternalException`, HTTP 500.
    Fail,
    /// Answer `AccessDeniedException`.
    Deny,
    /// Answer this error.
    Error {
        /// The exception's name.
        code: String,
        /// Its text.
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// Answer nothing: the connection is closed.
    Drop,
    /// Lose the request on its way: no answer now, and it takes effect so many milliseconds later,
    /// when nobody waits for it. Acts before the effect. KMS refuses what comes more than five
    /// minutes after it was signed, so more than 300,000 is not realistic.
    Late(u64),
    /// Deliver the request twice: it is answered as usual, and a second copy takes effect so many
    /// milliseconds later. Acts before the effect.
    Echo(u64),
}

impl Act {
    pub(crate) fn error(&self) -> Option<KmsError> {
        match self {
            Self::Throttle => Some(KmsError::throttled()),
            Self::Fail => Some(KmsError::internal()),
            Self::Deny => {
                let text = "The sandbox was told to deny this call";
                Some(KmsError::refusal("AccessDeniedException", text))
            }
            Self::Error { code, message, status } => {
                Some(KmsError { code: code.clone(), message: message.clone(), status: *status })
            }
            Self::Hold | Self::Delay(_) | Self::Drop | Self::Late(_) | Self::Echo(_) => None,
        }
    }
}

/// A rule: this, to those calls, so often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Which calls.
    #[serde(default, rename = "match")]
    pub matching: Match,
    /// On which side of the effect.
    pub when: When,
    /// What happens to them.
    pub act: Act,
    /// To how many calls; absent: to all until the rule is cleared.
    #[serde(default)]
    pub times: Option<u32>,
}

impl Fault {
    /// A rule for every call that matches, until it is cleared.
    #[must_use]
    pub fn new(matching: Match, when: When, act: Act) -> Self {
        Self { matching, when, act, times: None }
    }

    /// The same rule for so many calls only.
    #[must_use]
    pub fn times(self, n: u32) -> Self {
        Self { times: Some(n), ..self }
    }
}

/// The number of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub u64);

/// A rule that caught a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caught {
    /// Which rule.
    pub id: FaultId,
    /// On which side of the effect it acts.
    pub when: When,
    /// What it does.
    pub act: Act,
}

/// The rules in force, by number.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    rules: BTreeMap<FaultId, Fault>,
    last: u64,
}

impl Faults {
    /// Adds a rule.
    pub fn add(&mut self, fault: Fault) -> FaultId {
        self.last += 1;
        self.rules.insert(FaultId(self.last), fault);
        FaultId(self.last)
    }

    /// Takes a rule away; calls that it holds go on. `false`: there is none of this number.
    pub fn clear(&mut self, id: FaultId) -> bool {
        self.rules.remove(&id).is_some()
    }

    /// Takes all rules away.
    pub fn clear_all(&mut self) {
        self.rules.clear();
    }

    /// Whether the rule is in force.
    #[must_use]
    pub fn contains(&self, id: FaultId) -> bool {
        self.rules.contains_key(&id)
    }

    /// The rules in force.
    pub fn iter(&self) -> impl Iterator<Item = (FaultId, &Fault)> {
        self.rules.iter().map(|(id, fault)| (*id, fault))
    }

    /// What happens to this call, in the order in which the rules were made. Counts it; a rule that
    /// has had its number of calls catches no more, but goes on holding those it has.
    pub fn catch(&mut self, caller: &Caller, op: Op, body: &Value) -> Vec<Caught> {
        let mut caught = Vec::new();
        for (id, fault) in &mut self.rules {
            if fault.times == Some(0) || !fault.matching.fits(caller, op, body) {
                continue;
            }
            fault.times = fault.times.map(|n| n - 1);
            caught.push(Caught { id: *id, when: fault.when, act: fault.act.clone() });
        }
        caught
    }
}

#[cfg(test)]
mod tests;
