//! Tests against a small HTTP server of the tests.

use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::playbook::ToolKind::Http;
use crate::tool::tests::TestHost;
use noetl_api::Failure;

/// Records each request and answers it with the result of a function; one request per connection.
struct Server {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn new(answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = requests.clone();
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = read(&mut stream).await;
                let answer = answer(&request);
                log.lock().unwrap().push(request);
                // The client may have closed the connection.
                stream.write_all(answer.as_bytes()).await.ok();
            }
        });
        Self {
            url,
            requests,
            task,
        }
    }

    fn last(&self) -> String {
        self.requests.lock().unwrap().last().unwrap().clone()
    }
}

/// Head and body of one request.
async fn read(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                is_length.then(|| value.trim().parse::<usize>().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.unwrap();
        assert!(count > 0, "the request ended early: {text}");
        bytes.extend_from_slice(&chunk[..count]);
    }
}

fn reply(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )
}

async fn get(config: Json) -> Result<Json, Failure> {
    TestHost::new().run(Http, config).await
}

#[tokio::test]
async fn parameters_are_encoded_and_added_to_the_query() {
    let server = Server::new(|_| {
        let headers = "content-type: application/json\r\nX-Twice: a\r\nX-Twice: b\r\n";
        reply("200 OK", headers, "{\"ok\": true}")
    })
    .await;
    let config = json!({"url": format!("{}/path?a=1", server.url), "params":
        {"q": "ü & b=c", "list": [1, "two"], "none": null, "flag": true}});
    let result = get(config).await.unwrap();
    let wanted = "GET /path?a=1&q=%C3%BC+%26+b%3Dc&list=1&list=two&flag=true HTTP/1.1\r\n";
    assert!(server.last().starts_with(wanted), "{}", server.last());
    assert_eq!(result["data"], json!({"ok": true}));
    assert_eq!(result["status_code"], 200);
    assert_eq!(result["headers"]["x-twice"], "a, b");
    assert!(result["elapsed"].is_f64());
}

#[tokio::test]
async fn bodies_are_json_forms_or_text() {
    let server = Server::new(|_| reply("204 No Content", "", "")).await;
    let post = |fields: Json| {
        let mut config = json!({"endpoint": server.url, "method": "post"});
        config
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        get(config)
    };
    let result = post(json!({"body": {"a": [1]}})).await.unwrap();
    assert_eq!(result["data"], Json::Null);
    let sent = server.last();
    assert!(
        sent.contains("content-type: application/json") && sent.ends_with("\r\n\r\n{\"a\":[1]}"),
        "{sent}"
    );
    let form = "application/x-www-form-urlencoded";
    let fields = json!({"data": {"a b": "c&d"}, "headers": {"Content-Type": form}});
    post(fields).await.unwrap();
    assert!(
        server.last().ends_with("\r\n\r\na+b=c%26d"),
        "{}",
        server.last()
    );
    post(json!({"form": {"x": [1, 2]}})).await.unwrap();
    let sent = server.last();
    assert!(
        sent.contains(form) && sent.ends_with("\r\n\r\nx=1&x=2"),
        "{sent}"
    );
    post(json!({"payload": "as is {}"})).await.unwrap();
    let sent = server.last();
    assert!(
        !sent.contains("content-type") && sent.ends_with("\r\n\r\nas is {}"),
        "{sent}"
    );
}

#[tokio::test]
async fn credentials_are_sent_as_headers() {
    let server = Server::new(|_| reply("200 OK", "", "text")).await;
    let host = TestHost::new()
        .with("b", "bearer", json!({"token": "tok"}))
        .with(
            "p",
            "http_basic",
            json!({"username": "user", "password": "pass"}),
        )
        .with("k", "api_key", json!({"api_key": "kkk"}));
    let cases = [
        (json!("b"), "authorization: Bearer tok"),
        (
            json!({"source": "credential", "key": "p"}),
            "authorization: Basic dXNlcjpwYXNz",
        ),
        (json!({"credential": "k"}), "x-api-key: kkk"),
        (
            json!({"type": "bearer", "token": "t2"}),
            "authorization: Bearer t2",
        ),
        (
            json!({"type": "header", "name": "X-Own", "value": "v"}),
            "x-own: v",
        ),
        (
            json!({"type": "basic", "username": "u", "password": "p"}),
            "authorization: Basic dTpw",
        ),
    ];
    for (auth, header) in cases {
        let config = json!({"url": server.url, "auth": auth});
        assert_eq!(host.run(Http, config).await.unwrap()["data"], "text");
        assert!(
            server.last().contains(header),
            "{header}: {}",
            server.last()
        );
    }
    let unknown = json!({"url": server.url, "auth": "nope"});
    let failure = host.run(Http, unknown).await.unwrap_err();
    assert_eq!(failure.kind, "auth");
    assert!(failure.message.contains("`nope`"));
    assert!(
        failure
            .help
            .unwrap()
            .starts_with("noetl register credential --file")
    );
}

