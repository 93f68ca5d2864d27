//! Runs the example against a docker-registry on this machine, and reads back the image that it pushed.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, and starts other programs"
)]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use noetl_oci::registry::{Anonymous, Client, Network, RegistryImage};
use noetl_oci::{Image, KnownLayers, Reference};

/// A running docker-registry, which is stopped when it is dropped.
struct Registry {
    child: Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Registry {
    /// Starts a registry on a free port; `None` when docker-registry is not installed.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.yml");
        let data = folder.path().join("data");
        let text = format!(
            "version: 0.1\nhttp: {{addr: 127.0.0.1:0}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n",
            data.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&config);
        let started = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => panic!("docker-registry: {error}"),
        };
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, rest) = line.split_once("listening on ")?;
            rest.split(['"', ',']).next().map(ToOwned::to_owned)
        });
        // Reads the rest, so that the registry is not blocked by a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self {
            child,
            address: address.unwrap(),
            _folder: folder,
        })
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Returns the path of the example, which cargo builds together with the tests.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let debug = test.ancestors().nth(2).unwrap();
    let name = format!("two_platforms{}", std::env::consts::EXE_SUFFIX);
    debug.join("examples").join(name)
}

#[test]
fn the_example_pushes_an_image_that_can_be_read_back() {
    let Some(registry) = Registry::start() else {
        let required = std::env::var_os("NOETL_REQUIRE_TOOLS").is_some();
        assert!(!required, "docker-registry is missing");
        eprintln!("not run: docker-registry is not installed");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let name = format!("{}/app:1", registry.address);
    let mut command = Command::new(example());
    for (machine, file) in [(62_u16, "amd64"), (183, "arm64")] {
        let path = folder.path().join(file);
        std::fs::write(&path, static_program(machine)).unwrap();
        command.arg(path);
    }
    let output = command.arg(&name).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    let pushed = String::from_utf8(output.stdout).unwrap();

    let reference: Reference = name.parse().unwrap();
    let client = Client::new(Arc::new(Anonymous), Network::default());
    let source = RegistryImage::open(&client, &reference).unwrap();
    assert_eq!(source.root().digest, pushed.trim());
    let image = Image::read(&source).unwrap();
    let programs = image.programs(&source, &KnownLayers::default()).unwrap();
    let names: Vec<_> = programs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["linux/amd64", "linux/arm64"]);
    assert_eq!(programs[1].1, static_program(183));
}

/// Returns an ELF program with PT_LOAD, PT_GNU_STACK (not executable) and PT_GNU_RELRO.
fn static_program(machine: u16) -> Vec<u8> {
    let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
    elf.resize(16, 0);
    elf.extend(2_u16.to_le_bytes());
    elf.extend(machine.to_le_bytes());
    elf.extend(1_u32.to_le_bytes());
    for number in [0x40_00e8_u64, 64, 0] {
        elf.extend(number.to_le_bytes());
    }
    elf.extend(0_u32.to_le_bytes());
    for number in [64_u16, 56, 3, 64, 0, 0] {
        elf.extend(number.to_le_bytes());
    }
    for (kind, flags, size, alignment) in [
        (1_u32, 5_u32, 232_u64, 0x1_0000_u64),
        (0x6474_e551, 6, 0, 0),
        (0x6474_e552, 4, 0, 1),
    ] {
        elf.extend(kind.to_le_bytes());
        elf.extend(flags.to_le_bytes());
        for number in [0, 0x40_0000, 0x40_0000, size, size, alignment] {
            elf.extend(number.to_le_bytes());
        }
    }
    elf
}
