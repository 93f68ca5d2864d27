//! Reads and writes files. Errors name the path; files are written under a temporary name and then renamed.

use std::fs;

use anyhow::{Context as _, bail};
use camino::{Utf8Path, Utf8PathBuf};

/// Reads a whole file.
#[expect(clippy::disallowed_methods, reason = "this wrapper names the path")]
pub(crate) fn read(path: &Utf8Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {path}"))
}

/// Reads a whole UTF-8 file.
#[expect(clippy::disallowed_methods, reason = "this wrapper names the path")]
pub(crate) fn read_to_string(path: &Utf8Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

/// Writes a file completely or not at all; creates its folder. A file that is replaced keeps its mode and, where this
/// user may give files away, its owner; a symbolic link stays, and the file that it leads to is written.
#[expect(clippy::disallowed_methods, reason = "this wrapper names the path")]
pub(crate) fn write(path: &Utf8Path, bytes: impl AsRef<[u8]>) -> anyhow::Result<()> {
    let path = &behind_links(path)?;
    create_folder(path.parent().unwrap_or(path))?;
    let temporary = beside(path, "part");
    fs::write(&temporary, bytes).with_context(|| format!("cannot write {temporary}"))?;
    if let Ok(old) = path.metadata() {
        keep_attributes(&old, &temporary)?;
    }
    rename(&temporary, path)
}

/// Returns the path of the file that symbolic links lead to, which need not exist.
fn behind_links(path: &Utf8Path) -> anyhow::Result<Utf8PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..40 {
        if !path.is_symlink() {
            return Ok(path);
        }
        let to = path.read_link_utf8();
        let to = to.with_context(|| format!("cannot read the link {path}"))?;
        path = path.parent().unwrap_or(&path).join(to);
    }
    bail!("{path} is a loop of symbolic links")
}

/// Gives a new file the mode and the owner of the one that it replaces.
fn keep_attributes(old: &fs::Metadata, new: &Utf8Path) -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, chown};
        let made = new
            .metadata()
            .with_context(|| format!("cannot read {new}"))?;
        if (old.uid(), old.gid()) != (made.uid(), made.gid()) {
            // Only root may; for others, the file becomes their own, as with an editor.
            drop(chown(new, Some(old.uid()), Some(old.gid())));
        }
    }
    let set = fs::set_permissions(new, old.permissions());
    set.with_context(|| format!("cannot set the mode of {new}"))
}

/// Appends to a file that another program reads, such as GitHub's summary of a job.
pub(crate) fn append(path: &Utf8Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    let file = fs::File::options().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {path}"))
}

/// Copies an executable completely or not at all. The copy is renamed to `to`, since a running program cannot be
/// overwritten.
pub(crate) fn copy_executable(from: &Utf8Path, to: &Utf8Path) -> anyhow::Result<()> {
    create_folder(to.parent().unwrap_or(to))?;
    let temporary = beside(to, "part");
    fs::copy(from, &temporary).with_context(|| format!("cannot copy {from} to {temporary}"))?;
    rename(&temporary, to)
}

/// Makes a file executable for all users; Windows has no such mode.
#[cfg_attr(
    not(unix),
    expect(unused_variables, reason = "there is no mode to set")
)]
pub(crate) fn make_executable(path: &Utf8Path) -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let set = fs::set_permissions(path, fs::Permissions::from_mode(0o755));
        set.with_context(|| format!("cannot make {path} executable"))?;
    }
    Ok(())
}

/// Replaces the folder `to` by a copy of `from`, completely or not at all.
pub(crate) fn replace_folder(from: &Utf8Path, to: &Utf8Path) -> anyhow::Result<()> {
    let temporary = beside(to, "part");
    remove(&temporary)?;
    for path in list(from)? {
        let target = temporary.join(&path);
        create_folder(target.parent().unwrap_or(&temporary))?;
        let copied = fs::copy(from.join(&path), &target);
        copied.with_context(|| format!("cannot copy {path} to {target}"))?;
    }
    swap_folder(&temporary, to)
}

/// Renames the finished folder or file `new` to `old`; the previous one is removed only after that.
pub(crate) fn swap_folder(new: &Utf8Path, old: &Utf8Path) -> anyhow::Result<()> {
    let outgoing = beside(old, "old");
    remove(&outgoing)?;
    if old.exists() {
        rename(old, &outgoing)?;
    }
    create_folder(old.parent().unwrap_or(old))?;
    if let Err(error) = rename(new, old) {
        if outgoing.exists() {
            rename(&outgoing, old)?;
        }
        return Err(error);
    }
    remove(&outgoing)
}

/// Removes a file or a folder, if it exists.
pub(crate) fn remove(path: &Utf8Path) -> anyhow::Result<()> {
    let result = if path.is_dir() && !path.is_symlink() {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    };
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {path}"))
        }
        _ => Ok(()),
    }
}

/// Creates a folder and its parents.
pub(crate) fn create_folder(path: &Utf8Path) -> anyhow::Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot create {path}"))
}

/// Lists the files below a folder as slash-separated paths relative to it, in byte order.
pub(crate) fn list(root: &Utf8Path) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    let mut folders = vec![(String::new(), root.to_owned())];
    while let Some((prefix, folder)) = folders.pop() {
        let cannot = || format!("cannot list {folder}");
        for entry in folder.read_dir_utf8().with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            let path = format!("{prefix}{}", entry.file_name());
            if entry.file_type().with_context(cannot)?.is_dir() {
                folders.push((format!("{path}/"), entry.path().to_owned()));
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[expect(clippy::disallowed_methods, reason = "this wrapper names the path")]
fn rename(from: &Utf8Path, to: &Utf8Path) -> anyhow::Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot rename {from} to {to}"))
}

/// Returns the path of a hidden file in the same folder, so that renaming is atomic.
fn beside(path: &Utf8Path, suffix: &str) -> Utf8PathBuf {
    let name = path.file_name().unwrap_or("folder");
    path.with_file_name(format!(".{name}.{suffix}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacing_a_folder_removes_old_files() {
        let guard = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(guard.path()).unwrap();
        write(&root.join("new/a/one"), "1").unwrap();
        write(&root.join("old/stale"), "0").unwrap();
        replace_folder(&root.join("new"), &root.join("old")).unwrap();
        assert_eq!(list(&root.join("old")).unwrap(), ["a/one"]);
        assert_eq!(list(root).unwrap(), ["new/a/one", "old/a/one"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_replaced_keeps_its_mode_and_its_links() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let guard = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(guard.path()).unwrap();
        let (file, link) = (root.join("real/file"), root.join("link"));
        write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o754)).unwrap();
        symlink("real/file", &link).unwrap();
        symlink("link", root.join("second")).unwrap();
        write(&root.join("second"), "new").unwrap();
        assert_eq!(read(&file).unwrap(), b"new");
        assert!(link.is_symlink() && root.join("second").is_symlink());
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o754);
        symlink("missing", root.join("dangling")).unwrap();
        write(&root.join("dangling"), "made").unwrap();
        assert_eq!(read(&root.join("missing")).unwrap(), b"made");
        symlink("loop", root.join("loop")).unwrap();
        assert!(write(&root.join("loop"), "x").is_err());
    }

    #[test]
    fn errors_name_the_path() {
        let error = read(Utf8Path::new("/nowhere/file")).unwrap_err();
        assert_eq!(error.to_string(), "cannot read /nowhere/file");
    }
}
