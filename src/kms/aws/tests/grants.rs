//! Creates and ends. Only the ledger makes an `Intent` or a `Warrant`, so there is one here.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::ids::{GrantId, Ref};
use crate::ledger::{Handle, LaneFacts, Ledger, NewLease, Note, Urgency};
use crate::rules::life::{EndOrder, Event, Origin};
use crate::rules::time::{HOUR, MINUTE, Now};
use crate::terms::{Constraints, GrantRequest, Operation};

const GRANT: &str = "0c237476b39f8bc44e45212e08498fbe3151305030726c0590dd8d3e9f3d6a60";
const NAME: &str = "grantd/prod/g-7k2m9x4p1q8z/1/2026-11-23T18:00:00Z";
const TOKEN: &str = "AQpAM2RhZTk1MGMyNTk2ZmZmMzEyYWVhOWViN2I1MWM4Mzc0MWFiYjc0";

/// A ledger with a lane to `endpoint`, and one lease in it.
struct World {
    _dir: tempfile::TempDir,
    ledger: Handle,
    row: i64,
    intent: Intent,
    now: Now,
}

fn request(lane: &Lane) -> GrantRequest {
    GrantRequest {
        key_arn: key(),
        grantee: Principal::parse("arn:aws:iam::111122223333:role/RoleB").unwrap(),
        operations: vec![Operation::Decrypt, Operation::DescribeKey],
        retiring_principal: lane.retiring_principal.clone(),
        constraints: Constraints::Subset([("tenant".to_owned(), "a".to_owned())].into()),
        name: NAME.to_owned(),
    }
}

async fn world(endpoint: &str) -> World {
    world_of(lane(endpoint)).await
}

async fn world_of(lane: Lane) -> World {
    let private = std::fs::Permissions::from_mode(0o700);
    let dir = tempfile::Builder::new().permissions(private).tempdir().unwrap();
    let (mut ledger, _) = Ledger::open(dir.path()).unwrap();
    let Lane { account, region, role_arn, external_id, endpoint, retiring_principal, ways, .. } =
        lane;
    let facts =
        LaneFacts { account, region, role_arn, external_id, endpoint, retiring_principal, ways };
    let lane = ledger.lane(&facts).unwrap();
    let deadline = Time::parse("2026-11-23T18:00:00Z").unwrap();
    let start = deadline.plus(-HOUR);
    let now = Now { latest: start, least: start };
    let new = NewLease {
        reference: Ref::parse("g-7k2m9x4p1q8z").unwrap(),
        request: request(&lane),
        lane,
        origin: Origin::Asked,
        key: "alias/app".to_owned(),
        policy: None,
        reason: None,
        asker: None,
        idempotency: None,
        held: false,
        aliases: Vec::new(),
        started_at: start,
        deadline,
        latest: deadline,
        lead_ms: 0,
        max_live: None,
        settle: MINUTE,
        order: EndOrder::Retire,
    };
    let ledger = Handle::inline(ledger);
    let (row, intent) = ledger.begin(new, now).await.unwrap();
    World { _dir: dir, ledger, row: row.id(), intent, now }
}

impl World {
    /// KMS made the grant: the right to end it.
    async fn warrant(&self) -> Warrant {
        let (row, now) = (self.row, self.now);
        let created = Event::Created(Outcome::Done(GrantId::parse(GRANT).unwrap()));
        let step = self.ledger.run(Urgency::Work, move |ledger| {
            ledger.step(row, &created, now, &Note::kms(None, None))
        });
        step.await.unwrap().row.warrant().unwrap()
    }
}

fn body(request: &fake::Request) -> serde_json::Value {
    serde_json::from_str(&request.body).unwrap()
}

