//! The ways to name a key: `alias/NAME`, an alias ARN, a key ARN, a key id.

use crate::config::Config;
use crate::fault::{Fault, Kind};
use crate::ids::{AccountId, BadId, KeyArn, Region};

const WANTED: &str = "a key: alias/NAME, an alias ARN, a key ARN or a key id";

/// A key as the asker named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyRef {
    /// `alias/NAME`, to be looked for in each Region.
    Alias(String),
    /// An alias ARN: account and Region are known.
    AliasArn(AccountId, Region, String),
    /// A whole key ARN.
    Arn(KeyArn),
    /// A bare key id, to be looked for in each Region.
    Id(String),
}

impl KeyRef {
    /// Read what an asker wrote.
    ///
    /// # Errors
    /// [`BadId`] with the forms that would have been right.
    pub fn parse(text: &str) -> Result<Self, BadId> {
        let bad = || BadId { text: text.to_owned(), wanted: WANTED };
        if text.starts_with("alias/") {
            return if alias(text) { Ok(Self::Alias(text.to_owned())) } else { Err(bad()) };
        }
        if !text.starts_with("arn:") {
            let id = (1..=128).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            return if id { Ok(Self::Id(text.to_owned())) } else { Err(bad()) };
        }
        if let Ok(arn) = KeyArn::parse(text) {
            return Ok(Self::Arn(arn));
        }
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        match parts.as_slice() {
            ["arn", _, "kms", region, account, name] if alias(name) => {
                let account = AccountId::parse(*account)?;
                Ok(Self::AliasArn(account, Region::parse(*region)?, (*name).to_owned()))
            }
            _ => Err(bad()),
        }
    }

    /// The Region that the text itself names.
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        match self {
            Self::AliasArn(_, region, _) => Some(region.clone()),
            Self::Arn(arn) => Region::parse(arn.region()).ok(),
            Self::Alias(_) | Self::Id(_) => None,
        }
    }

    /// The account and the Region to look in for it, where `asked` is the Region that the asker
    /// names besides; none: in all of the configuration.
    ///
    /// # Errors
    /// [`Kind::BadArgument`] where the two Regions contradict each other.
    pub fn place(
        &self,
        config: Option<&Config>,
        asked: Option<&Region>,
    ) -> Result<(Option<AccountId>, Option<Region>), Fault> {
        let named = self.region();
        if let (Some(asked), Some(named)) = (asked, &named)
            && asked != named
        {
            let text = format!("--region {asked} contradicts the Region {named} of the key's ARN");
            return Err(Fault::new(Kind::BadArgument, text));
        }
        // Another account's key is used through the account that the policies go via.
        let maker = match self {
            Self::Arn(arn) => config.and_then(|config| config.account_of(arn)),
            Self::Alias(_) | Self::AliasArn(..) | Self::Id(_) => None,
        };
        let account = maker.map(|maker| maker.id.clone()).or_else(|| self.account());
        Ok((account, named.or_else(|| asked.cloned())))
    }

    /// The account that the text itself names.
    #[must_use]
    pub fn account(&self) -> Option<AccountId> {
        match self {
            Self::AliasArn(account, ..) => Some(account.clone()),
            Self::Arn(arn) => AccountId::parse(arn.account()).ok(),
            Self::Alias(_) | Self::Id(_) => None,
        }
    }
}

/// botocore kms shape `AliasNameType`: up to 256 of `[a-zA-Z0-9/_-]` behind `alias/`.
fn alias(text: &str) -> bool {
    text.len() <= 256
        && text.strip_prefix("alias/").is_some_and(|name| {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_-".contains(&b))
        })
}

#[cfg(test)]
mod tests;
