//! Looks for secrets among a bundle's files: private keys, passwords and tokens.
//!
//! A signed bundle is public and cannot be taken back. Names are looked at, and the first [`HEAD_BYTES`] of each
//! file, for the marks by which keys and tokens are made to be found. It is a net for accidents: somebody who wants
//! to hide a secret in a file can.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use memchr::memmem;
use pkcs8::der::{self, Decode as _, Header, Reader as _, SliceReader, Tag};
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};

use crate::bundle::manifest::FileEntry;
use crate::bundle::source::Opener;
use crate::keys::key_kind::is_pkcs12;
use crate::sign::file_rules::{FileRules, pattern_of};
use crate::values::error::{Error, Result};

/// Bytes at the start of a file that are looked at. Keys and settings are shorter.
const HEAD_BYTES: u64 = 64 << 10;

/// The most finds that a message names.
const MAX_NAMED: usize = 5;

/// Names that say enough, in lower case; `*` at one end stands for anything.
const NAMES: &[(&str, &[&str])] = &[
    (
        "version control, which keeps deleted files",
        &[".git", ".hg", ".svn", ".bzr", ".jj", "_darcs", ".pijul"],
    ),
    ("settings with passwords", &[".env", ".env.*", ".envrc"]),
    (
        "passwords",
        &[
            ".netrc",
            "_netrc",
            ".git-credentials",
            ".pgpass",
            ".htpasswd",
            ".pypirc",
            ".my.cnf",
            "*.kdbx",
        ],
    ),
    (
        "a private key by its name",
        &[
            "id_rsa",
            "id_dsa",
            "id_ecdsa",
            "id_ed25519",
            "id_ecdsa_sk",
            "id_ed25519_sk",
            "*.ppk",
        ],
    ),
    (
        "a key store by its name",
        &["*.p12", "*.pfx", "*.jks", "*.keystore"],
    ),
    (
        "a shell's history",
        &[".bash_history", ".zsh_history", ".python_history"],
    ),
    (
        "passwords of container registries",
        &[".dockercfg", ".docker"],
    ),
    ("keys of SSH", &[".ssh"]),
    ("keys of a cloud", &[".aws", ".azure", ".kube"]),
    ("keys of OpenPGP", &[".gnupg"]),
];

/// Examples that projects publish on purpose.
const EXAMPLE_ENDINGS: &[&str] = &[".example", ".sample", ".template", ".dist"];

/// Tokens: their beginning, the least number of characters after it, and their kind. All of those characters are
/// letters, digits, `-` and `_`.
const TOKENS: &[(&str, usize, &str)] = &[
    ("hf_", 30, "a token of Hugging Face"),
    ("api_org_", 30, "a token of Hugging Face"),
    ("ghp_", 36, "a token of GitHub"),
    ("gho_", 36, "a token of GitHub"),
    ("ghu_", 36, "a token of GitHub"),
    ("ghs_", 36, "a token of GitHub"),
    ("ghr_", 36, "a token of GitHub"),
    ("github_pat_", 36, "a token of GitHub"),
    ("glpat-", 20, "a token of GitLab"),
    ("AKIA", 16, "a key of AWS"),
    ("ASIA", 16, "a key of AWS"),
    ("AIza", 35, "a key of Google"),
    ("sk-proj-", 40, "a key of OpenAI"),
    ("sk-ant-", 40, "a key of Anthropic"),
    ("xoxb-", 20, "a token of Slack"),
    ("xoxp-", 20, "a token of Slack"),
    ("npm_", 36, "a token of npm"),
    ("pypi-AgE", 50, "a token of PyPI"),
    ("dckr_pat_", 20, "a token of Docker"),
    ("nvapi-", 40, "a key of NVIDIA"),
    ("AGE-SECRET-KEY-1", 40, "a private key of age"),
];

