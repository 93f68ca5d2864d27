//! Secrets: the key that encrypts credentials, the token that callers need, and the files that hold both when
//! the configuration does not.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest;
use ring::rand::{SecureRandom as _, SystemRandom};

/// The length of an encryption key in bytes.
const KEY_LEN: usize = 32;
/// The prefix of an encrypted text, which names its format.
const FORMAT: &str = "v1:";

/// Why a secret could not be read or made.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The text is not an encryption key.
    #[error("the encryption key is not 32 bytes in base64")]
    Key,
    /// The text was not encrypted with this key.
    #[error("the text was not encrypted by this server's key")]
    Foreign,
    /// A secret's file cannot be used.
    #[error("cannot use {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The system has no random bytes.
    #[error("the system has no random bytes")]
    Random,
}

/// Encrypts and decrypts with AES-256-GCM.
pub(crate) struct Vault {
    key: LessSafeKey,
    random: SystemRandom,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Vault")
    }
}

impl Vault {
    /// A vault for a key of 32 bytes in base64.
    pub(crate) fn new(key: &str) -> Result<Self, VaultError> {
        let bytes = STANDARD
            .decode(key.trim())
            .or_else(|_| URL_SAFE_NO_PAD.decode(key.trim()));
        let bytes = bytes
            .ok()
            .filter(|bytes| bytes.len() == KEY_LEN)
            .ok_or(VaultError::Key)?;
        let key = UnboundKey::new(&AES_256_GCM, &bytes).map_err(|_| VaultError::Key)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            random: SystemRandom::new(),
        })
    }

    pub(crate) fn encrypt(&self, text: &str) -> Result<String, VaultError> {
        let mut nonce = [0; NONCE_LEN];
        self.random
            .fill(&mut nonce)
            .map_err(|_| VaultError::Random)?;
        let mut sealed = text.as_bytes().to_vec();
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::empty(),
                &mut sealed,
            )
            .map_err(|_| VaultError::Random)?;
        let mut whole = nonce.to_vec();
        whole.extend(sealed);
        Ok(format!("{FORMAT}{}", STANDARD.encode(whole)))
    }

    pub(crate) fn decrypt(&self, text: &str) -> Result<String, VaultError> {
        let whole = text
            .strip_prefix(FORMAT)
            .and_then(|text| STANDARD.decode(text).ok());
        let mut whole = whole
            .filter(|whole| whole.len() > NONCE_LEN)
            .ok_or(VaultError::Foreign)?;
        let mut sealed = whole.split_off(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(&whole).map_err(|_| VaultError::Foreign)?;
        let opened = self
            .key
            .open_in_place(nonce, Aad::empty(), &mut sealed)
            .map_err(|_| VaultError::Foreign)?;
        String::from_utf8(opened.to_vec()).map_err(|_| VaultError::Foreign)
    }
}

/// Returns the secret in a file. A file that does not exist is made with a new secret, readable by its owner
/// only.
///
/// # Errors
/// Fails when the file can neither be read nor written, or when other users may read it.
pub fn secret_file(path: &Path) -> Result<String, VaultError> {
    let failed = |source| VaultError::File {
        path: path.to_owned(),
        source,
    };
    match fs::read_to_string(path) {
        Ok(text) if !text.trim().is_empty() => {
            check_private(path).map_err(failed)?;
            return Ok(text.trim().to_owned());
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let secret = new_secret()?;
    let temporary = path.with_extension("part");
    let write = || -> io::Result<()> {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let mut file = options.open(&temporary)?;
        file.write_all(secret.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(failed)?;
    Ok(secret)
}

/// Returns a new secret, for use as a key or a token: 32 random bytes in base64.
///
/// # Errors
/// Fails when the system has no random bytes.
pub fn new_secret() -> Result<String, VaultError> {
    let mut bytes = [0; KEY_LEN];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| VaultError::Random)?;
    Ok(STANDARD.encode(bytes))
}

/// Fails when other users may read a file.
fn check_private(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(path)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!(
                    "others may read it (mode {:o}); run `chmod 600` on it",
                    mode & 0o777
                ),
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Whether two secrets are the same. The time that this takes does not depend on where they differ.
pub(crate) fn same_secret(left: &str, right: &str) -> bool {
    let digest = |text: &str| digest::digest(&digest::SHA256, text.as_bytes());
    let (left, right) = (digest(left), digest(right));
    let differing = left
        .as_ref()
        .iter()
        .zip(right.as_ref())
        .fold(0, |sum, (left, right)| sum | (left ^ right));
    differing == 0
}

/// Returns the SHA-256 of a text, under which secrets and large values are stored.
pub(crate) fn hash_of(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_decrypted_with_its_own_key_only() {
        let vault = Vault::new(&STANDARD.encode([7; 32])).expect("a key");
        let sealed = vault.encrypt("geheim").expect("encrypts");
        assert_ne!(
            sealed,
            vault.encrypt("geheim").expect("encrypts"),
            "nonces differ"
        );
        assert_eq!(vault.decrypt(&sealed).expect("decrypts"), "geheim");
        let other = Vault::new(&STANDARD.encode([8; 32])).expect("a key");
        assert!(matches!(other.decrypt(&sealed), Err(VaultError::Foreign)));
        assert!(matches!(vault.decrypt("geheim"), Err(VaultError::Foreign)));
        assert!(matches!(Vault::new("short"), Err(VaultError::Key)));
    }

    #[test]
    fn a_secret_file_is_made_once_and_is_private() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let first = secret_file(&path).expect("made");
        assert_eq!(secret_file(&path).expect("read"), first);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(
                fs::metadata(&path).expect("a file").permissions().mode() & 0o777,
                0o600
            );
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
            assert!(secret_file(&path).is_err());
        }
    }
}