#[tokio::test]
async fn redirects_do_not_send_secrets_to_other_servers() {
    let other = Server::new(|_| reply("200 OK", "", "other")).await;
    let target = other.url.clone();
    let first = Server::new(move |request| {
        let location = match request.starts_with("POST /away") {
            true => format!("location: {target}/there\r\n"),
            false if request.starts_with("POST /near") => "location: /here\r\n".to_owned(),
            false => return reply("200 OK", "", "first"),
        };
        reply("302 Found", &location, "")
    })
    .await;
    let host = TestHost::new().with("k", "header", json!({"name": "X-Own", "value": "s3cret"}));
    let config = |path: &str| {
        json!({
            "url": format!("{}{path}", first.url), "method": "POST", "body": {"a": 1}, "auth": "k",
            "headers": {"Authorization": "Bearer s3cret", "Cookie": "id=s3cret", "X-Trace": "t"},
        })
    };
    let result = host.run(Http, config("/away")).await.unwrap();
    assert_eq!(result["data"], "other");
    assert_eq!(result["url"], format!("{}/there", other.url));
    let requests = other.last();
    assert!(
        requests.starts_with("GET /there ") && requests.contains("x-trace: t"),
        "{requests}"
    );
    assert!(
        !requests.contains("s3cret") && !requests.contains("content-type"),
        "{requests}"
    );
    let result = host.run(Http, config("/near")).await.unwrap();
    assert_eq!(result["data"], "first");
    assert!(first.last().contains("x-own: s3cret"), "{}", first.last());
    let mut stay = config("/near");
    stay["follow_redirects"] = json!(false);
    let failure = host.run(Http, stay).await.unwrap_err();
    assert_eq!(failure.status, Some(302));
}

#[tokio::test]
async fn endless_redirects_are_a_failure() {
    let server = Server::new(|_| reply("307 Temporary Redirect", "location: /again\r\n", "")).await;
    let failure = get(json!({"url": server.url})).await.unwrap_err();
    assert!(failure.message.contains("more than 10 times"), "{failure}");
    assert_eq!(server.requests.lock().unwrap().len(), 11);
}

#[tokio::test]
async fn failures_have_a_kind_by_status() {
    let server = Server::new(|request| {
        let status = request.split(['/', ' ']).nth(2).unwrap();
        reply(
            &format!("{status} Some Reason"),
            "retry-after: 7\r\n",
            "{\"why\": \"because\"}",
        )
    })
    .await;
    let cases = [
        (429, "rate_limit", true),
        (401, "auth", false),
        (403, "auth", false),
        (404, "client_error", false),
        (408, "server_error", true),
        (425, "client_error", true),
        (503, "server_error", true),
    ];
    for (status, kind, retryable) in cases {
        let url = format!("{}/{status}", server.url).replace("http://", "http://user:hidden@");
        let failure = get(json!({"url": url})).await.unwrap_err();
        assert_eq!(
            (failure.kind.as_str(), failure.retryable),
            (kind, retryable)
        );
        assert_eq!(
            (failure.status, failure.retry_after),
            (Some(status), Some(7.0))
        );
        let wanted = format!(
            "HTTP {status} from GET {}/{status}: {{\"why\": \"because\"}}",
            server.url
        );
        assert_eq!(failure.message, wanted);
        let result = failure.result.unwrap();
        assert_eq!(result["data"]["why"], "because");
        assert!(!result.to_string().contains("hidden"));
    }
    assert!(
        server
            .last()
            .contains("authorization: Basic dXNlcjpoaWRkZW4=")
    );
}

#[tokio::test]
async fn silent_and_missing_servers_are_retryable_failures() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let config = json!({"url": format!("http://{address}/"), "timeout": 0.05});
    let failure = get(config).await.unwrap_err();
    assert_eq!(
        (failure.kind.as_str(), failure.retryable),
        ("timeout", true)
    );
    drop(silent);
    let failure = get(json!({"url": format!("http://{address}/")}))
        .await
        .unwrap_err();
    assert_eq!(
        (failure.kind.as_str(), failure.retryable),
        ("connection", true)
    );
    assert!(failure.message.contains(&address.to_string()), "{failure}");
}

#[tokio::test]
async fn large_responses_are_refused() {
    let server = Server::new(|_| reply("200 OK", "", &"x".repeat(2000))).await;
    let failure = get(json!({"url": server.url, "max_bytes": 1999}))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, "http");
    assert!(failure.message.contains("larger than 1999 bytes"));
    let whole = get(json!({"url": server.url, "max_bytes": 2000}))
        .await
        .unwrap();
    assert_eq!(whole["data"].as_str().unwrap().len(), 2000);
}

#[tokio::test]
async fn responses_with_too_many_values_are_refused() {
    let list = format!("[{}0]", "0,".repeat(8 << 20));
    let server = Server::new(move |_| reply("200 OK", "content-type: application/json\r\n", &list));
    let server = server.await;
    let failure = get(json!({"url": server.url})).await.unwrap_err();
    assert_eq!(failure.kind, "http");
    assert!(failure.message.contains("too many values"), "{failure}");
    assert!(failure.help.unwrap().contains("ask for less"));
}

#[tokio::test]
async fn invalid_requests_are_refused() {
    for (config, part) in [
        (json!({}), "`url`"),
        (json!({"url": "ftp://host/x"}), "`ftp://`"),
        (json!({"url": "http://u:hidden@"}), "is not a URL"),
        (json!({"url": "http://h", "method": "G T"}), "`G T`"),
        (json!({"url": "http://h", "timeout": "soon"}), "`soon`"),
        (
            json!({"url": "http://h", "headers": {"bad name": "hidden"}}),
            "`bad name`",
        ),
    ] {
        let failure = get(config).await.unwrap_err();
        assert_eq!(failure.kind, "config");
        assert!(
            failure.message.contains(part) && !failure.message.contains("hidden"),
            "{failure}"
        );
    }
}
