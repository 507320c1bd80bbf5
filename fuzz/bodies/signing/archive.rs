//! Any bytes as a packed bundle: what is unpacked lies in it where it has to, and packs to the very same
//! bytes; or it is refused, and nothing is unpacked.
//!
//! The input is taken as the whole file, and as two bytes with the length of a manifest, that manifest, and
//! what follows the envelope, so that the fuzzer need not find base64 and the first header by itself.

use std::fs;

use ampoule_signing::{Bundle, ENVELOPE_FILE, Envelope, FileRules, pack_directory_by, unpack_file};
use tempfile::TempDir;

use super::assert_refused;
use crate::ustar;

const BLOCK: usize = 512;

pub(super) fn check(bytes: &[u8]) {
    check_file(bytes);
    if let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(rest.len());
        let (manifest, members) = rest.split_at(length);
        let envelope = Envelope::sign(manifest.to_vec(), &[]).unwrap();
        let first = ustar::member(ENVELOPE_FILE, &envelope.to_bytes().unwrap());
        check_file(&[&first, members].concat());
    }
}

fn check_file(bytes: &[u8]) {
    let dir = TempDir::new().unwrap();
    let [file, unpacked, again] = ["file", "unpacked", "again"].map(|name| dir.path().join(name));
    fs::write(&file, bytes).unwrap();
    match unpack_file(&file, &unpacked) {
        Ok(manifest) => {
            let bundle = Bundle::open(&file).unwrap();
            let envelope = bundle.envelope().to_bytes().unwrap();
            assert_eq!(bytes[BLOCK..][..envelope.len()], envelope);
            let start = 2 * BLOCK + envelope.len().next_multiple_of(BLOCK);
            let component = bundle.unverified_component().unwrap();
            assert_eq!(bytes[start..][..component.len()], component[..]);
            assert_eq!(component.len() as u64, manifest.component().size().bytes());
            // A file may look like a secret here, by its name.
            let rules = FileRules::new().allow_secret("*").unwrap();
            assert_eq!(
                pack_directory_by(&unpacked, &again, &rules).unwrap(),
                manifest
            );
            assert!(fs::read(&again).unwrap() == bytes, "one spelling");
        }
        Err(error) => {
            assert_refused(&error, &["envelope.", "manifest.", "file."]);
            assert!(!unpacked.exists());
        }
    }
}
