//! A server with what a case needs in it: a key of its own, and clients for those who call.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_kms::Client;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::config::{
    BehaviorVersion, ConfigBag, Credentials, Intercept, Region, RuntimeComponents,
};
use aws_sdk_kms::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use kms_sandbox::{Handle, IamPolicy, Identity, Running, Story, StoryOptions};
use tokio::runtime::Runtime;

use crate::case::{Answer, Server};

/// 2026-11-18T10:40:00Z: when everything happens in the sandbox, unless a case lets time pass.
const T0: i64 = 1_794_998_400_000;
/// Where the key is. Emulators take any Region.
pub const REGION: &str = "ap-northeast-1";
/// A server on this machine that is silent for so long has hung.
const PATIENCE: Duration = Duration::from_secs(20);
/// The account that is not the key's.
pub const OTHER_ACCOUNT: &str = "444455556666";

/// Who calls. Emulators know no principals: there everybody is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// May do everything by IAM: `user/admin`.
    Admin,
    /// The root of the key's account.
    Root,
    /// May decrypt by the key policy: `role/RoleA`.
    RoleA,
    /// May do nothing: `role/RoleB`, the usual grantee.
    RoleB,
    /// May create and list, not revoke: `role/grantd`, the usual retiring principal.
    Grantd,
    /// May revoke, nothing else: `role/grantd-revoker`.
    Revoker,
    /// `user/admin` of [`OTHER_ACCOUNT`].
    Stranger,
}

/// KMS's no, or that no answer came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The exception's name; `None` if the answer had none.
    pub code: Option<String>,
    /// The HTTP status; `None` if there was no answer.
    pub status: Option<u16>,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.code, self.status) {
            (Some(code), Some(400)) => write!(f, "{code}"),
            (Some(code), Some(status)) => write!(f, "{code} ({status})"),
            (None, Some(status)) => write!(f, "HTTP {status}"),
            (_, None) => write!(f, "no answer"),
        }
    }
}

/// The last answer as it came over the wire: what the SDK's types leave out.
#[derive(Clone, Debug, Default)]
struct Tap(Arc<Mutex<String>>);

impl Intercept for Tap {
    fn name(&self) -> &'static str {
        "Tap"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().unwrap_or_default();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            String::from_utf8_lossy(body).into_owned();
        Ok(())
    }
}

/// The sandbox's clock, for signatures.
#[derive(Clone)]
struct Clock(Option<Handle>);

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        let ms = self.0.as_ref().map_or_else(testbed::now_ms, Handle::now);
        UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or(0))
    }
}

/// What a case has: a server, a key nobody else uses, and callers.
pub struct World {
    /// Which server it is.
    pub server: Server,
    /// The key's ARN.
    pub key: String,
    /// The alias of the key.
    pub alias: String,
    url: String,
    runtime: Runtime,
    clients: RefCell<BTreeMap<Who, Client>>,
    tap: Tap,
    sandbox: Option<Stage>,
}

/// The sandbox of one case.
struct Stage {
    server: Running,
    story: Story,
    offset_ms: AtomicI64,
}

impl World {
    /// A sandbox of its own, with the story in it, frozen in time, without request quotas.
    ///
    /// # Panics
    /// If this machine gives no port or no thread.
    #[must_use]
    pub fn sandbox(answer: Option<&Answer>) -> Self {
        let story = Story::new(StoryOptions::default(), T0);
        let mut core = story.core.clone();
        let settings = core.settings_mut();
        settings.quotas.clear();
        settings.accounts.push(OTHER_ACCOUNT.to_owned());
        if let Some(answer) = answer {
            (answer.set)(&mut settings.unconfirmed);
        }
        for (id, arn) in [
            ("AKIAROOT", format!("arn:aws:iam::{}:root", account_of(&story.key_arn))),
            ("AKIASTRANGER", format!("arn:aws:iam::{OTHER_ACCOUNT}:user/admin")),
        ] {
            if arn.contains(":user/") {
                core.put_user(&arn, IamPolicy::allow(["kms:*"]));
            }
            let caller = core.caller(&arn).expect("put just now, or a root");
            core.put_access_key(id, "secret", caller);
        }
        let server = Running::start(Handle::new(core, Arc::new(|| T0)));
        let server = server.expect("a port of loopback");
        let (url, key) = (server.url(), story.key_arn.clone());
        let alias = story.alias.to_owned();
        let stage = Stage { server, story, offset_ms: AtomicI64::new(0) };
        Self::new(Server::Sandbox, url, key, alias, Some(stage))
    }

