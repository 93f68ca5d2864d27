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
use crate::runs::Runs;
use crate::store::{Ids, Storage, Store, StoreError};
use crate::vault::{Vault, VaultError, secret_file};

/// A server silent for so long has left its place to another, in milliseconds.
const SILENT_MS: i64 = 60_000;
/// How often a server says that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
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
    pub(crate) runs: Arc<Runs>,
    pub(crate) token: Option<Arc<str>>,
    /// Where a token lies that nobody gave.
    pub(crate) token_file: Option<PathBuf>,
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
        let lock = match &keeping.storage {
            // Beside the file, which is not always in the data folder.
            Storage::Sqlite(path) => Some(lock(path.parent().unwrap_or(folder))?),
            // A key that lies in the data folder: whoever else used it there is gone.
            Storage::Postgres { .. } if keeping.encryption_key.is_none() => Some(lock(folder)?),
            Storage::Postgres { .. } => None,
        };
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
        let now = clock::now_ms();
        let random = secret_suffix()?;
        let worker_id = format!("server-{}-{random}", keeping.name);
        // A SQLite file has one server, and its predecessor is gone.
        let stale = if store.is_postgres() {
            now - SILENT_MS
        } else {
            i64::MAX
        };
        let shard = store
            .take_shard(&worker_id, own_key, now, stale)
            .await
            .map_err(failed)?;
        if !store.is_postgres() {
            store.release(None).await.map_err(failed)?;
        }
        let runs = Runs::new(
            store,
            Ids::new(shard),
            vault,
            worker_id,
            keeping.max_workers,
            keeping.machine.clone(),
        );
        let mut token_file = None;
        let token = match (&keeping.api_token, address.ip().is_loopback()) {
            (_, true) => None,
            (Some(token), false) => Some(token.clone()),
            (None, false) => {
                let path = folder.join("api.token");
                let token = secret_file(&path)?;
                token_file = Some(path);
                Some(token)
            }
        };
        Ok(Self {
            runs: Arc::new(runs),
            token: token.map(Arc::from),
            token_file,
            shard,
            _lock: lock,
        })
    }

    /// Starts what works beside the requests.
    pub(crate) fn begin(&self) {
        tokio::spawn(Arc::clone(&self.runs).dispatch());
        tokio::spawn(Arc::clone(&self.runs).renew_leases());
        let (runs, shard) = (Arc::clone(&self.runs), self.shard);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SIGN_OF_LIFE).await;
                if let Err(error) = runs.store.keep_shard(shard, clock::now_ms()).await {
                    tracing::error!(%error, "cannot say that this server lives");
                }
            }
        });
    }

    /// Gives back what this server holds.
    pub(crate) async fn end(&self) {
        self.runs.stop().await;
        if let Err(error) = self.runs.store.free_shard(self.shard).await {
            tracing::warn!(%error, "cannot give back the server's shard");
        }
        self.runs.store.close().await;
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
