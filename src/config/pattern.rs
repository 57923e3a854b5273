//! The patterns of a policy: keys by alias or ARN, grantees by ARN or short form.
//!
//! `*`, `?`, `{a,b}` and, for keys, `[ab]` are patterns (crate `globset`); all else is literal.
//! - In aliases and key ids `*` also crosses `/`: `alias/app/*` is all of `alias/app/…`.
//! - In grantees it does not: `role/*` is every role without a path, and so neither a
//!   service-linked role (`role/aws-service-role/…`) nor one that somebody put under another path.
//!   `role/team/**` crosses.
//! - A grantee *pattern* never matches account root, another account than the key's, a session, a
//!   service-linked role or grantd's own roles. Written out in full, a session or another account's
//!   role is taken.

mod overlap;

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};

use crate::ids::{AccountId, KeyArn};

/// Longer patterns are refused: the longest thing to match has 256 characters.
pub(crate) const PATTERN_MAX: usize = 512;
/// Service-linked roles: AWS services fail when their access goes, and nobody asks for them in
/// person.
const SERVICE_LINKED: &str = "role/aws-service-role/";

/// A literal text or a glob.
#[derive(Debug, Clone)]
pub(crate) struct Glob {
    text: String,
    /// Whether `/` separates.
    slash: bool,
    matcher: Option<GlobMatcher>,
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.slash == other.slash
    }
}

impl Eq for Glob {}

impl Glob {
    /// Take `text`; `slash` tells whether `/` separates, so that `*` stops there.
    pub(crate) fn new(text: &str, slash: bool) -> Result<Self, String> {
        if text.len() > PATTERN_MAX {
            return Err(format!("it is longer than {PATTERN_MAX} characters"));
        }
        // In globset a class matches the separator too: `role/a[!x]b` would match `role/a/b`.
        if slash && text.contains('[') {
            return Err("[…] is not taken for grantees: write {a,b}".to_owned());
        }
        let matcher = if has_glob(text) {
            let glob = GlobBuilder::new(text).literal_separator(slash).build();
            Some(glob.map_err(|error| error.kind().to_string())?.compile_matcher())
        } else {
            None
        };
        Ok(Self { text: text.to_owned(), slash, matcher })
    }

    pub(crate) fn is_literal(&self) -> bool {
        self.matcher.is_none()
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        match &self.matcher {
            Some(matcher) => matcher.is_match(text),
            None => self.text == text,
        }
    }

    /// Whether some text fits both. True where that is not plain to see.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        overlap::overlap(&self.text, &other.text)
    }

    /// Whether it matches all that `other` matches. False where that is not plain to see.
    pub(super) fn covers(&self, other: &Self) -> bool {
        if self == other || other.is_literal() {
            return self == other || self.matches(&other.text);
        }
        let rest = |end: &str| {
            let prefix = self.text.strip_suffix(end).filter(|prefix| !has_glob(prefix))?;
            other.text.strip_prefix(prefix).map(|rest| (prefix, rest))
        };
        if !self.slash {
            return rest("*").is_some();
        }
        // Only behind a `/` does `**` cross; a single `*` covers what does not cross either.
        rest("**").is_some_and(|(prefix, _)| prefix.ends_with('/'))
            || rest("*").is_some_and(|(_, rest)| !rest.contains('/') && !rest.contains("**"))
    }
}

/// Whether `text` has a character that means something in a glob.
pub(crate) fn has_glob(text: &str) -> bool {
    text.contains(['*', '?', '[', ']', '{', '}', '\\'])
}

/// One entry of `keys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPattern {
    pub(super) text: String,
    pub(super) scope: Option<KeyScope>,
    /// Of the alias with its prefix, or of the bare key id.
    pub(super) glob: Glob,
    pub(super) by_alias: bool,
}

/// What an ARN says in front of the alias or key id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyScope {
    pub(super) partition: String,
    pub(super) region: Glob,
    pub(super) account: AccountId,
}

