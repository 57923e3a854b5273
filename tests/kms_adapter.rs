//! The production adapter against servers that we did not write: what MiniStack and moto answer is
//! understood as KMS's answer would be. Where they cannot be installed, the trials are shown as
//! ignored, with the reason, and with `CI=true` they fail.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, ExitCode};
use std::rc::Rc;
use std::sync::Arc;

use grantd::clock::Clock as _;
use grantd::clock::system::SystemClock;
use grantd::ids::{AccountId, KeyArn, Principal, Ref, Region};
use grantd::kms::aws::{AwsKms, Settings};
use grantd::kms::{Answer, Created, Kms as _, Lane, Page, Scope};
use grantd::ledger::{Handle, Intent, LaneFacts, Ledger, NewLease, Note, Urgency, Warrant};
use grantd::rules::life::{Class, EndOrder, Event, Origin, Outcome, Via};
use grantd::rules::time::{HOUR, MINUTE, Now, Time};
use grantd::terms::{Constraints, GrantRequest, Operation};
use libtest_mimic::{Arguments, Failed, Trial};
use testbed::{Foreign, venv};

/// Set in the copy of this program that has the credentials in its environment.
const CHILD: &str = "GRANTD_ADAPTER_TRIALS";
const ROLE: &str = "arn:aws:iam::000000000000:role/grantd";

/// A server with a key, a ledger with a lane to it, and the adapter.
struct World {
    server: Foreign,
    kms: AwsKms,
    key: KeyArn,
    lane: Arc<Lane>,
    ledger: Handle,
    now: Now,
    _dir: tempfile::TempDir,
}

fn done<T>(answer: Answer<T>) -> T {
    assert!(answer.date.is_some(), "{:?}", answer.detail);
    match answer.outcome {
        Outcome::Done(value) => value,
        Outcome::Refused(class) => panic!("{class:?}: {:?}", answer.detail),
        Outcome::Unknown => panic!("unknown: {:?}", answer.detail),
    }
}

impl World {
    fn new(server: Foreign, as_role: bool) -> Self {
        let key = KeyArn::parse(server.create_key()).unwrap();
        let private = std::fs::Permissions::from_mode(0o700);
        let dir = tempfile::Builder::new().permissions(private).tempdir().unwrap();
        let (mut ledger, _) = Ledger::open(dir.path()).unwrap();
        // moto gives a role's session the account of the role: it must be the key's.
        let role = format!("arn:aws:iam::{}:role/grantd", key.account());
        let facts = LaneFacts {
            account: AccountId::parse(key.account()).unwrap(),
            region: Region::parse(key.region()).unwrap(),
            role_arn: as_role.then(|| Principal::parse(role).unwrap()),
            external_id: as_role.then(|| "ext-7".to_owned()),
            endpoint: Some(server.url()),
            retiring_principal: Principal::parse(ROLE).unwrap(),
        };
        let lane = ledger.lane(&facts).unwrap();
        let clock = Rc::new(SystemClock::new().unwrap());
        let wall = clock.read().wall.floor_second();
        Self {
            server,
            kms: AwsKms::new(Settings::default(), clock),
            key,
            lane,
            ledger: Handle::inline(ledger),
            now: Now { latest: wall, least: wall },
            _dir: dir,
        }
    }

    /// A lease in the ledger; `ref_end` tells it from others.
    async fn begin(&self, ref_end: &str) -> (i64, Intent) {
        let deadline = self.now.latest.plus(HOUR);
        let reference = format!("g-7k2m9x4p1q{ref_end}");
        let request = GrantRequest {
            key_arn: self.key.clone(),
            grantee: Principal::parse("arn:aws:iam::000000000000:role/RoleB").unwrap(),
            operations: vec![Operation::Decrypt, Operation::DescribeKey],
            retiring_principal: self.lane.retiring_principal.clone(),
            constraints: Constraints::Equals([("tenant".to_owned(), "a".to_owned())].into()),
            name: format!("grantd/test/{reference}/1/{deadline}"),
        };
        let new = NewLease {
            reference: Ref::parse(reference).unwrap(),
            lane: Arc::clone(&self.lane),
            origin: Origin::Asked,
            key: self.key.to_string(),
            request,
            policy: None,
            reason: None,
            asker: None,
            idempotency: None,
            started_at: self.now.latest,
            deadline,
            latest: deadline,
            lead_ms: 0,
            settle: MINUTE,
            order: EndOrder::Retire,
        };
        let (row, intent) = self.ledger.begin(new, self.now).await.unwrap();
        (row.id(), intent)
    }

