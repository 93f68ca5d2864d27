//! `image --use-buildx` in a real engine: group `engine`. The Dockerfile's runtime stages run for both platforms
//! on a Debian base. The binaries of the dist replace the stages that build the web page and compile; with
//! NOETL_TEST_REBUILD=1 these stages run in the engine too.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::assembly::Binaries;
use crate::bases::{compiling, debian, playbook, run};
use crate::support::{
    command, copy, engine, not_run, show, succeed, tool, variable, without_cargo_variables, xtask,
};

/// Pushes an image with pip and this machine's root certificates, which replaces the image that compiles.
fn tools(registry: &str, base: &str) -> Option<String> {
    let context = tempfile::tempdir().unwrap();
    let find = "import os, pip; print(os.path.dirname(pip.__file__))";
    let pip = succeed(tool("python3")?.args(["-c", find]));
    copy(Path::new(pip.trim()), &context.path().join("pip"));
    let roots = "etc/ssl/certs/ca-certificates.crt";
    fs::copy(Path::new("/").join(roots), context.path().join("roots.crt")).unwrap();
    let dockerfile = format!(
        "FROM {base}\nCOPY pip /usr/lib/python3/dist-packages/pip\nCOPY roots.crt /{roots}\nENV PIP_CERT=/{roots}\n"
    );
    fs::write(context.path().join("Dockerfile"), dockerfile).unwrap();
    pushed(context.path(), format!("{registry}/base/tools:1"), &[])
}

/// Builds the Dockerfile of a folder and pushes the image. Returns its name.
fn pushed(context: &Path, name: String, flags: &[String]) -> Option<String> {
    let mut build = tool("docker")?;
    build.args(["buildx", "build", "--quiet", "--provenance=false"]);
    build
        .arg("--output")
        .arg(format!("type=image,name={name},push=true"));
    succeed(build.args(flags).arg(context));
    Some(name)
}

/// Pushes an image for both stages that compile: a Debian with this machine's Rust, Node and pip.
fn compilers(registry: &str) -> Option<String> {
    let context = tempfile::tempdir().unwrap();
    let place = |name: &str| context.path().join(name);
    fs::copy(compiling()?, place("debian.tar")).unwrap();
    let find = "import os, pip; print(os.path.dirname(pip.__file__))";
    let pip = succeed(tool("python3")?.args(["-c", find]));
    copy(Path::new(pip.trim()), &place("pip"));
    let node = succeed(tool("node")?.args(["-p", "process.execPath"]));
    fs::copy(node.trim(), place("node")).unwrap();
    let modules = succeed(command("npm").args(["root", "--global"]));
    copy(&Path::new(modules.trim()).join("npm"), &place("npm"));
    let roots = "etc/ssl/certs/ca-certificates.crt";
    fs::copy(Path::new("/").join(roots), place("roots.crt")).unwrap();
    let rust = succeed(without_cargo_variables("rustc").args(["--print", "sysroot"]));
    let dockerfile = format!(
        "FROM scratch\nADD debian.tar /\n\
         COPY --from=rust bin /usr/local/bin\nCOPY --from=rust lib /usr/local/lib\n\
         COPY node /usr/local/bin/node\nCOPY npm /usr/local/lib/node_modules/npm\n\
         COPY pip /usr/lib/python3/dist-packages/pip\nCOPY roots.crt /{roots}\n\
         RUN --network=none ln -s gcc /usr/bin/cc && ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm\n\
         ENV PATH=/usr/local/bin:/usr/bin:/bin CARGO_HOME=/usr/local/cargo PIP_CERT=/{roots} \
         NODE_EXTRA_CA_CERTS=/{roots} CARGO_HTTP_CAINFO=/{roots}\n"
    );
    fs::write(place("Dockerfile"), dockerfile).unwrap();
    let toolchain = format!("rust={}", rust.trim());
    let flags = ["--build-context".to_owned(), toolchain];
    pushed(
        context.path(),
        format!("{registry}/base/compilers:1"),
        &flags,
    )
}

/// Returns a folder with the dist's binaries, laid out like the output of the stage that compiles.
fn stage(binaries: &Binaries) -> String {
    let stage = binaries.folder.path().join("stage");
    for flag in binaries
        .flags
        .iter()
        .filter_map(|flag| flag.strip_prefix("linux/"))
    {
        let (architecture, path) = flag.split_once('=').unwrap();
        fs::create_dir_all(stage.join(architecture)).unwrap();
        fs::copy(path, stage.join(architecture).join("noetl")).unwrap();
    }
    stage.to_str().unwrap().to_owned()
}

