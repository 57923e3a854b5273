//! The examples under each `--help`. Every command line here is parsed by a test, so that none goes
//! stale.

/// `grantd -h`.
pub const GRANTD: &str = "\
Examples:
  grantd demo
  grantd create --key alias/app --grantee role/RoleB --operations Decrypt --ttl 2h
  grantd list
  grantd revoke g-7k2m";

/// `grantd --help`, and the man page: with the exit codes.
pub const GRANTD_LONG: &str = "\
Examples:
  grantd demo
  grantd create --key alias/app --grantee role/RoleB --operations Decrypt --ttl 2h
  grantd list
  grantd revoke g-7k2m

Exit codes:
   0  done
  64  bad usage or argument
  65  the ledger or its history is corrupt
  66  no such lease, key or file
  69  the daemon or KMS cannot be reached
  70  a bug in grantd
  73  the ledger is held by another process
  74  input or output failed
  75  outcome unknown, throttled, disk full: try later
  77  the socket, a policy or IAM refuses
  78  the configuration is wrong
  `grantd status`: 0 well, 1 attention, 2 overdue or end-only, 3 the daemon is silent";

/// `grantd create --help`.
pub const CREATE: &str = "\
Examples:
  grantd create --key alias/app --grantee role/RoleB --operations Decrypt,DescribeKey --ttl 2h
  grantd create --key alias/app --grantee role/RoleB --operations Decrypt \\
    --until 2026-11-23T18:00:00+01:00 --reason 'ticket 4711'
  grantd create --key alias/app --grantee role/RoleB --operations Decrypt \\
    --context Department=IT --token-file token

While a command runs; the lease ends with it:
  grantd create --key alias/app --grantee role/RoleB --operations Decrypt --ttl 2h \\
    -- aws s3 cp s3://bucket/object -

As `aws kms create-grant` is written, with a deadline:
  grantd create --key-id alias/app --operations Decrypt Encrypt --ttl 90m \\
    --grantee-principal arn:aws:iam::111122223333:role/RoleB \\
    --constraints EncryptionContextSubset={Department=IT}";

/// `grantd list --help`.
pub const LIST: &str = "\
Examples:
  grantd list
  grantd list --mine --key alias/app
  grantd list --overdue
  grantd list --all --json
  grantd list --ledger /var/lib/grantd/ledger.db";

/// `grantd show --help`.
pub const SHOW: &str = "\
Examples:
  grantd show g-7k2m9x4p1q8z
  grantd show g-7k
  grantd show g-7k --json";

/// `grantd extend --help`.
pub const EXTEND: &str = "\
Examples:
  grantd extend g-7k2m9x4p1q8z --ttl 2h
  grantd extend g-7k --until 2026-11-23T18:00:00+01:00 --reason 'the export takes longer'
  grantd extend g-7k --ttl 10min
  grantd extend g-7k --ttl 4h --beyond-policy --reason 'incident 12'

--ttl counts from now. A later deadline takes what a create takes today, and lies within the
policy's max-ttl from the first creation. An earlier one makes a new, shorter grant and ends
the old one.";

/// `grantd revoke --help`.
pub const REVOKE: &str = "\
Examples:
  grantd revoke g-7k2m9x4p1q8z
  grantd revoke g-7k g-q9 --reason 'incident 12'

What matches is shown first, and ended once you say yes:
  grantd revoke --key alias/app --grantee role/RoleB
  grantd revoke --mine --dry-run
  grantd revoke --all --yes --reason 'incident 12'";

/// `grantd freeze --help`.
pub const FREEZE: &str = "\
Examples:
  grantd freeze --grantee role/RoleB --reason 'incident 12'
  grantd freeze --key alias/app --caller alice --reason 'incident 12'
  grantd freeze --all --revoke --yes --reason 'incident 12'
  grantd freeze --list

Leases that live are not touched without --revoke, and all end on time. For administrators
(`[access] admin`) and root.";

/// `grantd reload --help`.
pub const RELOAD: &str = "\
Examples:
  grantd reload --dry-run
  grantd reload
  systemctl reload grantd

