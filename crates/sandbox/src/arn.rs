//! ARNs of keys and of principals, read as KMS reads them.

/// A principal's ARN, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Principal {
    Root { account: String },
    User { account: String },
    Role { account: String },
    Session { account: String, role: String, session: String },
    Federated { account: String },
}

impl Principal {
    /// `None` for what a grant cannot name: groups, organisations, garbage.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let [arn, partition, service, region, account, resource] = parts[..] else {
            return None;
        };
        let digits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        if arn != "arn" || !partition.starts_with("aws") || !region.is_empty() || !digits {
            return None;
        }
        let account = account.to_owned();
        let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
        match (service, kind) {
            ("iam", "root") if name.is_empty() => Some(Self::Root { account }),
            ("iam", "user") if !name.is_empty() => Some(Self::User { account }),
            ("iam", "role") if !name.is_empty() => Some(Self::Role { account }),
            ("sts", "federated-user") if !name.is_empty() => Some(Self::Federated { account }),
            ("sts", "assumed-role") => {
                let (role, session) = name.split_once('/')?;
                let whole = !role.is_empty() && !session.is_empty() && !session.contains('/');
                whole.then(|| Self::Session { account, role: role.into(), session: session.into() })
            }
            _ => None,
        }
    }

    pub(crate) fn account(&self) -> &str {
        match self {
            Self::Root { account }
            | Self::User { account }
            | Self::Role { account }
            | Self::Session { account, .. }
            | Self::Federated { account } => account,
        }
    }
}

/// `arn:aws:iam::<account>:root`.
pub(crate) fn root_arn(account: &str) -> String {
    format!("arn:aws:iam::{account}:root")
}

/// `arn:aws:kms:<region>:<account>:key/<id>`.
pub(crate) fn key_arn(region: &str, account: &str, id: &str) -> String {
    format!("arn:aws:kms:{region}:{account}:key/{id}")
}

/// `arn:aws:kms:<region>:<account>:<alias name>`; the name begins with `alias/`.
pub(crate) fn alias_arn(region: &str, account: &str, alias: &str) -> String {
    format!("arn:aws:kms:{region}:{account}:{alias}")
}

/// What a `KeyId` parameter holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyRef<'a> {
    Id(&'a str),
    Alias(&'a str),
    Arn {
        region: &'a str,
        account: &'a str,
        resource: &'a str,
    },
    /// Begins like an ARN, but is none.
    Malformed,
}

impl<'a> KeyRef<'a> {
    pub(crate) fn parse(text: &'a str) -> Self {
        if !text.starts_with("arn:") {
            return if text.starts_with("alias/") { Self::Alias(text) } else { Self::Id(text) };
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "kms", region, account, resource] = parts[..] else {
            return Self::Malformed;
        };
        let known = resource.starts_with("key/") || resource.starts_with("alias/");
        if !partition.starts_with("aws") || region.is_empty() || account.is_empty() || !known {
            return Self::Malformed;
        }
        Self::Arn { region, account, resource }
    }
}
