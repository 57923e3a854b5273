//! The desk: where askers are served. It resolves the key, lets the policy decide, proves the way
//! out, and makes the lease; or ends one early.

use std::rc::Rc;
use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Caller;
use super::context::{Context, ledger_fault};
use super::crowd::crowded;
use super::freeze::refuse_frozen;
use super::lane::Search;
use super::prove::refusal;
use super::refusals::refused;
use super::resolve::{Resolved, resolve};
use super::send::Made;
use crate::config::Config;
use crate::fault::{Fault, Kind};
use crate::ids::{Principal, Ref};
use crate::kms::Lane;
use crate::ledger::{Ledger, LedgerError, NewLease, Urgency};
use crate::rules::clocks::Doubt;
use crate::rules::life::{Class, How, Origin};
use crate::rules::name::Name;
use crate::rules::policy::{self, Terms, Until};
use crate::rules::time::SECOND;
use crate::terms::{GrantRequest, Operation};
use crate::wire;

/// How long an asker waits for AWS to confirm the clock, and for the first search of a start: one
/// answer of a distant Region and a retry.
const CONFIRM_MAX: i64 = 5 * SECOND;
/// Between two looks whether it has.
const CONFIRM_EVERY: i64 = SECOND / 50;

/// What a request has become: all that the ledger and KMS need.
struct Prepared {
    lane: Arc<Lane>,
    terms: Terms,
    request: GrantRequest,
    reference: Ref,
    aliases: Vec<String>,
}

/// Make a lease.
pub(crate) async fn create(
    cx: &Rc<Context>,
    caller: &Caller,
    request: &wire::CreateLease,
    idempotency: Option<String>,
) -> Result<wire::LeaseMade, Fault> {
    let made = make(cx, caller, request, idempotency).await;
    cx.metrics.asked("create", &made);
    if let Err(fault) = &made
        && fault.kind != Kind::OutcomeUnknown
    {
        let body = serde_json::json!({ "key": request.key, "grantee": request.grantee,
            "operations": request.operations });
        refused(cx, caller, fault, "create", body);
    }
    made
}

async fn make(
    cx: &Rc<Context>,
    caller: &Caller,
    request: &wire::CreateLease,
    idempotency: Option<String>,
) -> Result<wire::LeaseMade, Fault> {
    hear_the_time(cx).await;
    let config = open_for_creates(cx)?;
    // Whether the token is wanted is no part of what is asked for.
    let asked = wire::CreateLease { token: false, ..request.clone() };
    let idempotency = idempotency.map(|key| (key, digest(&asked)));
    if let Some(lease) = repeated(cx, caller, idempotency.as_ref()).await? {
        return Ok(repeat(lease));
    }
    let wanted = read(cx, &config, request).await?;
    know_what_lives(cx, &wanted.key.lane).await?;
    let decided = || -> Result<NewLease, Fault> {
        let prepared = decide(cx, &config, caller, request, &wanted)?;
        Ok(new_lease(cx, &config, caller, request, prepared, idempotency.clone()))
    };
    let mut new = decided()?;
    refuse_frozen(cx, &new).await?;
    cx.room(&new.lane, &new.request.key_arn).await?;
    if probes(cx, &new.lane) {
        cx.prove(&new.lane, &new.request.key_arn).await?;
        // The proof took its time: what is asked for by a span is counted from now.
        new = decided()?;
    }
    let late_ms = crowded(cx, &config, &new).await?;
    let (reference, key) = (new.reference.clone(), new.request.key_arn.clone());
    let sent = cx.send(new, &config).await;
    if request.hold {
        cx.held.set(true);
    }
    let made = match sent {
        Ok(made) => made,
        // The same key came in twice at once: the ledger's unique index decides.
        Err(LedgerError::Repeated(first)) => {
            let lease = made_before(cx, &first, 1).await?;
            return Ok(repeat(lease));
        }
        Err(error) => return Err(unsent(error)),
    };
    match made {
        Made::Granted(row) => {
            tracing::info!(lease = %reference, %key, deadline = %row.facts().deadline,
                uid = caller.uid, "lease made");
            let token = request.token.then(|| cx.token(row.id())).flatten();
            let token = token.map(|token| token.reveal().to_owned());
            let lease = lease(cx, &reference).await?;
            Ok(wire::LeaseMade { lease, token, repeated: false, late_ms })
        }
        Made::Refused(_, class, detail) => Err(refusal(class, &key, &detail).about(reference)),
        Made::Unknown(row, detail) => {
            let text = format!(
                "KMS has not answered ({detail}); lease {reference} is recorded and will end at {} \
                 in any case",
                row.facts().deadline
            );
            let hint = format!("see `grantd show {reference}`");
            Err(Fault::new(Kind::OutcomeUnknown, text).hint(hint).about(reference))
        }
    }
}