    /// Make a grant, and have the right to end it.
    async fn grant(&self, ref_end: &str) -> (Created, Warrant) {
        let (row, intent) = self.begin(ref_end).await;
        let created = done(self.kms.create(&intent).await);
        let (event, now) = (Event::Created(Outcome::Done(created.id.clone())), self.now);
        let job = move |ledger: &mut Ledger| ledger.step(row, &event, now, &Note::kms(None, None));
        let stepped = self.ledger.run(Urgency::Work, job).await.unwrap();
        (created, stepped.row.warrant().unwrap())
    }

    async fn whole(&self) -> Page {
        done(self.kms.page(&self.lane, Scope::Key(&self.key), None).await)
    }
}

/// A grant is made, listed with all that was asked for, and ended each of the three ways.
async fn the_life_of_a_grant(world: &World) {
    let (kms, lane) = (&world.kms, &*world.lane);
    let (created, warrant) = world.grant("8z").await;
    let one = done(kms.page(lane, Scope::One(&world.key, &created.id), None).await);
    assert_eq!((one.grants.len(), one.marker), (1, None));
    let (listed, deadline) = (&one.grants[0], world.now.latest.plus(HOUR));
    assert_eq!(listed.key_arn, world.key.as_str());
    assert_eq!(listed.name, format!("grantd/test/g-7k2m9x4p1q8z/1/{deadline}"));
    assert_eq!(listed.grantee, "arn:aws:iam::000000000000:role/RoleB");
    assert_eq!(listed.retiring_principal, ROLE);
    assert_eq!(listed.operations, ["Decrypt", "DescribeKey"]);
    let tenant = Constraints::Equals([("tenant".to_owned(), "a".to_owned())].into());
    assert_eq!(listed.constraints, tenant);
    done(kms.end(&warrant, Via::Retire, None).await);

    let (created, warrant) = world.grant("9z").await;
    done(kms.end(&warrant, Via::Retire, Some(&created.token)).await);
    let (_, warrant) = world.grant("7z").await;
    done(kms.end(&warrant, Via::Revoke, None).await);
    assert_eq!(world.whole().await, Page::default());

    let again = kms.end(&warrant, Via::Revoke, None).await;
    assert_eq!(again.outcome, Outcome::Refused(Class::NotFound), "{again:?}");
    assert!(again.detail.unwrap().starts_with("NotFoundException: "));
}

/// More than a page: followed by marker, none missed, none twice.
async fn a_listing_of_many_pages(world: &World) {
    for number in 0..120 {
        let name = format!("many-{number}");
        let args = ["kms", "create-grant", "--key-id", world.key.as_str(), "--name", &name];
        let more = ["--grantee-principal", ROLE, "--operations", "Decrypt"];
        if number < 3 {
            drop(world.server.aws(&[args.as_slice(), &more].concat()).ok());
        } else {
            // The CLI takes a third of a second; a ref of two Crockford digits tells these apart.
            let digits = b"0123456789abcdefghjkmnpqrstvwxyz";
            let two = [digits[number / 32], digits[number % 32]].map(char::from);
            world.grant(&String::from_iter(two)).await;
        }
    }
    let (mut ids, mut marker) = (std::collections::BTreeSet::new(), None);
    loop {
        let page = done(world.kms.page(&world.lane, Scope::Key(&world.key), marker).await);
        ids.extend(page.grants.into_iter().map(|grant| grant.id));
        marker = page.marker;
        if marker.is_none() {
            break;
        }
    }
    assert_eq!(ids.len(), 120);
}

