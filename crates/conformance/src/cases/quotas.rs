//! Request quotas, grants per key, and the failures that KMS does not model. Emulators have none of
//! them.

use std::collections::BTreeMap;

use kms_sandbox::{Act, Fault, Match, Op, Settings, When};

use crate::case::{Answer, Case, Seen};
use crate::words::Said as _;
use crate::world::{Refused, Who, World};

const RATES: &str = "guide (2026): requests-per-second, the table";
const FAULTS: &str = "a fault has to be injected";

pub(super) const CASES: &[Case] = &[
    Case::documented("quota/create-grant", RATES, "50", |w| {
        until_throttled(w, Op::CreateGrant, |w| w.make(w.grant().name("n")).map(drop))
    })
    .emulators("no quota")
    .row(31),
    Case::documented("quota/list-grants", RATES, "100", |w| {
        until_throttled(w, Op::ListGrants, |w| w.page().map(drop))
    })
    .emulators("no quota")
    .row(31),
    Case::documented("quota/list-retirable-grants", RATES, "100", |w| {
        let principal = w.iam("role/grantd");
        until_throttled(w, Op::ListRetirableGrants, |w| {
            let request = w.kms().list_retirable_grants().retiring_principal(&principal);
            w.ask(request.send()).map(drop)
        })
    })
    .ministack("InvalidAction")
    .moto("no quota"),
    Case::documented("quota/revoke-grant", RATES, "50", |w| {
        until_throttled(w, Op::RevokeGrant, |w| {
            let id = w.make(w.grant())?.id;
            w.revoke(&id)
        })
    })
    .emulators("no quota")
    .row(31),
    Case::documented("quota/retire-grant", RATES, "50", |w| {
        until_throttled(w, Op::RetireGrant, |w| {
            let token = w.make(w.grant())?.token;
            w.retire_token(Who::Admin, &token)
        })
    })
    .emulators("no quota")
    .row(31),
    Case::documented("quota/dry-runs-count", "guide: testing-permissions", "50", |w| {
        until_throttled(w, Op::CreateGrant, |w| match w.ask(w.grant().dry_run(true).send()) {
            Err(Refused { code: Some(code), .. }) if code == "DryRunOperationException" => Ok(()),
            other => other.map(drop),
        })
    })
    .emulators("no quota"),
    Case::documented("quota/next-second", RATES, "ThrottlingException, then accepted", |w| {
        quotas(w, &[(Op::CreateGrant, 1)]);
        w.make(w.grant())?;
        let throttled = w.make(w.grant()).said();
        w.pass(1_000);
        w.make(w.grant())?;
        Ok(format!("{}, then accepted", words(throttled)))
    })
    .emulators("accepted, then accepted"),
    Case::documented("quota/each-operation-its-own", RATES, "ThrottlingException, accepted", |w| {
        quotas(w, &[(Op::CreateGrant, 1), (Op::ListGrants, 1)]);
        w.make(w.grant())?;
        let throttled = w.make(w.grant()).said();
        w.page()?;
        Ok(format!("{}, accepted", words(throttled)))
    })
    .emulators("accepted, accepted"),
    Case::documented("quota/grants-per-key", "guide: resource-limits: 50,000", "50000", |_| {
        Ok(Settings::default().grants_per_key.to_string())
    })
    .sandbox_only("too many to make"),
    Case::documented(
        "quota/grants-per-key-reached",
        "API CreateGrant",
        "LimitExceededException",
        |w| {
            w.behind(|core| core.settings_mut().grants_per_key = 2);
            w.make(w.grant())?;
            w.make(w.grant())?;
            w.make(w.grant()).said()
        },
    )
    .row(31)
    .emulators("accepted"),
    Case::documented("quota/grants-per-key-freed", "API CreateGrant", "accepted", |w| {
        w.behind(|core| core.settings_mut().grants_per_key = 1);
        let id = w.make(w.grant())?.id;
        w.revoke(&id)?;
        w.make(w.grant()).said()
    }),
    Case::unconfirmed(
        "quota/hot-key",
        "guide: throttling: a hot key is throttled below the quota; by which calls is not said",
        &[
            Answer::new("hot_key_per_second=2", "ThrottlingException", |u| {
                u.hot_key_per_second = Some(2);
            }),
            Answer::new("hot_key_per_second=null", "accepted", |u| u.hot_key_per_second = None),
        ],
        |w| {
            let ids = [w.make(w.grant())?.id, w.make(w.grant())?.id];
            w.revoke(&ids[0]).said()
        },
    ),
    Case::documented(
        "errors/internal",
        "API: KMSInternalException, HTTP 500",
        "KMSInternalException (500)",
        |w| {
            inject(w, Act::Fail);
            w.make(w.grant()).said()
        },
    )
    .sandbox_only(FAULTS),
    Case::documented(
        "errors/dependency-timeout",
        "API: DependencyTimeoutException, HTTP 500",
        "DependencyTimeoutException (500)",
        |w| {
            let code = "DependencyTimeoutException".to_owned();
            inject(w, Act::Error { code, message: String::new(), status: 500 });
            w.make(w.grant()).said()
        },
    )
    .sandbox_only(FAULTS),
    Case::documented("errors/answer-lost", "the network", "no answer, 1 grant", |w| {
        inject(w, Act::Drop);
        let lost = w.make(w.grant()).said();
        Ok(format!("{}, {} grant", words(lost), w.count()?))
    })
    .sandbox_only(FAULTS),
    Case::documented(
        "errors/unknown-credentials",
        "API, common errors: UnrecognizedClientException",
        "UnrecognizedClientException",
        |w| {
            w.behind(|core| {
                core.delete_principal(&w.iam("role/RoleB"));
            });
            w.ask(w.kms_as(Who::RoleB).list_keys().send()).said()
        },
    )
    .emulators("accepted"),
];

fn words(seen: Seen) -> String {
    seen.unwrap_or_else(|refused| refused.to_string())
}

/// The documented quotas of these operations, or others.
fn quotas(w: &World, of: &[(Op, u32)]) {
    w.behind(|core| core.settings_mut().quotas = of.iter().copied().collect());
}

/// How many calls one second takes. The sandbox stands still; emulators are given up after 20.
fn until_throttled(w: &World, op: Op, call: impl Fn(&World) -> Result<(), Refused>) -> Seen {
    let quota = Settings::default().quotas.get(&op).copied();
    w.behind(|core| {
        core.settings_mut().quotas = BTreeMap::from_iter(quota.map(|quota| (op, quota)));
    });
    let most = if w.handle().is_some() { 1_000 } else { 20 };
    for n in 0..most {
        match call(w) {
            Ok(()) => {}
            Err(refused) if refused.to_string() == "ThrottlingException" => {
                return Ok(n.to_string());
            }
            Err(other) => return Err(other),
        }
    }
    Ok("no quota".to_owned())
}

fn inject(w: &World, act: Act) {
    if let Some(handle) = w.handle() {
        handle.inject(Fault::new(Match::op(Op::CreateGrant), When::After, act).times(1));
    }
}
