//! Pushes to a real docker-registry through a proxy: the number of requests, and that no single fault leaves a
//! half-published image.

use crate::registry::{Registry, image, is_whole, push, request, tag};
use crate::registry_proxy::{Action, Location, Proxy, Seen};

#[test]
fn a_cold_push_takes_few_requests_and_a_warm_one_a_request_per_tag() {
    let (Some((tar, image)), Some(registry)) = (image(), Registry::start()) else {
        return;
    };
    let digest = image["index_digest"].as_str().unwrap();
    let cold = Proxy::start(&registry.address, |_| Action::Pass);
    let text = push(&tar, &cold.address, &["one"], &["--no-check"]);
    assert!(
        text.contains(&format!(
            "noetl:one@{digest}
"
        )) && text.ends_with("[exit 0]"),
        "{text}"
    );
    let requests: Vec<_> = cold.seen().iter().map(|seen| seen.kind.clone()).collect();
    assert!(requests.len() <= 23, "{requests:?}");
    assert!(is_whole(&registry.address, "noetl", digest));
    let sent: usize = cold.seen().iter().map(|seen| seen.body).sum();
    assert!(sent > 1_000_000, "{sent}");

    let warm = Proxy::start(&registry.address, |_| Action::Pass);
    let text = push(&tar, &warm.address, &["one"], &["--no-check"]);
    assert!(text.contains(": 0 bytes sent"), "{text}");
    let requests: Vec<_> = warm.seen().iter().map(|seen| seen.kind.clone()).collect();
    assert_eq!(requests, ["HEAD tag"]);

    // A second tag for an existing image: read both tags, find the index, move one tag, read it back.
    let second = Proxy::start(&registry.address, |_| Action::Pass);
    push(&tar, &second.address, &["one", "latest"], &["--no-check"]);
    let requests: Vec<_> = second.seen().iter().map(|seen| seen.kind.clone()).collect();
    assert_eq!(
        requests,
        [
            "HEAD tag",
            "HEAD tag",
            "HEAD manifest",
            "PUT tag",
            "HEAD tag"
        ]
    );
    assert_eq!(
        second.seen().iter().map(|seen| seen.body).max(),
        cold.seen()
            .iter()
            .filter(|seen| seen.kind == "PUT tag")
            .map(|seen| seen.body)
            .max()
    );
}

#[test]
fn a_tag_with_a_wrong_version_is_refused_before_the_upload() {
    let (Some((tar, _)), Some(registry)) = (image(), Registry::start()) else {
        return;
    };
    let text = push(&tar, &registry.address, &["v9.9.9", "latest"], &[]);
    assert!(
        text.contains("the image is labelled ") && text.ends_with("[exit 1]"),
        "{text}"
    );
    for name in ["v9.9.9", "latest"] {
        assert_eq!(tag(&registry.address, "noetl", name), None, "{name}");
    }
}

/// A push includes a check of the image that the registry serves.
#[test]
fn a_push_whose_check_fails_restores_its_tags() {
    let (Some((tar, image)), Some(registry)) = (image(), Registry::start()) else {
        return;
    };
    let digest = image["index_digest"].as_str().unwrap();
    push(&tar, &registry.address, &["one"], &["--no-check"]);
    // Another index of the same images stands for an earlier release.
    let path = format!("noetl/manifests/{digest}");
    let index = request(&registry.address, "GET", &path, None).body;
    let earlier = String::from_utf8(index).unwrap().replacen('{', "{ ", 1);
    let put = request(
        &registry.address,
        "PUT",
        "noetl/manifests/latest",
        Some(earlier.as_bytes()),
    );
    let before = put.digest.unwrap();
    // Every GET of a blob answers 404, so that the check fails.
    let proxy = Proxy::start(&registry.address, |seen| match seen.kind.as_str() {
        "GET blob" => answer(404),
        _ => Action::Pass,
    });
    let text = push(&tar, &proxy.address, &["latest"], &[]);
    assert!(
        text.contains("every tag is where it was") && text.ends_with("[exit 1]"),
        "{text}"
    );
    assert_eq!(tag(&registry.address, "noetl", "latest"), Some(before));
}

/// The expected end of a push with a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Published after a retry.
    Published,
    /// Published or failed, but not half-published.
    Either,
}

/// Injects a fault into the `nth` request of a kind, once.
fn broken(kind: &'static str, nth: usize, action: Action) -> impl Fn(&Seen) -> Action {
    move |seen| {
        let this = seen.kind == kind && seen.nth == nth;
        if this { action.clone() } else { Action::Pass }
    }
}

fn answer(status: u16) -> Action {
    let json = r#"{"errors":[{"code":"TEST","message":"told to by the test"}]}"#;
    Action::Answer(status, Vec::new(), json.to_owned())
}

