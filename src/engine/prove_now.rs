//! A proof of the way out that an administrator asks for, whatever an earlier one says.

use std::rc::Rc;

use serde_json::json;

use super::Caller;
use super::context::Context;
use super::desk::{actor, hear_the_time, open_for_creates, probes};
use super::freeze::governs;
use super::resolve::resolve;
use crate::fault::{Fault, Kind};
use crate::rules::policy::lists_key;
use crate::wire::{Prove, Proven};

/// Prove it now. Only on a key that a policy names: nothing is to be made elsewhere.
pub(crate) async fn prove_now(
    cx: &Rc<Context>,
    caller: &Caller,
    request: Prove,
) -> Result<Proven, Fault> {
    governs(cx, caller, "have the way out proven", json!({ "key": request.key }))?;
    hear_the_time(cx).await;
    let config = open_for_creates(cx)?;
    let key = resolve(cx, &config, &request.key, None).await?;
    let arn = key.facts.arn;
    if !config.policies.iter().any(|policy| lists_key(policy, &arn, &key.aliases)) {
        let text = format!("no policy names {arn}, so grantd makes no grant on it");
        return Err(Fault::new(Kind::NoPolicy, text));
    }
    if !probes(cx, &key.lane) {
        let text =
            format!("account {} has `probe = false`: nothing is proven there", arn.account());
        return Err(Fault::new(Kind::BadArgument, text));
    }
    cx.chronicle(None, "proof-asked", &actor(caller), json!({ "key": arn }));
    cx.prove_anew(&key.lane, &arn).await?;
    Ok(Proven { key_arn: arn, at: cx.time.now().latest })
}
