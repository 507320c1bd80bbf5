//! JPEG files that are cut, changed or made to keep a decoder busy: each gives a picture or a clear refusal,
//! in bounded time and memory, and never a part of a picture.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use std::path::Path;

use ampoule_guest::{Error, Image};
use ampoule_guest_testing::jpeg;
use ampoule_picture::{check, decode};

type Pixels = (u32, u32, Vec<u8>);

fn pixels(file: &[u8]) -> Result<Pixels, Error> {
    let image = Image::Encoded(file.to_vec());
    let picture = decode(&image)?;
    let (width, height) = (picture.width, picture.height);
    assert_eq!(
        picture.pixels.len() as u64,
        3 * u64::from(width) * u64::from(height)
    );
    Ok((width, height, picture.pixels.into_owned()))
}

#[track_caller]
fn refusal(file: &[u8]) -> Error {
    let error = pixels(file).unwrap_err();
    let code = &*error.code;
    assert!(matches!(code, "input.image" | "input.too-large"), "{code}");
    assert!(error.message.starts_with("expected"), "{}", error.message);
    error
}

/// The JPEG files of the conformance set, by name.
fn set() -> Vec<(String, Vec<u8>)> {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/pictures/conformance/jpeg");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    assert!(files.len() > 200);
    files
}

fn file(name: &str) -> Vec<u8> {
    let found = set().into_iter().find(|(other, _)| other == name);
    found.unwrap().1
}

/// Numbers that look random, the same in every run.
fn numbers(mut state: u64) -> impl FnMut(usize) -> usize {
    move |below| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    }
}