A file with problems, or one that no longer names an account, Region, role or group with open
leases, changes nothing (exit 78). Open leases keep their deadlines in any case.";

/// `grantd unfreeze --help`.
pub const UNFREEZE: &str = "\
Examples:
  grantd unfreeze 3
  grantd unfreeze --all --reason 'incident 12 is over'";

/// `grantd history --help`.
pub const HISTORY: &str = "\
Examples:
  grantd history
  grantd history g-7k2m9x4p1q8z
  grantd history --since 2h
  grantd history --since 2026-11-23T18:00:00Z --json
  grantd history verify";

/// `grantd history verify --help`.
pub const VERIFY: &str = "\
Examples:
  grantd history verify
  grantd history verify --ledger /var/lib/grantd/ledger.db

The daemon logs the head of the history every minute: compare it, since whoever owns the
ledger could rewrite all of it.";

/// `grantd status --help`.
pub const STATUS: &str = "\
Examples:
  grantd status
  grantd status --json
  grantd status --forecast

The forecast counts the leases that you may see. It takes it that KMS answers, and that nobody asks
for more or ends any before; it exits 1 where an end would be sent a second late or more.

Exit codes:
  0 well, 1 something needs attention, 2 something is overdue or the daemon only ends leases,
  3 the daemon is silent";

/// `grantd explain --help`.
pub const EXPLAIN: &str = "\
Examples:
  grantd explain --as alice --key alias/app --grantee role/RoleB --operations Decrypt --ttl 2h
  grantd explain --config ./grantd.toml --key alias/app --grantee role/RoleB --operations Sign \\
    --key-spec ECC_NIST_P256 --json
  grantd explain --online --key alias/app --grantee role/RoleB --operations Decrypt

A line of `grantd create` is taken as it is, and nothing is made. Neither the daemon nor AWS is
asked, so the key is taken as it is named; what is assumed of it is said. With --online AWS is
asked, with the credentials of this process: which key an alias is, its type, state and aliases, how
full it is of grants. What only the daemon knows (freezes, live leases, the proof of the way out) is
`grantd status`'s and `grantd doctor`'s to say.

Exits 0 when the daemon would allow it, 77 when it would refuse; with --online as `grantd create`
does where AWS does not tell the key.";

/// `grantd check --help`.
pub const CHECK: &str = "\
Examples:
  grantd check
  grantd check ./grantd.toml
  grantd check ./grantd.toml --cases ./cases.toml
  grantd check --online

A table of cases has a [[case]] for each request:
  [[case]]
  as = { user = 'alice', groups = ['ops'] }    # or as = 'alice', whom this host knows
  key = 'alias/app'
  grantee = 'role/RoleB'
  operations = ['Decrypt']
  ttl = '2h'
  expect = 'allow'                             # or 'refuse', with fault = 'ttl-above-max'

Exits 0 when the file loads (warnings are shown), 1 when a case is decided otherwise than expected
or AWS does not bear the file out, 78 when a file is wrong.";

/// `grantd iam-policy --help`.
pub const IAM_POLICY: &str = "\
Examples:
  grantd iam-policy
  grantd iam-policy ./grantd.toml --account 111122223333
  grantd iam-policy --trust arn:aws:iam::111122223333:role/admin-host
  grantd iam-policy --host
  grantd iam-policy --key-policy alias/app
  grantd iam-policy --revoke-role
  grantd iam-policy --guard key-policy
  grantd iam-policy --guard scp

Each prints one document for `aws iam put-role-policy` and the like; AWS is not asked. When the
policies of the file grow, these grow too: print and put them again. The guard is for the policies
of keys (add it to what stands there) or for the organization.";

/// `grantd doctor --help`.
pub const DOCTOR: &str = "\
Examples:
  grantd doctor
  sudo -u grantd grantd doctor
  grantd doctor --probe
  grantd doctor --json

Run it as the daemon's user to ask AWS with the daemon's credentials. It makes no grant: the proof
of the way out is the daemon's to make, and doctor shows what the ledger has of it. With --probe it
asks the daemon for a new one on each key, which is recorded like any other.

Exit codes:
  0 well, 1 a warning, 2 a failure, 3 the daemon is silent";

