//! A company's registry: reached through a proxy, behind TLS of the company's own authority, with its token server on
//! another site, uploads that are redirected, and mounts that are refused.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use crate::assembly::Binaries;
use crate::registry::{image, push_command};
use crate::registry_auth::{PASSWORD, USER, auths, docker_config};
use crate::registry_proxy::{Action, Proxy};
use crate::registry_tokens::Tokens;
use crate::support::{show, succeed, tool, xtask};

const REGISTRY: &str = "registry.corp.test";
const LOGIN: &str = "login.other.test";
/// The registry for those who show a certificate of the company.
const INNER: &str = "inner.corp.test";

/// The registry and all that stands in front of it.
struct Site {
    tokens: Tokens,
    faults: Proxy,
    nginx: Child,
    /// Certificates, and nginx's configuration.
    folder: TempDir,
    /// The address of the proxy, and every host that it was asked to connect to.
    proxy: (String, Arc<Mutex<Vec<String>>>),
    sign_in: TempDir,
}

impl Site {
    fn start() -> Option<Self> {
        let (openssl, nginx) = (tool("openssl")?, tool("nginx")?);
        let tokens = Tokens::at(&format!("https://{LOGIN}/token"))?;
        let faults = Proxy::start(&tokens.registry.address, |seen| {
            let other_port = seen.headers["host"].ends_with(":8443");
            match seen.kind.as_str() {
                "POST upload" if seen.path.contains("mount=") => {
                    Action::Answer(403, Vec::new(), String::new())
                }
                "POST upload" if !other_port => {
                    let to = format!("https://{REGISTRY}:8443{}", seen.path);
                    Action::Answer(307, vec![("location", to)], String::new())
                }
                "PUT blob" if other_port => {
                    let to = format!("https://{REGISTRY}{}", seen.path);
                    Action::Answer(308, vec![("location", to)], String::new())
                }
                _ => Action::Pass,
            }
        });
        let folder = tempfile::tempdir().unwrap();
        certify(openssl, folder.path());
        let upstreams = [
            (REGISTRY, faults.address.as_str()),
            (LOGIN, tokens.server.address.as_str()),
            (INNER, tokens.registry.address.as_str()),
        ];
        let (nginx, address) = terminate(nginx, folder.path(), &upstreams);
        Some(Self {
            proxy: connect_to(address),
            sign_in: docker_config(&auths(REGISTRY, USER, PASSWORD)),
            tokens,
            faults,
            nginx,
            folder,
        })
    }

    /// Sets what a machine of the company has: the proxy, the authority and the sign-in.
    fn on_a_machine<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        for name in [
            "REGISTRY_AUTH_FILE",
            "XDG_RUNTIME_DIR",
            "GITHUB_TOKEN",
            "ALL_PROXY",
        ] {
            command.env_remove(name);
        }
        command
            .env("HTTPS_PROXY", format!("http://{}", self.proxy.0))
            .env(
                "NO_PROXY",
                "localhost, 10.0.0.0/8 .intern registry.corp.test:9000",
            )
            .env("SSL_CERT_FILE", self.folder.path().join("ca.pem"))
            .env("NOETL_REGISTRY_TOKEN_SERVER", LOGIN)
            .env("DOCKER_CONFIG", self.sign_in.path())
    }

    fn asked(&self) -> Vec<String> {
        self.proxy.1.lock().unwrap().clone()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.nginx.kill().unwrap();
        self.nginx.wait().unwrap();
    }
}

/// Makes an authority (`ca.pem`), and a certificate of it for both names (`site.pem`, `site.key`).
fn certify(openssl: Command, folder: &Path) {
    let program = openssl.get_program().to_owned();
    let run = |words: &str| {
        let mut command = Command::new(&program);
        succeed(command.args(words.split(' ')).current_dir(folder));
    };
    let names = format!("subjectAltName=DNS:{REGISTRY},DNS:{LOGIN},DNS:{INNER}\n");
    fs::write(folder.join("names"), names).unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    run(&format!(
        "req -x509 {key} -days 2 -subj /CN=corp -keyout ca.key -out ca.pem"
    ));
    run(&format!(
        "req {key} -subj /CN=site -keyout site.key -out site.csr"
    ));
    run(
        "x509 -req -in site.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out site.pem",
    );
}

/// Starts nginx, which speaks TLS for each name and passes the requests on. Returns it with its address.
fn terminate(mut nginx: Command, folder: &Path, upstreams: &[(&str, &str)]) -> (Child, String) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    let servers = upstreams.iter().map(|(name, upstream)| {
        let asks = match *name {
            INNER => "ssl_verify_client on; ssl_client_certificate ca.pem; ",
            _ => "",
        };
        format!(
            "server {{ listen {address} ssl; server_name {name}; ssl_certificate site.pem; ssl_certificate_key site.key; \
             {asks}location / {{ proxy_pass http://{upstream}; proxy_set_header Host $http_host; \
             proxy_set_header X-Forwarded-Proto https; }} }}\n"
        )
    });
    let servers: String = servers.collect();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};\n"))
        .concat();
    fs::write(
        folder.join("nginx.conf"),
        format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr;\nevents {{}}\nhttp {{ access_log off; \
             client_max_body_size 0;\n{temporary}{servers}}}\n"
        ),
    )
    .unwrap();
    drop(free);
    let child = nginx
        .arg("-p")
        .arg(folder)
        .args(["-c", "nginx.conf", "-e", "stderr"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The port is open as soon as nginx listens; each try is refused until then.
    while TcpStream::connect(&address).is_err() {
        std::thread::yield_now();
    }
    (child, address)
}

/// Starts a proxy that connects every host to one address (CONNECT, RFC 9110, section 9.3.6).
fn connect_to(address: String) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = listener.local_addr().unwrap().to_string();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (address, log) = (address.clone(), Arc::clone(&log));
            std::thread::spawn(move || tunnel(client, &address, &log));
        }
    });
    (proxy, asked)
}

