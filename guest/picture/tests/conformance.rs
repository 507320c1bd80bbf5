//! Every file of `tests/pictures/conformance` gives the pixels of its format's reference decoder, or the
//! refusal that is listed for it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test may fail loudly, and says how many files are equal"
)]

use std::path::{Path, PathBuf};

use ampoule_guest::Image;
use ampoule_picture::{check, decode};

/// A format's files with what is expected of each: a reference, or a word of the refusal.
const FORMATS: [&str; 3] = ["jpeg", "png", "webp"];

/// The most that a channel may be off the reference.
const TOLERANCE: u8 = 2;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/pictures/conformance")
}

/// Files of a format: name, bytes, and what is expected.
fn files(format: &str) -> Vec<(String, Vec<u8>, String)> {
    let list = std::fs::read_to_string(folder().join(format!("{format}.tsv"))).unwrap();
    let files = list.lines().map(|line| {
        let (name, expected) = line.split_once('\t').unwrap();
        let bytes = std::fs::read(folder().join(format).join(name)).unwrap();
        (name.to_owned(), bytes, expected.to_owned())
    });
    files.collect()
}

/// Counts of what became of the files of a format.
#[derive(Debug, Default)]
struct Tally {
    equal: usize,
    near: usize,
    refused: Vec<String>,
    wrong: Vec<String>,
    refused_as_listed: usize,
}

impl Tally {
    fn add(&mut self, name: &str, bytes: Vec<u8>, expected: &str) {
        let image = Image::Encoded(bytes);
        let found = decode(&image);
        if let Some(word) = expected.strip_prefix("refused: ") {
            match found {
                Ok(_) => self.wrong.push(format!("{name}: taken")),
                Err(error) if error.code == "input.image" && error.message.contains(word) => {
                    self.refused_as_listed += 1;
                }
                Err(error) => self.wrong.push(format!("{name}: {}", error.message)),
            }
            return;
        }
        let reference = image::open(folder().join("reference").join(expected)).unwrap();
        let reference = reference.into_rgb8();
        match found {
            Err(error) => self.refused.push(format!("{name}: {}", error.message)),
            Ok(found) if (found.width, found.height) != reference.dimensions() => {
                self.wrong
                    .push(format!("{name}: {} × {}", found.width, found.height));
            }
            Ok(found) => {
                check(&image).unwrap();
                assert_eq!(found.pixels.len(), reference.as_raw().len(), "{name}");
                let pairs = found.pixels.iter().zip(reference.as_raw());
                match pairs.map(|(a, b)| a.abs_diff(*b)).max() {
                    Some(0) | None => self.equal += 1,
                    Some(1..=TOLERANCE) => self.near += 1,
                    Some(off) => self.wrong.push(format!("{name}: off by {off}")),
                }
            }
        }
    }
}

#[test]
fn every_picture_of_the_conformance_set_is_read_as_its_reference_decoder_reads_it() {
    let mut total = 0;
    for format in FORMATS {
        let mut tally = Tally::default();
        for (name, bytes, expected) in files(format) {
            tally.add(&name, bytes, &expected);
        }
        let valid = tally.equal + tally.near + tally.refused.len() + tally.wrong.len();
        let share = |count: usize| 100.0 * count as f64 / valid as f64;
        println!(
            "{format}: {valid} valid files: {:.1} % equal, {:.1} % within {TOLERANCE}, {:.1} % refused, \
             {:.1} % wrong; {} more are refused as listed",
            share(tally.equal),
            share(tally.near),
            share(tally.refused.len()),
            share(tally.wrong.len()),
            tally.refused_as_listed
        );
        assert_eq!(tally.wrong, [""; 0], "{format}: wrong");
        assert_eq!(
            tally.refused, [""; 0],
            "{format}: refused, and not listed so"
        );
        assert!(share(tally.equal + tally.near) >= 97.0, "{format}");
        total += valid;
    }
    assert!(total >= 150, "{total} files");
}

/// Of a JPEG every bit is the reference's: the arithmetic is a part of the models trained on it.
#[test]
fn every_jpeg_is_read_to_the_bit() {
    let mut tally = Tally::default();
    for (name, bytes, expected) in files("jpeg") {
        tally.add(&name, bytes, &expected);
    }
    assert_eq!((tally.near, tally.wrong.len()), (0, 0), "{tally:?}");
    assert!(tally.equal >= 235, "{}", tally.equal);
}
