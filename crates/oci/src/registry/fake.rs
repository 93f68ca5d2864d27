//! A small registry for tests, with features that docker-registry 2.8 does not have: the referrers API, pages of two
//! tags, a log of requests, and connections that break.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::digest::Sha256;
use crate::reference::Reference;

/// The state of the registry.
#[derive(Debug, Default)]
pub(super) struct FakeRegistry {
    /// Documents and blobs by their path below `/v2/r/`.
    pub(super) documents: BTreeMap<String, Vec<u8>>,
    /// Method and path of every request.
    pub(super) requests: Vec<String>,
    /// Whether it has the referrers API.
    pub(super) lists_referrers: bool,
    /// After how many bytes of an answer the connection breaks.
    pub(super) breaks_after: Option<usize>,
    /// Whether it supports the header `Range`.
    pub(super) knows_ranges: bool,
    /// The status with which it answers mounts, if not 201.
    pub(super) refuses_mounts: Option<u16>,
    /// Method, status and URL: where it redirects requests of this method, with their path.
    pub(super) redirects: Option<(&'static str, u16, String)>,
}

/// Starts a registry, which runs until the test process ends. Returns a name in it, and its state.
pub(super) fn start(lists_referrers: bool) -> (Reference, Arc<Mutex<FakeRegistry>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("{}/r:latest", listener.local_addr().unwrap());
    let held = Arc::new(Mutex::new(FakeRegistry {
        lists_referrers,
        ..FakeRegistry::default()
    }));
    let shared = Arc::clone(&held);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || serve(&client, &shared));
        }
    });
    (name.parse().unwrap(), held)
}

fn serve(client: &TcpStream, held: &Mutex<FakeRegistry>) -> Option<()> {
    let mut reader = BufReader::new(client);
    loop {
        let mut first = String::new();
        reader.read_line(&mut first).ok()?;
        let (mut length, mut position) = (0, 0);
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let Some((name, value)) = header.split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok()?;
            }
            if name.eq_ignore_ascii_case("range") {
                let range = value.trim().strip_prefix("bytes=")?;
                position = range.trim_end_matches('-').parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let mut words = first.split(' ');
        let (method, path) = (words.next()?, words.next()?.strip_prefix("/v2/r/")?);
        let mut held = held.lock().unwrap();
        held.requests.push(format!("{method} {path}"));
        let (mut status, headers, mut bytes) = held.answer(method, path, body);
        if position > 0 && held.knows_ranges {
            status = 206;
            bytes.drain(..position);
        }
        let mut body = if method == "HEAD" { &[][..] } else { &bytes };
        let most = held.breaks_after.filter(|most| *most < body.len());
        body = &body[..most.unwrap_or(body.len())];
        let head = format!(
            "HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\n\r\n",
            bytes.len()
        );
        let mut client = client;
        client.write_all(head.as_bytes()).ok()?;
        client.write_all(body).ok()?;
        if most.is_some() {
            return None;
        }
    }
}

impl FakeRegistry {
    fn answer(&mut self, method: &str, path: &str, body: Vec<u8>) -> (u16, String, Vec<u8>) {
        let none = || (404, String::new(), Vec::new());
        if let Some((redirected, status, to)) = &self.redirects
            && *redirected == method
        {
            let location = format!("location: {to}/v2/r/{path}\r\n");
            return (*status, location, Vec::new());
        }
        match (method, path.split_once('?')) {
            ("POST", Some((_, query)))
                if query.starts_with("mount=") && self.refuses_mounts.is_some() =>
            {
                (
                    self.refuses_mounts.unwrap_or(403),
                    String::new(),
                    Vec::new(),
                )
            }
            ("POST", Some((_, query))) if query.starts_with("mount=") => {
                (201, String::new(), Vec::new())
            }
            ("POST", _) => (
                202,
                "location: /v2/r/blobs/uploads/1\r\n".to_owned(),
                Vec::new(),
            ),
            ("PUT", Some((_, query))) => {
                let digest = query.strip_prefix("digest=").unwrap();
                self.documents.insert(format!("blobs/{digest}"), body);
                (201, String::new(), Vec::new())
            }
            ("PUT", None) => self.store(path, body),
            ("GET", Some(("tags/list", query))) => self.tags(query),
            _ => match self.documents.get(path) {
                Some(bytes) if path.starts_with("manifests/") => {
                    let digest = Sha256::of(bytes).digest();
                    (
                        200,
                        format!("docker-content-digest: {digest}\r\n"),
                        bytes.clone(),
                    )
                }
                Some(bytes) => (200, String::new(), bytes.clone()),
                None if path.starts_with("referrers/") && self.lists_referrers => {
                    (200, String::new(), referrers(Vec::new()))
                }
                None => none(),
            },
        }
    }