/// Returns all faults: kind and number of the request, action, expected end.
fn faults() -> Vec<(&'static str, usize, Action, End)> {
    use End::{Either, Published};
    let after = |seconds: &str| vec![("retry-after", seconds.to_owned())];
    vec![
        ("HEAD tag", 0, answer(503), Published),
        ("HEAD manifest", 0, Action::PassAndDrop, Published),
        ("HEAD blob", 2, answer(429), Published),
        ("POST upload", 0, Action::DropAfter(0), Published),
        (
            "POST upload",
            1,
            Action::Answer(429, after("1"), String::new()),
            Published,
        ),
        (
            "POST upload",
            0,
            Action::Location(Location::Relative),
            Published,
        ),
        (
            "POST upload",
            0,
            Action::Location(Location::Missing),
            Published,
        ),
        ("POST upload", 0, Action::Status(201), Either),
        ("POST upload", 0, answer(404), Either),
        ("PUT blob", 0, Action::DropAfter(0), Published),
        ("PUT blob", 0, Action::DropAfter(1), Published),
        ("PUT blob", 1, Action::DropAfter(70_000), Published),
        ("PUT blob", 2, Action::PassAndDrop, Published),
        ("PUT blob", 0, Action::PassAndAnswer(404), Published),
        ("PUT blob", 1, Action::PassAndAnswer(502), Published),
        ("PUT blob", 1, answer(404), Published),
        ("PUT blob", 3, answer(500), Published),
        ("PUT blob", 0, answer(202), Published),
        ("PUT blob", 0, answer(400), Published),
        ("PUT manifest", 0, Action::DropAfter(100), Published),
        ("PUT manifest", 1, Action::PassAndDrop, Published),
        ("PUT manifest", 2, Action::PassAndAnswer(404), Published),
        ("PUT manifest", 2, answer(202), Published),
        ("PUT manifest", 0, answer(403), Either),
        ("PUT tag", 0, Action::PassAndAnswer(500), Published),
        ("PUT tag", 1, Action::PassAndDrop, Published),
        ("PUT tag", 1, answer(202), Published),
        ("PUT tag", 1, answer(403), Either),
        ("HEAD tag", 2, answer(403), Either),
        ("HEAD tag", 3, answer(404), Either),
    ]
}

/// An index without images, as the older `latest`.
const OLDER: &[u8] =
    br#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;

