//! The web page: embedded at build time or read from a folder, with caching and page routes.

use std::borrow::Cow;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use axum::routing::get;
use axum::{Json, Router};
use flate2::read::GzDecoder;
use noetl_api::server::Notice;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

static EMBEDDED: &[Embedded] = include!(concat!(env!("OUT_DIR"), "/embedded_ui.rs"));

const POLICY: &str = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// Where the web page comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UiSource {
    /// The page that was compiled in; the same as [`UiSource::Off`] when none was.
    Embedded,
    /// A folder with an `index.html`, read at each request, for development of the page.
    Folder(PathBuf),
    /// No page: `/` answers that the API runs.
    Off,
}

/// A file compiled into the binary by the build script.
struct Embedded {
    path: &'static str,
    /// That of the file itself, in hex.
    sha256: &'static str,
    /// Whether `bytes` is the file's gzip form. It is embedded alone: a client that does not accept gzip is rare.
    is_packed: bool,
    bytes: &'static [u8],
}

/// A file to answer with.
struct Asset {
    path: String,
    sha256: Cow<'static, str>,
    is_packed: bool,
    bytes: Cow<'static, [u8]>,
}

impl UiSource {
    fn index(&self) -> Option<Asset> {
        self.asset("index.html")
    }

    fn asset(&self, path: &str) -> Option<Asset> {
        match self {
            Self::Off => None,
            Self::Embedded => EMBEDDED
                .binary_search_by(|file| file.path.cmp(path))
                .ok()
                .map(|at| {
                    let Embedded {
                        path,
                        sha256,
                        is_packed,
                        bytes,
                    } = EMBEDDED[at];
                    Asset {
                        path: path.to_owned(),
                        sha256: sha256.into(),
                        is_packed,
                        bytes: bytes.into(),
                    }
                }),
            Self::Folder(root) => {
                let bytes = read_inside(root, path)?;
                let sha256 = Sha256::digest(&bytes)
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect::<String>();
                Some(Asset {
                    path: path.to_owned(),
                    sha256: sha256.into(),
                    is_packed: false,
                    bytes: bytes.into(),
                })
            }
        }
    }
}

/// The bytes of a regular file inside `root`; none when `..` or a link leads out of it.
fn read_inside(root: &Path, path: &str) -> Option<Vec<u8>> {
    let relative = Path::new(path);
    if !relative
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        return None;
    }
    let file = root.join(relative).canonicalize().ok()?;
    let inside = file.starts_with(root.canonicalize().ok()?) && file.is_file();
    inside.then(|| std::fs::read(file).ok())?
}

/// Answers the paths outside of the API: the page's files, and `index.html` for the page's own routes.
pub(crate) fn router(source: UiSource) -> Router {
    if source.index().is_none() {
        let message = Notice {
            message: "NoETL API is running, but UI is not available".to_owned(),
        };
        let described = Notice {
            message:
                "the API is described at /api/openapi.json; this server has no page to show it"
                    .to_owned(),
        };
        return Router::new()
            .route("/", get(async move || Json(message.clone())))
            .route("/docs", get(async move || Json(described.clone())));
    }
    // Fallbacks answer any method; a route with a wildcard refuses what is not GET or HEAD.
    Router::new()
        .route("/", get(page))
        .route("/{*path}", get(page))
        .with_state(source)
}

async fn page(State(source): State<UiSource>, uri: Uri, headers: HeaderMap) -> Response<Body> {
    let path = percent_decode_str(uri.path().trim_start_matches('/'))
        .decode_utf8_lossy()
        .into_owned();
    // Reading a folder from disk would block the other requests of this thread.
    let found = tokio::task::spawn_blocking(move || find(&source, &path)).await;
    found
        .ok()
        .flatten()
        .map_or_else(not_found, |asset| respond(asset, &headers))
}

/// The file of a path, or `index.html` when the path may be one of the page's own routes.
fn find(source: &UiSource, path: &str) -> Option<Asset> {
    // A missing script must not be answered with HTML, which the browser would report as a syntax error.
    let is_file_name =
        path.starts_with("assets/") || FILES.iter().any(|extension| path.ends_with(extension));
    source
        .asset(path)
        .or_else(|| if is_file_name { None } else { source.index() })
}

/// Extensions of the page's files; the path of a playbook may have any other.
const FILES: &[&str] = &[
    ".css", ".ico", ".js", ".map", ".png", ".svg", ".txt", ".woff2",
];

