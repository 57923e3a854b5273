//! Every fault a person can meet, in one table: its code, HTTP status, exit code, and what to do
//! about it.

use std::fmt;

use crate::ids::Ref;
use crate::wire::Problem;

macro_rules! faults {
    ($(
        $(#[$doc:meta])*
        $name:ident, $code:literal, $http:literal, $exit:expr, $hint:literal;
    )*) => {
        /// What went wrong. The table gives each its code, HTTP status, exit code and hint.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// Every fault, in the order of the table.
            pub const ALL: &'static [Kind] = &[$(Kind::$name,)*];

            /// The stable word for scripts (`type` of the problem document).
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status on the socket.
            #[must_use]
            pub const fn http(self) -> u16 {
                match self { $(Self::$name => $http,)* }
            }

            /// The exit code of the command.
            #[must_use]
            pub const fn exit(self) -> u8 {
                match self { $(Self::$name => $exit,)* }
            }

            /// What to do about it, as a sentence for people.
            #[must_use]
            pub const fn hint(self) -> &'static str {
                match self { $(Self::$name => $hint,)* }
            }
        }
    };
}

/// Exit codes, after sysexits(3) where it has a word for the case. Documented in grantd(1).
pub mod exit {
    /// Done.
    pub const OK: u8 = 0;
    /// Bad usage or argument.
    pub const USAGE: u8 = 64;
    /// The ledger or its history is corrupt.
    pub const CORRUPT: u8 = 65;
    /// No such lease, key or file.
    pub const ABSENT: u8 = 66;
    /// The daemon or KMS cannot be reached.
    pub const UNREACHABLE: u8 = 69;
    /// A bug in grantd.
    pub const BUG: u8 = 70;
    /// The ledger is held by another process.
    pub const HELD: u8 = 73;
    /// Input or output failed.
    pub const IO: u8 = 74;
    /// Outcome unknown, throttled, disk full, on hold: try later.
    pub const LATER: u8 = 75;
    /// The socket, a policy or IAM refuses.
    pub const REFUSED: u8 = 77;
    /// The configuration is wrong.
    pub const CONFIG: u8 = 78;
}

