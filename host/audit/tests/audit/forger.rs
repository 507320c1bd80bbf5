//! A second reading and writing of the format, for those who would forge a log. It shares no code with the crate.

use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};

use crate::memory::Memory;

const START: usize = 10;
const HEADER: usize = 33;

/// Splits a segment into its frames.
pub(crate) fn frames(segment: &[u8]) -> Vec<Vec<u8>> {
    assert_eq!(&segment[..START], b"AMPAUDIT1\n");
    let mut frames = Vec::new();
    let mut rest = &segment[START..];
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest[29..33].try_into().unwrap());
        let (frame, after) = rest.split_at(HEADER + usize::try_from(length).unwrap() + 96);
        frames.push(frame.to_vec());
        rest = after;
    }
    frames
}

pub(crate) fn segment(frames: &[Vec<u8>]) -> Vec<u8> {
    [b"AMPAUDIT1\n", frames.concat().as_slice()].concat()
}

/// Changes the frames of one segment.
pub(crate) fn change(memory: &mut Memory, number: u64, act: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let found = memory.segments.get_mut(&number).unwrap();
    let mut split = frames(found);
    act(&mut split);
    *found = segment(&split);
}

/// Changes the payload of a frame.
pub(crate) fn with_payload(frame: &[u8], change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let (body, trailer) = frame.split_at(frame.len() - 96);
    let payload = change(body[HEADER..].to_vec());
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&body[..29], &length, &payload, trailer].concat()
}

/// Reads a field of a frame's payload.
pub(crate) fn field(frame: &[u8], name: &str) -> String {
    let payload: serde_json::Value =
        serde_json::from_slice(&frame[HEADER..frame.len() - 96]).unwrap();
    payload[name].as_str().unwrap().to_owned()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits = text.trim_end().as_bytes();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// Makes the hashes of frames right again, and signs them with a key.
pub(crate) fn sign_again(frames: &mut [Vec<u8>], from: usize, key: &SigningKey) {
    let log = unhex(&field(&frames[0], "log"));
    let mut previous = match from {
        0 => unhex(&field(&frames[0], "previous")),
        _ => hash(&frames[from - 1]),
    };
    for frame in &mut frames[from..] {
        let body = frame[..frame.len() - 96].to_vec();
        let hash = Sha256::new()
            .chain_update(b"ampoule-audit-frame-v1\0")
            .chain_update(&log)
            .chain_update(&previous)
            .chain_update(&body)
            .finalize()
            .to_vec();
        let message = [b"ampoule-audit-checkpoint-v1\0", hash.as_slice()].concat();
        *frame = [&*body, &hash, &key.sign(&message).to_bytes()].concat();
        previous = hash;
    }
}

fn hash(frame: &[u8]) -> Vec<u8> {
    frame[frame.len() - 96..frame.len() - 64].to_vec()
}
