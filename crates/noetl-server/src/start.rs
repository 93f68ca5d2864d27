//! Prepares a server: opens its store, reads its secrets, and takes its shard of the ids.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use noetl_api::server::{BuildStamp, StorageKind};
use noetl_engine::ToolEnvironment;
use tokio::task::JoinHandle;

use crate::credentials::Credentials;
use crate::executions::{Executions, LocalQueue};
use crate::local_worker::{LocalSource, LocalWorker};
use crate::store::{Ids, ServerRow, Storage, Store, StoreError};
use crate::ui::UiSource;
use crate::vault::{Vault, VaultError, secret_file};
use crate::worker::Slots;

/// A server that has not kept its shard for so long loses it, in milliseconds.
const SILENT_MS: i64 = 60_000;
/// How often a server keeps its shard.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A text that is kept encrypted in the store, to recognize the key that the store is used with.
const KEY_CHECK: &str = "noetl";

/// A server's configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name or address to listen on, such as `127.0.0.1`, `::1` or `localhost`.
    pub host: String,
    /// The TCP port; 0 takes a free one.
    pub port: u16,
    /// Where the web page comes from.
    pub ui: UiSource,
    /// The build stamp, which `/api/version` answers.
    pub build: BuildStamp,
    /// The server's name in lists and metrics.
    pub name: String,
    /// The token that callers need; without one, the server makes it, or needs none on a loopback address.
    pub api_token: Option<String>,
    /// How many commands run at once in this process; 0 leaves all commands to other workers.
    pub max_workers: usize,
    /// How many bytes of an attempt's output are kept.
    pub log_limit: usize,
    /// How long executions are kept after their end, with their events and logs; `None` keeps them all.
    pub retention: Option<Duration>,
    /// How many files and connections this process may have open.
    pub descriptors: usize,
    /// The environment of tools that run in this process.
    pub tools: ToolEnvironment,
    /// The store.
    pub store: StoreConfig,
    /// The names besides those of this machine under which a server on a loopback address is reached, such as that of a
    /// proxy. Callers then need a token, since the proxy lets others in.
    pub allowed_hosts: Vec<String>,
}

/// The configuration of a server's store.
#[derive(Debug, Clone)]
pub struct StoreConfig {
    /// The folder of the store, the keys and the log.
    pub data_dir: PathBuf,
    /// Where the store is.
    pub storage: Storage,
    /// The key that encrypts credentials, 32 bytes in base64; without one, the server makes it in the data folder.
    pub encryption_key: Option<String>,
}

/// Why a server could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error("cannot use the data folder {path}")]
    DataFolder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another server uses the data folder.
    #[error("another server uses the data folder {path}")]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// The store cannot be opened.
    #[error("cannot open the {kind} store")]
    Store {
        /// The kind of store.
        kind: StorageKind,
        /// The store's error.
        source: StoreError,
    },
    /// A secret cannot be read or made.
    #[error(transparent)]
    Secret(#[from] VaultError),
    /// The store's credentials were encrypted by another key.
    #[error("the store's credentials were encrypted by another key than the one given")]
    OtherKey,
    /// The store's credentials were encrypted by a key that is not here.
    #[error("the store's credentials were encrypted by a key that is not in {path}")]
    NoKey {
        /// The file that the server's own key would be in.
        path: PathBuf,
    },
}

/// A server without its listener.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) store: Store,
    pub(crate) ids: Arc<Ids>,
    pub(crate) executions: Arc<Executions>,
    pub(crate) credentials: Credentials,
    pub(crate) token: Option<Arc<str>>,
    /// The file of the token, when the token was made by the server.
    pub(crate) token_file: Option<PathBuf>,
    worker: LocalWorker,
    shard: i64,
    retention: Option<Duration>,
    /// The tasks that keep the shard and delete old executions.
    tasks: Vec<JoinHandle<()>>,
    _lock: Option<File>,
}

impl Ready {
    pub(crate) async fn new(config: &Config, address: SocketAddr) -> Result<Self, StartError> {
        let folder = &config.store.data_dir;
        // Before anything is written: a store of another key is left as it is, and no new key is put beside it.
        recognize_key(&config.store).await?;
        create_private(folder).map_err(|source| StartError::DataFolder {
            path: folder.clone(),
            source,
        })?;
        let lock = lock_for(&config.store)?;
        let failed = |source| StartError::Store {
            kind: config.store.storage.kind(),
            source,
        };
        let store = Store::open(&config.store.storage).await.map_err(failed)?;
        let (key, own_key) = match &config.store.encryption_key {
            Some(key) => (key.clone(), false),
            None => (secret_file(&folder.join("encryption.key"))?, true),
        };
        let vault = Vault::new(&key)?;
        check_key(&store, &vault, failed).await?;
        let worker_id = format!("server-{}-{}", config.name, random_suffix()?);
        let server = ServerRow {
            name: &worker_id,
            own_key,
            slots: i64::try_from(config.max_workers).unwrap_or(i64::MAX),
        };
        let shard = take_shard(&store, server).await.map_err(failed)?;
        let ids = Arc::new(Ids::new(shard));
        // The clock may have been set back since the last start.
        ids.next_after(store.greatest_id().await.map_err(failed)?);
        let credentials = Credentials::new(store.clone(), Arc::clone(&ids), vault);
        let slots = Slots::new(config.max_workers);
        let (queue, orders) = LocalQueue::new(worker_id.clone(), slots.clone());
        let executions = Arc::new(
            Executions::new(store.clone(), Arc::clone(&ids), queue)
                .with_log_limit(config.log_limit),
        );
        let source = LocalSource {
            worker_id,
            store: store.clone(),
            executions: Arc::clone(&executions),
            credentials: credentials.clone(),
            tools: config.tools.clone(),
        };
        let (token, token_file) = token(config, address)?;
        Ok(Self {
            store,
            ids,
            executions,
            credentials,
            token: token.map(Arc::from),
            token_file,
            worker: LocalWorker::new(source, slots, orders),
            shard,
            retention: config.retention,
            tasks: Vec::new(),
            _lock: lock,
        })
    }

