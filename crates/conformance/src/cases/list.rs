//! ListGrants: filters, pages, and what an entry shows.

use std::collections::BTreeSet;

use aws_sdk_kms::operation::list_grants::builders::ListGrantsFluentBuilder;
use aws_sdk_kms::types::{GrantConstraints, GrantOperation};

use crate::case::{Answer, Case, Seen};
use crate::words::{Said as _, ids, subset};
use crate::world::{OTHER_ACCOUNT, REGION, Who, World};

const API: &str = "API ListGrants";
const PAGES: &str = "API ListGrants$Limit: 1 to 100, 50 if absent";
const UNKNOWN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

pub(super) const CASES: &[Case] = &[
    Case::documented("list-grants/key-id/bare-id", API, "accepted", |w| {
        w.ask(list(w).key_id(w.key_id()).send()).said()
    }),
    Case::documented("list-grants/key-id/alias", API, "refused", |w| {
        w.ask(list(w).key_id(&w.alias).send()).allowed()
    })
    .moto("accepted")
    .row(12),
    Case::documented("list-grants/key-id/absent", API, "ValidationException", |w| {
        w.ask(list(w).set_key_id(None).send()).said()
    })
    .ministack("NotFoundException")
    .moto("HTTP 500")
    .row(10),
    Case::documented("list-grants/key-id/unknown", API, "NotFoundException", |w| {
        w.ask(list(w).key_id("00000000-0000-4000-8000-000000000000").send()).said()
    })
    .moto("HTTP 500")
    .row(10),
    Case::documented("list-grants/key-id/malformed-arn", API, "InvalidArnException", |w| {
        w.ask(list(w).key_id("arn:aws:kms:nonsense").send()).said()
    })
    .ministack("NotFoundException")
    .moto("HTTP 500")
    .row(10),
    Case::documented("list-grants/key-id/other-region", API, "NotFoundException", |w| {
        w.ask(list(w).key_id(w.key.replace(REGION, "eu-west-1")).send()).said()
    })
    .moto("accepted")
    .row(11),
    Case::documented("list-grants/who/nobody-lets", API, "AccessDeniedException", |w| {
        w.ask(w.kms_as(Who::RoleB).list_grants().key_id(&w.key).send()).said()
    })
    .emulators("accepted")
    .row(29),
    Case::documented("list-grants/filter/grant-id", API, "the one", |w| {
        w.make(w.grant())?;
        let id = w.make(w.grant())?.id;
        let page = w.ask(list(w).grant_id(&id).send())?;
        let one = ids(page.grants()) == BTreeSet::from([id]);
        Ok(if one { "the one".to_owned() } else { format!("{} grants", page.grants().len()) })
    }),
    Case::documented(
        "list-grants/filter/grant-id-malformed",
        API,
        "InvalidGrantIdException",
        |w| w.ask(list(w).grant_id("no-grant-id").send()).said(),
    )
    .emulators("accepted")
    .row(8),
    Case::unconfirmed(
        "list-grants/filter/grant-id-unknown",
        "the API lists InvalidGrantIdException, and says of no id that it is that",
        &[Answer::new("assumed", "0", |_| {})],
        |w| Ok(w.ask(list(w).grant_id(UNKNOWN).send())?.grants().len().to_string()),
    )
    .row(8),
    Case::documented(
        "list-grants/filter/grant-id-129-characters",
        API,
        "ValidationException",
        |w| w.ask(list(w).grant_id("0".repeat(129)).send()).said(),
    )
    .emulators("accepted"),
    Case::documented("list-grants/filter/grantee", API, "1 of 2", |w| {
        w.make(w.grant())?;
        w.make(w.grant().grantee_principal(w.iam("role/RoleA")))?;
        let page = w.ask(list(w).grantee_principal(w.iam("role/RoleA")).send())?;
        Ok(format!("{} of {}", page.grants().len(), w.count()?))
    })
    .moto("2 of 2")
    .row(6),
    Case::documented("list-grants/filter/grantee-without-grants", API, "0", |w| {
        w.make(w.grant())?;
        let page = w.ask(list(w).grantee_principal(w.iam("role/grantd")).send())?;
        Ok(page.grants().len().to_string())
    })
    .moto("1")
    .row(6),
    Case::documented("list-grants/filter/grantee-pattern", API, "ValidationException", |w| {
        w.ask(list(w).grantee_principal("role B").send()).said()
    })
    .emulators("accepted"),
    Case::documented(
        "list-grants/filter/service-by-a-user",
        "API ListGrants$GranteeServicePrincipal: for service principals only",
        "refused",
        |w| w.ask(list(w).grantee_service_principal("s3.amazonaws.com").send()).allowed(),
    )
    .emulators("accepted"),
    Case::documented("list-grants/limit/0", PAGES, "ValidationException", |w| limit(w, 0))
        .moto("accepted")
        .row(7),
    Case::documented("list-grants/limit/1", PAGES, "accepted", |w| limit(w, 1)),
    Case::documented("list-grants/limit/100", PAGES, "accepted", |w| limit(w, 100)),
    Case::documented("list-grants/limit/101", PAGES, "ValidationException", |w| limit(w, 101))
        .moto("accepted")
        .row(7),
    Case::documented("list-grants/limit/1001", PAGES, "ValidationException", |w| limit(w, 1_001))
        .moto("accepted")
        .row(7),
    Case::documented("list-grants/limit/default", PAGES, "50, truncated", |w| {
        for _ in 0..51 {
            w.make(w.grant())?;
        }
        let page = w.page()?;
        let cut = if page.truncated { "truncated" } else { "whole" };
        Ok(format!("{}, {cut}", page.grants().len()))
    })
    .moto("51, whole")
    .row(7),
    Case::documented("list-grants/pages", API, "2 2 1, each once, no marker at the end", pages)
        .moto("5, each once, no marker at the end")
        .row(7),
    Case::documented("list-grants/marker/garbage", API, "InvalidMarkerException", |w| {
        w.ask(list(w).marker("bm8gbWFya2Vy").send()).said()
    })
    .moto("accepted")
    .row(7),
    Case::unconfirmed(
        "list-grants/marker/its-grant-revoked",
        "whether a marker outlives the grant that it names is nowhere said",
        &[
            Answer::new("marker_dies_with_its_grant=true", "InvalidMarkerException", |u| {
                u.marker_dies_with_its_grant = true;
            }),
            Answer::new("marker_dies_with_its_grant=false", "0 more", |u| {
                u.marker_dies_with_its_grant = false;
            }),
        ],
        marker_after_revoke,
    )
    .moto("no marker")
    .row(7),
    Case::documented("list-grants/entry/key-id", "API ListGrants, sample", "the key's ARN", |w| {
        w.make(w.grant())?;
        let id = w.entry()?.key_id.unwrap_or_default();
        Ok(if id == w.key { "the key's ARN" } else { "not the ARN" }.to_owned())
    })
    .moto("not the ARN")
    .row(5),
    Case::documented("list-grants/entry/creation-date", "API GrantListEntry", "now", |w| {
        let before = w.now_ms();
        w.make(w.grant())?;
        let Some(date) = w.entry()?.creation_date else { return Ok("absent".to_owned()) };
        let at = date.to_millis().unwrap_or_default();
        // A date without its milliseconds may lie before the call.
        let fits = (before - 1_000..=w.now_ms()).contains(&at);
        Ok(if fits { "now" } else { "another time" }.to_owned())
    })
    .moto("absent")
    .row(3),
    Case::unconfirmed(
        "list-grants/entry/creation-date-milliseconds",
        "published samples show whole seconds and milliseconds",
        &[
            Answer::new("whole_second_dates=true", "whole seconds", |u| {
                u.whole_second_dates = true
            }),
            Answer::new("whole_second_dates=false", "milliseconds", |u| {
                u.whole_second_dates = false
            }),
        ],
        |w| {
            w.pass(123);
            w.make(w.grant())?;
            let Some(date) = w.entry()?.creation_date else { return Ok("absent".to_owned()) };
            let whole = date.subsec_nanos() == 0;
            Ok(if whole { "whole seconds" } else { "milliseconds" }.to_owned())
        },
    )
    .moto("absent"),
    Case::documented(
        "list-grants/entry/issuing-account",
        "API GrantListEntry, sample",
        "the root",
        |w| {
            w.make(w.grant())?;
            let issuer = w.entry()?.issuing_account;
            let root = issuer.as_deref() == Some(&w.iam("root"));
            Ok(if root {
                "the root".to_owned()
            } else {
                issuer.unwrap_or_else(|| "absent".to_owned())
            })
        },
    )
    .moto("absent")
    .row(4),
    Case::documented("list-grants/entry/name", "API GrantListEntry", "n/1", |w| {
        w.make(w.grant().name("n/1"))?;
        Ok(w.entry()?.name.unwrap_or_default())
    }),
    Case::unconfirmed(
        "list-grants/entry/no-name",
        "the model says null, published output shows \"\"",
        &[
            Answer::new("unset_name_is_empty=true", "\"\"", |u| u.unset_name_is_empty = true),
            Answer::new("unset_name_is_empty=false", "absent", |u| u.unset_name_is_empty = false),
        ],
        |w| {
            w.make(w.grant())?;
            let name = w.entry()?.name;
            Ok(name.map_or_else(|| "absent".to_owned(), |name| format!("{name:?}")))
        },
    ),
    Case::documented("list-grants/entry/terms", "API GrantListEntry", "as given", |w| {
        let arn = format!("arn:aws:s3:eu-west-1:{}:a-bucket", w.account());
        let constraints = GrantConstraints::builder().encryption_context_subset("a", "1");
        let constraints = constraints.source_arn(arn).build();
        let request = w.grant().operations(GrantOperation::DescribeKey);
        let request = request.retiring_principal(w.iam("role/grantd"));
        w.make(request.constraints(constraints.clone()))?;
        let entry = w.entry()?;
        let wrong = [
            ("grantee", entry.grantee_principal() == Some(&w.iam("role/RoleB"))),
            ("retiring", entry.retiring_principal() == Some(&w.iam("role/grantd"))),
            ("operations", {
                entry.operations() == [GrantOperation::Decrypt, GrantOperation::DescribeKey]
            }),
            ("constraints", entry.constraints() == Some(&constraints)),
        ];
        let wrong: Vec<&str> = wrong.iter().filter(|(_, ok)| !ok).map(|(name, _)| *name).collect();
        let verdict = if wrong.is_empty() { "as given".to_owned() } else { wrong.join(", ") };
        Ok(verdict)
    }),
    Case::documented("list-grants/entry/context", "API GrantConstraints", "as given", |w| {
        let constraints = subset(&[("a", "1"), ("B", "Zwei")]);
        w.make(w.grant().constraints(constraints.clone()))?;
        let given = w.entry()?.constraints == Some(constraints);
        Ok(if given { "as given" } else { "changed" }.to_owned())
    }),
    Case::documented("list-grants/entry/no-token", "API GrantListEntry", "no token", |w| {
        let token = w.make(w.grant())?.token;
        w.page()?;
        let shown = w.body().contains(&token) || w.body().contains("GrantToken");
        Ok(if shown { "shows tokens" } else { "no token" }.to_owned())
    }),
    Case::documented("list-grants/other-account-key", API, "NotFoundException", |w| {
        w.ask(list(w).key_id(w.key.replace(w.account(), OTHER_ACCOUNT)).send()).said()
    })
    .moto("accepted")
    .row(11),
    Case::documented(
        "list-keys/limit-1001",
        "API ListKeys$Limit: 1 to 1000",
        "ValidationException",
        |w| w.ask(w.kms().list_keys().limit(1_001).send()).said(),
    )
    .emulators("accepted"),
    Case::documented(
        "list-aliases/limit-101",
        "API ListAliases$Limit: 1 to 100",
        "ValidationException",
        |w| w.ask(w.kms().list_aliases().limit(101).send()).said(),
    )
    .emulators("accepted"),
    Case::documented("list-aliases/of-one-key", "API ListAliases$KeyId", "its own", |w| {
        let page = w.ask(w.kms().list_aliases().key_id(&w.key).send())?;
        let names: Vec<&str> = page.aliases().iter().filter_map(|a| a.alias_name()).collect();
        Ok(if names == [w.alias.as_str()] { "its own" } else { "others" }.to_owned())
    }),
];