faults! {
    /// A flag or an argument that makes no sense.
    Usage, "usage", 400, exit::USAGE, "see `grantd help` and the examples of the command";
    /// An ARN, id or name that is not well-formed.
    BadArgument, "bad-argument", 400, exit::USAGE,
        "correct what is named; the command's `--help` has examples, docs/api.md the API's forms";
    /// `--until` or the resulting deadline is not in the future.
    DeadlinePast, "deadline-past", 400, exit::USAGE,
        "ask for an instant in the future, such as --ttl 2h";
    /// The operation does not fit the type of the key.
    OperationUnfit, "operation-unfit", 400, exit::USAGE, "ask for operations that the key can do";
    /// The API has no such path.
    NoRoute, "no-route", 404, exit::USAGE, "docs/api.md lists the routes; they all begin with /v1/";
    /// The path is there, for another method.
    WrongMethod, "wrong-method", 405, exit::USAGE, "use a method that the Allow header names";
    /// The body of a request is larger than any request needs.
    TooLarge, "too-large", 413, exit::USAGE, "send a smaller request";
    /// The body of a request is not declared as JSON.
    NotJson, "not-json", 415, exit::USAGE, "send JSON with `Content-Type: application/json`";
    /// The body of a request did not arrive in time.
    TooSlow, "too-slow", 408, exit::LATER, "send the whole request at once";
    /// The request comes from a web page, or was meant for another server.
    CrossSite, "cross-site", 403, exit::REFUSED,
        "call the socket directly, with Host localhost or grantd and no Origin, Referer or \
         Sec-Fetch header";
    /// KMS rejects the request itself.
    KmsInvalid, "kms-invalid", 400, exit::USAGE,
        "correct what KMS names; check that the grantee exists";
    /// No lease has this ref.
    RefUnknown, "ref-unknown", 404, exit::ABSENT, "`grantd list --all` shows every lease";
    /// Several leases begin so.
    RefAmbiguous, "ref-ambiguous", 409, exit::USAGE, "give more characters of the ref";
    /// No such freeze stands.
    FreezeUnknown, "freeze-unknown", 404, exit::ABSENT,
        "`grantd freeze --list` shows those that stand";
    /// Nothing is held there.
    HoldUnknown, "hold-unknown", 404, exit::ABSENT, "`grantd status` shows what is held";
    /// The key has no such grant.
    GrantUnknown, "grant-unknown", 404, exit::ABSENT, "`grantd scan` shows the grants of the keys";
    /// What a service or grantd lives on, or what is not understood, is not adopted.
    HandsOff, "hands-off", 409, exit::REFUSED, "`grantd scan` shows what each grant is, and why";
    /// No such key or alias.
    KeyNotFound, "key-not-found", 404, exit::ABSENT,
        "check the alias or ARN, the account and the Region";
    /// The alias points at another key than it did, and nobody has accepted that.
    AliasMoved, "alias-moved", 409, exit::REFUSED,
        "`grantd status` shows both keys; an administrator may `grantd accept-alias` it";
    /// A file that was named is not there.
    FileAbsent, "file-absent", 404, exit::ABSENT, "check the path";
    /// The requested time is longer than the policy allows.
    TtlAboveMax, "ttl-above-max", 403, exit::REFUSED, "ask for less, or have the policy changed";
    /// The requested time is shorter than the policy allows.
    TtlBelowMin, "ttl-below-min", 403, exit::REFUSED, "ask for more, or have the policy changed";
    /// The lease was extended as often as its policy allows.
    MaxExtensions, "max-extensions", 403, exit::REFUSED,
        "create a new lease when this one has ended, or ask an administrator (`[access]`)";
    /// More ends by the deadline than can be sent in time, and the policy takes no lateness.
    EndsCrowded, "ends-crowded", 403, exit::REFUSED,
        "ask for a deadline somewhat earlier or later (`grantd status --forecast`)";
    /// The lease is ending or has ended, so its deadline cannot be changed.
    LeaseOver, "lease-over", 409, exit::USAGE, "create a new lease";
    /// No policy allows this request.
    NoPolicy, "no-policy", 403, exit::REFUSED, "ask the administrator of grantd for a policy";
    /// The policy wants something that the request lacks.
    Requirement, "requirement", 403, exit::REFUSED, "add what the policy requires";
    /// The caller may not do this to this lease.
    NotYours, "not-yours", 403, exit::REFUSED, "the owner of the lease, an administrator (`[access]`) or root may do it";
    /// The caller may not see this.
    ReadDenied, "read-denied", 403, exit::REFUSED,
        "see your own leases with `grantd list --mine`, those that a policy shares with you with \
         `--policy`; `[access] read` says who may see all";
    /// The socket's permissions keep the caller out.
    SocketDenied, "socket-denied", 403, exit::REFUSED,
        "join the group that owns the socket, then log in again";
    /// IAM or the key policy refuses grantd.
    KmsDenied, "kms-denied", 403, exit::REFUSED, "give grantd's role the permission that is named";
    /// The proof of the way out failed: grantd could not end a grant on this key.
    NoWayOut, "no-way-out", 403, exit::REFUSED,
        "give grantd's role what is named; without a way out there is no way in";
    /// The key is disabled, pending deletion or import.
    KeyState, "key-state", 409, exit::REFUSED, "enable the key, or choose another";
    /// The key's grant quota is used up.
    KeyFull, "key-full", 409, exit::LATER,
        "end grants that nobody needs, or raise the quota of grants per key";
    /// As many leases live as the policy allows at once, of all askers or of this one.
    TooManyLive, "too-many-live", 409, exit::LATER,
        "`grantd list --mine` shows yours: revoke what nobody needs, or wait until some end";
    /// The idempotency key was used for another request.
    IdempotencyConflict, "idempotency-conflict", 409, exit::USAGE,
        "use a new key for a new request";
    /// KMS throttles.
    Throttled, "throttled", 429, exit::LATER, "try again in a minute";
    /// The outcome of the create is not known yet.
    OutcomeUnknown, "outcome-unknown", 202, exit::LATER,
        "`grantd show` tells when it is known; it ends at its deadline in any case";
    /// KMS does not answer.
    KmsSilent, "kms-silent", 503, exit::UNREACHABLE,
        "check the network and the endpoint; `grantd status` shows when KMS last answered";
    /// The credentials are missing, expired or unknown to AWS.
    Credentials, "credentials", 503, exit::UNREACHABLE,
        "check the daemon's AWS credentials; its journal has the details";
    /// The daemon only ends leases.
    EndOnly, "end-only", 503, exit::LATER, "`grantd status` says why; leases end on time meanwhile";
    /// After a start, the daemon still looks for what it made before.
    Searching, "searching", 503, exit::LATER,
        "try again in a minute; `grantd status` shows what waits; leases end on time meanwhile";
    /// Another configuration came into force while the request was under way.
    Replaced, "replaced", 503, exit::LATER, "ask again: the new configuration decides";
    /// An administrator keeps such leases from being made for now.
    Frozen, "frozen", 503, exit::LATER,
        "try again once it is lifted; `grantd freeze --list` shows what is frozen";
    /// The clocks of the host disagree with AWS's.
    ClockDoubt, "clock-doubt", 503, exit::LATER, "set the clock; leases end on time meanwhile";
    /// The disk is full, or the ledger cannot be written.
    DiskFull, "disk-full", 503, exit::LATER,
        "free space in the state directory; leases end on time meanwhile";
    /// Too many requests at once, from everybody or from this user.
    Busy, "busy", 503, exit::LATER, "try again in a moment";
    /// The daemon is stopping.
    Stopping, "stopping", 503, exit::LATER, "try again once it has restarted";
    /// Nobody listens on the socket.
    DaemonDown, "daemon-down", 503, exit::UNREACHABLE,
        "start it with `systemctl start grantd`, or `grantd run`";
    /// Another process holds the ledger.
    LedgerHeld, "ledger-held", 503, exit::HELD,
        "one daemon at a time: see `systemctl status grantd`";
    /// The ledger was written by a newer grantd.
    LedgerNewer, "ledger-newer", 503, exit::CONFIG,
        "install that version again; nothing was changed";
    /// The ledger or its history is corrupt.
    LedgerCorrupt, "ledger-corrupt", 500, exit::CORRUPT,
        "keep the file, and see docs/recovery.md (packaged in /usr/share/doc/grantd)";
    /// Input or output failed.
    Io, "io", 500, exit::IO, "check the path, its permissions and the disk";
    /// The configuration is wrong.
    Config, "config", 422, exit::CONFIG, "`grantd check` shows every problem with its place";
    /// The configuration no longer names what lives.
    WouldStrand, "would-strand", 409, exit::CONFIG,
        "name it again until its leases have ended, or end them first";
    /// A bug in grantd.
    Bug, "bug", 500, exit::BUG, "please report it with the daemon's log";
}