/// `grantd scan --help`.
pub const SCAN: &str = "\
Examples:
  grantd scan
  sudo -u grantd grantd scan
  grantd scan --key alias/app
  grantd scan --dry-run --json

It asks KMS with the credentials of this process, and changes nothing. A key that a policy names by
a pattern of key ids is looked at if it has an alias. Without --dry-run it then has the daemon look
at all keys, and not only at its next time: for administrators.

Names that state a deadline, for whatever tool makes a grant (labels are free):
  ttl:2h  ttl:90m/nightly-export  until:2026-11-23T18:00:00Z/terraform

Exits 0 when all was looked at, 1 when something could not be.";

/// `grantd adopt --help`.
pub const ADOPT: &str = "\
Examples:
  grantd scan --key alias/app --json
  grantd adopt 0c237476b39f8bc44e45212e08498fbe3151305030726c0590dd8d3e9f3d6a60 \\
    --key alias/app --ttl 2h --reason TICKET-123

A grant that exists cannot be given a deadline: grantd makes one of its own with the same terms,
and ends the original. For administrators, and only where a policy names key and grantee, gives the
operations and allows the time. What a service made, or what is not understood, is left alone.";

/// `grantd resume --help`.
pub const RESUME: &str = "\
Examples:
  grantd status
  grantd scan
  grantd resume --policy readers --reason TICKET-123
  grantd resume --key alias/app
  grantd resume --all --yes

A policy that begins to say `adopt = \"enforce\"` is held: it ends nothing before this. The brake
holds the adopted grants of a key of which too many ended within a day. For administrators.";

/// `grantd accept-alias --help`.
pub const ACCEPT_ALIAS: &str = "\
Examples:
  grantd status
  grantd accept-alias alias/app --reason TICKET-123
  grantd accept-alias alias/app --region ap-northeast-1

An alias that a policy names is pinned to the key that it pointed at when grantd first saw it. One
that was moved names neither key until this: who may move aliases need not be who may decide on
which keys is lent. The status shows both keys. For administrators.";

/// `grantd sweep --help`.
pub const SWEEP: &str = "\
Examples:
  grantd sweep --dry-run
  grantd sweep --config ./grantd.toml
  grantd sweep --json

For cron, CI or a function on another machine, with the daemon's configuration and credentials as
good as its own: whatever becomes of the daemon, what a Name of the group says ends. It keeps
nothing, and neither it nor the daemon minds what the other ended.

Exits 0 when nothing overdue is left, 1 when something is or could not be looked at.";

/// `grantd backup --help`.
pub const BACKUP: &str = "\
Examples:
  grantd backup /mnt/backup/grantd-2026-11-23.db
  sudo -u grantd grantd backup --state-dir /var/lib/grantd ./grantd.db --json

The daemon may run: it is not asked, and no end waits for it. The file is whole, checked and on the
disk before it has its name; a file of that name is never overwritten. Run it as root or as the
daemon's user. How to put one back: docs/recovery.md. What was made since then is found again at
KMS.";

/// `grantd run --help`.
pub const RUN: &str = "\
Examples:
  grantd run
  grantd run --config ./grantd.toml --state-dir ./state --socket ./grantd.sock --log json

SIGTERM and SIGINT stop it: it answers what is in flight, up to 10 s. Nothing is lost; the next
start goes on where this one stopped.";

/// `grantd demo --help`.
pub const DEMO: &str = "\
Examples:
  grantd demo
  grantd demo --keep

Everything is temporary and on loopback: an embedded KMS, a daemon on a socket of its own.";

/// `grantd sandbox --help`.
pub const SANDBOX: &str = "\
Examples:
  grantd sandbox
  grantd sandbox --listen 127.0.0.1:4599";

/// `grantd completions --help`.
pub const COMPLETIONS: &str = "\
Examples:
  grantd completions bash > /etc/bash_completion.d/grantd
  grantd completions fish > ~/.config/fish/completions/grantd.fish";

/// `grantd man --help`.
pub const MAN: &str = "\
Examples:
  grantd man /usr/local/share/man/man1";