#[test]
fn a_create_is_sent_to_the_letter_and_its_token_stays_hidden() {
    alone(&KEYS, async || {
        let made = format!(r#"{{"GrantId":"{GRANT}","GrantToken":"{TOKEN}"}}"#);
        let fake = Fake::start(move |_| Reply::json(&made));
        let world = world(&fake.endpoint).await;
        let answer = adapter().create(&world.intent).await;
        assert!(!format!("{answer:?}").contains(TOKEN), "{answer:?}");
        let Outcome::Done(created) = answer.outcome else { panic!("{answer:?}") };
        assert_eq!((created.id.as_str(), created.token.reveal()), (GRANT, TOKEN));
        let heard = fake.heard();
        assert_eq!((heard.len(), heard[0].operation.as_str()), (1, "creategrant"));
        let expected = serde_json::json!({
            "KeyId": KEY,
            "GranteePrincipal": "arn:aws:iam::111122223333:role/RoleB",
            "RetiringPrincipal": "arn:aws:iam::111122223333:role/grantd",
            "Operations": ["Decrypt", "DescribeKey"],
            "Constraints": {"EncryptionContextSubset": {"tenant": "a"}},
            "Name": NAME,
        });
        assert_eq!(body(&heard[0]), expected);
    });
}

#[test]
fn a_create_without_a_readable_yes_is_unknown_and_never_repeated() {
    alone(&KEYS, async || {
        let token_only = format!(r#"{{"GrantToken":"{TOKEN}"}}"#);
        let broken = format!(r#"{{"GrantToken":"{TOKEN}","GrantId":7}}"#);
        let replies = [
            Reply::Reset,
            Reply::Silence,
            Reply::error(500, "KMSInternalException", "because"),
            Reply::json(&token_only),
            Reply::json(&broken),
            Reply::Half(broken.clone()),
        ];
        for reply in replies {
            let said = reply.clone();
            let fake = Fake::start(move |_| said.clone());
            let world = world(&fake.endpoint).await;
            let answer = adapter().create(&world.intent).await;
            assert_eq!(answer.outcome, Outcome::Unknown, "{reply:?}");
            assert!(!detail(&answer).contains(TOKEN), "{answer:?}");
            assert_eq!(fake.operations(), ["creategrant"], "{reply:?}");
        }
    });
}

#[test]
fn an_end_names_the_grant_or_shows_its_token() {
    alone(&KEYS, async || {
        let fake = Fake::start(|_| Reply::json(""));
        let world = world(&fake.endpoint).await;
        let (adapter, warrant) = (adapter(), world.warrant().await);
        let token = Token::new(TOKEN.to_owned());
        for (via, token) in
            [(Via::Retire, None), (Via::Retire, Some(&token)), (Via::Revoke, Some(&token))]
        {
            let answer = adapter.end(&warrant, via, token).await;
            assert_eq!(answer.outcome, Outcome::Done(()), "{answer:?}");
        }
        let asked: Vec<_> = fake.heard().iter().map(|r| (r.operation.clone(), body(r))).collect();
        let by_id = serde_json::json!({"KeyId": KEY, "GrantId": GRANT});
        let by_token = serde_json::json!({"GrantToken": TOKEN});
        let expected =
            [("retiregrant", by_id.clone()), ("retiregrant", by_token), ("revokegrant", by_id)];
        assert_eq!(asked, expected.map(|(operation, body)| (operation.to_owned(), body)));
    });
}

#[test]
fn revoke_goes_by_its_own_role_and_the_lack_of_it_holds_up_nothing_else() {
    alone(&KEYS, async || {
        let fake = Fake::start(|request| match request.operation.as_str() {
            "assumerole" => Reply::xml(
                403,
                "<ErrorResponse><Error><Code>AccessDenied</Code>\
                <Message>no</Message></Error></ErrorResponse>",
            ),
            _ => Reply::json(""),
        });
        let revoker = Principal::parse("arn:aws:iam::111122223333:role/revoker").unwrap();
        let ways = Ways { revoke_role: Some(revoker), ..Ways::default() };
        let world = world_of(Lane { ways, ..lane(&fake.endpoint) }).await;
        let (adapter, warrant) = (adapter(), world.warrant().await);
        assert_eq!(adapter.end(&warrant, Via::Retire, None).await.outcome, Outcome::Done(()));
        let answer = adapter.end(&warrant, Via::Revoke, None).await;
        assert_eq!(answer.outcome, Outcome::Refused(Class::Denied), "{answer:?}");
        assert!(detail(&answer).starts_with("cannot assume arn:aws:iam::111122223333:role/rev"));
        assert_eq!(fake.operations(), ["retiregrant", "assumerole"]);
    });
}

#[test]
fn a_refusal_that_quotes_the_token_is_told_without_it() {
    alone(&KEYS, async || {
        let text = format!("{TOKEN} is not valid");
        let fake = Fake::start(move |_| Reply::error(400, "InvalidGrantTokenException", &text));
        let world = world(&fake.endpoint).await;
        let token = Token::new(TOKEN.to_owned());
        let answer = adapter().end(&world.warrant().await, Via::Retire, Some(&token)).await;
        assert_eq!(answer.outcome, Outcome::Refused(Class::BadToken));
        assert_eq!(detail(&answer), "InvalidGrantTokenException: (token) is not valid");
    });
}