fn respond(asset: Asset, request: &HeaderMap) -> Response<Body> {
    let send_packed = asset.is_packed && accepts_gzip(request);
    let etag = format!(
        "\"{}{}\"",
        &asset.sha256[..32],
        if send_packed { "-gz" } else { "" }
    );
    let mut response = Response::builder()
        .header(ETAG, &etag)
        .header(VARY, "accept-encoding")
        .header(CACHE_CONTROL, cache_control(&asset.path))
        .header(X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(REFERRER_POLICY, "no-referrer")
        .header(CONTENT_SECURITY_POLICY, POLICY);
    let unchanged = request
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|known| known.trim() == "*" || known.trim().trim_start_matches("W/") == etag);
    if unchanged {
        response = response.status(StatusCode::NOT_MODIFIED);
        return response
            .body(Body::empty())
            .expect("constant headers are valid");
    }
    response = response.header(CONTENT_TYPE, content_type(&asset.path));
    if send_packed {
        response = response.header(CONTENT_ENCODING, "gzip");
    }
    let body = match asset.bytes {
        packed if asset.is_packed && !send_packed => Body::from(unpack(&packed)),
        Cow::Borrowed(bytes) => Body::from(bytes),
        Cow::Owned(bytes) => Body::from(bytes),
    };
    response.body(body).expect("constant headers are valid")
}

/// Returns the file whose gzip form the build script made.
fn unpack(packed: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(packed)
        .read_to_end(&mut bytes)
        .expect("the build script made it with the same library");
    bytes
}

fn not_found() -> Response<Body> {
    Response::builder()
        .status(StatusCode::NOT_FOUND)
        .header(CONTENT_TYPE, "text/plain; charset=utf-8")
        .header(CACHE_CONTROL, "no-cache")
        .body(Body::from("not found\n"))
        .expect("constant headers are valid")
}

/// How long a file may be cached: names in `assets/` contain a hash of the content, other files may change.
fn cache_control(path: &str) -> &'static str {
    if path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    }
}

/// Returns the content type of a file by the end of its name, for what web pages are made of. Other files are bytes, which a
/// browser downloads. A library's table of every type there is would be 110 kB of the binary.
fn content_type(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension.to_ascii_lowercase().as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json; charset=utf-8",
        "webmanifest" => "application/manifest+json; charset=utf-8",
        "svg" => "image/svg+xml; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "md" => "text/markdown; charset=utf-8",
        "xml" => "text/xml; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "wasm" => "application/wasm",
        "pdf" => "application/pdf",
        "mp3" => "audio/mpeg",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        _ => "application/octet-stream",
    }
}

/// Whether `Accept-Encoding` allows gzip, by name or by `*` (RFC 9110, section 12.5.3).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let offers = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut wildcard = false;
    for offer in offers.flat_map(|value| value.split(',')) {
        let (coding, weight) = offer.split_once(';').unwrap_or((offer, "q=1"));
        let weight = weight
            .trim()
            .strip_prefix("q=")
            .and_then(|q| q.trim().parse::<f32>().ok());
        let allowed = weight.is_some_and(|q| q > 0.0);
        match coding.trim() {
            coding if coding.eq_ignore_ascii_case("gzip") => return allowed,
            "*" => wildcard = allowed,
            _ => {}
        }
    }
    wildcard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_name_says_what_a_file_is() {
        for (path, expected) in [
            ("index.html", "text/html; charset=utf-8"),
            ("assets/index-DRxfKP6Z.js", "text/javascript; charset=utf-8"),
            ("assets/a.b.CSS", "text/css; charset=utf-8"),
            ("favicon.svg", "image/svg+xml; charset=utf-8"),
            ("fonts/inter.woff2", "font/woff2"),
            ("v1.js/readme", "application/octet-stream"),
            ("archive.tar.gz", "application/octet-stream"),
            ("js", "application/octet-stream"),
        ] {
            assert_eq!(content_type(path), expected, "{path}");
        }
    }

    fn encoding(value: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, value.parse().expect("a header"));
        headers
    }

    #[test]
    fn gzip_is_sent_when_the_request_accepts_it() {
        for (value, expected) in [
            ("gzip", true),
            ("deflate, gzip;q=0.5, br", true),
            ("GZIP", true),
            ("*", true),
            ("gzip;q=0", false),
            ("*;q=0.1, gzip;q=0", false),
            ("br", false),
            ("identity", false),
        ] {
            assert_eq!(accepts_gzip(&encoding(value)), expected, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn files_outside_of_a_folder_are_not_served() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("index.html"), "page").expect("writable");
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).expect("writable");
        let source = UiSource::Folder(inner);
        for path in [
            "../index.html",
            "/etc/passwd",
            "a/../../index.html",
            ".",
            "",
        ] {
            assert!(source.asset(path).is_none(), "{path}");
        }
        #[cfg(unix)]
        {
            let link = folder.path().join("inner/link.txt");
            std::os::unix::fs::symlink(folder.path().join("index.html"), link).expect("writable");
            assert!(source.asset("link.txt").is_none());
        }
        assert!(UiSource::Folder(folder.path().to_owned()).index().is_some());
    }
}
