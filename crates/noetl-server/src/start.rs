//! From a configuration to a server that is ready: store, secrets, access.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use noetl_api::server::StorageKind;
use noetl_engine::HostMachine;

use crate::clock;
use crate::credentials::Credentials;
use crate::executions::{Executions, LocalQueue};
use crate::local_worker::{LocalSource, LocalWorker};
use crate::store::{Ids, Storage, Store, StoreError};
use crate::vault::{Vault, VaultError, secret_file};
use crate::worker::Slots;

/// A server that has not kept its shard for so long loses it, in milliseconds.
const SILENT_MS: i64 = 60_000;
/// How often a server keeps its shard.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// A text that only the right key gives back.
const KEY_CHECK: &str = "noetl";

/// What a server keeps, and where.
#[derive(Debug, Clone)]
pub struct Keeping {
    /// The folder of the store, the keys and the log.
    pub data_dir: PathBuf,
    /// Where the store is.
    pub storage: Storage,
    /// 32 bytes in base64; none makes a key in the data folder.
    pub encryption_key: Option<String>,
    /// The token for callers from elsewhere; none makes one in the data folder when it is needed.
    pub api_token: Option<String>,
    /// The server's name in lists and metrics.
    pub name: String,
    /// Commands that run at once in this process; 0 leaves all of them to workers elsewhere.
    pub max_workers: usize,
    /// What tools may know of this machine.
    pub machine: HostMachine,
}

/// Why a server could not get ready.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error("cannot use the data folder {path}")]
    DataFolder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another server has the data folder.
    #[error("another server uses the data folder {path}")]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// The store cannot be opened.
    #[error("cannot open the {kind} store")]
    Store {
        /// Which of the two.
        kind: StorageKind,
        /// What it said.
        source: StoreError,
    },
    /// A secret cannot be used.
    #[error(transparent)]
    Secret(#[from] VaultError),
    /// The store's credentials were encrypted by another key.
    #[error("the store's credentials were encrypted by another key than the one given")]
    OtherKey,
}

/// Everything but the listener.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) store: Store,
    pub(crate) ids: Arc<Ids>,
    pub(crate) executions: Arc<Executions>,
    pub(crate) credentials: Credentials,
    pub(crate) token: Option<Arc<str>>,
    /// The file of a token that was made here.
    pub(crate) token_file: Option<PathBuf>,
    worker: LocalWorker,
    shard: i64,
    _lock: Option<File>,
}

impl Ready {
    pub(crate) async fn new(keeping: &Keeping, address: SocketAddr) -> Result<Self, StartError> {
        let folder = &keeping.data_dir;
        create_private(folder).map_err(|source| StartError::DataFolder {
            path: folder.clone(),
            source,
        })?;
        let lock = lock_for(keeping)?;
        let failed = |source| StartError::Store {
            kind: keeping.storage.kind(),
            source,
        };
        let store = Store::open(&keeping.storage).await.map_err(failed)?;
        let (key, own_key) = match &keeping.encryption_key {
            Some(key) => (key.clone(), false),
            None => (secret_file(&folder.join("encryption.key"))?, true),
        };
        let vault = Vault::new(&key)?;
        check_key(&store, &vault, failed).await?;
        let worker_id = format!("server-{}-{}", keeping.name, secret_suffix()?);
        let shard = take_shard(&store, &worker_id, own_key)
            .await
            .map_err(failed)?;
        let ids = Arc::new(Ids::new(shard));
        let credentials = Credentials::new(store.clone(), Arc::clone(&ids), vault);
        let slots = Slots::new(keeping.max_workers);
        let (queue, orders) = LocalQueue::new(worker_id.clone(), slots.clone());
        let executions = Arc::new(Executions::new(store.clone(), Arc::clone(&ids), queue));
        let source = LocalSource {
            worker_id,
            store: store.clone(),
            executions: Arc::clone(&executions),
            credentials: credentials.clone(),
            tools: keeping.machine.clone(),
        };
        let (token, token_file) = token(keeping, address)?;
        Ok(Self {
            store,
            ids,
            executions,
            credentials,
            token: token.map(Arc::from),
            token_file,
            worker: LocalWorker::new(source, slots, orders),
            shard,
            _lock: lock,
        })
    }

    /// Starts what runs beside the requests.
    pub(crate) fn begin(&mut self) {
        self.worker.begin();
        let (store, shard) = (self.store.clone(), self.shard);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                if let Err(error) = store.keep_shard(shard, clock::now_ms()).await {
                    tracing::error!(%error, "cannot keep the server's shard");
                }
            }
        });
    }

    /// Gives back what this server holds.
    pub(crate) async fn end(&self) {
        self.worker.stop().await;
        if let Err(error) = self.store.free_shard(self.shard).await {
            tracing::warn!(%error, "cannot give back the server's shard");
        }
        self.store.close().await;
    }
}

/// Takes a shard and, with a store that has one server, what the server before held.
async fn take_shard(store: &Store, worker_id: &str, own_key: bool) -> Result<i64, StoreError> {
    let now = clock::now_ms();
    if store.is_postgres() {
        return store
            .take_shard(worker_id, own_key, now, now - SILENT_MS)
            .await;
    }
    // A SQLite file has one server, so every other has ended.
    let shard = store.take_shard(worker_id, own_key, now, i64::MAX).await?;
    store.release(None).await?;
    Ok(shard)
}

/// The token that callers need, and its file when it was made here. On loopback none is needed.
fn token(
    keeping: &Keeping,
    address: SocketAddr,
) -> Result<(Option<String>, Option<PathBuf>), VaultError> {
    if address.ip().is_loopback() {
        return Ok((None, None));
    }
    if let Some(token) = &keeping.api_token {
        return Ok((Some(token.clone()), None));
    }
    let path = keeping.data_dir.join("api.token");
    Ok((Some(secret_file(&path)?), Some(path)))
}

/// Locks the folder of what only one server may use.
fn lock_for(keeping: &Keeping) -> Result<Option<File>, StartError> {
    let folder = &keeping.data_dir;
    match &keeping.storage {
        // The file's folder, which is not always the data folder.
        Storage::Sqlite(path) => lock(path.parent().unwrap_or(folder)).map(Some),
        // The key that is made in the data folder: a server that used it before has ended.
        Storage::Postgres { .. } if keeping.encryption_key.is_none() => lock(folder).map(Some),
        Storage::Postgres { .. } => Ok(None),
    }
}

fn create_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // A folder of ours only: one that others share, such as /tmp, is left as it is.
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
    // Read again: another server may have been first.
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

fn secret_suffix() -> Result<String, VaultError> {
    use ring::rand::SecureRandom as _;
    let mut bytes = [0; 4];
    ring::rand::SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| VaultError::Random)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
