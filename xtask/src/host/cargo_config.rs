//! What cargo's own configuration says of where things are.

use anyhow::Context as _;
use camino::{Utf8Path, Utf8PathBuf};
use cargo_metadata::MetadataCommand;
use noetl_help::Help as _;

use crate::host::files;

/// Returns the folder that cargo builds into when the environment does not name one. Cargo is only asked when a file of
/// its configuration may name one, since asking takes longer than all else that a task does before it begins.
///
/// # Errors
/// When cargo cannot be asked, or does not understand its configuration.
pub(super) fn target_dir(root: &Utf8Path, cargo_home: &Utf8Path) -> anyhow::Result<Utf8PathBuf> {
    let mut folders: Vec<_> = root.ancestors().map(|it| it.join(".cargo")).collect();
    folders.push(cargo_home.to_owned());
    let files = folders
        .iter()
        .flat_map(|folder| ["config.toml", "config"].map(|name| folder.join(name)));
    let may_name_one = |path: Utf8PathBuf| {
        let text = files::read_to_string(&path).unwrap_or_default();
        text.contains("target-dir") || text.contains("include")
    };
    if !files.filter(|path| path.is_file()).any(may_name_one) {
        return Ok(root.join("target"));
    }
    let asked = MetadataCommand::new()
        .no_deps()
        .current_dir(root)
        .other_options(["--offline".to_owned()])
        .exec();
    let metadata = asked
        .context("cannot ask cargo which folder it builds into")
        .help("`cargo metadata --no-deps` shows what is wrong with its configuration")?;
    Ok(metadata.target_directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_the_one_that_cargo_is_configured_with() {
        let guard = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(guard.path()).unwrap();
        let (root, home) = (folder.join("checkout"), folder.join("home"));
        let package = "[package]\nname = \"one\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[lib]\npath = \"lib.rs\"\n";
        files::write(&root.join("Cargo.toml"), package).unwrap();
        files::write(&root.join("lib.rs"), "").unwrap();
        let found = || target_dir(&root, &home).unwrap();
        assert_eq!(found(), root.join("target"));
        // A folder above the checkout, as on machines that build several.
        let above = "[build]\ntarget-dir = \"built\"\n";
        files::write(&folder.join(".cargo/config.toml"), above).unwrap();
        assert_eq!(found(), folder.join("built"));
        files::write(&root.join(".cargo/config.toml"), "[build]\ntarget-dir = ").unwrap();
        let error = target_dir(&root, &home).unwrap_err();
        assert!(
            format!("{error:#}").contains("which folder it builds into"),
            "{error:#}"
        );
    }
}