    /// Starts the tasks that run beside the requests.
    pub(crate) fn begin(&mut self) {
        self.worker.begin();
        let (store, shard) = (self.store.clone(), self.shard);
        self.tasks.push(tokio::spawn(async move {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                if let Err(error) = store.keep_shard(shard).await {
                    tracing::error!(%error, "cannot keep the server's shard");
                }
            }
        }));
        if let Some(age) = self.retention {
            let executions = Arc::clone(&self.executions);
            self.tasks.push(tokio::spawn(executions.keep_expiring(age)));
        }
    }

    /// Gives back the commands and the shard that this server holds, and closes the store.
    pub(crate) async fn end(&self) {
        self.worker.stop().await;
        self.tasks.iter().for_each(JoinHandle::abort);
        if let Err(error) = self.store.free_shard(self.shard).await {
            tracing::warn!(%error, "cannot give back the server's shard");
        }
        self.store.close().await;
    }
}

/// Takes a shard. On SQLite, the commands of the server before are given back as well.
async fn take_shard(store: &Store, server: ServerRow<'_>) -> Result<i64, StoreError> {
    let now = store.clock().now();
    if store.is_postgres() {
        return store.take_shard(server, now, now - SILENT_MS).await;
    }
    // A SQLite file has one server at a time, so every other server has ended.
    let shard = store.take_shard(server, now, i64::MAX).await?;
    store.bound_times(now).await?;
    store.release_lost_servers(now).await?;
    Ok(shard)
}

/// The token that callers need, and its file when the server made it. On a loopback address none is needed unless it is
/// given: a proxy on this machine may let others reach the address.
fn token(
    config: &Config,
    address: SocketAddr,
) -> Result<(Option<String>, Option<PathBuf>), VaultError> {
    if let Some(token) = &config.api_token {
        return Ok((Some(token.clone()), None));
    }
    if address.ip().is_loopback() && config.allowed_hosts.is_empty() {
        return Ok((None, None));
    }
    let path = config.store.data_dir.join("api.token");
    Ok((Some(secret_file(&path)?), Some(path)))
}

/// Fails when the store exists and was used with another key than the one that is given or in the data folder. Writes
/// nothing.
async fn recognize_key(config: &StoreConfig) -> Result<(), StartError> {
    let Some(check) = Store::kept_setting(&config.storage, "key_check").await else {
        return Ok(());
    };
    let path = config.data_dir.join("encryption.key");
    let key = match &config.encryption_key {
        Some(key) => key.clone(),
        None if path.is_file() => secret_file(&path)?,
        None => return Err(StartError::NoKey { path }),
    };
    match Vault::new(&key)?.decrypt(&check) {
        Ok(text) if text == KEY_CHECK => Ok(()),
        _ => Err(StartError::OtherKey),
    }
}

/// Locks the folder of files that only one server may use at a time.
fn lock_for(config: &StoreConfig) -> Result<Option<File>, StartError> {
    let folder = &config.data_dir;
    match &config.storage {
        // The store's file is not always in the data folder.
        Storage::Sqlite(path) => lock(path.parent().unwrap_or(folder)).map(Some),
        // The encryption key is made in the data folder.
        Storage::Postgres { .. } if config.encryption_key.is_none() => lock(folder).map(Some),
        Storage::Postgres { .. } => Ok(None),
    }
}

fn create_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Only an empty folder: one that is shared, such as /tmp, is left as it is.
        if fs::read_dir(folder)?.next().is_none() {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        }
    }
    Ok(())
}

fn lock(folder: &Path) -> Result<File, StartError> {
    let failed = |source| StartError::DataFolder {
        path: folder.to_owned(),
        source,
    };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("server.lock"))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(StartError::Taken {
            path: folder.to_owned(),
        }),
        Err(fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

async fn check_key(
    store: &Store,
    vault: &Vault,
    failed: impl Fn(StoreError) -> StartError,
) -> Result<(), StartError> {
    if store.setting("key_check").await.map_err(&failed)?.is_none() {
        store
            .set_setting("key_check", &vault.encrypt(KEY_CHECK)?)
            .await
            .map_err(&failed)?;
    }
    // Read again: another server may have set it at the same time.
    let check = store
        .setting("key_check")
        .await
        .map_err(&failed)?
        .unwrap_or_default();
    match vault.decrypt(&check) {
        Ok(text) if text == KEY_CHECK => Ok(()),
        _ => Err(StartError::OtherKey),
    }
}

fn random_suffix() -> Result<String, VaultError> {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0; 4];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| VaultError::Random)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
