//! CreateGrant: who gets it, and who may retire it.

use aws_sdk_kms::operation::create_grant::builders::CreateGrantFluentBuilder;
use aws_sdk_kms::types::GrantConstraints;

use crate::case::Case;
use crate::words::Said as _;
use crate::world::World;

const GRANTEE: &str = "API CreateGrantRequest$GranteePrincipal";
const RETIRING: &str = "API CreateGrantRequest$RetiringPrincipal";
const SERVICE: &str = "API CreateGrantRequest$GranteeServicePrincipal (March 2026)";
const FORMS: &str = "guide: grants, \"Grantee principal\"";
const TERRAFORM: &str = "Terraform: retries InvalidArn for roles that KMS cannot see yet";

pub(super) const CASES: &[Case] = &[
    Case::documented("create-grant/grantee/role", FORMS, "accepted", |w| {
        w.make(w.grant().grantee_principal(w.iam("role/RoleB"))).said()
    }),
    Case::documented("create-grant/grantee/user", FORMS, "accepted", |w| {
        w.make(w.grant().grantee_principal(w.iam("user/admin"))).said()
    }),
    Case::documented("create-grant/grantee/account-root", FORMS, "accepted", |w| {
        w.make(w.grant().grantee_principal(w.iam("root"))).said()
    }),
    Case::documented("create-grant/grantee/session", FORMS, "accepted", |w| {
        w.make(w.grant().grantee_principal(sts(w, "assumed-role/RoleB/one"))).said()
    }),
    Case::documented("create-grant/grantee/federated-user", FORMS, "accepted", |w| {
        w.make(w.grant().grantee_principal(sts(w, "federated-user/bob"))).said()
    }),
    Case::documented("create-grant/grantee/group", FORMS, "refused", |w| {
        w.make(w.grant().grantee_principal(w.iam("group/readers"))).allowed()
    })
    .emulators("accepted")
    .row(22),
    Case::documented("create-grant/grantee/organization", FORMS, "refused", |w| {
        let arn = format!("arn:aws:organizations::{}:organization/o-a1b2c3d4e5", w.account());
        w.make(w.grant().grantee_principal(arn)).allowed()
    })
    .emulators("accepted")
    .row(22),
    Case::documented("create-grant/grantee/service-as-principal", FORMS, "refused", |w| {
        w.make(w.grant().grantee_principal("s3.amazonaws.com")).allowed()
    })
    .emulators("accepted")
    .row(22),
    Case::documented("create-grant/grantee/none", GRANTEE, "ValidationException", |w| {
        w.make(w.grant().set_grantee_principal(None)).said()
    })
    .moto("accepted")
    .row(22),
    Case::documented("create-grant/grantee/garbage", GRANTEE, "refused", |w| {
        w.make(w.grant().grantee_principal("nobody")).allowed()
    })
    .emulators("accepted")
    .row(22),
    Case::recorded(
        "create-grant/grantee/role-that-is-not",
        TERRAFORM,
        "InvalidArnException",
        |w| w.make(w.grant().grantee_principal(w.iam("role/Nobody"))).said(),
    )
    .emulators("accepted")
    .row(22),
    Case::documented("create-grant/grantee/pattern", GRANTEE, "ValidationException", |w| {
        w.make(w.grant().grantee_principal(w.iam("role/Role B"))).said()
    })
    .emulators("accepted"),
    Case::documented("create-grant/grantee/empty", GRANTEE, "ValidationException", |w| {
        w.make(w.grant().grantee_principal("")).said()
    })
    .moto("accepted"),
    Case::documented("create-grant/grantee/257-characters", GRANTEE, "ValidationException", |w| {
        w.make(w.grant().grantee_principal(format!("{:a<257}", w.iam("role/")))).said()
    })
    .emulators("accepted"),
    Case::documented("create-grant/retiring/role", RETIRING, "accepted", |w| {
        w.make(w.grant().retiring_principal(w.iam("role/grantd"))).said()
    }),
    Case::recorded(
        "create-grant/retiring/garbage",
        "LocalStack: comment on a recorded test, an invalid ARN is rejected",
        "refused",
        |w| w.make(w.grant().retiring_principal("nobody")).allowed(),
    )
    .emulators("accepted")
    .row(22),
    Case::documented("create-grant/retiring/pattern", RETIRING, "ValidationException", |w| {
        w.make(w.grant().retiring_principal(w.iam("role/Role%B"))).said()
    })
    .emulators("accepted"),
    Case::documented(
        "create-grant/retiring/257-characters",
        RETIRING,
        "ValidationException",
        |w| w.make(w.grant().retiring_principal(format!("{:a<257}", w.iam("role/")))).said(),
    )
    .emulators("accepted"),
    Case::documented("create-grant/retiring/both-kinds", RETIRING, "refused", |w| {
        let both = w.grant().retiring_principal(w.iam("role/grantd"));
        w.make(both.retiring_service_principal("dynamodb.amazonaws.com")).allowed()
    })
    .emulators("accepted"),
    Case::documented("create-grant/grantee/both-kinds", SERVICE, "refused", |w| {
        w.make(service(w).grantee_principal(w.iam("role/RoleB"))).allowed()
    })
    .emulators("accepted"),
    Case::documented("create-grant/service/retired-by-principal", SERVICE, "accepted", |w| {
        w.make(service(w)).said()
    })
    .ministack("ValidationException")
    .row(26),
    Case::documented("create-grant/service/retired-by-service", SERVICE, "accepted", |w| {
        let request = service(w).set_retiring_principal(None);
        w.make(request.retiring_service_principal("dynamodb.amazonaws.com")).said()
    })
    .ministack("ValidationException")
    .row(26),
    Case::documented("create-grant/service/retiring-service-alone", SERVICE, "accepted", |w| {
        w.make(w.grant().retiring_service_principal("dynamodb.amazonaws.com")).said()
    })
    .row(26),
    Case::documented("create-grant/service/without-source-arn", SERVICE, "refused", |w| {
        w.make(service(w).set_constraints(None)).allowed()
    })
    .moto("accepted")
    .row(26),
    Case::documented("create-grant/service/without-retiring", SERVICE, "refused", |w| {
        w.make(service(w).set_retiring_principal(None)).allowed()
    })
    .moto("accepted")
    .row(26),
    Case::documented("create-grant/service/one-dot", SERVICE, "ValidationException", |w| {
        w.make(service(w).grantee_service_principal("dynamodb.amazonaws")).said()
    })
    .moto("accepted"),
    Case::documented("create-grant/service/129-characters", SERVICE, "ValidationException", |w| {
        let host = format!("{}.amazonaws.com", "d".repeat(129 - ".amazonaws.com".len()));
        w.make(service(w).grantee_service_principal(host)).said()
    })
    .moto("accepted"),
    Case::documented(
        "create-grant/service/listed-instead-of-grantee",
        "guide: grant-view",
        "grantee none, service dynamodb.amazonaws.com",
        |w| {
            w.make(service(w))?;
            let entry = w.entry()?;
            let or_none = |name: Option<String>| name.unwrap_or_else(|| "none".to_owned());
            Ok(format!(
                "grantee {}, service {}",
                or_none(entry.grantee_principal),
                or_none(entry.grantee_service_principal)
            ))
        },
    )
    .ministack("ValidationException")
    .moto("grantee none, service none")
    .row(26),
];

fn sts(w: &World, what: &str) -> String {
    format!("arn:aws:sts::{}:{what}", w.account())
}

/// DynamoDB may decrypt for one table; the role grantd may retire it.
fn service(w: &World) -> CreateGrantFluentBuilder {
    let table = format!("arn:aws:dynamodb:eu-west-1:{}:table/t", w.account());
    w.grant()
        .set_grantee_principal(None)
        .grantee_service_principal("dynamodb.amazonaws.com")
        .retiring_principal(w.iam("role/grantd"))
        .constraints(GrantConstraints::builder().source_arn(table).build())
}