    /// A key of its own on an emulator, which cases share.
    ///
    /// # Errors
    /// The emulator makes no key.
    pub fn emulator(server: Server, url: String) -> Result<Self, Refused> {
        let mut world = Self::new(server, url, String::new(), String::new(), None);
        world.key = world.new_key(&[])?;
        world.alias = format!("alias/{}", world.key_id());
        let alias = world.kms().create_alias().alias_name(&world.alias);
        world.ask(alias.target_key_id(&world.key).send())?;
        Ok(world)
    }

    fn new(server: Server, url: String, key: String, alias: String, stage: Option<Stage>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("an event queue");
        let (clients, tap) = (RefCell::default(), Tap::default());
        Self { server, key, alias, url, runtime, clients, tap, sandbox: stage }
    }

    /// The account of the key.
    #[must_use]
    pub fn account(&self) -> &str {
        account_of(&self.key)
    }

    /// The bare id of the key.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.key.rsplit('/').next().unwrap_or_default()
    }

    /// `arn:aws:iam::<account of the key>:<what>`.
    #[must_use]
    pub fn iam(&self, what: &str) -> String {
        format!("arn:aws:iam::{}:{what}", self.account())
    }

    /// A client for the administrator.
    #[must_use]
    pub fn kms(&self) -> Client {
        self.kms_as(Who::Admin)
    }

    /// A client for somebody: no retries, bounded, signed at the server's time.
    #[must_use]
    pub fn kms_as(&self, who: Who) -> Client {
        let mut clients = self.clients.borrow_mut();
        clients.entry(who).or_insert_with(|| self.client(who)).clone()
    }

    fn client(&self, who: Who) -> Client {
        let (id, secret) = self.credentials(who);
        let timeouts =
            TimeoutConfig::builder().connect_timeout(PATIENCE).operation_timeout(PATIENCE).build();
        let clock = Clock(self.sandbox.as_ref().map(|stage| stage.server.handle().clone()));
        let config = aws_sdk_kms::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(REGION))
            .endpoint_url(&self.url)
            .credentials_provider(Credentials::new(id, secret, None, None, "conformance"))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .time_source(SharedTimeSource::new(clock))
            .interceptor(self.tap.clone());
        Client::from_conf(config.build())
    }

    /// The access key that proves somebody.
    #[must_use]
    pub fn credentials(&self, who: Who) -> (String, String) {
        let Some(Stage { story, .. }) = &self.sandbox else {
            return ("testing".to_owned(), "testing".to_owned());
        };
        let of = |identity: &Identity| {
            (identity.access_key_id.clone(), identity.secret_access_key.clone())
        };
        match who {
            Who::Admin => of(&story.admin),
            Who::RoleA => of(&story.role_a),
            Who::RoleB => of(&story.role_b),
            Who::Grantd => of(&story.grantd),
            Who::Revoker => of(&story.revoker),
            Who::Root => ("AKIAROOT".to_owned(), "secret".to_owned()),
            Who::Stranger => ("AKIASTRANGER".to_owned(), "secret".to_owned()),
        }
    }

    /// Sends, and waits for the answer.
    ///
    /// # Errors
    /// What the server refused with.
    pub fn ask<O, E: ProvideErrorMetadata>(
        &self,
        sent: impl Future<Output = Result<O, SdkError<E, HttpResponse>>>,
    ) -> Result<O, Refused> {
        self.runtime.block_on(sent).map_err(|error| Refused {
            code: error.code().map(str::to_owned),
            status: error.raw_response().map(|response| response.status().as_u16()),
        })
    }

    /// The body of the last answer.
    #[must_use]
    pub fn body(&self) -> String {
        self.tap.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the sandbox behind its own back: settings, principals, states. Nothing on emulators,
    /// which have no such door.
    pub fn behind(&self, change: impl FnOnce(&mut kms_sandbox::Core)) {
        if let Some(stage) = &self.sandbox {
            stage.server.handle().with(change);
        }
    }

    /// The sandbox's own handle, for faults.
    #[must_use]
    pub fn handle(&self) -> Option<&Handle> {
        self.sandbox.as_ref().map(|stage| stage.server.handle())
    }

    /// Lets time pass in the sandbox. Nothing on emulators: nothing there depends on it.
    pub fn pass(&self, ms: i64) {
        if let Some(stage) = &self.sandbox {
            let offset = stage.offset_ms.fetch_add(ms, Ordering::Relaxed) + ms;
            stage.server.handle().set_offset(offset);
        }
    }

    /// The server's time, Unix milliseconds.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.handle().map_or_else(testbed::now_ms, Handle::now)
    }
}

fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}