#[test]
fn a_jpeg_cut_anywhere_gives_its_whole_picture_or_none() {
    let mut number = numbers(1);
    let mut refused = 0;
    for (name, file) in set() {
        let whole = pixels(&file);
        let cuts = (1..6).map(|before| file.len().saturating_sub(before));
        let cuts: Vec<_> = cuts.chain((0..4).map(|_| number(file.len()))).collect();
        for length in cuts {
            match pixels(&file[..length]) {
                Ok(found) => assert_eq!(
                    Some(&found),
                    whole.as_ref().ok(),
                    "{name} cut to {length} bytes"
                ),
                Err(_) => {
                    refusal(&file[..length]);
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > 1_500, "{refused}");
}

#[test]
fn every_cut_of_a_small_jpeg_gives_its_whole_picture_or_none() {
    for name in [
        "size-9x16-420.jpg",
        "size-15x31-other.jpg",
        "size-17x33-other.jpg",
        "size-8x8-other.jpg",
    ] {
        let file = file(name);
        let whole = pixels(&file).unwrap();
        for length in 0..file.len() {
            match pixels(&file[..length]) {
                // Without its end marker, or the half of it.
                Ok(found) => {
                    assert!(length + 2 >= file.len(), "{name} cut to {length} bytes");
                    assert_eq!(found, whole);
                }
                Err(_) => assert_eq!(refusal(&file[..length]).code, "input.image"),
            }
        }
    }
}

#[test]
fn a_jpeg_changed_anywhere_gives_a_picture_or_a_clear_refusal() {
    let mut number = numbers(2);
    let (mut read, mut refused) = (0, 0);
    for (_, file) in set() {
        for _ in 0..8 {
            let mut file = file.clone();
            for _ in 0..=number(3) {
                let at = number(file.len());
                match number(4) {
                    0 => file[at] = 0xff,
                    1 => file[at] ^= 1 << number(8),
                    2 => file[at] = number(256) as u8,
                    _ => {
                        file.remove(at);
                    }
                }
            }
            // A header may come to promise many pixels, which takes its time to fill.
            match pixels(&file) {
                Ok(_) => read += 1,
                Err(_) => {
                    refusal(&file);
                    refused += 1;
                }
            }
        }
    }
    assert!(read > 200 && refused > 500, "{read} and {refused}");
}

#[test]
fn a_jpeg_is_refused_by_its_size_before_its_data_is_looked_at() {
    for (width, height) in [
        (u16::MAX, u16::MAX),
        (4_097, 4_096),
        (32_769, 1),
        (1, 32_769),
    ] {
        let file = jpeg::progressive_cmyk(1, 1);
        let frame = file
            .windows(2)
            .position(|pair| pair == [0xff, 0xc2])
            .unwrap();
        let mut file = file;
        file[frame + 5..][..4]
            .copy_from_slice(&[height.to_be_bytes(), width.to_be_bytes()].concat());
        let image = Image::Encoded(file);
        assert_eq!(check(&image).unwrap_err().code, "input.too-large");
        assert_eq!(decode(&image).unwrap_err().code, "input.too-large");
    }
}

/// A hundred KiB whose scans would go through blocks 50 million times; with more scans it could be any number.
#[test]
fn a_jpeg_of_hundreds_of_scans_over_a_large_picture_is_refused() {
    let bomb = jpeg::progressive_of_single_bits(4_096, 4_096, 2);
    assert!(bomb.len() < 128 << 10, "{}", bomb.len());
    let error = refusal(&bomb);
    assert_eq!(error.code, "input.too-large");
    assert!(error.message.contains("fewer scans"), "{}", error.message);
    // A small picture may have them.
    let small = pixels(&jpeg::progressive_of_single_bits(64, 48, 13)).unwrap();
    assert_eq!(small, (64, 48, vec![128; 3 * 64 * 48]));
    let inks = pixels(&jpeg::progressive_cmyk(65, 48)).unwrap();
    assert_eq!(inks, (65, 48, vec![64; 3 * 65 * 48]));
}

#[test]
fn scans_that_tell_the_same_twice_or_too_early_are_refused() {
    let (start, scans, end) = jpeg::parts_of_single_bits(16, 16, 1);
    let file = |order: &[usize]| {
        let scans = order.iter().flat_map(|&scan| scans[scan].clone());
        [start.clone(), scans.collect(), end.clone()].concat()
    };
    let all: Vec<usize> = (0..scans.len()).collect();
    pixels(&file(&all)).unwrap();
    let twice = [&all[..5], &all[4..]].concat();
    assert!(refusal(&file(&twice)).message.contains("follow"));
    let mut swapped = all.clone();
    swapped.swap(3, 3 + 64);
    assert!(refusal(&file(&swapped)).message.contains("follow"));
    // And one that is missing is missed.
    let without_last = &all[..all.len() - 1];
    assert!(
        refusal(&file(without_last))
            .message
            .contains("all of its scans")
    );
    let cut = &file(without_last)[..file(without_last).len() - 2];
    assert!(refusal(cut).message.contains("ends before"));
}

#[test]
fn parts_of_a_jpeg_that_do_not_go_together_are_refused() {
    let good = file("pillow-default.jpg");
    pixels(&good).unwrap();
    let position = |marker: u8| {
        good.windows(2)
            .position(|pair| pair == [0xff, marker])
            .unwrap()
    };
    let (frame, tables, scan) = (position(0xc0), position(0xc4), position(0xda));
    let quantisation = position(0xdb);
    let changed = |at: usize, value: u8| {
        let mut file = good.clone();
        file[at] = value;
        file
    };
    for (file, word) in [
        // A frame: its bits, its count, a factor of 0 and of 5, a quantisation table that there is none of.
        (changed(frame + 4, 7), "number of bits"),
        (changed(frame + 9, 4), "frame header"),
        (changed(frame + 11, 0x02), "frame header"),
        (changed(frame + 11, 0x51), "frame header"),
        (changed(frame + 12, 4), "frame header"),
        (changed(frame + 12, 3), "no quantisation table"),
        // A scan: a component that there is none of, one that comes twice, a table of a wrong number.
        (changed(scan + 5, 9), "scan header"),
        (changed(scan + 7, 1), "scan header"),
        (changed(scan + 6, 0x40), "scan header"),
        (changed(scan + 6, 0x20), "no Huffman table"),
        // Tables: of a wrong number, with more codes than there can be.
        (changed(tables + 4, 0x04), "Huffman table"),
        (changed(tables + 5, 3), "Huffman table"),
        (changed(quantisation + 4, 4), "quantisation table"),
        // A second frame, a second start, a length of 1.
        (
            [&good[..scan], &good[frame..tables], &good[scan..]].concat(),
            "two sizes",
        ),
        (
            [&good[..scan], b"\xff\xd8", &good[scan..]].concat(),
            "second start",
        ),
        (
            [&good[..scan], b"\xff\xe3\0\x01", &good[scan..]].concat(),
            "shorter",
        ),
        (
            [&good[..scan], b"\xff\x4f\0\x02", &good[scan..]].concat(),
            "means nothing",
        ),
        ([&good[..frame], &good[scan..]].concat(), "before the size"),
        ([&good[..scan], b"\xff\xd9"].concat(), "before any scan"),
    ] {
        let message = refusal(&file).message;
        assert!(message.contains(word), "{word}: {message}");
    }
}

#[test]
fn a_restart_marker_that_is_missing_or_out_of_order_is_refused() {
    let file = file("restart-block-422.jpg");
    let markers: Vec<usize> = (0..file.len() - 1)
        .filter(|&at| file[at] == 0xff && (0xd0..=0xd7).contains(&file[at + 1]))
        .collect();
    assert!(markers.len() > 8);
    for &at in &markers[..8] {
        let mut other = file.clone();
        other[at + 1] ^= 1;
        assert!(refusal(&other).message.contains("restart marker"));
        let missing = [&file[..at], &file[at + 2..]].concat();
        assert_eq!(refusal(&missing).code, "input.image");
    }
}

/// Every way in which a camera can be held, in both byte orders of EXIF.
#[test]
fn a_jpeg_is_turned_each_of_the_eight_ways_that_its_exif_says() {
    let good = file("sampling-420.jpg");
    let (width, height, stored) = pixels(&good).unwrap();
    let at = |x: u32, y: u32| {
        let start = 3 * (y * width + x) as usize;
        &stored[start..start + 3]
    };
    let (right, bottom) = (width - 1, height - 1);
    for orientation in 0..=9_u8 {
        let is_turned = (5..=8).contains(&orientation);
        let (wide, high) = if is_turned {
            (height, width)
        } else {
            (width, height)
        };
        let mut shown = Vec::new();
        for y in 0..high {
            for x in 0..wide {
                shown.extend(match orientation {
                    2 => at(right - x, y),
                    3 => at(right - x, bottom - y),
                    4 => at(x, bottom - y),
                    5 => at(y, x),
                    6 => at(y, bottom - x),
                    7 => at(right - y, bottom - x),
                    8 => at(right - y, x),
                    _ => at(x, y),
                });
            }
        }
        for tag in [
            [
                &b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..],
                &[orientation, 0, 0, 0],
                &[0; 4],
            ],
            [
                &b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01"[..],
                &[0, orientation, 0, 0],
                &[0; 4],
            ],
        ] {
            let exif = [b"Exif\0\0", &tag.concat()[..]].concat();
            let length = (exif.len() as u16 + 2).to_be_bytes();
            // A second block of EXIF, which says otherwise, is not asked.
            let other =
                b"\xff\xe1\0\x20Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x03\0\0";
            let turned = [
                &good[..2],
                b"\xff\xe1",
                &length,
                &exif,
                &other[..],
                &good[2..],
            ]
            .concat();
            assert_eq!(
                pixels(&turned).unwrap(),
                (wide, high, shown.clone()),
                "{orientation}"
            );
        }
    }
}
