//! Pictures become the numbers that publishers' code makes of them: Pillow's pixels, and those of the image
//! processors of `transformers`, from tables that `preprocess/make.py` made.

#![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

use ampoule_guest::{Image, Rgb8Image};
use ampoule_picture::{
    Filter, Layout, Normalize, Passes, Picture, Preprocess, Resize, decode, resample,
};

const PILLOW_12: &[u8] = include_bytes!("preprocess/pillow-12.3.0.bin");
const PILLOW_13: &[u8] = include_bytes!("preprocess/pillow-13.0.0.bin");
const TRANSFORMERS: &[u8] = include_bytes!("preprocess/transformers.bin");

const FILTERS: [Filter; 6] = [
    Filter::Nearest,
    Filter::Box,
    Filter::Bilinear,
    Filter::Hamming,
    Filter::Bicubic,
    Filter::Lanczos,
];

/// `SIZES` of `make.py`: old and new width and height.
const SIZES: [[u32; 4]; 15] = [
    [40, 30, 24, 18],
    [40, 30, 17, 29],
    [40, 30, 57, 41],
    [40, 30, 40, 11],
    [40, 30, 13, 30],
    [40, 30, 61, 7],
    [40, 30, 5, 40],
    [40, 30, 40, 30],
    [40, 30, 36, 10],
    [40, 30, 1, 1],
    [30, 80, 12, 32],
    [517, 389, 24, 18],
    [389, 517, 8, 11],
    [301, 2, 16, 16],
    [2, 301, 16, 16],
];

/// `SOURCES` of `make.py`.
const SOURCES: [[u32; 2]; 4] = [[61, 47], [33, 70], [20, 20], [10, 12]];

/// `source` of `make.py`.
fn source([width, height]: [u32; 2]) -> Image {
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for c in 0..3 {
                let value =
                    (x * x * 7 + y * y * 3 + x * y * 5 + c * 91) ^ (x / 5 * 40 + y / 7 * 60);
                pixels.push(value as u8);
            }
        }
    }
    Image::Rgb8(Rgb8Image {
        width,
        height,
        pixels,
    })
}

fn scaled(from: [u32; 2], to: [u32; 2], filter: Filter, passes: Passes) -> Picture<'static> {
    let image = source(from);
    let picture = resample(decode(&image).unwrap(), to, filter, passes).unwrap();
    Picture {
        pixels: picture.pixels.into_owned().into(),
        ..picture
    }
}

/// Scalings of a table whose pixels are not those of the table: from, to, filter, and the most that a
/// channel is off.
fn differences(mut table: &[u8], passes: Passes) -> Vec<([u32; 4], Filter, u8)> {
    let mut found_off = Vec::new();
    for [width, height, new_width, new_height] in SIZES {
        for filter in FILTERS {
            let found = scaled([width, height], [new_width, new_height], filter, passes);
            assert_eq!((found.width, found.height), (new_width, new_height));
            let (expected, rest) = table.split_at(found.pixels.len());
            let pairs = found.pixels.iter().zip(expected);
            let off = pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            if off > 0 {
                found_off.push(([width, height, new_width, new_height], filter, off));
            }
            table = rest;
        }
    }
    assert!(table.is_empty());
    found_off
}

#[test]
fn pictures_are_scaled_as_by_pillow() {
    assert_eq!(differences(PILLOW_12, Passes::RowsFirst), []);
    // The last bit of a cosine.
    let cosine = ([40, 30, 36, 10], Filter::Hamming, 1);
    assert_eq!(differences(PILLOW_13, Passes::ByShape), [cosine]);
    // Not because the order does not show.
    assert_eq!(differences(PILLOW_13, Passes::RowsFirst).len(), 14);
}

