//! `noetl k8s render`: reproducible manifests, warnings, and errors with their place.

use crate::support::Home;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn the_same_values_render_the_same_bytes() {
    let home = Home::new();
    let values = home.write(
        "v.yaml",
        "server: {env: {NOETL_DEBUG: 'true', A: b}}\nnodeSelector: {z: '1', a: '2'}\n",
    );
    let values = values.to_str().unwrap();
    let render = |command: &str, more: &[&str]| {
        let args = [
            &["k8s", command, "--values", values, "--image", "noetl:1"],
            more,
        ]
        .concat();
        home.noetl(&args).output().unwrap().stdout
    };
    let first = render("render", &[]);
    assert!(first.starts_with(b"---\napiVersion: v1\nkind: Namespace\n"));
    assert_eq!(first, render("render", &[]));
    // No cluster is needed for these.
    assert_eq!(first, render("deploy", &["--dry-run"]));
    assert_eq!(
        first,
        render(
            "redeploy",
            &["--dry-run", "--no-cache", "--platform", "linux/arm64"]
        )
    );
}

#[test]
fn an_image_without_a_digest_causes_a_warning() {
    let home = Home::new();
    let render = |args: &[&str]| {
        let output = home
            .noetl(&[&["k8s", "render"], args].concat())
            .output()
            .unwrap();
        assert!(output.status.success());
        let texts = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        (texts[0].clone(), texts[1].clone())
    };
    let (manifests, warnings) = render(&["--image", "127.0.0.1:5000/noetl:0.2.0"]);
    assert!(manifests.contains("image: 127.0.0.1:5000/noetl:0.2.0\n"));
    assert!(manifests.contains("image: 127.0.0.1:5000/noetl:0.2.0-python\n"));
    assert!(
        warnings.contains("warning: 127.0.0.1:5000/noetl:0.2.0 is not pinned: a tag may be moved"),
        "{warnings}"
    );
    let (server, worker) = (format!("noetl:1@{DIGEST}"), format!("noetl@{DIGEST}"));
    let (_, warnings) = render(&["--image", &server, "--python-image", &worker]);
    assert_eq!(warnings, "");
    let text = home.run(&["k8s", "render", "--image", &worker]);
    assert!(
        text.contains("help: name it with --python-image\n[exit 1]"),
        "{text}"
    );
}

#[test]
fn invalid_values_are_errors_with_their_key() {
    let home = Home::new();
    let text = home.run(&["k8s", "render", "--replicas", "3"]);
    assert!(
        text.contains("error: 3 servers cannot share one SQLite file\nhelp: ")
            && text.ends_with("[exit 1]"),
        "{text}"
    );
    let path = home.write("v.yaml", "worker:\n  replicas: 2\n  nodes: 3\n");
    let text = home.run(&["k8s", "render", "--values", path.to_str().unwrap()]);
    assert!(
        text.contains("v.yaml is not a valid values file")
            && text.contains("unknown field `nodes`"),
        "{text}"
    );
    assert!(
        text.contains("line 3 column 3")
            && text.contains("help: `noetl k8s render --print-values`"),
        "{text}"
    );
}

#[test]
fn print_values_prints_a_values_file() {
    let home = Home::new();
    let printed = home
        .noetl(&["k8s", "render", "--print-values"])
        .output()
        .unwrap()
        .stdout;
    let path = home.write("values.yaml", &String::from_utf8(printed).unwrap());
    let plain = home.noetl(&["k8s", "render"]).output().unwrap().stdout;
    let args = ["k8s", "render", "--values", path.to_str().unwrap()];
    assert_eq!(plain, home.noetl(&args).output().unwrap().stdout);
}

#[test]
fn a_chart_has_the_same_objects() {
    let home = Home::new();
    let args = ["k8s", "render", "--output", "helm", "--values", "v.yaml"];
    home.write("v.yaml", "server: {env: {GREETING: '{{ hello }}'}}\n");
    assert!(
        home.run(&args).ends_with("noetl-chart\n[exit 0]") || home.run(&args).contains("[exit 0]")
    );
    let read =
        |name: &str| std::fs::read_to_string(home.path().join("noetl-chart").join(name)).unwrap();
    assert!(read("Chart.yaml").contains(&format!("version: {}\n", env!("CARGO_PKG_VERSION"))));
    assert!(
        read("templates/noetl-data-persistentvolumeclaim.yaml")
            .contains("helm.sh/resource-policy: keep")
    );
    assert!(read("templates/noetl-server-config-configmap.yaml").contains("{{ \"{{\" }} hello }}"));
    assert!(
        !home
            .path()
            .join("noetl-chart/templates/noetl-namespace.yaml")
            .exists()
    );
    // A chart is replaced, and another folder is not.
    assert!(home.run(&args).contains("[exit 0]"));
    home.write("mine/thesis.txt", "years of work");
    let text = home.run(&["k8s", "render", "--output", "helm", "--chart", "mine"]);
    assert!(
        text.contains("was not written by noetl") && text.ends_with("[exit 1]"),
        "{text}"
    );
}