fn list(w: &World) -> ListGrantsFluentBuilder {
    w.kms().list_grants().key_id(&w.key)
}

fn limit(w: &World, limit: i32) -> Seen {
    w.make(w.grant())?;
    w.ask(list(w).limit(limit).send()).said()
}

fn pages(w: &World) -> Seen {
    let mut made = BTreeSet::new();
    for _ in 0..5 {
        made.insert(w.make(w.grant())?.id);
    }
    let (mut sizes, mut seen, mut marker) = (Vec::new(), Vec::new(), None);
    loop {
        let page = w.ask(list(w).limit(2).set_marker(marker).send())?;
        sizes.push(page.grants().len().to_string());
        seen.extend(ids(page.grants()));
        if !page.truncated {
            let once = seen.len() == 5 && BTreeSet::from_iter(seen) == made;
            let once = if once { "each once" } else { "not each once" };
            let end = if page.next_marker.is_none() { "no marker" } else { "a marker" };
            return Ok(format!("{}, {once}, {end} at the end", sizes.join(" ")));
        }
        marker = page.next_marker;
    }
}

fn marker_after_revoke(w: &World) -> Seen {
    for _ in 0..4 {
        w.make(w.grant())?;
    }
    let first = w.ask(list(w).limit(2).send())?;
    // The marker may name the last grant of its page, or the first of the next.
    for id in ids(w.page()?.grants()) {
        w.revoke(&id)?;
    }
    let Some(marker) = first.next_marker else { return Ok("no marker".to_owned()) };
    let rest = w.ask(list(w).marker(marker).send())?;
    Ok(format!("{} more", rest.grants().len()))
}