#[test]
fn a_picture_that_grows_too_large_while_it_is_scaled_is_refused() {
    let image = source([20, 2000]);
    for size in [
        // Between the passes.
        [9000, 10],
        [6000, 5000],
        [u32::MAX, u32::MAX],
        [0, 10],
    ] {
        let picture = decode(&image).unwrap();
        let error = resample(picture, size, Filter::Bicubic, Passes::RowsFirst).unwrap_err();
        assert_eq!(error.code, "input.too-large", "{size:?}");
    }
    let shortest = Preprocess {
        resize: Some(Resize::ShortestEdge(500)),
        ..Preprocess::default()
    };
    assert_eq!(shortest.apply(&image).unwrap_err().code, "input.too-large");
}

macro_rules! config {
    ($name:literal) => {
        include_bytes!(concat!("preprocess/", $name, ".json"))
    };
}

#[test]
fn a_publishers_own_configuration_gives_the_numbers_of_its_image_processor() {
    let mut table = TRANSFORMERS
        .as_chunks()
        .0
        .iter()
        .copied()
        .map(f32::from_le_bytes);
    let configs: [&[u8]; 4] = [
        config!("clip"),
        config!("vit"),
        config!("siglip"),
        config!("deit"),
    ];
    for json in configs {
        let preprocess = Preprocess::from_config(json).unwrap();
        let turned = Preprocess {
            layout: Layout::ChannelsLast,
            ..preprocess.clone()
        };
        for size in SOURCES {
            let tensor = preprocess.apply(&source(size)).unwrap();
            let [channels, height, width] = tensor.shape;
            assert_eq!(tensor.values.len(), channels * height * width);
            let last = turned.apply(&source(size)).unwrap();
            assert_eq!(last.shape, [height, width, channels]);
            for (index, found) in tensor.values.iter().enumerate() {
                let expected = table.next().unwrap();
                assert!(
                    (found - expected).abs() <= 1e-6,
                    "{size:?} at {index}: {found} for {expected}"
                );
                let (channel, pixel) = (index / (height * width), index % (height * width));
                assert_eq!(*found, last.values[pixel * channels + channel]);
            }
        }
    }
    assert_eq!(table.next(), None);
}

