//! Whom the `grantee` of a freeze names, and whether a policy could give them access at all.

use crate::config::{Config, Glob, Policy, has_glob};
use crate::ids::Principal;

/// What can stand there, for people.
const GRANTEES: &str = "write role/NAME, user/NAME or the ARN of a principal; * and ? are \
                        patterns as in the policies, such as 'role/team-*'";
/// The kinds of principals that can get a grant, as they stand behind the account.
const KINDS: [&str; 4] = ["role", "user", "assumed-role", "federated-user"];

/// Why a text names no grantee, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Why.
    pub why: String,
    /// What would be right.
    pub hint: String,
}

/// Whether `named` fits `grantee`: as an ARN, its last piece, or what stands behind the account;
/// with `*`, `?` or `{a,b}` as in the policies. And who they are, however it is written: names of
/// roles and users are unique in an account whatever their path (IAM User Guide, "IAM
/// identifiers"), and who holds a session of a role has the role.
#[must_use]
pub fn names(named: &str, grantee: &Principal) -> bool {
    let text = grantee.as_str();
    let (account, behind) = split(text);
    let (named_account, rest) = split(named);
    if named == text || named == grantee.short() || rest == behind && named_account.is_none() {
        return true;
    }
    let here = named_account.is_none() || named_account == account;
    let role = behind.strip_prefix("assumed-role/").and_then(|role| role.split_once('/'));
    let (kind, name) = match role {
        Some((role, _)) => ("role", role),
        None => (first_piece(behind), grantee.short()),
    };
    if has_glob(named) {
        return here && pattern(rest, behind, (kind, name));
    }
    let same = here && first_piece(rest) == kind && last_piece(rest) == name;
    (same && matches!(kind, "role" | "user")) || (kind == "role" && named == name)
}

/// A session shows no path of its role: the name alone decides there.
fn pattern(rest: &str, behind: &str, (kind, name): (&str, &str)) -> bool {
    let fits = |pattern: &str, text| Glob::new(pattern, true).is_ok_and(|glob| glob.matches(text));
    if !rest.contains('/') {
        return fits(rest, name);
    }
    let session = behind.starts_with("assumed-role/");
    fits(rest, behind) || (session && first_piece(rest) == kind && fits(last_piece(rest), name))
}

/// Check that `named` can name a principal at all.
///
/// # Errors
/// [`Unreadable`], with what was probably meant.
pub fn readable(named: &str) -> Result<(), Unreadable> {
    let bad =
        |why: &str, hint: &str| Err(Unreadable { why: why.to_owned(), hint: hint.to_owned() });
    let legal = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-/:*?{}".contains(c);
    if let Some(c) = named.chars().find(|c| !legal(*c)) {
        let meant: String = named.chars().filter(|c| legal(*c)).collect();
        return bad(
            &format!("has the character {c:?}, which no principal has"),
            &if meant.is_empty() { GRANTEES.to_owned() } else { format!("did you mean {meant}?") },
        );
    }
    if Principal::parse(named).is_ok_and(|named| named.is_unique_id()) {
        return bad("is a unique id", "name the role or user that it stands for, as its ARN does");
    }
    if named.ends_with(".amazonaws.com") {
        return bad("is an AWS service: no policy gives one access", GRANTEES);
    }
    let (account, rest) = split(named);
    let whole = named.strip_prefix("arn:").is_none_or(|_| account.is_some());
    let kind = first_piece(rest);
    if rest.is_empty() || !whole || (rest.contains(':') && account.is_none()) {
        return bad("names no principal", GRANTEES);
    }
    if account.is_some_and(has_glob) {
        return bad("has a pattern for an account", "write the account out, or leave it out");
    }
    let known = KINDS.contains(&kind) || (kind.is_empty() && (account.is_none() || rest == "root"));
    if !known {
        let near = KINDS.iter().find(|known| known.eq_ignore_ascii_case(kind));
        let meant = near.map(|near| format!("did you mean {near}/{}?", &rest[kind.len() + 1..]));
        let why = format!("is of no kind that can get a grant: {kind:?}");
        return bad(&why, meant.as_deref().unwrap_or(GRANTEES));
    }
    match Glob::new(rest, true) {
        Ok(_) => Ok(()),
        Err(why) => bad(&format!("is no pattern: {why}"), GRANTEES),
    }
}

/// Whether a lease under `policy` could have a grantee that `named` names. True where that is not
/// plain to see.
pub(super) fn within(config: &Config, policy: &Policy, named: &str) -> bool {
    let (account, rest) = split(named);
    let (kind, keys) = (first_piece(rest), config.key_accounts(policy));
    policy.grantees.iter().any(|listed| {
        let here = match (account, listed.account()) {
            (None, _) => true,
            (Some(named), Some(listed)) => named == listed,
            (Some(named), None) => keys.iter().any(|key| key.as_str() == named),
        };
        if listed.is_literal() {
            let short = format!("arn:aws:iam::{}:", account.unwrap_or("000000000000"));
            let text = format!("{}{}", listed.head().unwrap_or(&short), listed.glob());
            return here && Principal::parse(text).is_ok_and(|principal| names(named, &principal));
        }
        // A path that is written out says nothing: names are unique whatever it is.
        let (wide, narrow) = match (kind, has_glob(named)) {
            // Account root: never by a pattern.
            ("", _) if account.is_some() => return false,
            ("", _) => (last_piece(listed.glob()), rest),
            (_, false) if first_piece(listed.glob()) != kind => return false,
            (_, false) => (last_piece(listed.glob()), last_piece(rest)),
            (_, true) => (listed.glob(), rest),
        };
        let glob = |text| Glob::new(text, true).ok();
        here && match (glob(wide), glob(narrow)) {
            // A brace may hold a `/`: then the last piece is no pattern of its own.
            (Some(wide), Some(narrow)) => wide.meets(&narrow),
            (None, _) | (_, None) => true,
        }
    })
}

/// The role of a session, as it would be named.
pub(super) fn role_of_session(named: &str) -> Option<String> {
    let (account, rest) = split(named);
    let (role, _) = rest.strip_prefix("assumed-role/")?.split_once('/')?;
    let role = format!("role/{role}");
    Some(match account {
        None => role,
        Some(account) => {
            let partition = named.split(':').nth(1).unwrap_or("aws");
            format!("arn:{partition}:iam::{account}:{role}")
        }
    })
}

/// The account of an ARN, and what stands behind it; what is no ARN is all behind.
fn split(text: &str) -> (Option<&str>, &str) {
    let mut pieces = text.splitn(6, ':');
    match (pieces.next(), pieces.nth(3), pieces.next()) {
        (Some("arn"), Some(account), Some(behind)) => (Some(account), behind),
        _ => (None, text),
    }
}

fn first_piece(text: &str) -> &str {
    text.split_once('/').map_or("", |(first, _)| first)
}

fn last_piece(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}
