//! Who may do what: every route as everybody, each request from a process of its own. What a cell
//! refuses left no trace but the refusal: none at KMS, none on the lease, none in the history.

use std::collections::BTreeSet;

use kms_sandbox::Op;
use serde_json::{Value, json};

use crate::people::{Standing, people};
use crate::world::{ADMIN, Actor, OWNER, ROOT, STRANGER, World, http};

/// What is asked for, and who may have it.
struct Question {
    what: &'static str,
    may: fn(&Standing) -> bool,
    /// The lease that it is about, and the request.
    of: fn(&World) -> (Option<String>, String),
}

fn about(lease: String, method: &str, path: &str, body: Option<Value>) -> (Option<String>, String) {
    let request = http(method, &path.replace("REF", &lease), body.as_ref());
    (Some(lease), request)
}

fn read(path: &str) -> (Option<String>, String) {
    (None, http("GET", path, None))
}

/// A freeze that touches no lease of the matrix.
fn freeze(world: &World) -> String {
    let body = json!({ "scope": { "caller": 4_000_000 }, "reason": "the matrix" });
    let made = world.ask(&ROOT, &http("POST", "/v1/freezes", Some(&body))).unwrap();
    assert_eq!(made.status, 201, "{made:?}");
    made.body["id"].to_string()
}

/// A grant that somebody else made.
fn strange(world: &World) -> String {
    let story = &world.sandbox.story;
    let entry = json!({ "KeyId": story.key_arn, "GranteePrincipal": story.role_b.arn,
        "Operations": ["Decrypt"] });
    let ids = world.sandbox.handle().with(|core| core.plant(&entry, 1, testbed::now_ms()));
    ids.unwrap().into_iter().next().unwrap()
}

const QUESTIONS: &[Question] = &[
    Question { what: "create", may: |s| s.asks, of: |w| (None, w.create("RoleB", false)) },
    Question { what: "list", may: |s| s.reads, of: |_| read("/v1/leases") },
    Question { what: "list his own", may: |s| s.known, of: |_| read("/v1/leases?mine=true") },
    Question {
        what: "show",
        may: |s| s.owns || s.reads,
        of: |w| about(w.lease("RoleB", false), "GET", "/v1/leases/REF", None),
    },
    Question {
        what: "show what is shared",
        may: |s| s.shares || s.reads,
        of: |w| about(w.lease("RoleA", false), "GET", "/v1/leases/REF", None),
    },
    Question {
        what: "list what is shared",
        may: |s| s.shares || s.reads,
        of: |_| read("/v1/leases?policy=shared&all=true"),
    },
    Question {
        what: "list what another policy gave",
        may: |s| s.reads,
        of: |_| read("/v1/leases?policy=readers"),
    },
    Question {
        what: "extend",
        may: |s| s.owns || s.extends,
        of: |w| {
            let body = json!({ "ttl": "20min" });
            about(w.lease("RoleB", false), "POST", "/v1/leases/REF/extend", Some(body))
        },
    },
    Question {
        what: "extend what is shared",
        may: |s| s.shares || s.extends,
        of: |w| {
            let body = json!({ "ttl": "20min" });
            about(w.lease("RoleA", false), "POST", "/v1/leases/REF/extend", Some(body))
        },
    },
    Question {
        what: "shorten",
        may: |s| s.owns || s.governs,
        of: |w| {
            let body = json!({ "ttl": "5min" });
            about(w.lease("RoleB", false), "POST", "/v1/leases/REF/extend", Some(body))
        },
    },
    Question {
        what: "revoke",
        may: |s| s.owns || s.governs,
        of: |w| about(w.lease("RoleB", false), "POST", "/v1/leases/REF/revoke", None),
    },
    Question {
        what: "revoke what is shared",
        may: |s| s.shares || s.governs,
        of: |w| about(w.lease("RoleA", false), "POST", "/v1/leases/REF/revoke", None),
    },
    Question {
        what: "revoke many",
        may: |s| s.owns || s.governs,
        of: |w| {
            let lease = w.lease("RoleB", false);
            let body = json!({ "refs": [lease] });
            about(lease, "POST", "/v1/revoke", Some(body))
        },
    },
    Question {
        what: "hold",
        may: |s| s.owns,
        of: |w| about(w.lease("RoleB", true), "POST", "/v1/leases/REF/hold", None),
    },
    Question {
        what: "freeze",
        may: |s| s.governs,
        of: |_| {
            let body = json!({ "scope": { "caller": 4_000_001 }, "reason": "the matrix" });
            (None, http("POST", "/v1/freezes", Some(&body)))
        },
    },
    Question {
        what: "lift",
        may: |s| s.governs,
        of: |w| (None, http("POST", &format!("/v1/freezes/{}/lift", freeze(w)), None)),
    },
    Question {
        what: "reload",
        may: |s| s.governs,
        of: |_| (None, http("POST", "/v1/reload", Some(&json!({ "dry-run": true })))),
    },
    Question {
        what: "prove",
        may: |s| s.governs,
        of: |w| {
            let body = json!({ "key": w.sandbox.story.alias });
            (None, http("POST", "/v1/proofs", Some(&body)))
        },
    },
    Question {
        what: "adopt",
        may: |s| s.governs,
        of: |w| {
            let body = json!({ "key": w.sandbox.story.alias, "grant-id": strange(w),
                "ttl": "5min" });
            (None, http("POST", "/v1/adoptions", Some(&body)))
        },
    },
    Question {
        what: "resume",
        may: |s| s.governs,
        of: |_| (None, http("POST", "/v1/resume", Some(&json!({ "all": true })))),
    },
    Question {
        what: "accept an alias",
        may: |s| s.governs,
        of: |_| {
            let body = json!({ "alias": "alias/unmoved" });
            (None, http("POST", "/v1/aliases/accept", Some(&body)))
        },
    },
    Question {
        what: "search",
        may: |s| s.governs,
        of: |_| (None, http("POST", "/v1/searches", None)),
    },
    Question { what: "freezes", may: |s| s.reads, of: |_| read("/v1/freezes") },
    Question { what: "history", may: |s| s.reads, of: |_| read("/v1/history") },
    Question {
        what: "history of a lease",
        may: |s| s.owns || s.reads,
        of: |w| about(w.lease("RoleB", false), "GET", "/v1/history?ref=REF", None),
    },
    Question { what: "verify", may: |s| s.reads, of: |_| read("/v1/history/verify") },
    Question { what: "status", may: |s| s.reads, of: |_| read("/v1/status") },
    Question { what: "metrics", may: |s| s.reads, of: |_| read("/v1/metrics") },
    Question { what: "health", may: |s| s.known, of: |_| read("/v1/health") },
    Question { what: "the document", may: |s| s.known, of: |_| read("/v1/openapi.json") },
];

