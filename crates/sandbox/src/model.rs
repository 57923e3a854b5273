//! Keys and grants as the core holds them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::keyspec::KeySpec;
use crate::policy::KeyPolicy;

/// The states of a key that a client can observe (kms-facts 1, "Key states").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyState {
    /// Usable.
    Enabled,
    /// Grants can be ended and listed, but not made or used.
    Disabled,
    /// Will be deleted, and its grants with it.
    PendingDeletion,
    /// Will be deleted once its replicas in other Regions are.
    PendingReplicaDeletion,
    /// Has no key material yet (made with `Origin` `EXTERNAL`).
    PendingImport,
    /// Its custom key store is disconnected.
    Unavailable,
    /// Is being made.
    Creating,
    /// Its Region is being changed.
    Updating,
}

impl KeyState {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion => "PendingDeletion",
            Self::PendingReplicaDeletion => "PendingReplicaDeletion",
            Self::PendingImport => "PendingImport",
            Self::Unavailable => "Unavailable",
            Self::Creating => "Creating",
            Self::Updating => "Updating",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) arn: String,
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) spec: KeySpec,
    pub(crate) state: KeyState,
    pub(crate) external: bool,
    /// AWS's own key in the account, behind an alias such as `alias/aws/s3`.
    pub(crate) aws_managed: bool,
    pub(crate) multi_region: bool,
    pub(crate) description: String,
    pub(crate) created_at: i64,
    pub(crate) deletion_at: Option<i64>,
    pub(crate) policy: KeyPolicy,
    pub(crate) material: [u8; 32],
    pub(crate) grants: Grants,
    /// State-changing calls in one second: (second, count). For the hot-key switch.
    pub(crate) heat: (i64, u32),
}

/// The grants of one key that still matter: alive, or over with an end that some view has not seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grants {
    pub(crate) by_id: BTreeMap<String, Grant>,
    /// With the grants that have left `by_id`: a repeat may be answered with a dead one.
    pub(crate) by_name: BTreeMap<String, BTreeSet<String>>,
    pub(crate) by_grantee: BTreeMap<String, BTreeSet<String>>,
    by_parent: BTreeMap<String, BTreeSet<String>>,
    pub(crate) alive: usize,
}

impl Grants {
    pub(crate) fn insert(&mut self, grant: Grant) {
        if let Some(name) = &grant.name {
            self.by_name.entry(name.clone()).or_default().insert(grant.id.clone());
        }
        if let Some(parent) = &grant.parent {
            self.by_parent.entry(parent.clone()).or_default().insert(grant.id.clone());
        }
        self.by_grantee.entry(grant.grantee.text.clone()).or_default().insert(grant.id.clone());
        self.alive += usize::from(grant.ended.is_none());
        self.by_id.insert(grant.id.clone(), grant);
    }

    /// Takes out a grant that is over.
    pub(crate) fn remove(&mut self, id: &str) -> Option<Grant> {
        let grant = self.by_id.remove(id)?;
        if let Some(parent) = &grant.parent {
            drop_from(&mut self.by_parent, parent, id);
        }
        drop_from(&mut self.by_grantee, &grant.grantee.text, id);
        Some(grant)
    }

    /// The grants that the grantee of this one has made by it.
    pub(crate) fn children(&self, id: &str) -> Vec<String> {
        self.by_parent.get(id).into_iter().flatten().cloned().collect()
    }
}

pub(crate) fn drop_from(index: &mut BTreeMap<String, BTreeSet<String>>, at: &str, id: &str) {
    if let Some(ids) = index.get_mut(at) {
        ids.remove(id);
        if ids.is_empty() {
            index.remove(at);
        }
    }
}

/// A principal that a grant names. The unique id is taken at creation: a principal that was deleted
/// and made again is another one (kms-facts 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) text: String,
    pub(crate) service: bool,
    pub(crate) unique_id: Option<String>,
}

