//! The Name of a grant: `grantd/<group>/<ref>/<serial>/<deadline>`.
//!
//! It is CreateGrant's idempotency key, and the deadline's second home: whoever lists the key can
//! end the grant on time, with no ledger at all. KMS takes 1 to 256 of `[a-zA-Z0-9:/_-]` (kms-facts
//! 1); a Name has at most 86 of them. Anybody can write one, so a Name proves nothing by itself:
//! see [`crate::rules::found`].

use std::fmt;
use std::str::FromStr;

use crate::ids::{Group, Ref};
use crate::rules::time::Time;

/// What every Name of ours begins with.
pub const PREFIX: &str = "grantd/";
/// `9999-12-30T22:00:00Z`: the last whole second that has a text of four-digit year in every
/// library we know (jiff's last instant).
const LAST: Time = Time(253_402_207_200_000);

/// A Name that can be written: its deadline is a whole second from 1970 to 9999, its serial at
/// least 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    group: Group,
    reference: Ref,
    serial: u32,
    deadline: Time,
}

/// Why there is no such Name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// It does not begin with [`PREFIX`], or has another number of parts.
    #[error("it is not of the form grantd/GROUP/REF/SERIAL/DEADLINE")]
    Form,
    /// The group is none.
    #[error("its group is malformed")]
    Group,
    /// The ref is none.
    #[error("its ref is malformed")]
    Reference,
    /// The serial is no number from 1 on, written without zeros in front.
    #[error("its serial is malformed")]
    Serial,
    /// The deadline is no instant of the form `2026-11-23T18:00:00Z`.
    #[error("its deadline is malformed")]
    Deadline,
}

impl Name {
    /// The Name of the grant `serial` of a lease. The deadline is rounded down to the whole second.
    ///
    /// # Errors
    /// [`BadName::Serial`] for 0; [`BadName::Deadline`] before 1970 or at the end of 9999.
    pub fn new(group: Group, reference: Ref, serial: u32, deadline: Time) -> Result<Self, BadName> {
        let deadline = deadline.floor_second();
        if serial == 0 {
            return Err(BadName::Serial);
        }
        if !(Time(0)..=LAST).contains(&deadline) {
            return Err(BadName::Deadline);
        }
        Ok(Self { group, reference, serial, deadline })
    }

    /// Read a Name as [`fmt::Display`] writes it, to the letter: what reads otherwise was not
    /// written by grantd.
    ///
    /// # Errors
    /// [`BadName`], which says which part is wrong.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let rest = text.strip_prefix(PREFIX).ok_or(BadName::Form)?;
        let parts: Vec<_> = rest.splitn(5, '/').collect();
        let [group, reference, serial, deadline] = parts.as_slice() else {
            return Err(BadName::Form);
        };
        let name = Self::new(
            Group::parse(*group).map_err(|_| BadName::Group)?,
            Ref::parse(*reference).map_err(|_| BadName::Reference)?,
            serial.parse().map_err(|_| BadName::Serial)?,
            Time::parse(deadline).map_err(|_| BadName::Deadline)?,
        )?;
        if name.serial.to_string() != *serial {
            return Err(BadName::Serial);
        }
        if name.deadline.to_string() != *deadline {
            return Err(BadName::Deadline);
        }
        Ok(name)
    }

    /// Which hosts stand in for each other on it.
    #[must_use]
    pub const fn group(&self) -> &Group {
        &self.group
    }

    /// Its lease.
    #[must_use]
    pub const fn reference(&self) -> &Ref {
        &self.reference
    }

    /// 1, and one more for each extension.
    #[must_use]
    pub const fn serial(&self) -> u32 {
        self.serial
    }

    /// When it ends: UTC, a whole second.
    #[must_use]
    pub const fn deadline(&self) -> Time {
        self.deadline
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, reference, serial, deadline } = self;
        write!(f, "{PREFIX}{group}/{reference}/{serial}/{deadline}")
    }
}

impl FromStr for Name {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests;
