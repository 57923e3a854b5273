//! What a lease costs over the bare call: `CreateGrant` by the SDK, and the same through the daemon
//! (socket, policy, two commits, the same `CreateGrant`). Both against the embedded KMS on
//! loopback, so that the difference is grantd's own.
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on has failed")]

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;
use testbed::{Config, Sandbox};

fn create(c: &mut Criterion) {
    let sandbox = Sandbox::start();
    sandbox.handle().with(|core| core.settings_mut().quotas.clear());
    let rates = Config { create_rate: 10_000, end_rate: 10_000, ..Config::default() };
    let host = sandbox.host(env!("CARGO_BIN_EXE_grantd"), &rates).direct();
    let _daemon = host.ready();

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let grantd = &sandbox.story.grantd;
    let credentials = aws_sdk_kms::config::Credentials::new(
        &grantd.access_key_id,
        &grantd.secret_access_key,
        None,
        None,
        "bench",
    );
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(aws_sdk_kms::config::BehaviorVersion::latest())
        .region(aws_sdk_kms::config::Region::new("ap-northeast-1"))
        .endpoint_url(sandbox.server.url())
        .credentials_provider(credentials)
        .build();
    let kms = aws_sdk_kms::Client::from_conf(config);

    let mut n = 0_u64;
    c.bench_function("bare CreateGrant by the SDK", |b| {
        b.iter(|| {
            n += 1;
            let call = kms
                .create_grant()
                .key_id(&sandbox.story.key_arn)
                .grantee_principal(&sandbox.story.role_b.arn)
                .retiring_principal(&grantd.arn)
                .operations(aws_sdk_kms::types::GrantOperation::Decrypt)
                .name(format!("bench/{n}"));
            runtime.block_on(call.send()).unwrap()
        });
    });
    let request = json!({
        "key": sandbox.story.alias, "grantee": "role/RoleB", "operations": ["Decrypt"], "ttl": "1h",
    });
    c.bench_function("a lease through the daemon", |b| {
        b.iter(|| {
            let made = host.post("/v1/leases", &request);
            assert_eq!(made.status, 201, "{made:?}");
        });
    });
}

criterion_group!(benches, create);
criterion_main!(benches);
