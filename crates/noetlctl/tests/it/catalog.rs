//! `noetl register` and `noetl catalog`.

use serde_json::{Value, json};

use crate::fake::Fake;
use crate::support::Home;

const PLAYBOOK: &str = "apiVersion: noetl.io/v2\nkind: Playbook\nmetadata: {name: p, path: examples/p}\nworkflow: []\n";
const CREDENTIAL: &str = r#"{"name": "pg", "type": "postgres", "data": {"password": "x"}}"#;

/// A server that rejects a playbook with the word `broken` in it.
fn catalog() -> Fake {
    Fake::new(|request| {
        if request.line == "POST /api/credentials" {
            return (
                200,
                json!({"id": "1", "name": request.body["name"], "type": request.body["type"], "meta": {}, "tags": [],
                    "description": null, "created_at": "2026-11-23T12:00:00.123Z", "updated_at": "2026-11-23T12:00:00.123Z"}),
            );
        }
        let content = request.body["content"].as_str().unwrap_or_default();
        if content.contains("broken") {
            let problems = json!([
                {"severity": "error", "message": "unknown step `b`", "help": "did you mean `a`?",
                 "place": {"file": "examples/p", "line": 7, "column": 9, "step": "a", "field": "next"}},
                {"severity": "warning", "message": "never reached", "place": {"file": "examples/p", "line": 3, "column": 1}},
            ]);
            return (
                422,
                json!({"detail": "the playbook is invalid", "problems": problems}),
            );
        }
        let warnings = if content.contains("odd") {
            json!([{"severity": "warning", "message": "odd", "place": {"file": "examples/p", "line": 2, "column": 3}}])
        } else {
            json!([])
        };
        (
            200,
            json!({"status": "success", "message": "registered", "path": "examples/p", "version": 2,
            "catalog_id": "9", "kind": "Playbook", "warnings": warnings}),
        )
    })
}

#[test]
fn each_register_command_registers_a_playbook() {
    let (home, fake) = (Home::new(), catalog());
    home.write("p.yaml", PLAYBOOK);
    let commands: [&[&str]; 3] = [
        &["register", "playbook", "--file", "p.yaml"],
        &["register", "playbook", "-f", "p.yaml"],
        &["catalog", "register", "p.yaml"],
    ];
    for command in commands {
        assert_eq!(
            fake.run(&home, command),
            "playbook examples/p registered as version 2\n[exit 0]"
        );
        let (line, body) = fake.request();
        assert_eq!(line, "POST /api/catalog/register");
        assert_eq!(
            body,
            json!({"content": PLAYBOOK, "resource_type": "Playbook"})
        );
    }
    let (document, code) = fake.json(&home, &["catalog", "register", "p.yaml", "-j"]);
    assert_eq!((document["catalog_id"].as_str(), code), (Some("9"), 0));
    home.write("odd.yaml", &format!("# odd\n{PLAYBOOK}"));
    let text = fake.run(&home, &["catalog", "register", "./odd.yaml"]);
    assert_eq!(
        text,
        "playbook examples/p registered as version 2\nwarning: ./odd.yaml:2:3: odd\n[exit 0]"
    );
}

/// Upstream sent credentials into the catalog without encryption.
#[test]
fn a_credential_is_not_sent_to_the_catalog() {
    let (home, fake) = (Home::new(), catalog());
    home.write("pg.json", CREDENTIAL);
    home.write(
        "pg.yaml",
        "name: pg\ntype: postgres\ndata:\n  password: x\n",
    );
    let commands: [&[&str]; 3] = [
        &["register", "credential", "--file", "pg.json"],
        &["register", "credential", "-f", "pg.yaml"],
        &["catalog", "register", "pg.json"],
    ];
    for command in commands {
        assert_eq!(
            fake.run(&home, command),
            "credential pg registered (postgres)\n[exit 0]"
        );
        let (line, body) = fake.request();
        assert_eq!(line, "POST /api/credentials");
        assert_eq!(body, serde_json::from_str::<Value>(CREDENTIAL).unwrap());
    }
    home.write("list.json", "[1]");
    let text = fake.run(&home, &["register", "credential", "-f", "list.json"]);
    assert!(
        text.starts_with("error: list.json is not a credential\nhelp: ")
            && text.ends_with("[exit 1]"),
        "{text}"
    );
    assert!(fake.requests().is_empty());
}