/// What an idempotency key had made before.
const fn repeat(lease: wire::Lease) -> wire::LeaseMade {
    wire::LeaseMade { lease, token: None, repeated: true, late_ms: None }
}

/// Why nothing was sent: without a record there is no send.
pub(crate) fn unsent(error: LedgerError) -> Fault {
    let LedgerError::InDoubt(why) = error else { return ledger_fault(error) };
    let text = format!("the ledger may not be written ({why}): nothing was sent to KMS");
    Fault::new(Kind::Io, text)
}

/// Who asks just after the start waits for AWS's first word on the clock, which the keeper is
/// asking for. Where it does not come, [`open_for_creates`] says so.
pub(crate) async fn hear_the_time(cx: &Context) {
    let unconfirmed = || matches!(cx.time.judge().doubt, Some(Doubt::Unconfirmed));
    let heard = async {
        while unconfirmed() && cx.end_only().is_none() && !cx.stopping.get() {
            cx.time.pause(CONFIRM_EVERY).await;
        }
    };
    if cx.time.within(CONFIRM_MAX, heard).await.is_none() {
        tracing::warn!("AWS has not confirmed the clock while an asker waited");
    }
}

/// After a start no lease is made on a lane before our own grants there were searched for: a ledger
/// that was lost, or is older than they are, does not know how many live.
async fn know_what_lives(cx: &Context, lane: &Lane) -> Result<(), Fault> {
    let under_way = || cx.lane(lane, |state| state.search) == Some(Search::UnderWay);
    let heard = async {
        while under_way() && !cx.stopping.get() {
            cx.time.pause(CONFIRM_EVERY).await;
        }
    };
    if cx.time.within(CONFIRM_MAX, heard).await.is_some() {
        return Ok(());
    }
    let (account, region) = (&lane.account, &lane.region);
    let text = format!(
        "grantd still searches account {account}, Region {region} for the grants that it made \
         before it was started"
    );
    Err(Fault::new(Kind::Searching, text))
}

pub(crate) fn open_for_creates(cx: &Context) -> Result<Arc<Config>, Fault> {
    if cx.stopping.get() {
        return Err(Fault::new(Kind::Stopping, "grantd is stopping"));
    }
    if let Some(why) = cx.end_only() {
        let text = format!("grantd only ends leases now: {}", why.why);
        return Err(Fault::new(Kind::EndOnly, text));
    }
    let Some(config) = cx.config() else {
        return Err(Fault::new(Kind::EndOnly, "grantd only ends leases now: no configuration"));
    };
    if cx.ledger.is_full() {
        return Err(Fault::new(Kind::DiskFull, "the disk of the ledger is full"));
    }
    if let Some(doubt) = cx.time.judge().doubt {
        let text = match doubt {
            Doubt::WallAlone(ms) => format!(
                "the host's clock is {} s {} the others",
                ms.abs() / SECOND,
                if ms > 0 { "ahead of" } else { "behind" }
            ),
            Doubt::DateAlone(ms) => format!(
                "an answer of AWS is dated {} s {} the clocks of this host",
                ms.abs() / SECOND,
                if ms > 0 { "ahead of" } else { "behind" }
            ),
            Doubt::Unconfirmed => return Err(unheard(cx)),
        };
        return Err(Fault::new(Kind::ClockDoubt, text));
    }
    Ok(config)
}

/// AWS has not answered since the start: why, as far as the lanes know.
fn unheard(cx: &Context) -> Fault {
    let lanes = cx.lanes.borrow();
    let stall = lanes.values().find_map(|lane| lane.stall.as_ref());
    let since = "AWS has not answered since grantd started, so the clock is unconfirmed";
    match stall {
        Some(stall) if stall.class == Class::Credentials => {
            Fault::new(Kind::Credentials, format!("{since}: {}", stall.detail))
        }
        Some(stall) => Fault::new(Kind::KmsSilent, format!("{since}: {}", stall.detail)),
        None => Fault::new(Kind::KmsSilent, since),
    }
}

/// SHA-256 of the request as it would be sent again; the same key with another digest is refused.
pub(crate) fn digest(request: &impl Serialize) -> [u8; 32] {
    let text = serde_json::to_vec(request).unwrap_or_default();
    Sha256::digest(text).into()
}

pub(crate) async fn repeated(
    cx: &Rc<Context>,
    caller: &Caller,
    idempotency: Option<&(String, [u8; 32])>,
) -> Result<Option<wire::Lease>, Fault> {
    let Some((key, digest)) = idempotency.cloned() else { return Ok(None) };
    let uid = caller.uid;
    let read = move |books: &mut Ledger| books.by_idempotency(uid, &key);
    let known = cx.ledger.run(Urgency::Work, read).await.map_err(ledger_fault)?;
    let Some((was, reference, serial)) = known else { return Ok(None) };
    if was != digest {
        let text =
            format!("this idempotency key was used for lease {reference}, by another request");
        return Err(Fault::new(Kind::IdempotencyConflict, text).about(reference));
    }
    made_before(cx, &reference, serial).await.map(Some)
}