fn tunnel(client: TcpStream, address: &str, log: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let host = first
        .strip_prefix("CONNECT ")?
        .split(' ')
        .next()?
        .to_owned();
    log.lock().unwrap().push(host);
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 2 {
        line.clear();
    }
    let server = TcpStream::connect(address).ok()?;
    let mut client = client;
    client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").ok()?;
    let (mut from_server, mut to_server) = (server.try_clone().ok()?, server);
    let mut to_client = client.try_clone().ok()?;
    std::thread::spawn(move || {
        drop(std::io::copy(&mut from_server, &mut to_client));
        drop(to_client.shutdown(std::net::Shutdown::Both));
    });
    drop(std::io::copy(&mut reader, &mut to_server));
    drop(to_server.shutdown(std::net::Shutdown::Both));
    Some(())
}

#[test]
fn an_image_reaches_a_registry_behind_everything_that_companies_have() {
    let (Some(binaries), Some((tar, _)), Some(site)) = (Binaries::find(), image(), Site::start())
    else {
        return;
    };
    let work = tempfile::tempdir().unwrap();
    // The base, whose layers could be mounted.
    let base = format!("{REGISTRY}/base");
    let mut push = push_command(&tar, &base, &["1"]);
    let text = show(site.on_a_machine(&mut push));
    assert!(text.ends_with("[exit 0]"), "{text}");
    let base = text.lines().find(|line| line.contains("@sha256:")).unwrap();

    let team = format!("{REGISTRY}/team");
    let words = [
        "--quiet",
        "image",
        "--push",
        "--attest=none",
        "--registry",
        &team,
        "--base",
        base,
    ];
    let mut xtask = binaries.xtask(&words, &work.path().join("target"));
    let text = show(site.on_a_machine(&mut xtask));
    assert!(
        text.contains(&format!("{team}/noetl:")) && text.ends_with("[exit 0]"),
        "{text}"
    );
    let seen = site.faults.seen();
    let mounts = seen.iter().filter(|seen| seen.path.contains("mount="));
    assert!(mounts.count() > 0, "no mount was tried");
    assert!(site.faults.count("PUT blob") > 4);
    let asked = site.asked();
    for host in [
        format!("{REGISTRY}:443"),
        format!("{REGISTRY}:8443"),
        format!("{LOGIN}:443"),
    ] {
        assert!(asked.contains(&host), "{host} {asked:?}");
    }
}

#[test]
fn what_such_a_registry_lacks_is_named_by_the_error() {
    let Some(site) = Site::start() else {
        return;
    };
    let name = format!("{REGISTRY}/team/noetl:1");
    let try_without = |missing: &str, value: &str| {
        let mut check = xtask(&["--quiet", "image", "inspect", &name]);
        site.on_a_machine(&mut check);
        match value {
            "" => check.env_remove(missing),
            value => check.env(missing, value),
        };
        show(&mut check)
    };

    let before = site.asked().len();
    let text = try_without("SSL_CERT_FILE", "");
    let help = format!(
        "help: name the certificate of its authority, a file in PEM: SSL_CERT_FILE=FILE, or copy it to \
         /etc/docker/certs.d/{REGISTRY}/ca.crt\n[exit 1]"
    );
    assert!(
        text.contains("UnknownIssuer") && text.ends_with(&help),
        "{text}"
    );
    assert_eq!(site.asked().len(), before + 1, "a certificate is final");

    let text = try_without("SSL_CERT_FILE", "/nowhere/ca.pem");
    assert!(
        text.contains("cannot read /nowhere/ca.pem")
            && text.contains("help: correct SSL_CERT_FILE"),
        "{text}"
    );

    let text = try_without("NOETL_REGISTRY_TOKEN_SERVER", "");
    assert!(text.contains(&format!("--token-server {LOGIN}")), "{text}");
    let mut signed = site.tokens.server.seen().into_iter();
    assert!(!signed.any(|seen| seen.headers.contains_key("authorization")));

    let text = try_without("NO_PROXY", ".corp.test");
    assert!(
        text.contains(&format!("check the name {REGISTRY}")),
        "not through the proxy: {text}"
    );

    // With everything, what is left is that there is no such image.
    let text = try_without("UNUSED", "");
    assert!(text.contains(&format!("there is no {name}")), "{text}");
}

#[test]
fn a_certificate_of_this_machine_is_shown_to_the_registry_that_it_is_kept_for() {
    let Some(site) = Site::start() else {
        return;
    };
    let name = format!("{INNER}/team/noetl:1");
    let home = tempfile::tempdir().unwrap();
    let inspect = || {
        let mut command = xtask(&["--quiet", "image", "inspect", &name]);
        site.on_a_machine(&mut command)
            .env_remove("SSL_CERT_FILE")
            .env("HOME", home.path());
        show(&mut command)
    };
    let folder = home.path().join(".docker/certs.d").join(INNER);
    fs::create_dir_all(&folder).unwrap();
    let copy = |from: &str, to: &str| {
        fs::copy(site.folder.path().join(from), folder.join(to)).unwrap();
    };
    copy("ca.pem", "ca.crt");
    let text = inspect();
    assert!(text.contains("No required SSL certificate"), "{text}");
    copy("site.pem", "client.cert");
    copy("site.key", "client.key");
    // The registry is reached, and names its token server, whose authority this machine does not know.
    let text = inspect();
    assert!(text.contains("no answer from the token server"), "{text}");
    fs::write(folder.join("client.key"), "no key").unwrap();
    let text = inspect();
    assert!(text.contains("client.key is not a private key"), "{text}");
}