#[test]
fn a_configuration_that_is_silent_means_what_its_image_processor_does() {
    let read = |json: &str| Preprocess::from_config(json.as_bytes()).unwrap();
    let clip = read(r#"{"image_processor_type": "CLIPImageProcessorFast"}"#);
    assert_eq!(clip.resize, Some(Resize::ShortestEdge(224)));
    assert_eq!(clip.crop, Some([224, 224]));
    assert_eq!(clip.filter, Filter::Bicubic);
    assert_eq!(clip.rescale, Some(1.0 / 255.0));
    let vit = read(r#"{"feature_extractor_type": "ViTFeatureExtractor", "size": 384}"#);
    assert_eq!(
        vit.resize,
        Some(Resize::Exact {
            width: 384,
            height: 384
        })
    );
    assert_eq!((vit.crop, vit.filter), (None, Filter::Bilinear));
    let half = Normalize {
        mean: [0.5; 3],
        std: [0.5; 3],
    };
    assert_eq!(vit.normalize, Some(half));
    let off = read(
        r#"{"image_processor_type": "ViTImageProcessor", "do_resize": false, "do_rescale": false,
            "do_normalize": false, "do_reduce_labels": false, "crop_pct": null}"#,
    );
    assert_eq!((off.resize, off.rescale, off.normalize), (None, None, None));
}

#[test]
fn what_a_configuration_asks_for_and_is_not_done_is_refused_by_name() {
    for (fields, name) in [
        (r#""do_pad": true"#, "do_pad"),
        (r#""crop_pct": 0.875"#, "crop_pct"),
        (r#""rescale_offset": true"#, "rescale_offset"),
        (r#""reducing_gap": 2.0"#, "reducing_gap"),
        (
            r#""size": {"shortest_edge": 800, "longest_edge": 1333}"#,
            "size",
        ),
        (r#""size": {"height": 0, "width": 5}"#, "size"),
        (r#""size": 5000"#, "size"),
        (r#""size": "large""#, "size"),
        (r#""crop_size": {"height": 5}"#, "crop_size"),
        (r#""resample": 6"#, "resample"),
        (r#""resample": "bicubic""#, "resample"),
        (r#""image_mean": [0.5, 0.5]"#, "image_mean"),
        (r#""image_std": [0.5, 0.5, 0]"#, "image_std"),
        (r#""image_std": [0.5, 0.5, 1e300]"#, "image_std"),
        (r#""do_resize": "yes""#, "do_resize"),
        (r#""rescale_factor": "1/255""#, "rescale_factor"),
        (r#""data_format": "channels_last""#, "data_format"),
        (
            r#""image_processor_type": "ConvNextImageProcessor""#,
            "image_processor_type",
        ),
        (r#""image_processor_type": null"#, "image_processor_type"),
    ] {
        let json = format!(r#"{{"image_processor_type": "CLIPImageProcessor", {fields}}}"#);
        let error = Preprocess::from_config(json.as_bytes()).unwrap_err();
        assert_eq!(error.code, "model.config", "{fields}");
        assert!(
            error.message.contains(&format!("`{name}`")),
            "{}",
            error.message
        );
    }
    for json in ["", "[]", "{}", "null", "{\"a\": "] {
        let error = Preprocess::from_config(json.as_bytes()).unwrap_err();
        assert_eq!(error.code, "model.config", "{json}");
    }
    let long = format!(r#"{{"image_processor_type": "{}"}}"#, "x".repeat(10_000));
    let error = Preprocess::from_config(long.as_bytes()).unwrap_err();
    assert!(error.message.len() < 400, "{}", error.message.len());
}

#[test]
fn each_way_to_resize_gives_the_size_that_it_says() {
    let size = |resize, from| {
        let preprocess = Preprocess {
            resize: Some(resize),
            ..Preprocess::default()
        };
        let image = source(from);
        let picture = preprocess.pixels(&image).unwrap();
        [picture.width, picture.height]
    };
    let within = |width, height| Resize::Within { width, height };
    let letterbox = Resize::Letterbox {
        side: 24,
        fill: [1, 2, 3],
    };
    // The longer side is in proportion, rounded down.
    assert_eq!(size(Resize::ShortestEdge(20), [30, 47]), [20, 31]);
    assert_eq!(size(Resize::ShortestEdge(20), [47, 30]), [31, 20]);
    assert_eq!(size(Resize::ShortestEdge(20), [10, 10]), [20, 20]);
    assert_eq!(size(within(20, 20), [30, 47]), [12, 20]);
    assert_eq!(size(within(30, 10), [30, 47]), [6, 10]);
    assert_eq!(size(within(20, 20), [100, 1]), [20, 1]);
    assert_eq!(size(letterbox, [47, 30]), [24, 24]);
    let image = source([40, 2]);
    let preprocess = Preprocess {
        resize: Some(letterbox),
        ..Preprocess::default()
    };
    assert_eq!(preprocess.pixels(&image).unwrap().pixels[..3], [1, 2, 3]);
}

#[test]
fn a_picture_that_is_see_through_lies_on_the_stated_colour() {
    let file = include_bytes!("../../../tests/pictures/conformance/png/rgb-alpha-8.png");
    let image = Image::Encoded(file.to_vec());
    let on = |background| {
        let preprocess = Preprocess {
            background,
            ..Preprocess::default()
        };
        preprocess.apply(&image).unwrap().values
    };
    assert_eq!(
        on([255; 3]),
        Preprocess::default().apply(&image).unwrap().values
    );
    let (white, black) = (on([255; 3]), on([0; 3]));
    assert!(
        white
            .iter()
            .zip(&black)
            .all(|(white, black)| white >= black)
    );
    assert!(
        white
            .iter()
            .zip(&black)
            .any(|(white, black)| white - black == 1.0)
    );
}