/// The lease whose grant `serial` this idempotency key made: the truth as it is now, which need not
/// be a success.
pub(crate) async fn made_before(
    cx: &Rc<Context>,
    reference: &Ref,
    serial: u32,
) -> Result<wire::Lease, Fault> {
    let lease = lease(cx, reference).await?;
    let made = lease.grants.iter().find(|grant| grant.serial == serial && grant.twin == 0);
    if made.is_some_and(|grant| grant.state == "creating") {
        let text = format!("KMS has not answered for lease {reference}, made by this key, yet");
        return Err(Fault::new(Kind::OutcomeUnknown, text).about(reference.clone()));
    }
    if made.is_some_and(|grant| grant.how == Some(How::NeverExisted)) {
        let text =
            format!("what this idempotency key asked of lease {reference}, KMS never granted");
        let fault = Fault::new(Kind::IdempotencyConflict, text).about(reference.clone());
        return Err(fault.hint("ask again with a new key"));
    }
    Ok(lease)
}

/// What was asked for, read and resolved.
struct Wanted {
    key: Resolved,
    grantee: Principal,
    operations: Vec<Operation>,
    until: Until,
}

async fn read(
    cx: &Rc<Context>,
    config: &Arc<Config>,
    request: &wire::CreateLease,
) -> Result<Wanted, Fault> {
    let operations = policy::parse_operations(&request.operations)?;
    let until = Until::parse(request.ttl.as_deref(), request.until)?;
    let key = resolve(cx, config, &request.key, request.region.as_ref()).await?;
    let grantee = policy::expand_grantee(&request.grantee, &key.facts.arn)?;
    Ok(Wanted { key, grantee, operations, until })
}

/// Let the policy decide, now.
fn decide(
    cx: &Context,
    config: &Config,
    caller: &Caller,
    request: &wire::CreateLease,
    wanted: &Wanted,
) -> Result<Prepared, Fault> {
    let Wanted { key, grantee, operations, until } = wanted;
    let ask = policy::Ask {
        caller,
        key: &key.facts,
        aliases: &key.aliases,
        grantee,
        operations,
        until: *until,
        reason: request.reason.as_deref(),
        constraints: &request.constraints,
        now: cx.time.now().latest,
    };
    let terms = policy::decide(config, &ask).terms()?;
    let reference = Ref::random(cx.rng.as_ref());
    let name = Name::new(config.group.clone(), reference.clone(), 1, terms.deadline)
        .map_err(|error| Fault::new(Kind::Bug, error.to_string()))?;
    let request = GrantRequest {
        key_arn: key.facts.arn.clone(),
        grantee: grantee.clone(),
        operations: terms.operations.clone(),
        retiring_principal: key.lane.retiring_principal.clone(),
        constraints: request.constraints.clone(),
        name: name.to_string(),
    };
    Ok(Prepared {
        lane: Arc::clone(&key.lane),
        terms,
        request,
        reference,
        aliases: key.aliases.clone(),
    })
}

fn new_lease(
    cx: &Context,
    config: &Config,
    caller: &Caller,
    request: &wire::CreateLease,
    prepared: Prepared,
    idempotency: Option<(String, [u8; 32])>,
) -> NewLease {
    let Prepared { lane, terms, request: grant, reference, aliases } = prepared;
    let order = lane.own_order();
    NewLease {
        reference,
        lane,
        origin: Origin::Asked,
        key: request.key.clone(),
        request: grant,
        policy: Some(terms.policy),
        reason: request.reason.clone(),
        asker: Some(wire::Asker { uid: caller.uid, name: caller.name.clone() }),
        idempotency,
        held: request.hold,
        aliases,
        started_at: cx.time.now().latest,
        deadline: terms.deadline,
        latest: terms.latest,
        lead_ms: terms.lead,
        max_live: Some(terms.max_live),
        settle: config.settle,
        order,
    }
}

/// Whether the account of `lane` wants the way out proven.
pub(crate) fn probes(cx: &Context, lane: &Lane) -> bool {
    cx.config().is_some_and(|config| {
        config.accounts.iter().any(|account| account.id == lane.account && account.probe)
    })
}

/// The lease as the ledger has it now.
pub(crate) async fn lease(cx: &Rc<Context>, reference: &Ref) -> Result<wire::Lease, Fault> {
    let prefix = reference.to_string();
    let read = move |books: &mut Ledger| books.lease(&prefix);
    cx.ledger.run(Urgency::Work, read).await.map_err(ledger_fault)
}

/// How a caller stands in the history.
pub(crate) fn actor(caller: &Caller) -> String {
    format!("uid {} ({})", caller.uid, caller.name)
}