    /// Stores a manifest, and adds it to the referrers of its subject if the registry has the referrers API.
    fn store(&mut self, path: &str, body: Vec<u8>) -> (u16, String, Vec<u8>) {
        let json: Value = serde_json::from_slice(&body).unwrap();
        let digest = Sha256::of(&body).digest();
        let subject = json["subject"]["digest"].as_str().map(ToOwned::to_owned);
        let mut headers = String::new();
        if let Some(subject) = subject.filter(|_| self.lists_referrers) {
            headers = format!("oci-subject: {subject}\r\n");
            let path = format!("referrers/{subject}");
            let known = self
                .documents
                .get(&path)
                .map(|bytes| serde_json::from_slice::<Value>(bytes).unwrap());
            let mut listed = known.map_or(Vec::new(), |index| {
                index["manifests"].as_array().unwrap().clone()
            });
            listed.retain(|other| other["digest"] != digest);
            listed.push(
                json!({"mediaType": json["mediaType"], "digest": digest, "size": body.len()}),
            );
            self.documents.insert(path, referrers(listed));
        }
        self.documents
            .insert(format!("manifests/{digest}"), body.clone());
        self.documents.insert(path.to_owned(), body);
        (201, headers, Vec::new())
    }

    /// Returns a page of two tags, with a relative link to the next page.
    fn tags(&self, query: &str) -> (u16, String, Vec<u8>) {
        let names = self
            .documents
            .keys()
            .filter_map(|path| path.strip_prefix("manifests/"));
        let names: Vec<_> = names.filter(|name| !name.contains(':')).collect();
        let after = query.split('&').find_map(|part| part.strip_prefix("last="));
        let from = after.map_or(0, |last| {
            names.iter().position(|name| *name == last).unwrap() + 1
        });
        let page = &names[from..names.len().min(from + 2)];
        let more = from + page.len() < names.len();
        let link = page
            .last()
            .filter(|_| more)
            .map(|last| format!("link: <?n=2&last={last}>; rel=\"next\"\r\n"));
        (
            200,
            link.unwrap_or_default(),
            json!({"name": "r", "tags": page}).to_string().into_bytes(),
        )
    }
}

fn referrers(manifests: Vec<Value>) -> Vec<u8> {
    let index =
        json!({"schemaVersion": 2, "mediaType": crate::media_type::INDEX, "manifests": manifests});
    index.to_string().into_bytes()
}

mod tests {
    use std::io::Read as _;
    use std::sync::Arc;

    use super::start;
    use crate::artifact::{Artifact, fallback_tag};
    use crate::digest::Sha256;
    use crate::media_type::{INDEX, LAYER_GZIP, MANIFEST};
    use crate::model::{Annotations, Descriptor};
    use crate::registry::client::Client;
    use crate::registry::credentials::Anonymous;
    use crate::registry::referrers::{attach, referrers};
    use crate::registry::transport::Network;
    use crate::registry::upload::Stored;

    fn client() -> Client {
        Client::new(Arc::new(Anonymous), Network::default())
    }

    fn artifact(document: &[u8]) -> Artifact {
        Artifact {
            media_type: "text/plain".to_owned(),
            subject: Descriptor::of(MANIFEST, b"subject"),
            document: document.to_vec(),
            annotations: Annotations::new(),
        }
    }

    #[test]
    fn an_attached_artifact_is_listed_once_with_and_without_the_api() {
        for lists_referrers in [true, false] {
            let (name, held) = start(lists_referrers);
            let subject = artifact(b"").subject.digest;
            let first = attach(&client(), &name, &[artifact(b"one")]).unwrap();
            let both = attach(&client(), &name, &[artifact(b"one"), artifact(b"two")]).unwrap();
            assert_eq!(both[0], first[0]);
            let listed = referrers(&client().repository(&name), &subject).unwrap();
            let digests =
                |all: &[Descriptor]| all.iter().map(|it| it.digest.clone()).collect::<Vec<_>>();
            let (mut listed, mut expected) = (digests(&listed), digests(&both));
            listed.sort();
            expected.sort();
            assert_eq!(listed, expected);
            let tag = format!("manifests/{}", fallback_tag(&subject));
            let has_tag = held.lock().unwrap().documents.contains_key(&tag);
            assert_eq!(
                has_tag, !lists_referrers,
                "the tag is only for registries without the API"
            );
        }
    }

    #[test]
    fn a_fallback_tag_that_is_not_an_index_is_not_changed() {
        let (name, held) = start(false);
        let tag = format!("manifests/{}", fallback_tag(&artifact(b"").subject.digest));
        held.lock()
            .unwrap()
            .documents
            .insert(tag.clone(), b"[]".to_vec());
        let error = attach(&client(), &name, &[artifact(b"one")]).unwrap_err();
        assert!(
            format!("{error:#}").contains("is not an index of artifacts"),
            "{error:#}"
        );
        assert_eq!(held.lock().unwrap().documents[&tag], b"[]");
    }