/// Every method and path of the API's document, that no route is forgotten here.
fn routes(world: &World) -> BTreeSet<String> {
    let document = world.ask(&ROOT, &http("GET", "/v1/openapi.json", None)).unwrap().body;
    let paths = document["paths"].as_object().unwrap().iter();
    let routes = paths.flat_map(|(path, item)| {
        let methods =
            item.as_object().unwrap().keys().filter(|key| ["get", "post"].contains(&key.as_str()));
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    routes.collect()
}

/// The route of the document that this request takes.
fn route<'r>(request: &str, routes: &'r BTreeSet<String>) -> &'r String {
    let mut line = request.split(' ');
    let (method, path) = (line.next().unwrap(), line.next().unwrap());
    let path = path.split('?').next().unwrap();
    let fits = |route: &&String| {
        let (known, pattern) = route.split_once(' ').unwrap();
        let pieces = pattern.split('/').zip(path.split('/'));
        known == method
            && pattern.split('/').count() == path.split('/').count()
            && pieces.into_iter().all(|(wanted, given)| wanted == given || wanted.starts_with('{'))
    };
    // What is written out goes before what is a parameter.
    routes.iter().filter(fits).min_by_key(|route| route.matches('{').count()).unwrap()
}

/// What nobody else than grantd, at the word of one who may, changes.
#[derive(Debug, PartialEq, Eq)]
struct Trace {
    creates: usize,
    /// The lease as it stands, and the rows of its history but refusals.
    lease: Option<(Value, Value)>,
    freezes: Value,
}

impl Trace {
    fn of(world: &World, lease: Option<&str>) -> Self {
        let creates = world
            .sandbox
            .handle()
            .with(|core| core.journal().iter().filter(|entry| entry.op == Op::CreateGrant).count());
        let shown = |path: String| world.host.get(&path).body;
        let lease = lease.map(|lease| {
            let rows = shown(format!("/v1/history?ref={lease}"))["items"].clone();
            let rows = rows.as_array().unwrap().iter();
            let rows = rows.filter(|row| row["kind"] != "refused").cloned().collect();
            (shown(format!("/v1/leases/{lease}")), Value::Array(rows))
        });
        Self { creates, lease, freezes: shown("/v1/freezes".to_owned()) }
    }
}

/// What came of all cells.
#[derive(Debug, Default)]
struct Tally {
    allowed: usize,
    refused: usize,
    wrong: Vec<String>,
    /// uid and fault of each refusal.
    faults: BTreeSet<(u32, String)>,
}

/// What the kernel shows of a caller whom this host has no uid for.
const NOBODY: u32 = 65534;

fn cell(
    world: &World,
    (actor, standing): &(Actor, Standing),
    question: &Question,
    all: &mut Tally,
) {
    let (lease, request) = (question.of)(world);
    let before = Trace::of(world, lease.as_deref());
    let answer = world.ask(actor, &request).unwrap();
    // That nothing is there is told to those alone who might have had it.
    let allowed = (200..300).contains(&answer.status) || answer.body["type"] == "hold-unknown";
    let (name, what) = (actor.name, question.what);
    if allowed != (question.may)(standing) {
        all.wrong.push(format!("{name}: {what}: {answer:?}"));
    }
    if allowed {
        all.allowed += 1;
        return;
    }
    all.refused += 1;
    let after = Trace::of(world, lease.as_deref());
    let (kind, exit) = (answer.body["type"].as_str().unwrap_or_default(), &answer.body["exit"]);
    // Whether another's lease is there is told to those alone who may read it. Who has no name here
    // is refused before anything is looked at.
    let plain = match lease.is_some() && !standing.reads && actor.uid != NOBODY {
        true => answer.status == 404 && *exit == 66 && kind == "ref-unknown",
        false => answer.status == 403 && *exit == 77,
    };
    if !plain {
        all.wrong.push(format!("{name}: {what}: no plain refusal: {answer:?}"));
    }
    if before != after {
        all.wrong.push(format!("{name}: {what}: refused, and yet: {before:?} {after:?}"));
    }
    all.faults.insert((actor.uid, kind.to_owned()));
}