/// Texts that stand in secrets and hardly elsewhere, with the kind of secret.
const MARKS: &[(&str, &str)] = &[
    ("PuTTY-User-Key-File-", "a private key of PuTTY"),
    (
        "untrusted comment: minisign encrypted secret key",
        "a private key of minisign",
    ),
    (
        "untrusted comment: rsign encrypted secret key",
        "a private key of minisign",
    ),
    ("_authToken=", "a token of a package registry"),
    ("AccountKey=", "a key of Azure"),
    ("client-key-data:", "a key of Kubernetes"),
    ("\"refresh_token\":", "a token (`refresh_token`)"),
    ("\"client_secret\":", "a password (`client_secret`)"),
];

/// Refuses files that look like secrets, unless the rules allow them.
///
/// # Errors
///
/// `usage.secret`; and the error of `opener`.
pub(crate) fn refuse<'e>(
    entries: impl Iterator<Item = &'e FileEntry>,
    opener: &Opener<'_>,
    rules: &FileRules,
) -> Result<()> {
    let mut found = Secrets::default();
    for entry in entries {
        let path = entry.path();
        found.look(path, rules, || {
            let region = opener.open(entry)?;
            head(&region.file, path, region.start, entry.size().bytes())
        })?;
    }
    found.refuse()
}

/// Files that look like secrets: the path of each, and its kind.
#[derive(Default)]
pub(crate) struct Secrets(Vec<(String, &'static str)>);

impl Secrets {
    /// Looks at a file's name and its first bytes.
    pub(crate) fn look(
        &mut self,
        path: &str,
        rules: &FileRules,
        head: impl FnOnce() -> Result<Vec<u8>>,
    ) -> Result<()> {
        if rules.allows_secret(path) {
            return Ok(());
        }
        let kind = match by_path(path) {
            None => {
                let head = head()?;
                in_binary(&head).or_else(|| in_text(&single_bytes(head)))
            }
            named => named,
        };
        self.0.extend(kind.map(|kind| (path.to_owned(), kind)));
        Ok(())
    }

    /// Refuses if something was found, and names it.
    pub(crate) fn refuse(self) -> Result<()> {
        let Some((first, _)) = self.0.first() else {
            return Ok(());
        };
        let first = first.clone();
        let mut list: Vec<String> = self
            .0
            .iter()
            .take(MAX_NAMED)
            .map(|(path, kind)| format!("{path:?} ({kind})"))
            .collect();
        if self.0.len() > MAX_NAMED {
            list.push(format!("{} more", self.0.len() - MAX_NAMED));
        }
        Err(Error::UsageSecret {
            found: list.join(", "),
            first: as_argument(&pattern_of(&first)),
        })
    }
}

/// Quotes a word for a shell.
fn as_argument(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Reads the first bytes of a content of `size` bytes, as many as are looked at.
pub(crate) fn head(file: &File, path: &str, start: u64, size: u64) -> Result<Vec<u8>> {
    let length = usize::try_from(size.min(HEAD_BYTES)).map_err(|_| Error::Internal("a bound"))?;
    let mut head = vec![0; length];
    file.read_exact_at(&mut head, start)
        .map_err(Error::io(format!("read {path:?}")))?;
    Ok(head)
}

/// Returns the kind of secret that a file is by its name and those of the directories on the way to it.
fn by_path(path: &str) -> Option<&'static str> {
    path.split('/').find_map(|name| {
        let name = name.to_ascii_lowercase();
        if EXAMPLE_ENDINGS.iter().any(|ending| name.ends_with(ending)) {
            return None;
        }
        NAMES
            .iter()
            .find(|(_, patterns)| patterns.iter().any(|pattern| fits(pattern, &name)))
            .map(|(kind, _)| *kind)
    })
}

fn fits(pattern: &str, name: &str) -> bool {
    if let Some(end) = pattern.strip_prefix('*') {
        return name.ends_with(end);
    }
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

/// Recognises a whole file that is a private key in binary form.
fn in_binary(file: &[u8]) -> Option<&'static str> {
    if PrivateKeyInfoRef::try_from(file).is_ok()
        || EncryptedPrivateKeyInfoRef::try_from(file).is_ok()
        || is_traditional_key(file)
    {
        return Some("a private key in binary form");
    }
    let is_store = is_pkcs12(file) || file.starts_with(b"\xfe\xed\xfe\xed");
    is_store.then_some("a key store")
}

/// A key of RSA (RFC 8017, appendix A.1.2) or of an elliptic curve (RFC 5915) as OpenSSL writes it by itself: a
/// sequence of a version and a number or a string of bytes.
fn is_traditional_key(file: &[u8]) -> bool {
    let fields = SliceReader::new(file).and_then(|mut reader| {
        reader.sequence(|reader| {
            let version = u8::decode(reader)?;
            let tag = Header::peek(reader)?.tag();
            reader.read_slice(reader.remaining_len())?;
            Ok::<_, der::Error>((version, tag))
        })
    });
    matches!(fields, Ok((0, Tag::Integer) | (1, Tag::OctetString)))
}

/// Text in UTF-16 as one byte a character, which is enough for marks of ASCII. Other files stay as they are.
fn single_bytes(bytes: Vec<u8>) -> Vec<u8> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return bytes.into_iter().filter(|byte| *byte != 0).collect();
    }
    bytes
}

