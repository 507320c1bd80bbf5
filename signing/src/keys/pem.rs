//! Finds the one PEM block with a key in a file, whatever else the file holds.
//!
//! RFC 7468 lets a parser skip text before and after a block, and a private key often comes with its certificates.
//! Blocks of other kinds are skipped, as OpenSSL does. Two blocks of the wanted kind are refused: a parser must not
//! choose which key signs or is trusted. The block goes to the decoder of `pem-rfc7468` in the one form that it
//! takes, lines of 64 letters.

use zeroize::Zeroizing;

use crate::keys::key_kind::{Found, Half, file_kind, label_kind};

/// The longest label of a block.
const MAX_LABEL_BYTES: usize = 64;
/// The length of a line of base64, as RFC 7468 wants it written.
const LINE_BYTES: usize = 64;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// A block of a file.
struct Block<'f> {
    label: &'f str,
    /// The lines between the first and the last; none if there is no last.
    body: Option<Vec<&'f [u8]>>,
}

/// Returns the one block of a file whose label is among `labels`, as strict PEM, and its label.
///
/// # Errors
///
/// Describes the file's content instead, or says that there are several such blocks.
pub(crate) fn only_block<'f>(
    file: &'f [u8],
    labels: &[&str],
    half: Half,
) -> Result<(&'f str, Zeroizing<String>), Found> {
    let blocks = blocks(file);
    let mut wanted = blocks.iter().filter(|block| labels.contains(&block.label));
    let Some(block) = wanted.next() else {
        return Err(instead(file, &blocks, half));
    };
    if wanted.next().is_some() {
        return Err("several keys in one file; put the right one into a file of its own".into());
    }
    let Some(body) = &block.body else {
        return Err("a PEM block without its last line, `-----END`; copy the file again".into());
    };
    Ok((block.label, strict(block.label, body)?))
}

/// Describes a file without a block of the right kind. Of its blocks, a key says more than a certificate.
fn instead(file: &[u8], blocks: &[Block<'_>], half: Half) -> Found {
    let is_key = |block: &&Block<'_>| block.label.contains("KEY");
    match blocks.iter().find(is_key).or(blocks.first()) {
        Some(block) => label_kind(block.label, half),
        None => file_kind(file, half),
    }
}

fn blocks(file: &[u8]) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut open: Option<(&str, Vec<&[u8]>)> = None;
    for line in file
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(file)
        .split(|byte| matches!(byte, b'\n' | b'\r'))
    {
        let line = line.trim_ascii();
        if let Some(label) = boundary(line, BEGIN) {
            // One begins in another: that other has no end.
            blocks.extend(open.take().map(|(label, _)| Block { label, body: None }));
            open = Some((label, Vec::new()));
        } else if let Some((label, mut body)) = open.take() {
            if boundary(line, END) == Some(label) {
                let body = Some(body);
                blocks.push(Block { label, body });
            } else {
                body.push(line);
                open = Some((label, body));
            }
        }
    }
    blocks.extend(open.map(|(label, _)| Block { label, body: None }));
    blocks
}

/// The label in a block's first or last line.
fn boundary<'l>(line: &'l [u8], beginning: &[u8]) -> Option<&'l str> {
    let label = line.strip_prefix(beginning)?.strip_suffix(DASHES)?;
    let is_label = label.len() <= MAX_LABEL_BYTES
        && label
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' ');
    std::str::from_utf8(label).ok().filter(|_| is_label)
}

/// Writes a block as RFC 7468's strict grammar has it.
fn strict(label: &str, body: &[&[u8]]) -> Result<Zeroizing<String>, Found> {
    if body.iter().any(|line| line.starts_with(b"Proc-Type:")) {
        return Err(
            "a key under the password encryption of old PEM files (`Proc-Type`); write it anew with \
             `openssl pkcs8 -topk8 -in OLD -out NEW`"
                .into(),
        );
    }
    let letters = || {
        body.iter()
            .flat_map(|line| line.iter().copied())
            .filter(|byte| !byte.is_ascii_whitespace())
    };
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    if !letters().all(is_base64) {
        return Err("a damaged PEM block: there is more in it than base64".into());
    }
    let length = letters().count();
    // Enough from the start: a buffer that grows leaves copies of the secret behind.
    let capacity = length + length / LINE_BYTES + 2 * (label.len() + 32);
    let mut text = Zeroizing::new(String::with_capacity(capacity));
    text.push_str(&format!("-----BEGIN {label}-----\n"));
    for (place, letter) in letters().enumerate() {
        if place > 0 && place % LINE_BYTES == 0 {
            text.push('\n');
        }
        text.push(char::from(letter));
    }
    text.push_str(&format!("\n-----END {label}-----\n"));
    Ok(text)
}
