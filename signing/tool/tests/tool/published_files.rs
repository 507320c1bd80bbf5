//! Files of a directory that are published: a model's, and neither what programs left there nor a secret.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use ampoule_signing::{
    Envelope, FileRules, MANIFEST_FILE, Timestamp, pack_directory, pack_directory_by,
    sign_directory, sign_directory_by,
};
use serde_json::Value;

use crate::command_line::{INIT, answer, assert_refused, json, run, workplace};
use crate::fixture::{FILES, Fixture, template};
use crate::openssl_program::openssl_succeeds;

fn put(dir: &Path, path: &str, content: &str) {
    let path = dir.join("bundle").join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn init_with(dir: &Path, more: &[&str]) -> Value {
    let answer = json(dir, &[&INIT[..], more].concat());
    fs::remove_file(dir.join("bundle").join(MANIFEST_FILE)).unwrap();
    answer
}

fn listed(answer: &Value) -> Vec<&str> {
    let files = answer["manifest"]["files"].as_array().unwrap();
    files
        .iter()
        .map(|file| file["path"].as_str().unwrap())
        .collect()
}

fn left_out(answer: &Value) -> Vec<&str> {
    let files = answer["left_out"].as_array().unwrap();
    files
        .iter()
        .map(|file| file["path"].as_str().unwrap())
        .collect()
}

/// Returns the beginning of a private key's file.
fn key(kind: &str) -> String {
    format!("-----BEGIN {kind}-----\nMC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAA\n")
}

/// The fixture's files but for the component.
const ASSETS: [&str; 3] = [FILES[1].0, FILES[2].0, FILES[3].0];

/// A token with the mark of a service and letters that no example would have.
fn token(mark: &str, length: usize) -> String {
    // Put together here, or whoever looks for secrets in this repository finds some.
    let letters = "aB3dE5fG7hJ9kL2mN4pQ6rS8tU1vW0xYz";
    mark.chars()
        .chain(letters.chars().cycle().take(length))
        .collect()
}

#[test]
fn what_programs_leave_in_a_directory_is_left_out_and_named() {
    let dir = workplace();
    let dir = dir.path();
    for path in [
        ".git/config",
        ".git/objects/ab/cdef",
        ".gitattributes",
        ".gitignore",
        ".DS_Store",
        "onnx/._weights.bin",
        "onnx/Thumbs.db",
        "desktop.ini",
        ".cache/huggingface/download/config.json.metadata",
        ".huggingface/trees/x",
        "__pycache__/convert.pyc",
        ".ipynb_checkpoints/a.ipynb",
        "onnx/.weights.bin.swp",
        "notes.txt~",
        ".idea/workspace.xml",
        ".svn/entries",
        ".hg/store",
        "old.ampoule",
        "model.safetensors.incomplete",
    ] {
        put(dir, path, "https://user:hf_secret@hub.example/m");
    }
    // Links are no files of a bundle, but nobody asks what these are.
    symlink("/nowhere", dir.join("bundle/.cache/link")).unwrap();
    symlink("/nowhere", dir.join("bundle/.vscode")).unwrap();
    let answered = init_with(dir, &[]);
    assert_eq!(listed(&answered), ASSETS);
    assert_eq!(
        left_out(&answered),
        [
            ".DS_Store",
            ".cache/",
            ".git/",
            ".gitattributes",
            ".gitignore",
            ".hg/",
            ".huggingface/",
            ".idea/",
            ".ipynb_checkpoints/",
            ".svn/",
            ".vscode",
            "__pycache__/",
            "desktop.ini",
            "model.safetensors.incomplete",
            "notes.txt~",
            "old.ampoule",
            "onnx/._weights.bin",
            "onnx/.weights.bin.swp",
            "onnx/Thumbs.db",
        ]
    );
    let text = answer(dir, &INIT);
    for line in [
        "\nleft out     \".git/\" (version control)\n",
        "\nleft out     \".cache/\" (a cache)\n",
        "\nleft out     \".DS_Store\" (a file manager's)\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
    // What was left out may change: the bundle is what it was.
    answer(dir, &["keygen", "acme.key", "--no-encryption"]);
    answer(dir, &["sign", "bundle", "--key", "acme.key"]);
    put(dir, ".git/index", "the next commit");
    fs::remove_file(dir.join("bundle/.DS_Store")).unwrap();
    answer(dir, &["verify", "bundle", "--public-key", "acme.pub"]);
    answer(dir, &["pack", "bundle", "minilm.ampoule"]);
    let packed = fs::read(dir.join("minilm.ampoule")).unwrap();
    for part in [&b"hf_secret"[..], b".git/config"] {
        assert!(!packed.windows(part.len()).any(|window| window == part));
    }
}

#[test]
fn a_manifest_that_names_what_programs_leave_is_signed_with_a_remark() {
    let dir = workplace();
    let dir = dir.path();
    for path in ["onnx/.DS_Store", ".cache/x", ".gitattributes"] {
        put(dir, path, "x");
    }
    answer(dir, &["keygen", "acme.key", "--no-encryption"]);
    let sign = ["sign", "bundle", "--key", "acme.key"];
    let all = [&INIT[..], &["--include", "*"]].concat();
    assert_eq!(json(dir, &all)["left_out"].as_array().unwrap().len(), 0);
    let signed = json(dir, &sign);
    let named: Vec<&str> = signed["leftovers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["path"].as_str().unwrap())
        .collect();
    assert_eq!(named, [".cache/x", ".gitattributes", "onnx/.DS_Store"]);
    let text = answer(dir, &sign);
    let line = "\nlook again   \"onnx/.DS_Store\" (a file manager's) is in the manifest";
    assert!(text.contains(line), "{text}");
    fs::remove_file(dir.join("bundle").join(MANIFEST_FILE)).unwrap();
    answer(dir, &INIT);
    let signed = json(dir, &sign);
    assert_eq!(signed["leftovers"].as_array().unwrap().len(), 0);
}

#[test]
fn a_list_of_digests_names_what_it_leaves_out_and_sha256sum_reads_it() {
    let dir = workplace();
    let dir = dir.path();
    put(dir, ".git/index", "x");
    symlink("/nowhere", dir.join("bundle/.git/link")).unwrap();
    let list = answer(dir, &["digest", "bundle"]);
    assert!(
        list.ends_with("\n# left out: \".git/\" (version control)\n"),
        "{list}"
    );
    fs::write(dir.join("list"), &list).unwrap();
    put(dir, ".git/index", "the next commit");
    let checked = Command::new("sha256sum")
        .args(["--check", "--strict", "--quiet", "../list"])
        .current_dir(dir.join("bundle"))
        .output()
        .unwrap();
    assert!(checked.status.success());
    assert_eq!(String::from_utf8_lossy(&checked.stderr), "");
    let listed = json(dir, &["digest", "bundle"]);
    assert_eq!(listed["left_out"][0]["path"], ".git/");
    assert_eq!(listed["sha256"].as_object().unwrap().len(), FILES.len());
}

#[test]
fn a_list_of_digests_has_the_files_of_a_manifest_that_was_made_by_the_same_patterns() {
    let dir = workplace();
    let dir = dir.path();
    for path in [
        ".gitattributes",
        ".cache/a.bin",
        ".cache/b.txt",
        "old/c.bin",
    ] {
        put(dir, path, path);
    }
    let patterns = [
        "--include",
        ".gitattributes",
        "--include",
        ".cache/*.bin",
        "--exclude",
        "old/",
    ];
    let made = init_with(dir, &patterns);
    let digests = json(dir, &[&["digest", "bundle"], &patterns[..]].concat());
    assert_eq!(digests["left_out"], made["left_out"]);
    let mut expected = listed(&made);
    expected.push("component.wasm");
    expected.sort_unstable();
    let of = digests["sha256"].as_object().unwrap();
    assert_eq!(of.keys().collect::<Vec<_>>(), expected);
    for file in made["manifest"]["files"].as_array().unwrap() {
        let path = file["path"].as_str().unwrap();
        assert_eq!(of[path], file["digest"]["sha256"], "{path}");
    }
    let list = answer(dir, &["digest", "bundle", "--exclude", "*.onx"]);
    assert!(
        list.ends_with("\n# nothing fits --exclude \"*.onx\"\n"),
        "{list}"
    );
    assert_refused(
        dir,
        &["digest", "bundle", "--exclude", "["],
        "usage.arguments",
        2,
    );
}

#[test]
fn what_is_left_out_may_be_deeper_than_a_bundle_though_files_are_taken_back() {
    let dir = workplace();
    let dir = dir.path();
    put(dir, &format!("node/.cache/{}a.bin", "d/".repeat(30)), "x");
    put(dir, "node/.cache/d/b.bin", "x");
    put(dir, ".gitattributes", "x");
    let made = init_with(dir, &["--include", ".gitattributes", "--include", "b.bin"]);
    assert_eq!(left_out(&made), ["node/.cache/"]);
    assert!(listed(&made).contains(&".gitattributes"));
    assert!(listed(&made).contains(&"node/.cache/d/b.bin"));
    // What is not left out has to fit into a bundle.
    fs::rename(
        dir.join("bundle/node/.cache"),
        dir.join("bundle/node/cache"),
    )
    .unwrap();
    refused(dir, "file.type");
}

#[test]
fn files_are_left_out_and_taken_back_by_patterns() {
    let dir = workplace();
    let dir = dir.path();
    for path in [
        "onnx/a.onnx",
        "b.onnx",
        "old/c.bin",
        "old/d/e.bin",
        ".gitattributes",
        ".cache/f.bin",
        ".cache/g.txt",
    ] {
        put(dir, path, "x");
    }
    let answered = init_with(
        dir,
        &[
            "--exclude",
            "*.onnx",
            "--exclude",
            "old/",
            "--exclude",
            "*.wasm",
        ],
    );
    // The component is the component, whatever a pattern says.
    assert_eq!(listed(&answered), ASSETS);
    assert_eq!(
        left_out(&answered),
        [".cache/", ".gitattributes", "b.onnx", "old/", "onnx/a.onnx"]
    );
    assert_eq!(answered["left_out"][2]["reason"], "excluded");

    let answered = init_with(
        dir,
        &[
            "--exclude",
            "onnx/*.onnx",
            "--exclude",
            "old/**/e.bin",
            "--include",
            ".gitattributes",
            "--include",
            ".cache/*.bin",
        ],
    );
    let mut expected = [
        &ASSETS[..],
        &["b.onnx", "old/c.bin", ".gitattributes", ".cache/f.bin"],
    ]
    .concat();
    expected.sort_unstable();
    let mut found = listed(&answered);
    found.sort_unstable();
    assert_eq!(found, expected);

    // A slip is said: what it was meant for is published.
    let answered = init_with(dir, &["--exclude", "*.onx", "--exclude", "*.onnx"]);
    assert_eq!(answered["unused_excludes"], serde_json::json!(["*.onx"]));
    for pattern in ["", "../x", "[", "a//b"] {
        let words = [&INIT[..], &["--exclude", pattern]].concat();
        assert_refused(dir, &words, "usage.arguments", 2);
    }
}

#[test]
fn what_looks_like_a_secret_is_refused_by_its_path_until_it_is_left_out_or_allowed() {
    let json = |pem: &str| {
        format!(
            r#"{{"type":"service_account","private_key":"{}"}}"#,
            pem.replace('\n', "\\n")
        )
    };
    let utf16 = |text: &str| {
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        [&[0xff, 0xfe][..], &units].concat()
    };
    let long = format!("{}{}", "x".repeat(60_000), token("\nhf_", 34));
    for (path, content) in [
        ("acme.key", key("PRIVATE KEY").into_bytes()),
        ("acme.txt", key("ENCRYPTED PRIVATE KEY").into_bytes()),
        ("rsa", key("RSA PRIVATE KEY").into_bytes()),
        ("ssh", key("OPENSSH PRIVATE KEY").into_bytes()),
        ("pgp", key("PGP PRIVATE KEY BLOCK").into_bytes()),
        (
            "with-remarks",
            format!("mine\n\n{}", key("PRIVATE KEY")).into_bytes(),
        ),
        ("credentials.json", json(&key("PRIVATE KEY")).into_bytes()),
        ("key-of-powershell", utf16(&key("PRIVATE KEY"))),
        ("putty", b"PuTTY-User-Key-File-3: ssh-ed25519".to_vec()),
        (".env", b"MODE=1".to_vec()),
        (".env.production", b"MODE=1".to_vec()),
        (".netrc", b"machine hub.example".to_vec()),
        ("home/.ssh/config", b"x".to_vec()),
        ("id_ed25519", b"x".to_vec()),
        ("store.P12", b"x".to_vec()),
        (".pypirc", b"[pypi]\npassword = abc".to_vec()),
        (
            "cluster.yaml",
            b"users:\n- user:\n    client-key-data: LS0t".to_vec(),
        ),
        (".npmrc", b"//registry.example/:_authToken=abc".to_vec()),
        ("token", token("hf_", 34).into_bytes()),
        (
            "train.py",
            format!("login('{}')", token("hf_", 34)).into_bytes(),
        ),
        ("late.txt", long.into_bytes()),
        ("ci.yml", token("ghp_", 36).into_bytes()),
        (
            "a.cfg",
            format!("key {}", token("AKIA", 16).to_uppercase()).into_bytes(),
        ),
        ("b.cfg", b"https://ann:hunter2@hub.example/m".to_vec()),
        ("client.json", br#"{"client_secret":"x"}"#.to_vec()),
    ] {
        let dir = workplace();
        let dir = dir.path();
        put(dir, path, "");
        fs::write(dir.join("bundle").join(path), content).unwrap();
        assert_refused(dir, &INIT, "usage.secret", 2);
        let refusal = run(dir, &INIT);
        let line = String::from_utf8(refusal.stderr).unwrap();
        assert!(line.contains(&format!("{path:?} (")), "{line}");
        assert!(
            line.contains("--exclude") && line.contains("--allow-secret"),
            "{line}"
        );
        assert!(
            !line.contains("hunter2") && !line.contains("MC4CAQ"),
            "{line}"
        );
        assert_eq!(
            listed(&init_with(dir, &["--exclude", path])),
            ASSETS,
            "{path}"
        );
        let allowed = init_with(dir, &["--allow-secret", path]);
        assert!(listed(&allowed).contains(&path), "{path}");
    }
}

#[test]
fn private_keys_are_found_behind_headers_and_in_strings() {
    let dir = workplace();
    let dir = dir.path();
    let body = "MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAA";
    let block = |label: &str, headers: &str| {
        format!("-----BEGIN {label}-----\n{headers}{body}\n-----END {label}-----\n")
    };
    let pgp = |headers: &str| block("PGP PRIVATE KEY BLOCK", headers);
    let key = block("PRIVATE KEY", "");
    let old = block(
        "EC PRIVATE KEY",
        "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n",
    );
    for text in [
        old.clone(),
        old.replace('\n', "\r\n"),
        format!("{{\"key\":\"{}\"}}", old.replace('\n', r"\r\n")),
        format!("{{\"key\":\"{}\"}}", key.replace('\n', r"\r\n")),
        format!("{{\"key\":\"{}\"}}", key.replace('\n', r"\\n")),
        pgp("Version: 1.2\n\n"),
        pgp("Comment: user@host\n\n"),
        pgp("Comment: a@b, c\nVersion: GnuPG v2\n\n"),
        pgp("\n"),
        block("RSA PRIVATE KEY", "X-Note: one,\n  two, three\n\n"),
        // SSH's own form, with a header that goes on.
        format!(
            "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: \"rsa-key of \\\nann, 2026\"\n{body}\n\
             ---- END SSH2 ENCRYPTED PRIVATE KEY ----\n"
        ),
        // In a setting with indented lines, in a program, in a mail, and in lines of eight letters.
        format!("key: |\n  {}", key.replace('\n', "\n  ")),
        format!("k = (\"{}\")", key.replace('\n', "\\n\"\n     \"")),
        format!("> {}", key.replace('\n', "\n> ")),
        key.replace("K2VwBCIE", "\nK2VwBCIE\n")
            .replace("MC4CAQAw", "MC4CAQAw\n"),
    ] {
        put(dir, "notes.txt", &text);
        let output = run(dir, &INIT);
        let line = String::from_utf8(output.stderr).unwrap();
        assert!(line.ends_with("(usage.secret)\n"), "{text}\n{line}");
    }
    for text in [
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: ...\n\n...\n",
        "It is between -----BEGIN PRIVATE KEY----- and -----END PRIVATE KEY-----.",
        r#"if text.contains("-----BEGIN PRIVATE KEY-----\n") { refuse(text) }"#,
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nComment: ann@example.org\n",
    ] {
        put(dir, "notes.txt", text);
        init_with(dir, &[]);
    }
}

#[test]
fn private_keys_with_a_password_of_the_old_form_are_secrets_too() {
    let dir = workplace();
    let dir = dir.path();
    for make in [
        "genrsa -aes128 -traditional -passout pass:pw -out weights.dat 1024",
        "ec -in ../ec -aes128 -passout pass:pw -out weights.dat",
    ] {
        openssl_succeeds(
            dir,
            &[
                "ecparam",
                "-genkey",
                "-name",
                "prime256v1",
                "-noout",
                "-out",
                "ec",
            ],
        );
        let bundle = dir.join("bundle");
        openssl_succeeds(&bundle, &make.split(' ').collect::<Vec<_>>());
        let made = fs::read_to_string(bundle.join("weights.dat")).unwrap();
        assert!(made.contains("\nProc-Type: 4,ENCRYPTED\n"), "{make}");
        assert_refused(dir, &INIT, "usage.secret", 2);
    }
}

#[test]
fn a_refused_secret_is_left_out_or_allowed_as_its_refusal_says() {
    for name in [
        "a[1].pem",
        "[!a-z]].pem",
        "acme.key",
        "$(id) 'a' `b`.pem",
        "onnx/{a,b}[0].pem",
    ] {
        let dir = workplace();
        let dir = dir.path();
        put(dir, name, &key("PRIVATE KEY"));
        let line = refused(dir, "usage.secret");
        // The words as a shell reads them.
        let word_after = |option: &str| {
            let rest = &line[line.find(option).unwrap()..];
            let quoted = &rest[..end_of_word(rest, option.len() + 1)];
            let words = Command::new("sh")
                .args(["-c", &format!("printf '%s\\n' {quoted}")])
                .output()
                .unwrap();
            let words = String::from_utf8(words.stdout).unwrap();
            words.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        for option in ["--exclude", "--allow-secret"] {
            let words = word_after(option);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            assert_eq!(words.len(), 2, "{words:?}");
            let answered = init_with(dir, &words);
            let is_published = option == "--allow-secret";
            assert_eq!(listed(&answered).contains(&name), is_published, "{line}");
            assert_eq!(answered["unused_excludes"].as_array().unwrap().len(), 0);
            // One of the same name elsewhere is another one.
            let other = format!("other/{name}");
            put(dir, &other, &key("PRIVATE KEY"));
            assert_refused(dir, &[&INIT[..], &words].concat(), "usage.secret", 2);
            fs::remove_file(dir.join("bundle").join(&other)).unwrap();
        }
    }
}

/// Finds the end of a word in single quotes that begins at `start`.
fn end_of_word(text: &str, start: usize) -> usize {
    let mut is_quoted = false;
    let mut bytes = text.bytes().enumerate().skip(start);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\'' => is_quoted = !is_quoted,
            b'\\' if !is_quoted => drop(bytes.next()),
            _ if !is_quoted => return at,
            _ => {}
        }
    }
    text.len()
}

#[test]
fn private_keys_in_binary_form_are_secrets_too() {
    let dir = workplace();
    let dir = dir.path();
    let openssl = |arguments: &str| {
        openssl_succeeds(
            &dir.join("bundle"),
            &arguments.split(' ').collect::<Vec<_>>(),
        )
    };
    openssl("genpkey -algorithm ed25519 -out ../plain");
    openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out ../rsa");
    openssl("ecparam -genkey -name prime256v1 -noout -out ../ec");
    openssl("req -x509 -key ../plain -subj /CN=acme -out ../certificate");
    for make in [
        "pkey -in ../plain -outform DER -out weights.dat",
        "pkcs8 -topk8 -in ../plain -outform DER -out weights.dat -passout pass:pw",
        "rsa -in ../rsa -traditional -outform DER -out weights.dat",
        "pkcs8 -topk8 -nocrypt -in ../rsa -outform DER -out weights.dat",
        "ec -in ../ec -outform DER -out weights.dat",
        "pkcs12 -export -inkey ../plain -in ../certificate -out weights.dat -passout pass:pw",
    ] {
        openssl(make);
        assert_refused(dir, &INIT, "usage.secret", 2);
    }
    // What is public is not.
    openssl("pkey -in ../plain -pubout -outform DER -out weights.dat");
    init_with(dir, &[]);
}

#[test]
fn a_pointer_of_git_lfs_is_not_taken_for_the_weights() {
    let dir = workplace();
    let dir = dir.path();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 90868376\n";
    for path in ["model.safetensors", "onnx/model.onnx", "component.wasm"] {
        let before = fs::read(dir.join("bundle").join(path)).ok();
        put(dir, path, pointer);
        let line = refused(dir, "file.pointer");
        assert!(
            line.contains(path) && line.contains("git lfs pull"),
            "{line}"
        );
        match before {
            Some(before) => fs::write(dir.join("bundle").join(path), before).unwrap(),
            None => fs::remove_file(dir.join("bundle").join(path)).unwrap(),
        }
    }
    put(dir, "README.md", "See https://git-lfs.github.com/spec/v1");
    init_with(dir, &[]);
}

#[test]
fn what_only_talks_of_secrets_is_published() {
    let dir = workplace();
    let dir = dir.path();
    for (path, content) in [
        (
            "README.md",
            "Put your token (`hf_...` or hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx) into HF_TOKEN.",
        ),
        (
            "docs/keys.md",
            "A key begins with\n-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n",
        ),
        ("docs/aws.md", "AKIAIOSFODNN7EXAMPLE"),
        (
            "docs/git.md",
            "git clone https://user:password@hub.example/m or https://${USER}:${TOKEN}@hub.example",
        ),
        (
            "docs/mail.md",
            "http://example.org/?a=b:c and mail to a@example.org",
        ),
        (".env.example", "PASSWORD="),
        (
            "acme.pub",
            "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n",
        ),
        ("vocab.txt", "hf_\nghp_\nAKIA\n://\n@\n-----\nBEGIN\n"),
        ("environment", "x"),
    ] {
        put(dir, path, content);
    }
    fs::write(dir.join("bundle/empty"), "").unwrap();
    assert_eq!(listed(&init_with(dir, &[])).len(), ASSETS.len() + 10);
}

#[test]
fn a_manifest_that_names_a_secret_is_neither_signed_nor_packed() {
    for (path, content) in [
        ("acme.key", &*key("PRIVATE KEY")),
        // As earlier versions of `init` took it: the history of a clone.
        (".git/objects/pack/a.pack", "x"),
        ("settings/.env", "x"),
    ] {
        let fixture = Fixture::unsigned();
        fs::remove_file(fixture.file(MANIFEST_FILE)).unwrap();
        fs::create_dir_all(fixture.file(path).parent().unwrap()).unwrap();
        fs::write(fixture.file(path), content).unwrap();
        let allowed = FileRules::new()
            .allow_secret(path)
            .unwrap()
            .include(path)
            .unwrap();
        let (manifest, _) = template()
            .fill_by(&fixture.path(), Timestamp::now(), &allowed)
            .unwrap();
        assert!(manifest.files().iter().any(|file| file.path() == path));
        manifest.write_file(&fixture.path()).unwrap();

        let error = sign_directory(&fixture.path(), &[&fixture.key]).unwrap_err();
        assert_eq!(error.code(), "usage.secret", "{path}");
        assert!(error.to_string().contains(path), "{error}");
        assert!(!fixture.file("ampoule.dsse.json").exists());
        sign_directory_by(&fixture.path(), &[&fixture.key], &allowed).unwrap();

        let packed = fixture.beside("minilm.ampoule");
        let error = pack_directory(&fixture.path(), &packed).unwrap_err();
        assert_eq!(error.code(), "usage.secret", "{path}");
        assert!(!packed.exists());
        pack_directory_by(&fixture.path(), &packed, &allowed).unwrap();
        fixture.verify().unwrap();
    }
}

#[test]
fn only_what_the_manifest_names_is_packed() {
    let fixture = Fixture::signed();
    for path in ["stray.txt", "onnx/.env", "ampoule.dsse.json.minisig"] {
        fs::write(fixture.file(path), "never signed").unwrap();
    }
    let packed = fixture.beside("minilm.ampoule");
    pack_directory(&fixture.path(), &packed).unwrap();
    let bytes = fs::read(&packed).unwrap();
    let stray = b"never signed";
    assert!(!bytes.windows(stray.len()).any(|window| window == stray));
    Envelope::parse(&fixture.envelope_bytes()).unwrap();
}

#[test]
fn what_cannot_be_in_a_bundle_is_said_before_anything_is_read() {
    let dir = workplace();
    let dir = dir.path();
    // It would take a minute to read.
    let large = fs::File::create(dir.join("bundle/large.bin")).unwrap();
    large.set_len(12 << 30).unwrap();
    let start = std::time::Instant::now();
    put(dir, "modèle.bin", "x");
    refused(dir, "manifest.path");
    fs::remove_file(dir.join("bundle/modèle.bin")).unwrap();
    put(dir, "Config.json", "x");
    refused(dir, "manifest.path");
    fs::remove_file(dir.join("bundle/Config.json")).unwrap();
    put(dir, ".env", "x");
    refused(dir, "usage.secret");
    fs::remove_file(dir.join("bundle/.env")).unwrap();
    put(dir, MANIFEST_FILE, "{}");
    refused(dir, "io.exists");
    fs::remove_file(dir.join("bundle").join(MANIFEST_FILE)).unwrap();
    // As a cache of downloads has it: names that point to blobs.
    symlink("large.bin", dir.join("bundle/model.safetensors")).unwrap();
    assert!(refused(dir, "file.symlink").contains("cp -RL"));
    fs::remove_file(dir.join("bundle/model.safetensors")).unwrap();
    large.set_len(17 << 30).unwrap();
    refused(dir, "file.too-large");
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
}

#[track_caller]
fn refused(dir: &Path, code: &str) -> String {
    let output = run(dir, &INIT);
    let line = String::from_utf8(output.stderr).unwrap();
    assert!(line.ends_with(&format!("({code})\n")), "{line}");
    line
}