/// What the desk asks before a create.
async fn keys_aliases_and_who_we_are(world: &World) {
    let (kms, lane) = (&world.kms, &*world.lane);
    let alias = ["--alias-name", "alias/app", "--target-key-id", world.key.key_id()];
    drop(world.server.aws(&[&["kms", "create-alias"], alias.as_slice()].concat()).ok());
    let aliases = done(kms.aliases(lane, None).await);
    let app = aliases.iter().find(|alias| alias.name == "alias/app").unwrap();
    assert_eq!(app.key_id.as_deref(), Some(world.key.key_id()));

    let facts = done(kms.describe(lane, world.key.as_str()).await);
    assert_eq!(facts.arn, world.key);
    let facts = [facts.spec, facts.usage, facts.state, facts.manager];
    assert_eq!(facts, ["SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "Enabled", "CUSTOMER"]);

    let identity = done(kms.identity(lane).await);
    assert_eq!(identity.account, world.key.account());
    assert!(!identity.unique_id.is_empty() && !identity.unique_id.contains(':'), "{identity:?}");
}

/// STS and KMS through an assumed role.
async fn an_assumed_role(world: &World) {
    let warmed = world.kms.warm(&world.lane).await;
    assert_eq!(warmed.outcome, Outcome::Done(()), "{warmed:?}");
    let identity = done(world.kms.identity(&world.lane).await);
    assert!(identity.arn.ends_with(":assumed-role/grantd/grantd"), "{identity:?}");
    assert_eq!(world.whole().await, Page::default());
}

/// moto answers an unknown key with a web page: nobody's word, so nothing is known.
async fn an_unknown_key(world: &World, expected: Outcome<Page>) {
    let mut unknown = world.key.as_str().to_owned();
    unknown.replace_range(unknown.len() - 12.., "000000000000");
    let unknown = KeyArn::parse(unknown).unwrap();
    let answer = world.kms.page(&world.lane, Scope::Key(&unknown), None).await;
    assert_eq!(answer.outcome, expected, "{answer:?}");
    assert!(answer.date.is_some_and(|date| date > Time(0)));
}

fn run(world: &World, what: impl AsyncFnOnce(&World)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(what(world));
}

type Start = fn() -> Result<Foreign, String>;
type Test = fn(Foreign);

const TRIALS: [(&str, Start, Test); 9] = [
    ("ministack::the_life_of_a_grant", Foreign::ministack, |server| {
        run(&World::new(server, false), the_life_of_a_grant);
    }),
    ("ministack::a_listing_of_many_pages", Foreign::ministack, |server| {
        run(&World::new(server, false), a_listing_of_many_pages);
    }),
    ("ministack::keys_aliases_and_who_we_are", Foreign::ministack, |server| {
        run(&World::new(server, false), keys_aliases_and_who_we_are);
    }),
    ("ministack::an_assumed_role", Foreign::ministack, |server| {
        run(&World::new(server, true), an_assumed_role);
    }),
    ("ministack::an_unknown_key", Foreign::ministack, |server| {
        let refused = Outcome::Refused(Class::NotFound);
        run(&World::new(server, false), async |world| an_unknown_key(world, refused).await);
    }),
    ("moto::the_life_of_a_grant", Foreign::moto, |server| {
        run(&World::new(server, false), the_life_of_a_grant);
    }),
    ("moto::keys_aliases_and_who_we_are", Foreign::moto, |server| {
        run(&World::new(server, false), keys_aliases_and_who_we_are);
    }),
    ("moto::an_assumed_role", Foreign::moto, |server| {
        run(&World::new(server, true), an_assumed_role);
    }),
    ("moto::an_unknown_key", Foreign::moto, |server| {
        run(&World::new(server, false), async |world| {
            an_unknown_key(world, Outcome::Unknown).await
        });
    }),
];

fn trials(missing: Option<&str>) -> Vec<Trial> {
    let honest = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let trial = |(name, start, test): (&str, Start, Test)| {
        let name = match missing {
            Some(reason) => format!("{name} (not run: {reason})"),
            None => name.to_owned(),
        };
        let run = move || {
            test(start().map_err(Failed::from)?);
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(missing.is_some() && !honest)
    };
    TRIALS.into_iter().map(trial).collect()
}

/// The adapter takes its credentials from the environment, as the daemon does: this program starts
/// itself again with the servers' credentials and nothing else of AWS's in it.
fn with_credentials() -> ExitCode {
    let mut command = Command::new(std::env::current_exe().unwrap());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.args(std::env::args_os().skip(1)).env(CHILD, "1").env("HOME", "/nonexistent");
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_ACCESS_KEY_ID", "testing").env("AWS_SECRET_ACCESS_KEY", "testing");
    let status = command.status().unwrap();
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

fn main() -> ExitCode {
    if std::env::var_os(CHILD).is_none() {
        return with_credentials();
    }
    let args = Arguments::from_args();
    // Whoever only lists the tests waits for no installation.
    let install = || venv::SERVERS.programs().and_then(|_| venv::CLIENTS.programs());
    let missing = if args.list { None } else { install().err() };
    libtest_mimic::run(&args, trials(missing.as_deref())).exit_code()
}