#[test]
fn buildx_makes_the_image_for_both_platforms_and_for_this_machine() {
    let Some(registry) = engine() else { return };
    let Some(binaries) = Binaries::find() else {
        return;
    };
    let Some(base) = debian(&registry) else {
        return;
    };
    let Some(tools) = tools(&registry, base) else {
        return;
    };
    let build = |words: &[&str]| {
        let mut command = xtask(&["image", "--use-buildx", "--plain", "--base", base]);
        command.args(words).args(["--", "--network=host"]);
        // buildx resolves the images of replaced stages too, and Docker Hub is not available here.
        for name in ["NODE_IMAGE", "RUST_IMAGE"] {
            command.args(["--build-arg", &format!("{name}={base}")]);
        }
        command.args(["--build-context", &format!("binaries={}", stage(&binaries))]);
        succeed(command.args(["--build-context", &format!("tools=docker-image://{tools}")]))
    };
    let both = ["--platforms", "linux/amd64,linux/arm64"];
    let name = format!("{registry}/noetl-local-dev:buildx");
    let pushed = build(
        &[
            &both[..],
            &["--push", "--registry", &registry, "--tag", "buildx"],
        ]
        .concat(),
    );
    assert_eq!(pushed.trim(), name);
    let raw = succeed(command("docker").args(["buildx", "imagetools", "inspect", "--raw", &name]));
    let index: Value = serde_json::from_str(&raw).unwrap();
    assert_eq!(
        index["manifests"].as_array().unwrap().len(),
        2,
        "no attestations among them: {raw}"
    );
    assert_eq!(
        index["annotations"]["org.opencontainers.image.title"], "noetl",
        "{raw}"
    );
    for (platform, machine) in [("linux/amd64", "x86_64"), ("linux/arm64", "aarch64")] {
        let report = run(&name, platform, &playbook(true));
        assert_eq!(
            report["steps"]["sh"]["stdout"],
            format!("hello {machine}\n"),
            "{report}"
        );
        assert_eq!(report["steps"]["py"], "HELLO nonroot", "{report}");
        assert_eq!(report["result"]["rows"][0]["answer"], 42, "{report}");
    }
    let checked = show(&mut xtask(&["image", "check", &name]));
    assert!(checked.ends_with("[exit 0]"), "{checked}");
    // Several platforms without a registry give one tar, which passes the same checks.
    let tar = build(&both);
    let checked = show(&mut xtask(&["image", "check", tar.trim()]));
    assert!(checked.ends_with("[exit 0]"), "{checked}");
    // Without flags: this machine's platform, in its engine, under the default name.
    assert_eq!(build(&[]).trim(), "noetl-local-dev:latest");
    let version = succeed(Command::new("docker").args([
        "run",
        "--rm",
        "--network",
        "none",
        "noetl-local-dev:latest",
        "--version",
    ]));
    assert_eq!(version, format!("noetl {}\n", env!("CARGO_PKG_VERSION")));
    serves("noetl-local-dev:latest");
}

/// Checks that `docker run IMAGE server start`, as in the guide, answers on its port.
fn serves(image: &str) {
    let words = [
        "run",
        "--detach",
        "--rm",
        "--network",
        "host",
        "--env",
        "NOETL_HOST=127.0.0.1",
    ];
    let mut start = command("docker");
    start
        .args(words)
        .args(["--env", "NOETL_PORT=0", image, "server", "start"]);
    let container = succeed(&mut start);
    let docker = |verb: &str| show(command("docker").args([verb, container.trim()]));
    let url = (0..100).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let said = docker("logs");
        let (_, url) = said.split_once("listening on ")?;
        Some(url.split_whitespace().next().unwrap().to_owned())
    });
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
    let health = url.map(|url| agent.get(format!("{url}/health")).call());
    let said = docker("logs");
    docker("stop");
    let mut health = health.unwrap_or_else(|| panic!("{said}")).unwrap();
    assert_eq!(
        health.body_mut().read_to_string().unwrap(),
        r#"{"status":"ok"}"#
    );
}

#[test]
fn buildx_compiles_for_both_platforms_on_this_one() {
    if variable("NOETL_TEST_REBUILD").is_none() {
        not_run("it compiles everything once more: NOETL_TEST_REBUILD=1 asks for it");
        return;
    }
    let Some(registry) = engine() else { return };
    let (Some(base), Some(compilers)) = (debian(&registry), compilers(&registry)) else {
        return;
    };
    let mut image = xtask(&["image", "--use-buildx", "--plain", "--base", base]);
    image.args([
        "--platforms",
        "linux/amd64,linux/arm64",
        "--tag",
        "compiled",
    ]);
    image.args(["--registry", &registry, "--push", "--", "--network=host"]);
    for name in ["NODE_IMAGE", "RUST_IMAGE"] {
        image.args(["--build-arg", &format!("{name}={compilers}")]);
    }
    let name = format!("{registry}/noetl-local-dev:compiled");
    assert_eq!(succeed(&mut image).trim(), name);
    let checked = show(&mut xtask(&["image", "check", &name]));
    assert!(checked.ends_with("[exit 0]"), "{checked}");
    for (platform, machine) in [("linux/amd64", "x86_64"), ("linux/arm64", "aarch64")] {
        let report = run(&name, platform, &playbook(true));
        let said = &report["steps"]["sh"]["stdout"];
        assert_eq!(said, &format!("hello {machine}\n"), "{report}");
    }
}