#[test]
fn problems_have_the_file_name_of_the_command_line() {
    let (home, fake) = (Home::new(), catalog());
    home.write("sub/p.yaml", &format!("{PLAYBOOK}# broken\n"));
    assert_eq!(
        fake.run(&home, &["register", "playbook", "--file", "./sub/p.yaml"]),
        "error: ./sub/p.yaml:7:9: step `a`, field `next`: unknown step `b`\nhelp: did you mean `a`?\n\
         warning: ./sub/p.yaml:3:1: never reached\n\
         error: ./sub/p.yaml is not registered: 1 error and 1 warning\n[exit 1]"
    );
    let text = fake.run(&home, &["register", "playbook", "--file", "gone.yaml"]);
    assert!(
        text.starts_with("error: cannot read gone.yaml\n") && text.ends_with("[exit 1]"),
        "{text}"
    );
}

#[test]
fn a_folder_is_searched_and_an_invalid_file_does_not_stop_the_others() {
    let (home, fake) = (Home::new(), catalog());
    home.write("d/a.yaml", PLAYBOOK);
    home.write("d/sub/b.yml", &format!("{PLAYBOOK}# broken\n"));
    home.write("d/z.yaml", PLAYBOOK);
    home.write(
        "d/deployment.yaml",
        "apiVersion: apps/v1\nkind: Deployment\n",
    );
    home.write("d/pg.json", CREDENTIAL);
    home.write("d/package.json", r#"{"name": "x", "type": "module"}"#);
    let text = fake.run(&home, &["register", "playbook", "--directory", "d"]);
    assert!(
        text.contains("d/a.yaml: playbook examples/p registered as version 2\n"),
        "{text}"
    );
    assert!(text.contains("error: d/sub/b.yml:7:9: step `a`"), "{text}");
    assert!(
        text.ends_with("2 of 3 playbooks registered\n[exit 1]"),
        "{text}"
    );
    assert_eq!(fake.requests().len(), 3);
    let (document, code) = fake.json(&home, &["register", "playbook", "-d", "d", "--json"]);
    assert_eq!(code, 1);
    assert_eq!(
        (
            document[0]["file"].as_str(),
            document[0]["version"].as_u64()
        ),
        (Some("d/a.yaml"), Some(2))
    );
    assert_eq!(document[1]["problems"][0]["place"]["line"], 7);
    fake.requests();
    let text = fake.run(&home, &["register", "credential", "-d", "d"]);
    assert_eq!(
        text,
        "d/pg.json: credential pg registered (postgres)\n1 of 1 credentials registered\n[exit 0]"
    );
    assert_eq!(fake.request().0, "POST /api/credentials");
    let text = fake.run(&home, &["register", "credential", "-d", "d/sub"]);
    assert!(
        text.starts_with("error: no credentials in d/sub\n"),
        "{text}"
    );
    assert!(
        fake.run(&home, &["register", "playbook"])
            .ends_with("[exit 2]")
    );
    assert!(
        fake.run(&home, &["register", "playbook", "-f", "a", "-d", "b"])
            .ends_with("[exit 2]")
    );
}

#[test]
fn playbooks_are_listed_read_and_deleted() {
    let home = Home::new();
    let entry = json!({"catalog_id": "9", "path": "examples/p", "name": "p", "version": 2, "kind": "Playbook",
        "content": PLAYBOOK, "description": "says \u{1b}[31mhello", "layout": null, "payload": null, "meta": {},
        "created_at": "2026-11-23T12:00:00.123Z"});
    let fake = Fake::new(move |request| match request.line.as_str() {
        "POST /api/catalog/list" => (200, json!({"entries": [entry]})),
        "POST /api/catalog/resource" if request.body["path"] == "examples/p" => {
            (200, entry.clone())
        }
        "DELETE /api/catalog/entry?path=examples%2Fp" => {
            (200, json!({"status": "deleted", "deleted": 3}))
        }
        "DELETE /api/catalog/entry?path=examples%2Fp&version=1" => {
            (200, json!({"status": "deleted", "deleted": 1}))
        }
        _ => (404, json!({"detail": "Catalog entry not found"})),
    });
    assert_eq!(
        fake.run(&home, &["catalog", "list", "--latest"]),
        "PATH        VERSION  REGISTERED           DESCRIPTION\n\
         examples/p  2        2026-11-23 12:00:00  says \u{fffd}[31mhello\n[exit 0]"
    );
    assert_eq!(
        fake.request().1,
        json!({"resource_type": "Playbook", "latest": true, "content": false})
    );
    let (document, _) = fake.json(&home, &["catalog", "list", "Playbook", "--json"]);
    assert_eq!(document["entries"][0]["content"], PLAYBOOK);
    assert_eq!(
        fake.request().1,
        json!({"resource_type": "Playbook", "latest": false, "content": true})
    );
    assert_eq!(
        fake.run(&home, &["catalog", "get", "examples/p"]),
        format!("{PLAYBOOK}[exit 0]")
    );
    assert_eq!(
        fake.request().1,
        json!({"path": "examples/p", "version": "latest"})
    );
    fake.run(
        &home,
        &["catalog", "get", "examples/p", "--version", "2", "-j"],
    );
    assert_eq!(
        fake.request().1,
        json!({"path": "examples/p", "version": 2})
    );
    assert_eq!(
        fake.run(&home, &["catalog", "get", "gone"]),
        "error: no such playbook: gone\ncaused by: Catalog entry not found\nhelp: `noetl catalog list` lists the playbooks\n[exit 1]"
    );
    assert_eq!(
        fake.run(&home, &["catalog", "delete", "examples/p"]),
        "3 versions of examples/p deleted\n[exit 0]"
    );
    assert_eq!(
        fake.run(
            &home,
            &["catalog", "delete", "examples/p", "--version", "1"]
        ),
        "1 version of examples/p deleted\n[exit 0]"
    );
}

#[test]
fn a_playbook_is_validated_without_being_registered() {
    let home = Home::new();
    let fake = Fake::new(|request| {
        let content = request.body["content"].as_str().unwrap().to_owned();
        let severity = if content.contains("broken") {
            "error"
        } else {
            "warning"
        };
        let problem = json!({"severity": severity, "message": "odd", "place": {"file": "<input>", "line": 2, "column": 0}});
        let problems = if content.contains("fine") {
            json!([])
        } else {
            json!([problem])
        };
        json!({"valid": severity != "error", "problems": problems})
    });
    for (content, expected) in [
        ("fine", "p.yaml is valid\n[exit 0]"),
        (
            "odd",
            "warning: p.yaml:2: odd\np.yaml is valid, with 1 warning\n[exit 0]",
        ),
        (
            "broken",
            "error: p.yaml:2: odd\nerror: p.yaml is invalid: 1 error\n\
             help: `noetl catalog validate --json` prints the problems as JSON\n[exit 1]",
        ),
    ] {
        home.write("p.yaml", content);
        assert_eq!(
            fake.run(&home, &["catalog", "validate", "p.yaml"]),
            expected
        );
        let (line, body) = fake.request();
        assert_eq!(
            (line.as_str(), body),
            ("POST /api/catalog/validate", json!({"content": content}))
        );
    }
    let (document, code) = fake.json(&home, &["catalog", "validate", "p.yaml", "-j"]);
    assert_eq!((document["valid"].as_bool(), code), (Some(false), 1));
}
