//! Embeds the OpenAPI document, and the web page, when it has been built, as a table of assets in their gzip form. The
//! page is in `page` in the crate that the registry has, and in `ui-src/dist` in the repository.
//!
//! Emits `DEP_NOETL_UI_SHA256` for dependents: the hash of the whole tree, empty without a UI.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};

fn main() -> io::Result<()> {
    let crate_folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let packed = crate_folder.join("page");
    let ui_src = crate_folder.join("../../ui-src");
    let dist = if packed.is_dir() {
        packed
    } else {
        ui_src.join("dist")
    };
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));

    // A path that does not exist would make cargo rerun this script on every build;
    // without dist/ the small source folder is watched instead, where dist/ will appear.
    let built = dist.join("index.html").is_file();
    let watched = if dist.is_dir() || !ui_src.is_dir() {
        &dist
    } else {
        &ui_src
    };
    println!("cargo::rerun-if-changed={}", watched.display());
    println!("cargo::rerun-if-changed=build.rs");

    let files = if built { files_in(&dist)? } else { Vec::new() };
    let mut table = String::from("&[\n");
    let mut tree = Sha256::new();
    for (number, (path, file)) in files.iter().enumerate() {
        let bytes = fs::read(file)?;
        let sha256 = hex(&Sha256::digest(&bytes));
        // The tree hash is that of a `sha256sum` listing in path order.
        tree.update(format!("{sha256}  {path}\n"));
        let packed = gzip(&bytes)?;
        let is_packed = packed.len() < bytes.len();
        fs::write(
            out.join(number.to_string()),
            if is_packed { packed } else { bytes },
        )?;
        writeln!(
            table,
            "    Embedded {{ path: {path:?}, sha256: {sha256:?}, is_packed: {is_packed}, bytes: include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{number}\")) }},"
        )
        .expect("writing to a String cannot fail");
    }
    table.push(']');
    fs::write(out.join("embedded_ui.rs"), table)?;

    write_openapi(&crate_folder, &out)?;

    let sha256 = if built {
        hex(&tree.finalize())
    } else {
        String::new()
    };
    println!("cargo::metadata=SHA256={sha256}");
    Ok(())
}

/// Writes the OpenAPI document in its gzip form, without its indentation. No text in JSON has a line break of its own.
fn write_openapi(crate_folder: &Path, out: &Path) -> io::Result<()> {
    let file = crate_folder.join("openapi.json");
    println!("cargo::rerun-if-changed={}", file.display());
    let document = fs::read_to_string(file)?;
    let lines: String = document.lines().map(str::trim_start).collect();
    fs::write(out.join("openapi.json.gz"), gzip(lines.as_bytes())?)
}

/// Lists the files in `root` and its folders as (relative path with slashes, path), in byte order of the former.
fn files_in(root: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut files = Vec::new();
    let mut folders = vec![(String::new(), root.to_path_buf())];
    while let Some((prefix, folder)) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry
                .file_name()
                .into_string()
                .expect("Vite writes UTF-8 names");
            if entry.file_type()?.is_dir() {
                folders.push((format!("{prefix}{name}/"), entry.path()));
            } else {
                files.push((format!("{prefix}{name}"), entry.path()));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Compresses with gzip. The header contains nothing of this machine: no name, time 0, system 255.
fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new()
        .operating_system(255)
        .write(Vec::new(), Compression::new(9));
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
