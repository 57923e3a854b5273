//! What the configuration says, and what the command line says against it.

use kms_sandbox::{Handle, IamPolicy, Op, Running, StoryOptions, system_clock};
use serde_json::json;
use testbed::{Config, Host, Sandbox, now_ms, until};

use crate::GRANTD;
use crate::accounts::{self, OURS, ROLE, SESSION, THEIRS};

/// `socket` and `log` of the file; `--socket` and `--log` win.
#[test]
fn the_file_says_where_to_listen_and_how_to_log() {
    let sandbox = Sandbox::start();
    let host = sandbox.host(GRANTD, &Config::default());
    let (mine, theirs) = (host.dir().join("of-the-file"), host.dir().join("of-the-line"));
    let daemon =
        format!("[daemon]\nsocket = {mine:?}\nlog = {{ level = \"debug\", format = \"json\" }}\n");
    host.configure(&sandbox.config(&Config::default()).replace("[daemon]\n", &daemon));
    let run = |more: &[&str], log: &str| {
        let mut command = host.command();
        command.arg("run").arg("--config").arg(host.config()).arg("--state-dir");
        command.arg(host.state_dir()).args(more);
        let log = std::fs::File::create(host.dir().join(log)).unwrap();
        command.stderr(log).spawn().unwrap()
    };
    let heard = |mut child: std::process::Child, socket: &std::path::Path, log: &str| {
        until("it listens", || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}");
            std::os::unix::net::UnixStream::connect(socket).ok()
        });
        child.kill().unwrap();
        child.wait().unwrap();
        std::fs::read_to_string(host.dir().join(log)).unwrap()
    };
    let log = heard(run(&[], "a"), &mine, "a");
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["level"] == "INFO"), "{log}");
    std::fs::remove_file(&mine).unwrap();
    let line = ["--socket", theirs.to_str().unwrap(), "--log", "text"];
    let log = heard(run(&line, "b"), &theirs, "b");
    assert!(!mine.exists());
    assert!(log.lines().all(|line| !line.starts_with('{')), "{log}");
    host.configure(
        &sandbox
            .config(&Config::default())
            .replace("[daemon]\n", &daemon.replace("debug", "warn").replace("json", "text")),
    );
    let log = heard(run(&[], "c"), &mine, "c");
    assert!(!log.contains("INFO"), "{log}");
}

/// The same alias in two accounts and Regions: refused with the list, unless the Region is named.
#[test]
fn an_alias_in_two_regions_needs_its_region() {
    let here = Sandbox::start();
    let options = StoryOptions {
        account: "444455556666".to_owned(),
        region: "eu-west-1".to_owned(),
        ..StoryOptions::default()
    };
    let there = Sandbox::with(options);
    let host = here.host(GRANTD, &Config::default());
    let (mine, theirs) = (here.config(&Config::default()), there.config(&Config::default()));
    let account = &theirs[theirs.find("[[account]]").unwrap()..theirs.find("[[policy]]").unwrap()];
    host.configure(&mine.replacen("[[policy]]", &format!("{account}[[policy]]"), 1));
    let daemon = host.ready();
    let create = |more: &[&str]| {
        let mut args = vec!["create", "--json", "--key", here.story.alias, "--grantee"];
        args.extend(["role/RoleB", "--operations", "Decrypt"]);
        args.extend(more);
        host.grantd(&args)
    };
    let refused = create(&[]);
    assert_eq!(refused.code, Some(64), "{refused:?}");
    let said = refused.json();
    for place in ["111122223333 ap-northeast-1", "444455556666 eu-west-1"] {
        assert!(said["detail"].as_str().unwrap().contains(place), "{said}");
    }
    assert!(said["hint"].as_str().unwrap().contains("--region"), "{said}");
    let made = create(&["--region", "eu-west-1"]).ok().json();
    assert_eq!(made["lease"]["key-arn"], there.story.key_arn.as_str());
    assert_eq!((here.living().len(), there.living().len()), (0, 1));
    assert_eq!(daemon.stop(), Some(0));
}

/// A key of account 999988887777, whose policy trusts the role grantd of account 111122223333.
#[test]
fn the_key_of_another_account_is_lent_and_taken_back_via_ours() {
    let (mut core, ours, theirs, role) = (accounts::two(), OURS, THEIRS, ROLE);
    let admin = format!("arn:aws:iam::{theirs}:user/admin");
    let guest = format!("arn:aws:iam::{theirs}:role/Guest");
    core.put_role(&guest, IamPolicy::allow([""; 0]), &[], None);
    core.put_user(&admin, IamPolicy::allow(["kms:*", "sts:*"]));
    let statement = |who: &str| json!({ "Effect": "Allow", "Principal": { "AWS": who }, "Action": "kms:*", "Resource": "*" });
    let policy =
        json!({ "Version": "2012-10-17", "Statement": [statement(&admin), statement(role)] });
    let admin = core.caller(&admin).unwrap();
    let request = json!({ "Policy": policy.to_string() });
    let made = core.call(&admin, Op::CreateKey, &request, now_ms()).unwrap();
    let key = made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned();
    let server = Running::start(Handle::new(core, system_clock())).unwrap();

    let host = Host::new(GRANTD).credentials(SESSION.0, SESSION.1);
    let uid = rustix::process::getuid().as_raw();
    host.configure(&format!(
        "group = \"test\"\ndaemon = {{ settle = \"1s\" }}\n\
         [[account]]\nid = \"{ours}\"\nretiring-principal = \"{role}\"\n\
         regions = [\"ap-northeast-1\"]\nendpoint-url = \"{}\"\n\
         [[policy]]\nname = \"shared\"\nvia = \"{ours}\"\n\
         keys = [\"arn:aws:kms:ap-northeast-1:{theirs}:key/*\"]\ngrantees = [\"role/Guest\"]\n\
         operations = [\"read\"]\ncallers = [\"user:{uid}\"]\nmax-ttl = \"1h\"\n",
        server.url()
    ));
    let daemon = host.ready();
    let to_guest = || {
        let all = server.handle().with(|core| core.grants_alive(now_ms()));
        all.into_iter().filter(|grant| grant.grantee == guest).count()
    };
    let args = ["create", "-q", "--key", &key, "--grantee", "role/Guest", "--operations", "read"];
    let reference = host.grantd(&args).ok().stdout;
    assert_eq!(to_guest(), 1);
    // On an empty ledger it is found again by its Name, though the key is another account's.
    daemon.kill();
    std::fs::remove_dir_all(host.state_dir()).unwrap();
    std::fs::create_dir(host.state_dir()).unwrap();
    let daemon = host.ready();
    let reference = reference.trim();
    until("it is found", || (host.grantd(&["show", reference]).code == Some(0)).then_some(()));
    let _ended = host.grantd(&["revoke", reference]);
    until("it is ended", || (to_guest() == 0).then_some(()));
    assert_eq!(daemon.stop(), Some(0));
}
