//! `grantd sandbox`: the embedded KMS with the story in it, for any AWS SDK or CLI.

use std::io;
use std::net::SocketAddr;

use kms_sandbox::{Handle, Identity, Server, Story, StoryOptions, system_clock};
use serde_json::{Value, json};

use crate::cli::out::{Out, STRONG, Stop};
use crate::fault::{Fault, Kind};
use crate::rules::time::Time;

/// A sandbox that listens, and what is in it.
pub(super) struct Listening {
    pub(super) server: Server,
    story: Story,
    ciphertext: String,
}

/// Listen on a loopback address.
pub(super) async fn bind(listen: SocketAddr, now: Time) -> Result<Listening, Fault> {
    let mut story = Story::new(StoryOptions::default(), now.0);
    let ciphertext = story.encrypt("hello", now.0);
    let handle = Handle::new(story.core.clone(), system_clock());
    let server = Server::bind(listen, handle).await.map_err(|error| {
        if error.kind() == io::ErrorKind::InvalidInput {
            let text = format!("--listen {listen} is no loopback address");
            return Fault::new(Kind::Usage, text)
                .hint("its credentials are public: listen on 127.0.0.1, such as 127.0.0.1:4599");
        }
        Fault::new(Kind::Io, format!("cannot listen on {listen}: {error}"))
            .hint("leave out --listen to take any free port")
    })?;
    Ok(Listening { server, story, ciphertext })
}

/// Endpoint, key, credentials and what to try.
pub(super) fn describe(sandbox: &Listening, out: &mut Out) -> Result<(), Stop> {
    let Listening { server, story, ciphertext } = sandbox;
    let url = server.url();
    if out.json {
        let identities: Vec<Value> = story.credentials().iter().map(|one| identity(one)).collect();
        out.document(&json!({
            "endpoint": url, "region": region(&story.key_arn), "key-arn": story.key_arn,
            "alias": story.alias, "identities": identities, "ciphertext": ciphertext,
        }))?;
        out.flush()?;
        return Ok(());
    }
    out.line(format!("{STRONG}an embedded KMS that enforces grants: {url}{STRONG:#}"))?;
    out.line(format!("  key    {}", story.key_arn))?;
    out.line(format!("  alias  {}", story.alias))?;
    out.line("")?;
    let rows = story.credentials().into_iter().map(|one| {
        let cells = [one.name, &one.access_key_id, &one.secret_access_key, may(one.name)];
        cells.iter().map(comfy_table::Cell::new).collect()
    });
    out.table(&["WHO", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "MAY"], rows.collect())?;
    out.line(format!("\n{STRONG}try, as RoleB{STRONG:#}"))?;
    for line in exports(&story.role_b, &story.key_arn) {
        out.line(format!("  {line}"))?;
    }
    out.line(format!("  echo {ciphertext} | base64 -d > secret"))?;
    out.line(format!("  {}", aws(&url, "decrypt --ciphertext-blob fileb://secret")))?;
    out.line(format!("\n{STRONG}and as admin, so that it may{STRONG:#}"))?;
    for line in exports(&story.admin, &story.key_arn) {
        out.line(format!("  {line}"))?;
    }
    let create = format!(
        "create-grant --key-id {} --grantee-principal {} --operations Decrypt",
        story.key_id, story.role_b.arn
    );
    out.line(format!("  {}", aws(&url, &create)))?;
    daemon(story, &url, out)?;
    out.line("\nCtrl-C stops it; nothing is kept")?;
    out.flush()?;
    Ok(())
}

/// A daemon on this KMS: all of it can be pasted into a shell in an empty directory.
fn daemon(story: &Story, url: &str, out: &mut Out) -> Result<(), Stop> {
    out.line(format!("\n{STRONG}or a grantd of your own on it, in an empty directory{STRONG:#}"))?;
    for line in exports(&story.grantd, &story.key_arn) {
        out.line(format!("  {line}"))?;
    }
    out.line("  cat > grantd.toml <<'END'")?;
    // Not indented: the END of a here-document must stand alone, and the rest goes with it.
    out.line(super::world::configuration(story, region(&story.key_arn), url).trim())?;
    out.line("END")?;
    out.line("  mkdir -m 700 state")?;
    let program = program();
    out.line(format!(
        "  {program} run --config grantd.toml --state-dir state --socket ./grantd.sock"
    ))?;
    Ok(())
}

/// This program as a shell takes it: a newcomer has it in no directory of PATH.
pub(super) fn program() -> String {
    let path =
        std::env::current_exe().ok().and_then(|path| path.into_os_string().into_string().ok());
    match path {
        Some(path) if path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b)) => {
            path
        }
        Some(path) if !path.contains('\'') => format!("'{path}'"),
        Some(_) | None => "grantd".to_owned(),
    }
}

fn identity(one: &Identity) -> Value {
    json!({
        "name": one.name, "arn": one.arn, "access-key-id": one.access_key_id,
        "secret-access-key": one.secret_access_key,
    })
}

fn may(name: &str) -> &'static str {
    match name {
        "admin" => "do everything",
        "RoleA" => "decrypt, by the key policy",
        "RoleB" => "do nothing, until a grant lets it",
        "grantd" => "make and list grants",
        "grantd-host" => "assume the role grantd",
        "grantd-revoker" => "revoke grants",
        _ => "",
    }
}

/// What makes a shell one of the identities.
pub(super) fn exports(one: &Identity, key_arn: &str) -> [String; 3] {
    [
        format!("export AWS_ACCESS_KEY_ID={}", one.access_key_id),
        format!("export AWS_SECRET_ACCESS_KEY={}", one.secret_access_key),
        format!("export AWS_DEFAULT_REGION={} AWS_EC2_METADATA_DISABLED=true", region(key_arn)),
    ]
}

/// A command of the AWS CLI.
pub(super) fn aws(url: &str, what: &str) -> String {
    format!("aws --endpoint-url {url} kms {what}")
}

fn region(key_arn: &str) -> &str {
    key_arn.split(':').nth(3).unwrap_or_default()
}
