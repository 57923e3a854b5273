//! The story of DESIGN 1 as it happens. Each step says what is to be, and stops the demo when it is
//! not so.

use serde_json::Value;

use super::person::Answer;
use super::world::{LOOK, PROPAGATION, SECRET, World};
use crate::cli::out::{GOOD, Out, STRONG, Stop, WARN};
use crate::cli::words::{clean, lateness, utc, utc_ms};
use crate::clock::Clock as _;
use crate::fault::{Fault, Kind};
use crate::rules::time::{SECOND, Time};
use crate::terms::Constraints;
use crate::wire::{CreateLease, Lease, LeaseMade, ListHistory};

/// How long the lease lasts: the probe of the way out and the propagation come out of it too.
const TTL: &str = "8s";
/// How long after the deadline RoleB may still get in: the promise's 2 s, and the propagation.
const LATE_MAX: i64 = 2 * SECOND + PROPAGATION as i64;
/// How long a change may take to show; many times the propagation, for busy machines.
const SHOWS: i64 = 5 * SECOND;
/// Between two looks at a lease that is to close in a second or two.
const LOOK_CLOSED: i64 = 200;
/// How long the closing may take: it looks every few seconds.
const CLOSES: i64 = 30 * SECOND;

/// Tell it.
pub(super) async fn tell(world: &mut World, out: &mut Out) -> Result<(), Stop> {
    let begun = world.now();
    world.ready().await?;
    let (url, socket) = (world.sandbox.url(), world.socket());
    say(out, "an embedded KMS that enforces grants, and the real daemon")?;
    more(out, format!("KMS at {url}, grantd at {}", socket.display()))?;
    more(
        out,
        format!("changes show in this KMS after {PROPAGATION} ms, so `settle` is set to that"),
    )?;
    more(out, "(against AWS it is 11 min: nothing is closed sooner)")?;
    before(world, out).await?;
    let made = lease(world, out).await?;
    during(world, out, &made).await?;
    let (last, refused) = countdown(world, out, &made.lease).await?;
    after(world, out, &made.lease, last, refused).await?;
    let took = world.now().since(begun);
    say(out, &format!("that is all; it took {} s", took / SECOND))?;
    Ok(())
}

async fn before(world: &World, out: &mut Out) -> Result<(), Stop> {
    say(out, "RoleA may decrypt: the key policy says so")?;
    let answer = world.role_a.decrypt(&world.ciphertext, None, world.now()).await?;
    more(out, format!("RoleA reads {:?}", plaintext("RoleA", &answer)?))?;
    say(out, "RoleB may not")?;
    let answer = world.role_b.decrypt(&world.ciphertext, None, world.now()).await?;
    more(out, refusal(&answer)?)?;
    Ok(())
}

async fn lease(world: &World, out: &mut Out) -> Result<LeaseMade, Stop> {
    let key = world.story.alias;
    say(out, &format!("a lease for RoleB, {TTL} long"))?;
    more(
        out,
        format!(
            "$ grantd create --key {key} --grantee role/RoleB --operations Decrypt --ttl {TTL}"
        ),
    )?;
    let request = CreateLease {
        key: key.to_owned(),
        grantee: "role/RoleB".to_owned(),
        operations: vec!["Decrypt".to_owned()],
        ttl: Some(TTL.to_owned()),
        until: None,
        reason: Some("the demo".to_owned()),
        constraints: Constraints::None,
        region: None,
        token: true,
        hold: false,
    };
    let made = world.client.create(&request, None).await?;
    let lease = &made.lease;
    more(out, format!("{STRONG}{}{STRONG:#} until {}", lease.reference, utc(lease.deadline)))?;
    more(out, "(before it, grantd proved with a grant of its own that it can end grants here)")?;
    Ok(made)
}

async fn during(world: &World, out: &mut Out, made: &LeaseMade) -> Result<(), Stop> {
    let token = made.token.as_deref().ok_or_else(|| wrong("the create gave no grant token"))?;
    say(out, "RoleB decrypts")?;
    let since = world.now();
    let answer = world.role_b.decrypt(&world.ciphertext, Some(token), since).await?;
    more(out, format!("at once, with the grant token: {:?}", plaintext("RoleB", &answer)?))?;
    loop {
        let answer = world.role_b.decrypt(&world.ciphertext, None, world.now()).await?;
        let waited = world.now().since(since);
        match answer {
            Answer::Yes(_) => {
                more(out, format!("and {waited} ms later without it: the grant has propagated"))?;
                return Ok(());
            }
            Answer::No(..) if waited < SHOWS => world.clock.nap(LOOK).await,
            Answer::No(code, message) => {
                let text = format!("RoleB is still refused after {waited} ms: {code}: {message}");
                return Err(wrong(text).into());
            }
        }
    }
}

/// RoleB tries again and again: every try before the deadline must succeed. Gives the last success
/// and the first refusal.
async fn countdown(world: &World, out: &mut Out, lease: &Lease) -> Result<(Time, Time), Stop> {
    let deadline = lease.deadline;
    say(out, "RoleB goes on decrypting until the deadline")?;
    let (mut tries, mut last, mut shown) = (0_u32, world.now(), i64::MAX);
    loop {
        let asked = world.now();
        let answer = world.role_b.decrypt(&world.ciphertext, None, asked).await?;
        let answered = world.now();
        match &answer {
            Answer::Yes(_) if asked.since(deadline) > LATE_MAX => {
                let text = format!("RoleB still decrypts {}", lateness(asked, deadline));
                return Err(wrong(text).into());
            }
            Answer::Yes(_) => {
                tries += 1;
                last = asked;
            }
            Answer::No(code, _) if answered < deadline => {
                let text = format!("RoleB got {code} {}", lateness(answered, deadline));
                return Err(wrong(text).into());
            }
            Answer::No(..) => {
                out.settle(&format!("      decrypted {tries} times, never refused"))?;
                say(out, &format!("the deadline, {}", utc(deadline)))?;
                more(out, format!("RoleB is refused: {}", refusal(&answer)?))?;
                return Ok((last, answered));
            }
        }
        let left = deadline.since(answered);
        let seconds = left.max(0) / SECOND + i64::from(left > 0);
        if seconds < shown || out.live {
            shown = seconds;
            out.progress(&format!("      {seconds} s left; decrypted so far: {tries}"))?;
        }
        world.clock.nap(LOOK).await;
    }
}