#[test]
fn no_single_fault_leaves_a_tag_half_moved() {
    let (Some((tar, image)), Some(registry)) = (image(), Registry::start()) else {
        return;
    };
    let digest = image["index_digest"].as_str().unwrap();
    let run = |(number, (kind, nth, action, end)): (usize, (&'static str, usize, Action, End))| {
        let case = format!("case{number}");
        let repository = format!("{case}/noetl");
        let put = request(
            &registry.address,
            "PUT",
            &format!("{repository}/manifests/latest"),
            Some(OLDER),
        );
        assert_eq!(put.status, 201, "{}", String::from_utf8_lossy(&put.body));
        let before = tag(&registry.address, &repository, "latest");
        let proxy = Proxy::start(&registry.address, broken(kind, nth, action.clone()));
        let text = push(
            &tar,
            &format!("{}/{case}", proxy.address),
            &["0.1.0", "latest"],
            &["--no-check"],
        );
        let label = format!("{kind} {nth} {action:?}: {text}");
        assert!(proxy.count(kind) > nth, "the fault never happened: {label}");
        let tags = ["0.1.0", "latest"].map(|name| tag(&registry.address, &repository, name));
        if text.ends_with("[exit 0]") {
            assert_eq!(
                tags,
                [Some(digest.to_owned()), Some(digest.to_owned())],
                "{label}"
            );
            assert!(is_whole(&registry.address, &repository, digest), "{label}");
        } else {
            assert_eq!(end, End::Either, "{label}");
            assert_eq!(tags, [None, before], "{label}");
            assert!(text.contains("error: "), "{label}");
        }
    };
    let cases: Vec<_> = faults().into_iter().enumerate().collect();
    std::thread::scope(|scope| {
        for half in cases.chunks(cases.len().div_ceil(3)) {
            scope.spawn(move || half.iter().cloned().for_each(run));
        }
    });
}

#[test]
fn tags_are_restored_when_a_later_one_cannot_move() {
    let (Some((tar, image)), Some(registry)) = (image(), Registry::start()) else {
        return;
    };
    let digest = image["index_digest"].as_str().unwrap();
    let put = |name: &str| {
        let path = format!("noetl/manifests/{name}");
        assert_eq!(
            request(&registry.address, "PUT", &path, Some(OLDER)).status,
            201
        );
        tag(&registry.address, "noetl", name)
    };
    let before = [put("main"), put("latest")];
    // `latest` is the last tag and never moves. `0.1.0` is new, and `main` moves before `latest`.
    let refused = Proxy::start(&registry.address, |seen| {
        let latest = seen.kind == "PUT tag" && seen.path.ends_with("/latest");
        if latest { answer(403) } else { Action::Pass }
    });
    let text = push(
        &tar,
        &refused.address,
        &["latest", "main", "0.1.0"],
        &["--no-check"],
    );
    assert!(
        text.contains("every tag is where it was") && text.ends_with("[exit 1]"),
        "{text}"
    );
    assert!(text.contains("the tag latest did not move"), "{text}");
    assert_eq!(
        refused.count("PUT tag"),
        4,
        "0.1.0, main, latest, main again"
    );
    assert_eq!(tag(&registry.address, "noetl", "0.1.0"), None);
    assert_eq!(
        ["main", "latest"].map(|name| tag(&registry.address, "noetl", name)),
        before
    );

    // When the restoration fails too, the output lists the tags that were not restored.
    let stuck = Proxy::start(&registry.address, |seen| {
        let latest = seen.kind == "PUT tag" && seen.path.ends_with("/latest");
        if latest || (seen.kind == "PUT tag" && seen.nth > 1) {
            answer(403)
        } else {
            Action::Pass
        }
    });
    let text = push(&tar, &stuck.address, &["latest", "main"], &["--no-check"]);
    assert!(
        text.contains("these tags are not where they were: main: it was at sha256:"),
        "{text}"
    );
    assert_eq!(
        tag(&registry.address, "noetl", "main"),
        Some(digest.to_owned())
    );
    assert_eq!(tag(&registry.address, "noetl", "latest"), before[1]);
}

#[test]
fn a_version_tag_moves_only_with_force_retag() {
    let (Some((tar, image)), Some(registry)) = (image(), Registry::start()) else {
        return;
    };
    let put = request(
        &registry.address,
        "PUT",
        "noetl/manifests/0.1.0",
        Some(OLDER),
    );
    assert_eq!(put.status, 201);
    let before = tag(&registry.address, "noetl", "0.1.0");
    let proxy = Proxy::start(&registry.address, |_| Action::Pass);
    let text = push(&tar, &proxy.address, &["latest", "0.1.0"], &["--no-check"]);
    assert!(
        text.contains("error R4 ") && text.ends_with("[exit 1]"),
        "{text}"
    );
    assert!(
        text.contains("help: push under another --tag; --force-retag"),
        "{text}"
    );
    let kinds: Vec<_> = proxy.seen().iter().map(|seen| seen.kind.clone()).collect();
    assert_eq!(kinds, ["HEAD tag", "HEAD tag"], "nothing was sent");
    assert_eq!(tag(&registry.address, "noetl", "0.1.0"), before);
    let text = push(
        &tar,
        &proxy.address,
        &["latest", "0.1.0"],
        &["--force-retag", "--no-check"],
    );
    assert!(
        text.contains(&format!("0.1.0: {} -> ", before.unwrap())),
        "{text}"
    );
    let digest = image["index_digest"].as_str().map(ToOwned::to_owned);
    assert_eq!(tag(&registry.address, "noetl", "0.1.0"), digest);
}

#[test]
fn repair_uploads_a_deleted_image_again() {
    let (Some((tar, image)), Some(registry)) = (image(), Registry::start()) else {
        return;
    };
    let digest = image["index_digest"].as_str().unwrap();
    push(&tar, &registry.address, &["latest"], &["--no-check"]);
    let child = image["platforms"][1]["digest"].as_str().unwrap();
    let gone = request(
        &registry.address,
        "DELETE",
        &format!("noetl/manifests/{child}"),
        None,
    );
    assert_eq!(gone.status, 202);
    push(&tar, &registry.address, &["latest"], &["--no-check"]);
    assert!(
        !is_whole(&registry.address, "noetl", digest),
        "without --repair only the index is checked"
    );
    let text = push(
        &tar,
        &registry.address,
        &["latest"],
        &["--repair", "--no-check"],
    );
    assert!(
        text.contains(": 0 bytes sent") && text.ends_with("[exit 0]"),
        "{text}"
    );
    assert!(is_whole(&registry.address, "noetl", digest));
}

#[test]
fn a_registry_that_is_down_or_read_only_is_named() {
    let Some((tar, _)) = image() else { return };
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let text = push(&tar, &nobody.to_string(), &["latest"], &["--no-check"]);
    assert!(
        text.contains(&format!(
            "no answer from http://{nobody}/v2/noetl/manifests/latest"
        )),
        "{text}"
    );
    assert!(
        text.ends_with(&format!(
            "help: start the registry at {nobody}, or check its name and port\n[exit 1]"
        )),
        "{text}"
    );
    let Some(registry) = Registry::with("maintenance: {readonly: {enabled: true}}", "", |_| {})
    else {
        return;
    };
    let text = push(&tar, &registry.address, &["latest"], &["--no-check"]);
    assert!(text.contains("405") && text.ends_with("[exit 1]"), "{text}");
    assert_eq!(tag(&registry.address, "noetl", "latest"), None);
}