/// Every route as everybody.
pub(crate) fn nobody_gets_what_is_not_his() {
    let world = World::new();
    let daemon = world.ready();
    let routes = routes(&world);
    let mut all = Tally::default();
    let mut asked = BTreeSet::new();
    for question in QUESTIONS {
        asked.insert(route(&(question.of)(&world).1, &routes).clone());
        for person in people() {
            cell(&world, &person, question, &mut all);
        }
    }
    assert_eq!(asked, routes, "every route of the document is in the matrix");
    assert!(all.wrong.is_empty(), "{:#?}", all.wrong);
    assert_eq!(all.allowed + all.refused, QUESTIONS.len() * people().len());
    assert!(all.allowed > 100 && all.refused > 200, "{} {}", all.allowed, all.refused);
    assert_eq!(daemon.stop(), Some(0));
    refusals_are_told(&world, &all.faults);
}

/// Each refusal by the uid that the kernel told, and of those who may nothing no other row.
fn refusals_are_told(world: &World, faults: &BTreeSet<(u32, String)>) {
    let ledger = world.host.state_dir().join("ledger.db").display().to_string();
    let rows = world.host.grantd(&["history", "--json", "--ledger", &ledger]).ok().stdout;
    let rows: Vec<Value> = rows.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    let by =
        |row: &Value, uid: u32| row["actor"].as_str().unwrap().starts_with(&format!("uid {uid} ("));
    for (uid, fault) in faults {
        let told = rows.iter().filter(|row| by(row, *uid) && row["body"]["fault"] == **fault);
        let kinds: Vec<&str> = told.map(|row| row["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds.first(), Some(&"refused"), "{uid} {fault}: {kinds:?}");
    }
    for uid in [STRANGER.uid, 64005, 64015, NOBODY] {
        let done = rows.iter().filter(|row| by(row, uid));
        let done: Vec<&Value> = done.filter(|row| row["body"]["fault"].is_null()).collect();
        assert!(done.is_empty(), "{uid}: {done:#?}");
    }
}

/// The commands that speak to the daemon, and whom they serve.
pub(crate) fn nor_does_a_command_help() {
    let world = World::new();
    let daemon = world.ready();
    let lease = world.lease("RoleB", false);
    let create =
        ["create", "--key", world.sandbox.story.alias, "--grantee", "role/RoleB", "--operations"];
    let create: Vec<&str> = create.into_iter().chain(["Decrypt"]).collect();
    let commands: &[&[&str]] = &[
        &create,
        &["list"],
        &["show", &lease],
        &["extend", &lease, "--ttl", "30min"],
        &["revoke", &lease],
        &["revoke", "--key", world.sandbox.story.alias, "--yes"],
        &["freeze", "--policy", "readers", "--reason", "mischief"],
        &["freeze", "--list"],
        &["unfreeze", "1"],
        &["reload"],
        &["history"],
        &["history", &lease],
        &["history", "verify"],
    ];
    let before = Trace::of(&world, Some(&lease));
    let (mut refused, powerless) = (0, |person: &(Actor, Standing)| {
        let Standing { asks, owns, reads, governs, .. } = person.1;
        !(asks || owns || reads || governs)
    });
    for (actor, _) in people().into_iter().filter(powerless) {
        for args in commands {
            let ran = world.grantd(&actor, args);
            let known = actor.uid != NOBODY;
            let code = if known && args.contains(&lease.as_str()) { 66 } else { 77 };
            assert_eq!(ran.code, Some(code), "{}: {args:?}: {ran:?}", actor.name);
            assert!(ran.stdout.is_empty(), "{}: {args:?}: {ran:?}", actor.name);
            refused += 1;
        }
    }
    assert_eq!(refused, 6 * commands.len());
    assert_eq!(before, Trace::of(&world, Some(&lease)));
    for args in [&["list", "--mine"][..], &["show", &lease], &["extend", &lease, "--ttl", "30min"]]
    {
        let _done = world.grantd(&OWNER, args).ok();
    }
    let told = world.grantd(&ROOT, &create);
    assert_eq!(told.code, Some(77), "root gets no more than a policy gives: {told:?}");
    assert!(told.stderr.contains("as the user you are"), "{told:?}");
    for args in [&["history"][..], &["list"], &["revoke", &lease]] {
        let _done = world.grantd(&ADMIN, args).ok();
    }
    assert_eq!(daemon.stop(), Some(0));
}
