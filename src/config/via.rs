//! `via`: whose credentials make the grants on another account's keys.
//!
//! KMS lets an account make grants on keys that are shared with it; they are issued by *that*
//! account, paced by its quotas and retired by its principal. Aliases of another account cannot be
//! looked up (ListAliases shows one's own), so such keys are named by their ARN.

use std::collections::BTreeMap;

use super::Account;
use super::diagnostics::Problem;
use super::pattern::KeyPattern;
use super::walk::{At, Table, Walk};
use crate::ids::AccountId;

/// The way to each foreign account: one for all policies, so that a grant that is found by its Name
/// has one account that can have made it.
#[derive(Default)]
pub(super) struct Routes(BTreeMap<AccountId, At<AccountId>>);

/// The account of `via`, if it is one of this file's.
pub(super) fn read(
    walk: &mut Walk<'_>,
    table: &Table<'_, '_>,
    accounts: &[Account],
) -> Option<At<AccountId>> {
    let text = table.text(walk, "via")?;
    let id = match AccountId::parse(text.value) {
        Ok(id) => id,
        Err(bad) => {
            walk.problem(Problem::at(text.span, bad.to_string()));
            return None;
        }
    };
    if !accounts.iter().any(|account| account.id == id) {
        let message = format!("no [[account]] is {id}");
        let help = "name the account of this file whose credentials make the grants";
        walk.problem(Problem::at(text.span, message).help(help).derived());
        return None;
    }
    Some(At { value: id, span: text.span })
}

impl Routes {
    /// Take the way of one policy, whose keys are `keys`.
    pub(super) fn take(&mut self, walk: &mut Walk<'_>, via: &At<AccountId>, keys: &[KeyPattern]) {
        for owner in keys.iter().filter_map(KeyPattern::account) {
            match self.0.get(owner) {
                Some(known) if known.value != via.value => {
                    let message = format!(
                        "keys of account {owner} go via {}, and via {} above",
                        via.value, known.value
                    );
                    let problem = Problem::at(via.span.clone(), message);
                    let problem = problem.other(known.span.clone(), "the other way");
                    walk.problem(problem.help("one way for all keys of an account"));
                    return;
                }
                Some(_) => {}
                None => {
                    self.0.insert(owner.clone(), via.clone());
                }
            }
        }
    }
}