fn in_text(text: &[u8]) -> Option<&'static str> {
    if holds_private_key(text) {
        return Some("a private key");
    }
    let token = TOKENS
        .iter()
        .find(|(start, length, _)| holds_token(text, start.as_bytes(), *length));
    if let Some((_, _, kind)) = token {
        return Some(kind);
    }
    let mark = MARKS
        .iter()
        .find(|(mark, _)| memmem::find(text, mark.as_bytes()).is_some());
    if let Some((_, kind)) = mark {
        return Some(kind);
    }
    holds_password_in_address(text).then_some("an address with a password in it")
}

/// Looks for a private key in PEM, in OpenPGP's armour (RFC 9580, section 6.2) or in SSH's form (RFC 4716), in
/// lines of its own or in a string of a program or of JSON. It has to have a body: documentation shows the
/// first line without.
fn holds_private_key(text: &[u8]) -> bool {
    // SSH's form has four dashes and a space.
    const MARKS: [&[u8]; 2] = [b"-----BEGIN ", b"---- BEGIN "];
    const LABEL_BYTES: usize = 64;
    // Headers are a few lines; a file full of first lines is not read once for each.
    const BODY_BYTES: usize = 4 << 10;
    let is_key = |rest: &[u8]| {
        let window = &rest[..rest.len().min(LABEL_BYTES)];
        let Some(end) = memmem::find(window, b"----") else {
            return false;
        };
        let label = window[..end].trim_ascii_end();
        let body = &rest[end..];
        let dashes = body.iter().take_while(|byte| **byte == b'-').count();
        let body = &body[dashes..];
        (label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK"))
            && begins_with_base64(&body[..body.len().min(BODY_BYTES)])
    };
    MARKS
        .iter()
        .any(|mark| memmem::find_iter(text, mark).any(|at| is_key(&text[at + mark.len()..])))
}

/// Tells whether there is base64 behind the headers of a block, if it has any, in one line or in several.
fn begins_with_base64(body: &[u8]) -> bool {
    const LETTERS: usize = 16;
    let mut letters = 0;
    let mut in_header = false;
    let mut continues = false;
    for line in lines(body) {
        let is_folded = in_header && line.first().is_some_and(u8::is_ascii_whitespace);
        let line = without_frame(line);
        if letters == 0 && (continues || is_header(line)) {
            in_header = true;
            continues = line.ends_with(b"\\");
            continue;
        }
        let base64 = line.iter().take_while(|byte| is_base64(byte)).count();
        if base64 < line.len() && is_folded {
            continue;
        }
        in_header &= !line.is_empty();
        letters += base64;
        if letters >= LETTERS {
            return true;
        }
        if base64 < line.len() {
            return false;
        }
    }
    false
}

/// Lines of a file, or of a string in which `\n` and `\r` are a backslash and a letter.
fn lines(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_string = body.starts_with(b"\\");
    let mut rest = Some(body);
    std::iter::from_fn(move || {
        let text = rest?;
        let is_end = |byte: &u8| b"\r\n".contains(byte) || is_string && *byte == b'\\';
        let Some(end) = text.iter().position(is_end) else {
            rest = None;
            return Some(text);
        };
        let after = &text[end + 1..];
        // A backslash alone is a string that goes on in the next line, or one string within another.
        let is_escape = text[end] == b'\\' && matches!(after.first(), Some(b'n' | b'r'));
        rest = Some(&after[usize::from(is_escape)..]);
        Some(&text[..end])
    })
}

/// Takes from a line's ends the marks by which programs, quoted mail and comments hold it.
fn without_frame(line: &[u8]) -> &[u8] {
    let is_frame = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`,;+>#|*".contains(byte);
    let start = line.iter().position(|byte| !is_frame(byte));
    let end = line.iter().rposition(|byte| !is_frame(byte));
    match (start, end) {
        (Some(start), Some(end)) => &line[start..=end],
        _ => &[],
    }
}

/// Recognises a header such as `Proc-Type: 4,ENCRYPTED` (RFC 1421) or `Comment: ann@example.org`.
fn is_header(line: &[u8]) -> bool {
    let Some(end) = line.iter().position(|byte| *byte == b':') else {
        return false;
    };
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    line.first().is_some_and(u8::is_ascii_alphabetic) && line[..end].iter().all(is_letter)
}

fn is_base64(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=".contains(byte)
}

fn holds_token(text: &[u8], start: &[u8], length: usize) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    memmem::find_iter(text, start).any(|at| {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        let token = text[at + start.len()..]
            .iter()
            .take_while(|byte| is_letter(byte));
        let token: Vec<u8> = token.copied().take(256).collect();
        // A whole word, of more than one or two characters: `hf_xxxxxxxx...` is an example, as are Amazon's.
        let mut kinds = token.clone();
        kinds.sort_unstable();
        kinds.dedup();
        before.is_none_or(|before| !is_letter(before))
            && token.len() >= length
            && (length != 16 || token.len() == 16 && !token.iter().any(u8::is_ascii_lowercase))
            && kinds.len() > 4
            && !token.ends_with(b"EXAMPLE")
    })
}

/// Looks for `scheme://name:password@host`. Words that documentation puts there are no passwords.
fn holds_password_in_address(text: &[u8]) -> bool {
    const LONGEST: usize = 256;
    const WORDS: &[&[u8]] = &[
        b"password",
        b"pass",
        b"passwd",
        b"pw",
        b"secret",
        b"token",
        b"xxx",
    ];
    if text.contains(&0) {
        return false;
    }
    memmem::find_iter(text, b"://").any(|at| {
        let rest = &text[at + 3..];
        let rest = &rest[..rest.len().min(LONGEST)];
        let authority = rest
            .split(|byte| byte.is_ascii_whitespace() || b"/?#\"'<>`\\".contains(byte))
            .next()
            .unwrap_or_default();
        let Some(end) = authority.iter().rposition(|byte| *byte == b'@') else {
            return false;
        };
        let Some(colon) = authority[..end].iter().position(|byte| *byte == b':') else {
            return false;
        };
        let password = &authority[colon + 1..end];
        let is_placeholder = WORDS.contains(&&*password.to_ascii_lowercase())
            || password.iter().any(|byte| b"${}[]()*".contains(byte));
        authority.is_ascii() && !password.is_empty() && !is_placeholder
    })
}
