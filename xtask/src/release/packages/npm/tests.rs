//! The contents of npm packages.

use super::*;
use crate::fixtures;
use crate::release::target::TARGETS;

fn listed(entries: &[Entry]) -> String {
    let lines = entries
        .iter()
        .map(|it| format!("{:o} {}\n", it.mode, it.path));
    lines.collect()
}

fn package_json(entries: &[Entry]) -> Value {
    let mut entries = entries.iter();
    let found = entries
        .find(|it| it.path == "package/package.json")
        .unwrap();
    serde_json::from_slice(&found.content.read().unwrap()).unwrap()
}

#[test]
fn a_platforms_package_holds_its_program() {
    for (target, name, os, cpu, path) in [
        (
            &TARGETS[1],
            "@noetl/cli-linux-arm64",
            "linux",
            "arm64",
            "bin/noetl",
        ),
        (
            &TARGETS[2],
            "@noetl/cli-darwin-x64",
            "darwin",
            "x64",
            "bin/noetl",
        ),
        (
            &TARGETS[4],
            "@noetl/cli-win32-x64",
            "win32",
            "x64",
            "bin/noetl.exe",
        ),
    ] {
        let contents = Contents::Program(target, vec![7].into());
        let entries = entries(&fixtures::release(), &contents, &fixtures::companions()).unwrap();
        let expected = format!(
            "755 package/\n644 package/LICENSE\n644 package/THIRD-PARTY-LICENSES\n755 package/bin/\n\
             755 package/{path}\n644 package/package.json\n"
        );
        assert_eq!(listed(&entries), expected);
        let document = package_json(&entries);
        assert_eq!(
            (&document["name"], &document["version"]),
            (&json!(name), &json!("1.2.3"))
        );
        assert_eq!(
            (&document["os"], &document["cpu"]),
            (&json!([os]), &json!([cpu]))
        );
        let (program, companions) = parts(entries).unwrap();
        assert_eq!((program.unwrap().length(), companions.len()), (1, 2));
    }
    assert_eq!(
        file_name(&fixtures::release(), &package(&TARGETS[0])),
        "noetl-cli-linux-x64-1.2.3.tgz"
    );
}

#[test]
fn the_launcher_names_every_package() {
    let targets: Vec<&Target> = TARGETS[..6].iter().collect();
    let contents = Contents::Launcher(&targets);
    let entries = entries(&fixtures::release(), &contents, &fixtures::companions()).unwrap();
    let document = package_json(&entries);
    assert_eq!(
        document["optionalDependencies"].as_object().unwrap().len(),
        6
    );
    assert_eq!(document["man"], json!(["./man/noetl.1"]));
    assert!(
        document.get("scripts").is_none(),
        "nothing runs at the installation"
    );
    let script = launcher(&targets).unwrap();
    for target in targets {
        let (os, cpu) = platform(target);
        let line = format!("\"{os}-{cpu}\": \"{}\"", package(target));
        assert!(script.contains(&line), "{script}");
    }
    assert!(!script.contains("PACKAGES"));
    let (program, companions) = parts(entries).unwrap();
    assert!(program.is_none() && companions.len() == 4);
}