    #[test]
    fn a_layer_of_a_base_in_the_same_registry_is_mounted() {
        let (name, held) = start(false);
        let repository = client().writable(&name, &["base".to_owned()]);
        let layer = Descriptor::of(LAYER_GZIP, b"layer");
        assert_eq!(
            repository.store(&layer, None, Some("base")).unwrap(),
            Stored::Mounted
        );
        let requests = held.lock().unwrap().requests.clone();
        let digest = &layer.digest;
        assert_eq!(
            requests,
            [
                format!("HEAD blobs/{digest}"),
                format!("POST blobs/uploads/?mount={digest}&from=base")
            ]
        );
        // Without a source it is sent; without content, that fails.
        let content = crate::blob::Blob::from("layer");
        assert_eq!(
            repository
                .store(&layer, Some(&|| content.open()), None)
                .unwrap(),
            Stored::Sent
        );
        let other = Descriptor::of(LAYER_GZIP, b"other");
        let error = repository.store(&other, None, None).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("the image does not contain sha256:"),
            "{error:#}"
        );
    }

    #[test]
    fn a_blob_whose_mount_is_refused_is_sent() {
        for status in [400, 401, 403, 404, 405, 500] {
            let (name, held) = start(false);
            held.lock().unwrap().refuses_mounts = Some(status);
            let repository = client().writable(&name, &["base".to_owned()]);
            let layer = Descriptor::of(LAYER_GZIP, b"layer");
            let content = crate::blob::Blob::from("layer");
            let stored = repository.store(&layer, Some(&|| content.open()), Some("base"));
            assert_eq!(stored.unwrap(), Stored::Sent, "{status}");
            let path = format!("blobs/{}", layer.digest);
            assert_eq!(held.lock().unwrap().documents[&path], b"layer");
            // Without the bytes, the refusal is the error.
            let other = Descriptor::of(LAYER_GZIP, b"other");
            assert!(repository.store(&other, None, Some("base")).is_err());
        }
    }

    #[test]
    fn redirected_uploads_arrive_whole_and_a_loop_is_an_error() {
        for (method, status) in [("POST", 307), ("POST", 308), ("PUT", 307), ("PUT", 308)] {
            let (name, held) = start(false);
            let (other, there) = start(false);
            let to = format!("http://{}", other.registry);
            held.lock().unwrap().redirects = Some((method, status, to));
            let layer = Descriptor::of(LAYER_GZIP, b"layer");
            let content = crate::blob::Blob::from("layer");
            let repository = client().writable(&name, &[]);
            let sent = repository.store(&layer, Some(&|| content.open()), None);
            assert_eq!(sent.unwrap(), Stored::Sent, "{method} {status}");
            let path = format!("blobs/{}", layer.digest);
            assert_eq!(there.lock().unwrap().documents[&path], b"layer");
        }
        for status in [301, 302, 303, 307, 308] {
            let (name, held) = start(false);
            let itself = format!("http://{}", name.registry);
            held.lock().unwrap().redirects = Some(("PUT", status, itself));
            let document = br#"{"schemaVersion":2,"manifests":[]}"#;
            let repository = client().writable(&name, &[]);
            let error = repository.store_document("a", INDEX, document).unwrap_err();
            let help = noetl_help::Report::of(&error).help.unwrap_or_default();
            assert!(help.starts_with("correct the redirects"), "{error:#}");
        }
    }

    #[test]
    fn tags_are_read_to_the_last_page() {
        let (name, _held) = start(false);
        let repository = client().writable(&name, &[]);
        let empty = br#"{"schemaVersion":2,"manifests":[]}"#;
        let names = ["a", "b", "c", "d", "e"];
        for name in names {
            repository.store_document(name, INDEX, empty).unwrap();
        }
        assert_eq!(repository.tags().unwrap().unwrap(), names);
    }

    #[test]
    fn a_broken_download_is_continued_with_a_range() {
        for knows_ranges in [true, false] {
            let (name, held) = start(false);
            let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
            let digest = Sha256::of(&content).digest();
            {
                let mut held = held.lock().unwrap();
                held.documents
                    .insert(format!("blobs/{digest}"), content.clone());
                held.breaks_after = Some(300_000);
                held.knows_ranges = knows_ranges;
            }
            let repository = Arc::new(client().repository(&name));
            let mut reader = repository.blob(&digest).unwrap().unwrap();
            let mut bytes = Vec::new();
            let read = reader.read_to_end(&mut bytes);
            if knows_ranges {
                read.unwrap();
                assert!(bytes == content, "all bytes were read");
                assert_eq!(held.lock().unwrap().requests.len(), 3);
            } else {
                // Each answer begins at the start, and breaks at the same place.
                assert!(read.is_err());
            }
        }
    }
}
