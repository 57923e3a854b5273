//! Whether a listed grant is the one that a stored request made, or a twin of it.

use std::collections::BTreeSet;

use crate::ids::Principal;
use crate::kms::Listed;
use crate::terms::GrantRequest;

/// Same Name and same terms. KMS's Name is an idempotency key only together with all other
/// parameters, and anybody can write any Name: so the terms must agree too. A principal may be
/// shown as its unique id (kms-facts 2); the Name holds sixty random bits of ours, so that much is
/// let pass.
#[must_use]
pub fn same_request(request: &GrantRequest, listed: &Listed) -> bool {
    let asked: BTreeSet<&str> = request.operations.iter().map(|op| op.as_str()).collect();
    let shown: BTreeSet<&str> = listed.operations.iter().map(String::as_str).collect();
    listed.name == request.name
        && asked == shown
        && request.constraints == listed.constraints
        && listed.is_understood()
        && shown_as(&request.grantee, &listed.grantee)
        && shown_as(&request.retiring_principal, &listed.retiring_principal)
}

fn shown_as(asked: &Principal, shown: &str) -> bool {
    let decayed = || Principal::parse(shown).is_ok_and(|shown| shown.is_unique_id());
    asked.as_str() == shown || decayed()
}

#[cfg(test)]
mod tests;
