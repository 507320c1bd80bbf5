//! The bytes of a bundle's files, in their directory and in one packed file, region by region: flipped,
//! taken out, put in, cut short.

use std::fs;
use std::ops::Range;

use ampoule_signing::{ENVELOPE_FILE, Sha256Digest};

use super::bundle::{BundleFiles, DIRECTORY, PACKED, packed_bundle};
use super::tally::{Outcome, Place, Tally};
use crate::fixture::FILES;

const BLOCK: usize = 512;
const PLACES: [Place; 2] = [
    ["manifest", DIRECTORY, "bytes of the files"],
    ["manifest", PACKED, "bytes of the packed file"],
];

pub(super) fn tamper() -> Tally {
    let mut tally = Tally::default();
    let (files, packed) = packed_bundle();
    let signed = files.verify_directory().unwrap();
    assert_eq!(files.verify_packed(&packed).unwrap(), signed);
    in_the_directory(&files, signed, &mut tally);
    in_the_packed_file(&files, &packed, signed, &mut tally);
    assert_eq!(
        files.verify_directory().unwrap(),
        signed,
        "as it was before"
    );
    tally
}

/// Changes some bytes of a file in several ways.
fn changes(content: &[u8], range: Range<usize>) -> impl Iterator<Item = (Change, Vec<u8>)> {
    let bits = [0x01, 0x10, 0x80].map(Change::Flip);
    let all = bits.into_iter().chain([
        Change::Cut,
        Change::Extend(0),
        Change::Extend(b'a'),
        Change::End,
    ]);
    range.flat_map(move |at| {
        all.clone().map(move |change| {
            let (before, after) = content.split_at(at);
            let changed = match change {
                Change::Flip(bit) => [before, &[after[0] ^ bit], &after[1..]].concat(),
                Change::Cut => [before, &after[1..]].concat(),
                Change::Extend(byte) => [before, &[byte], after].concat(),
                Change::End => before.to_vec(),
            };
            (change, changed)
        })
    })
}

/// A change at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// This bit of the byte there is another.
    Flip(u8),
    /// The byte there is taken out.
    Cut,
    /// This byte is put in before it.
    Extend(u8),
    /// The file ends there.
    End,
}

fn in_the_directory(files: &BundleFiles, signed: Sha256Digest, tally: &mut Tally) {
    for (name, content) in FILES {
        let path = files.file(name);
        let rows = changes(content, 0..content.len());
        let longer = [content, b"\0"].concat();
        for (change, changed) in rows.chain([(Change::Extend(0), longer)]) {
            fs::write(&path, &changed).unwrap();
            let expected = match change {
                Change::Flip(_) => "file.digest",
                Change::Cut | Change::Extend(_) | Change::End => "file.size",
            };
            tally.row(
                PLACES[0],
                Outcome::Refused(expected),
                signed,
                files.verify_directory(),
                || format!("{change:?} in {name}: {changed:?}"),
            );
        }
        fs::remove_file(&path).unwrap();
        tally.row(
            PLACES[0],
            Outcome::Refused("file.missing"),
            signed,
            files.verify_directory(),
            || format!("without {name}"),
        );
        fs::write(&path, content).unwrap();
    }
}

/// A region of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Region {
    /// Headers, zeros that fill up blocks, and those at the end.
    Frame,
    Envelope,
    Content,
}

/// The regions, worked out from what was packed.
fn regions(packed: &[u8], envelope: usize) -> Vec<(Region, Range<usize>)> {
    let contents = FILES.map(|(_, content)| (Region::Content, content.len()));
    let mut regions = Vec::new();
    let mut at = 0;
    for (region, length) in [(Region::Envelope, envelope)].into_iter().chain(contents) {
        let start = at + BLOCK;
        let end = start + length;
        regions.push((Region::Frame, at..start));
        regions.push((region, start..end));
        at = end.next_multiple_of(BLOCK);
        regions.push((Region::Frame, end..at));
    }
    regions.push((Region::Frame, at..packed.len()));
    regions
}

/// Finds the region of a change. A byte that is put into a run of its like is the same as one behind the run.
fn region_of(
    regions: &[(Region, Range<usize>)],
    packed: &[u8],
    at: usize,
    change: Change,
) -> Region {
    let is_alike = |next: &&u8| change == Change::Extend(**next);
    let at = at + packed[at..].iter().take_while(is_alike).count();
    let found = regions.iter().find(|(_, range)| range.contains(&at));
    found.map_or(Region::Frame, |(region, _)| *region)
}

fn expected(region: Region, change: Change) -> Outcome {
    match (region, change) {
        (Region::Content, Change::Flip(_)) => Outcome::Refused("file.digest"),
        (Region::Envelope, Change::Flip(_)) => Outcome::RefusedAs(&[
            "envelope.malformed",
            "envelope.payload-type",
            "signature.invalid",
            "trust.threshold",
        ]),
        // By its header it is as long as before, so it gains a zero or loses its end.
        (Region::Envelope, Change::Cut | Change::Extend(_)) => {
            Outcome::Refused("envelope.malformed")
        }
        _ => Outcome::Refused("file.archive"),
    }
}

fn in_the_packed_file(files: &BundleFiles, packed: &[u8], signed: Sha256Digest, tally: &mut Tally) {
    let envelope = fs::read(files.file(ENVELOPE_FILE)).unwrap().len();
    let regions = regions(packed, envelope);
    let filled: usize = regions.iter().map(|(_, range)| range.len()).sum();
    assert_eq!(filled, packed.len(), "nothing else is in it");
    for (region, range) in &regions {
        let stride = match region {
            Region::Frame => 11,
            Region::Content => 1,
            // What is in it is another part of the matrix.
            Region::Envelope => 97,
        };
        for at in range.clone().step_by(stride) {
            for (change, changed) in changes(packed, at..at + 1) {
                let region = region_of(&regions, packed, at, change);
                tally.row(
                    PLACES[1],
                    expected(region, change),
                    signed,
                    files.verify_packed(&changed),
                    || format!("{change:?} at {at}, in {region:?} {range:?}"),
                );
            }
        }
    }
    for more in [&[0][..], &[0; BLOCK], &[0; 2 * BLOCK], b"more", packed] {
        tally.row(
            PLACES[1],
            Outcome::Refused("file.archive"),
            signed,
            files.verify_packed(&[packed, more].concat()),
            || format!("{} bytes more", more.len()),
        );
    }
}