async fn after(
    world: &World,
    out: &mut Out,
    lease: &Lease,
    last: Time,
    refused: Time,
) -> Result<(), Stop> {
    more(out, format!("its last success began {}", lateness(last, lease.deadline)))?;
    more(out, format!("its first refusal came {}", lateness(refused, lease.deadline)))?;
    say(out, "nothing is left at KMS")?;
    empty(world).await?;
    more(out, "$ aws kms list-grants")?;
    more(out, "{ \"Grants\": [] }")?;
    let lease = closed(world, &lease.reference.to_string()).await?;
    say(out, &format!("what is kept: $ grantd history {}", lease.reference))?;
    let query =
        ListHistory { reference: Some(lease.reference.to_string()), since: None, after: None };
    for row in world.client.history(&query).await?.items {
        more(out, format!("{}  {:<18}  {}", utc_ms(row.at), clean(&row.kind), clean(&row.actor)))?;
    }
    let verified = world.client.verify().await?;
    if let Some(broken) = verified.broken {
        return Err(wrong(broken.to_string()).into());
    }
    more(out, format!("{} rows in all, and their chain is whole", verified.rows))?;
    say(out, "how late the end was")?;
    instants(&lease, out)
}

fn instants(lease: &Lease, out: &mut Out) -> Result<(), Stop> {
    let grant = lease.grants.first().ok_or_else(|| wrong("the lease has no grant"))?;
    for (name, at) in
        [("issued", grant.issued_at), ("accepted", grant.accepted_at), ("gone", grant.gone_at)]
    {
        let at = at.ok_or_else(|| wrong(format!("the lease is closed without {name:?}")))?;
        let late = lateness(at, grant.deadline);
        more(out, format!("{name:<8}  {}  {GOOD}{late}{GOOD:#}", utc_ms(at)))?;
        if name == "issued" && at < grant.deadline {
            return Err(wrong(format!("the end was sent {late}")).into());
        }
        if name == "accepted" && at.since(grant.deadline) > LATE_MAX {
            return Err(wrong(format!("the end was accepted {late}")).into());
        }
    }
    Ok(())
}

/// Wait until a listing of the key's grants is empty.
async fn empty(world: &World) -> Result<(), Fault> {
    let until = world.now().plus(SHOWS);
    loop {
        let grants = match world.admin.list_grants(&world.story.key_arn, world.now()).await? {
            Answer::Yes(document) => document["Grants"].as_array().cloned(),
            Answer::No(code, message) => return Err(wrong(format!("{code}: {message}"))),
        };
        match grants {
            Some(grants) if grants.is_empty() => return Ok(()),
            Some(_) | None if world.now() < until => world.clock.nap(LOOK).await,
            Some(grants) => return Err(wrong(format!("grants are left: {}", Value::from(grants)))),
            None => return Err(wrong("ListGrants answers without a list")),
        }
    }
}

/// Wait until the daemon has seen that the grant is gone, and closed the lease.
async fn closed(world: &World, reference: &str) -> Result<Lease, Fault> {
    let until = world.now().plus(CLOSES);
    loop {
        let lease = world.client.lease(reference).await?;
        if lease.state == "closed" {
            return Ok(lease);
        }
        if world.now() > until {
            return Err(wrong(format!("the lease is {} and not closed", lease.state)));
        }
        world.clock.nap(LOOK_CLOSED).await;
    }
}

fn plaintext(who: &str, answer: &Answer) -> Result<String, Fault> {
    match answer {
        Answer::Yes(document) => {
            let text = document["Plaintext"].as_str().unwrap_or_default();
            let bytes = aws_smithy_types::base64::decode(text).unwrap_or_default();
            let text = String::from_utf8(bytes).unwrap_or_default();
            if text == SECRET { Ok(text) } else { Err(wrong(format!("{who} reads {text:?}"))) }
        }
        Answer::No(code, message) => Err(wrong(format!("{who} is refused: {code}: {message}"))),
    }
}

/// A refusal as it should be; anything else is wrong.
fn refusal(answer: &Answer) -> Result<String, Fault> {
    match answer {
        Answer::No(code, message) if code == "AccessDeniedException" => {
            // The rest names the key, which the demo has named already.
            let what = message.split(" on resource").next().unwrap_or(message);
            Ok(format!("{WARN}{code}{WARN:#}: {}", clean(what)))
        }
        Answer::No(code, message) => Err(wrong(format!("RoleB gets {code}: {message}"))),
        Answer::Yes(_) => Err(wrong("RoleB decrypts, and should not")),
    }
}

fn wrong(text: impl Into<String>) -> Fault {
    Fault::new(Kind::Bug, text)
}

/// A step.
fn say(out: &mut Out, text: &str) -> std::io::Result<()> {
    out.line(format!("\n  {STRONG}{text}{STRONG:#}"))?;
    out.flush()
}

/// What came of it.
fn more(out: &mut Out, text: impl AsRef<str>) -> std::io::Result<()> {
    out.line(format!("      {}", text.as_ref()))?;
    out.flush()
}
