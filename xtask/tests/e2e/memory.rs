//! The memory used to build on a large base: layers are streamed from the disk to the registry.

use std::fs;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use camino::Utf8Path;
use noetl_oci::tar::Entry;
use noetl_oci::{
    Blob, ImageSpec, LayerCache, LayerSpec, MAKER, Platform, PlatformSpec, RunConfig, assemble,
};

use crate::assembly::Binaries;
use crate::registry::Registry;

/// Size of the base's layer in MB, and the limit of memory in MB.
const LAYER: u64 = 200;
const LIMIT: u64 = 150;

/// Writes a base with one incompressible layer, which both platforms share.
fn large_base(folder: &Path) {
    let content = folder.join("content");
    let mut file = BufWriter::new(fs::File::create(&content).unwrap());
    let mut state = 1_u64;
    for _ in 0..LAYER * 1_000_000 / 8 {
        // Random numbers by xorshift64.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.write_all(&state.to_le_bytes()).unwrap();
    }
    file.into_inner().unwrap();
    let content = Blob::of_file(Utf8Path::from_path(&content).unwrap()).unwrap();
    let layer = LayerSpec {
        name: "content".to_owned(),
        entries: vec![Entry::file("content", 0o644, content)],
    };
    let image = |architecture: &str, variant: Option<&str>| PlatformSpec {
        platform: Platform::new("linux", architecture, variant),
        run: RunConfig::default(),
        layers: vec![layer.clone()],
    };
    let spec = ImageSpec {
        maker: MAKER.to_owned(),
        created: 0,
        annotations: [].into(),
        names: vec!["localhost/base:1".parse().unwrap()],
        base: None,
        platforms: vec![image("amd64", None), image("arm64", Some("v8"))],
    };
    let layers = LayerCache::at(Utf8Path::from_path(&folder.join("layers")).unwrap());
    let layout = assemble(&spec, &layers).unwrap();
    let base = folder.join("base");
    layout
        .write_folder(Utf8Path::from_path(&base).unwrap())
        .unwrap();
}

/// Runs a command, which must succeed. Returns its peak memory in kB (VmHWM in proc(5)).
fn peak(command: &mut Command) -> u64 {
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let found = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak = peak.max(found.unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{command:?}");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_base_layer_is_never_completely_in_memory() {
    let (Some(binaries), Some(registry)) = (Binaries::find(), Registry::start()) else {
        return;
    };
    let work = tempfile::tempdir().unwrap();
    large_base(work.path());
    let base = work.path().join("base");
    // Evidence must be of this commit, and the binaries may be from an older dist.
    let words = ["--quiet", "image", "--push", "--attest=none"];
    let mut xtask = binaries.xtask(&words, &work.path().join("target"));
    xtask.args(["--registry", &registry.address]);
    let peak = peak(xtask.arg("--base").arg(&base));
    assert!(peak > 1_000, "nothing was measured");
    assert!(peak <= LIMIT * 1_000, "{peak} kB for a layer of {LAYER} MB");
}
