//! The operations the sandbox knows, under AWS's own names.

use serde::{Deserialize, Serialize};

macro_rules! operations {
    ($($name:ident $kind:ident $quota:expr;)*) => {
        /// One operation of KMS (JSON protocol) or STS (query protocol).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "each is the AWS operation of that name")]
        pub enum Op { $($name),* }

        impl Op {
            /// All operations, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name as AWS writes it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),* }
            }

            /// The action a policy allows it by, such as `kms:CreateGrant`.
            #[must_use]
            pub const fn action(self) -> &'static str {
                match self {
                    $(Self::$name => concat!(operations!(@prefix $kind), stringify!($name))),*
                }
            }

            /// Whether it changes something: the journal keeps these.
            #[must_use]
            pub const fn mutates(self) -> bool {
                match self { $(Self::$name => operations!(@mutates $kind)),* }
            }

            /// Requests per second, account and Region (kms-facts 5); `None` where the facts name
            /// no number.
            #[must_use]
            pub const fn default_quota(self) -> Option<u32> {
                match self { $(Self::$name => $quota),* }
            }

            /// Whether it belongs to STS.
            #[must_use]
            pub const fn is_sts(self) -> bool {
                match self { $(Self::$name => operations!(@sts $kind)),* }
            }
        }
    };
    (@prefix sts) => { "sts:" };
    (@prefix $kind:ident) => { "kms:" };
    (@mutates write) => { true };
    (@mutates $kind:ident) => { false };
    (@sts sts) => { true };
    (@sts $kind:ident) => { false };
}

operations! {
    CreateKey write None;
    DescribeKey read Some(2_000);
    ListKeys read Some(500);
    EnableKey write None;
    DisableKey write None;
    ScheduleKeyDeletion write None;
    CancelKeyDeletion write None;
    GetKeyPolicy read Some(1_000);
    PutKeyPolicy write None;
    CreateAlias write None;
    UpdateAlias write None;
    DeleteAlias write None;
    ListAliases read Some(500);
    CreateGrant write Some(50);
    ListGrants read Some(100);
    ListRetirableGrants read Some(100);
    RetireGrant write Some(50);
    RevokeGrant write Some(50);
    Encrypt read None;
    Decrypt read None;
    GenerateDataKey read None;
    GenerateDataKeyWithoutPlaintext read None;
    ReEncrypt read None;
    AssumeRole sts None;
    GetCallerIdentity sts None;
}

impl std::str::FromStr for Op {
    type Err = UnknownOp;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|op| op.name() == name)
            .ok_or_else(|| UnknownOp(name.to_owned()))
    }
}

/// A name that is no operation of the sandbox.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an operation of the sandbox")]
pub struct UnknownOp(pub String);