impl Kind {
    /// The kind behind a word of [`Kind::code`]; none for a word of another version.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.code() == code)
    }

    /// The broadest kind with this exit code, for a fault whose code this version does not know.
    #[must_use]
    pub const fn from_exit(code: u8) -> Self {
        match code {
            exit::USAGE => Self::Usage,
            exit::CORRUPT => Self::LedgerCorrupt,
            exit::ABSENT => Self::RefUnknown,
            exit::UNREACHABLE => Self::DaemonDown,
            exit::HELD => Self::LedgerHeld,
            exit::IO => Self::Io,
            exit::LATER => Self::Busy,
            exit::REFUSED => Self::NoPolicy,
            exit::CONFIG => Self::Config,
            _ => Self::Bug,
        }
    }
}

/// A fault with its particulars: what is wrong and where, as a lower-case fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The row of the table.
    pub kind: Kind,
    /// What is wrong, where; complete with its causes.
    pub text: String,
    /// A better hint than the table's, where the particulars allow one.
    pub hint: Option<String>,
    /// The lease it is about.
    pub lease: Option<Ref>,
}

impl Fault {
    /// A fault with the table's hint.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), hint: None, lease: None }
    }

    /// With a hint of its own.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// About this lease.
    #[must_use]
    pub fn about(mut self, lease: Ref) -> Self {
        self.lease = Some(lease);
        self
    }

    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &str {
        self.hint.as_deref().unwrap_or_else(|| self.kind.hint())
    }
}

impl From<&Fault> for Problem {
    fn from(fault: &Fault) -> Self {
        Self {
            code: fault.kind.code().to_owned(),
            status: fault.kind.http(),
            detail: fault.text.clone(),
            hint: fault.remedy().to_owned(),
            exit: fault.kind.exit(),
            reference: fault.lease.clone(),
        }
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Self {
        let kind = Kind::from_code(&problem.code).unwrap_or_else(|| Kind::from_exit(problem.exit));
        Self {
            kind,
            text: problem.detail,
            hint: (problem.hint != kind.hint()).then_some(problem.hint),
            lease: problem.reference,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Fault {}

/// An error with its causes on one line: `cannot open the ledger: permission denied`.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