/// A grant: its terms, and the instants that decide who sees it.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) id: String,
    pub(crate) key_arn: String,
    pub(crate) name: Option<String>,
    pub(crate) grantee: Holder,
    pub(crate) retiring: Option<Holder>,
    /// As listed: the root of the caller's account, which may not be the key's, or a service.
    pub(crate) issuing: String,
    /// The grant by which its maker was allowed to make it.
    pub(crate) parent: Option<String>,
    pub(crate) operations: Vec<&'static str>,
    pub(crate) constraints: Constraints,
    /// What a KMS of tomorrow would show besides.
    pub(crate) extra: Extra,
    pub(crate) created_at: i64,
    /// From here on the views show it.
    pub(crate) seen_from: i64,
    pub(crate) ended: Option<Ended>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) at: i64,
    /// From here on the views lack it; never before `seen_from`.
    pub(crate) unseen_from: i64,
    pub(crate) how: End,
}

/// How a grant ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// By RetireGrant.
    Retired,
    /// By RevokeGrant.
    Revoked,
    /// With its key.
    KeyDeleted,
    /// With the grant whose child it was.
    WithParent,
}

impl Grant {
    /// Whether a view that stands at `then` shows it: listings, management by id, and use without a
    /// token.
    pub(crate) fn seen(&self, then: i64) -> bool {
        self.seen_from <= then && self.lingers(then)
    }

    /// Whether a view that stands at `then` has not seen its end, whatever it saw of its beginning.
    pub(crate) fn lingers(&self, then: i64) -> bool {
        self.ended.is_none_or(|ended| then < ended.unseen_from)
    }
}

/// What a planted grant shows that no CreateGrant of today can give it: listed, and without any
/// effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extra {
    /// Members of the entry.
    pub(crate) members: Map<String, Value>,
    /// Members of its constraints.
    pub(crate) constraints: Map<String, Value>,
    pub(crate) operations: Vec<Value>,
}

/// The constraints of a grant. Equals and Subset exclude each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Constraints {
    pub(crate) equals: Option<BTreeMap<String, String>>,
    pub(crate) subset: Option<BTreeMap<String, String>>,
    pub(crate) source_arn: Option<String>,
}

impl Constraints {
    /// Whether a request with this encryption context fits.
    pub(crate) fn admit(&self, context: &BTreeMap<String, String>, ignore_case: bool) -> bool {
        let same = |key: &str, other: &str| {
            if ignore_case { key.eq_ignore_ascii_case(other) } else { key == other }
        };
        let has = |pairs: &BTreeMap<String, String>, key: &str, value: &String| {
            pairs.iter().any(|(k, v)| same(k, key) && v == value)
        };
        // A source ARN is looked at for calls by AWS services only (kms-facts 1), and none comes
        // here.
        let equals = self.equals.as_ref().is_none_or(|wanted| {
            wanted.len() == context.len() && wanted.iter().all(|(k, v)| has(context, k, v))
        });
        let subset = self
            .subset
            .as_ref()
            .is_none_or(|wanted| wanted.iter().all(|(k, v)| has(context, k, v)));
        equals && subset
    }

    /// Whether `child` is equally or more strict (kms-facts 1: Subset to Equals is, the reverse is
    /// not).
    pub(crate) fn admit_child(&self, child: &Self) -> bool {
        let source = self.source_arn.is_none() || self.source_arn == child.source_arn;
        let equals = self.equals.is_none() || self.equals == child.equals;
        let subset = self.subset.as_ref().is_none_or(|wanted| {
            let of_child = child.equals.as_ref().or(child.subset.as_ref());
            of_child.is_some_and(|pairs| wanted.iter().all(|(k, v)| pairs.get(k) == Some(v)))
        });
        source && equals && subset
    }

    /// As ListGrants shows them.
    pub(crate) fn show(&self) -> Map<String, Value> {
        let mut shown = Map::new();
        let maps =
            [("EncryptionContextEquals", &self.equals), ("EncryptionContextSubset", &self.subset)];
        for (name, pairs) in maps {
            if let Some(pairs) = pairs {
                shown.insert(name.to_owned(), json!(pairs));
            }
        }
        if let Some(arn) = &self.source_arn {
            shown.insert("SourceArn".to_owned(), json!(arn));
        }
        shown
    }
}

#[cfg(test)]
mod tests;