impl KeyPattern {
    /// Whether it names `key`, which has these `aliases` (with their `alias/` prefix).
    #[must_use]
    pub fn matches(&self, key: &KeyArn, aliases: &[String]) -> bool {
        let here = self.scope.as_ref().is_none_or(|scope| {
            scope.partition == key.partition()
                && scope.region.matches(key.region())
                && scope.account.as_str() == key.account()
        });
        here && match self.by_alias {
            true => aliases.iter().any(|alias| self.glob.matches(alias)),
            false => self.glob.matches(key.key_id()),
        }
    }

    /// Whether it names every key that `other` names. False where that is not plain to see.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let reaches = match (&self.scope, &other.scope) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wide), Some(narrow)) => {
                wide.partition == narrow.partition
                    && wide.account == narrow.account
                    && wide.region.covers(&narrow.region)
            }
        };
        reaches && self.by_alias == other.by_alias && self.glob.covers(&other.glob)
    }

    /// The account that it names; `None` for an alias in any.
    #[must_use]
    pub fn account(&self) -> Option<&AccountId> {
        self.scope.as_ref().map(|scope| &scope.account)
    }

    /// Whether it may name keys of this Region.
    #[must_use]
    pub fn reaches(&self, region: &str) -> bool {
        self.scope.as_ref().is_none_or(|scope| scope.region.matches(region))
    }

    /// The pattern of the alias with its prefix, or of the bare key id.
    #[must_use]
    pub fn glob(&self) -> &str {
        &self.glob.text
    }

    /// Whether it goes by alias: the aliases of a key must be known to tell.
    #[must_use]
    pub const fn by_alias(&self) -> bool {
        self.by_alias
    }
}

impl fmt::Display for KeyPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One entry of `grantees`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GranteePattern {
    pub(super) text: String,
    pub(super) scope: Option<GranteeScope>,
    /// Of what stands behind the account: `role/RoleB`.
    pub(super) glob: Glob,
}

/// What an ARN says in front of the resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GranteeScope {
    /// `arn:aws:iam::111122223333:`
    pub(super) head: String,
    pub(super) account: String,
}

impl GranteePattern {
    /// Whether it names `principal` for a grant on `key`. That a pattern never names grantd's own
    /// roles is for the caller to add, who knows them.
    #[must_use]
    pub fn matches(&self, principal: &str, key: &KeyArn) -> bool {
        let short = format!("arn:{}:iam::{}:", key.partition(), key.account());
        let head = self.scope.as_ref().map_or(&short, |scope| &scope.head);
        let Some(resource) = principal.strip_prefix(head.as_str()) else {
            return false;
        };
        if self.glob.is_literal() {
            return self.glob.matches(resource);
        }
        let same_account = self.scope.as_ref().is_none_or(|scope| scope.account == key.account());
        let person = resource.starts_with("role/") || resource.starts_with("user/");
        same_account
            && person
            && !resource.starts_with(SERVICE_LINKED)
            && self.glob.matches(resource)
    }

    /// Whether it names everybody whom `other` names. False where that is not plain to see.
    pub(super) fn covers(&self, other: &Self) -> bool {
        if self == other {
            return true;
        }
        // Whom a pattern never names, it does not cover either.
        let resource = other.glob.text.as_str();
        let person = resource.starts_with("role/") || resource.starts_with("user/");
        !self.is_literal()
            && person
            && !resource.starts_with(SERVICE_LINKED)
            && self.scope == other.scope
            && self.glob.covers(&other.glob)
    }

    /// The account that it names; `None` for the short form.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.scope.as_ref().map(|scope| scope.account.as_str())
    }

    /// What stands before the resource (`arn:aws:iam::111122223333:`); `None` for the short form.
    #[must_use]
    pub fn head(&self) -> Option<&str> {
        self.scope.as_ref().map(|scope| scope.head.as_str())
    }

    /// The pattern of what stands behind the account: `role/RoleB`.
    #[must_use]
    pub fn glob(&self) -> &str {
        &self.glob.text
    }

    /// Whether it is written out in full, without `*` and the like.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        self.glob.is_literal()
    }
}

impl fmt::Display for GranteePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
