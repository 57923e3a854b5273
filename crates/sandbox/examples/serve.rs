//! The story of the sandbox on a port of its own: `cargo run -p kms-sandbox --example serve
//! [PORT]`. Prints one line of JSON with all that a client needs, then serves until standard input
//! ends.

use std::io::Read as _;
use std::net::SocketAddr;

use kms_sandbox::{Handle, Server, Story, StoryOptions, system_clock};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).map_or(Ok(0), |text| text.parse())?;
    let clock = system_clock();
    let story = Story::new(StoryOptions::default(), clock());
    let identities: serde_json::Map<String, serde_json::Value> = story
        .credentials()
        .iter()
        .map(|i| {
            let keys =
                json!({ "arn": i.arn, "id": i.access_key_id, "secret": i.secret_access_key });
            (i.name.to_owned(), keys)
        })
        .collect();
    let region = story.core.settings().region.clone();
    let (key_arn, alias) = (story.key_arn.clone(), story.alias);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let server = Server::bind(address, Handle::new(story.core, clock)).await?;
    let ready = json!({
        "url": server.url(), "region": region, "key_arn": key_arn, "alias": alias,
        "identities": identities,
    });
    #[expect(clippy::print_stdout, reason = "the one line that the caller waits for")]
    {
        println!("{ready}");
    }
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        () = server.serve() => {}
        _ = ended => {}
    }
    Ok(())
}
