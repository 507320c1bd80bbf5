//! The listings of `docs/operate/AUDIT_GUIDE.md`, as a shell runs them.

use std::fs;
use std::path::Path;
use std::process::Command;

use ampoule_access::Role;
use ampoule_audit::{LogDirectory, verify};
use ampoule_tests::{Served, ampoule, workspace_file};

use crate::audited::{Asked, Audited, marks, wait_until};
use crate::guarded::bearer;

/// Returns the listings of a page, each with its language.
fn listings(page: &str) -> Vec<(&str, &str)> {
    let blocks = page.split("```").skip(1).step_by(2);
    blocks
        .map(|block| block.split_once('\n').unwrap())
        .collect()
}

#[test]
fn the_listings_of_the_audit_guide_do_what_they_say() {
    let audited = Audited::new();
    let root = audited.path("root");
    for directory in ["etc/ampoule", "var/log/ampoule", "var/lib/ampoule"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    let page = fs::read_to_string(workspace_file("docs/operate/AUDIT_GUIDE.md")).unwrap();
    // The paths of a machine, below a directory of the test.
    let page = ["/etc/ampoule", "/var/log/ampoule", "/var/lib/ampoule"]
        .iter()
        .fold(page, |page, path| {
            page.replace(path, &format!("{}{path}", root.display()))
        });
    let listings = listings(&page);
    assert_eq!(
        listings
            .iter()
            .filter(|(language, _)| *language == "toml")
            .count(),
        1
    );
    let authorization = bearer(&audited.key(Role::Infer, |_| {}));
    let mut served: Option<Served> = None;
    let mut said = String::new();
    for (language, text) in &listings {
        match *language {
            "sh" => said.push_str(&run(&root, text)),
            "toml" => served = Some(start(&audited, &root, text, &authorization)),
            other => panic!("{other}"),
        }
    }
    let served = served.unwrap();
    served.terminate();
    assert_eq!(served.wait(), Some(0));
    assert!(
        said.contains("every-task") && said.contains("missing"),
        "{said}"
    );
    assert!(said.contains("acme"), "{said}");
    let rows = fs::read_to_string(root.join("rows.jsonl")).unwrap();
    assert_eq!(rows.lines().count(), 3, "{rows}");
    let anchors = fs::read_to_string(root.join("anchors")).unwrap();
    assert!(anchors.lines().count() >= 2, "{anchors}");
}

/// Runs a listing.
fn run(root: &Path, script: &str) -> String {
    let program = ampoule();
    let folder = Path::new(program.get_program()).parent().unwrap();
    let output = Command::new("/bin/sh")
        .current_dir(root)
        .args(["-e", "-u", "-c", script])
        .env("PATH", format!("{}:/usr/bin:/bin", folder.display()))
        .env("AMPOULE_AUDIT_PASSWORD", "a password of the auditor's")
        .output()
        .unwrap();
    assert!(output.status.success(), "{script}\n{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Starts a server with the settings of the guide, and asks it for something.
fn start(audited: &Audited, root: &Path, settings: &str, authorization: &str) -> Served {
    let config = audited.config("");
    let text = fs::read_to_string(&config).unwrap();
    let (before, own) = text.split_once("[audit]\n").unwrap();
    let after = own.split_once("\n[auth]").unwrap().1;
    fs::write(&config, format!("{before}{settings}[auth]{after}")).unwrap();
    let mut command = ampoule();
    command.arg("--config").arg(config);
    command.stderr(fs::File::create(root.join("serve.log")).unwrap());
    let served = Served::start(&mut command, &[]);
    for (id, key) in [("allowed", authorization), ("denied", "")] {
        let asked = Asked {
            method: "POST",
            path: "/v1/embeddings",
            body: r#"{"model":"every-task","input":"one"}"#,
            authorization: key,
        };
        let status = asked.send(served.address(), id).0;
        assert_eq!(status, if key.is_empty() { 401 } else { 200 });
    }
    // With that of the start. They are written within a second.
    let log = root.join("var/log/ampoule/audit");
    let state = root.join("var/lib/ampoule/audit");
    let verified = || verify(&LogDirectory::new(&log), &marks(&log, &state));
    wait_until("the rows", || {
        verified().is_ok_and(|report| report.rows == 3)
    });
    let logged = || fs::read_to_string(root.join("serve.log")).unwrap();
    wait_until("the anchor", || {
        logged().contains("ampoule-audit-anchor-v1")
    });
    served
}
