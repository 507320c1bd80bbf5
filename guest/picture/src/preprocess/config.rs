//! A publisher's own `preprocessor_config.json`, honoured or refused.
//!
//! A field means different things to different image processors of `transformers`, so files of those
//! processors alone are read that do nothing but what [`Preprocess`] does.

use ampoule_guest::Error;
use serde_json::{Map, Value};

use super::{Layout, Normalize, Preprocess, Resize};
use crate::resample::{Filter, Passes};

/// A side that a configuration may ask for, in pixels.
const MAX_SIDE: u32 = 4096;

const OPENAI_MEAN: [f32; 3] = [0.48145466, 0.4578275, 0.40821073];
const OPENAI_STD: [f32; 3] = [0.26862954, 0.261_302_6, 0.275_777_1];

/// An image processor, with its defaults (`transformers` 5.24).
struct Family {
    /// As in `image_processor_type`, without `ImageProcessor` and what may follow it.
    name: &'static str,
    /// Reads a size of one number as both sides, not as the shorter one.
    is_square: bool,
    size: Resize,
    filter: Filter,
    crop: Option<[u32; 2]>,
    normalize: Normalize,
}

const fn square(side: u32) -> Resize {
    Resize::Exact {
        width: side,
        height: side,
    }
}

const fn half() -> Normalize {
    Normalize {
        mean: [0.5; 3],
        std: [0.5; 3],
    }
}

const fn openai() -> Normalize {
    Normalize {
        mean: OPENAI_MEAN,
        std: OPENAI_STD,
    }
}

const FAMILIES: [Family; 6] = [
    Family {
        name: "CLIP",
        is_square: false,
        size: Resize::ShortestEdge(224),
        filter: Filter::Bicubic,
        crop: Some([224; 2]),
        normalize: openai(),
    },
    Family {
        name: "Bit",
        is_square: false,
        size: Resize::ShortestEdge(224),
        filter: Filter::Bicubic,
        crop: Some([224; 2]),
        normalize: openai(),
    },
    Family {
        name: "ViT",
        is_square: true,
        size: square(224),
        filter: Filter::Bilinear,
        crop: None,
        normalize: half(),
    },
    Family {
        name: "DeiT",
        is_square: true,
        size: square(256),
        filter: Filter::Bicubic,
        crop: Some([224; 2]),
        normalize: half(),
    },
    Family {
        name: "Siglip",
        is_square: false,
        size: square(224),
        filter: Filter::Bicubic,
        crop: None,
        normalize: half(),
    },
    Family {
        name: "Blip",
        is_square: true,
        size: square(384),
        filter: Filter::Bicubic,
        crop: None,
        normalize: openai(),
    },
];

/// Fields that change no number: names, and properties that every picture has here anyway.
const HARMLESS: [&str; 10] = [
    // A picture is red, green and blue whatever this says.
    "do_convert_rgb",
    "data_format",
    "default_to_square",
    "device",
    "feature_extractor_type",
    "image_processor_type",
    "input_data_format",
    "processor_class",
    "return_tensors",
    "_valid_processor_keys",
];

/// Fields that are honoured below.
const HONOURED: [&str; 11] = [
    "crop_size",
    "do_center_crop",
    "do_normalize",
    "do_rescale",
    "do_resize",
    "image_mean",
    "image_std",
    "resample",
    "rescale_factor",
    "size",
    "rescale_offset",
];

impl Preprocess {
    /// Reads the `preprocessor_config.json` of a model in the manner of CLIP, BiT, ViT, DeiT, SigLIP or BLIP.
    /// Defaults of settings that the file lacks are those of the publisher's library: `transformers` 5.24.
    ///
    /// # Errors
    ///
    /// `model.config` when it is no such file, or when a field asks for what cannot be done here; the
    /// message names the field.
    pub fn from_config(json: &[u8]) -> Result<Self, Error> {
        let config: Map<String, Value> = serde_json::from_slice(json).map_err(|found| {
            Error::new(
                "model.config",
                format!("expected an object in preprocessor_config.json: {found}"),
            )
        })?;
        let config = Config(config);
        let family = config.family()?;
        config.refuse_others()?;
        let resize = match config.flag("do_resize", true)? {
            true => Some(config.resize(family)?),
            false => None,
        };
        let crop = match config.flag("do_center_crop", family.crop.is_some())? {
            true => Some(config.crop(family)?),
            false => None,
        };
        let rescale = match config.flag("do_rescale", true)? {
            true => Some(config.rescale()?),
            false => None,
        };
        let normalize = match config.flag("do_normalize", true)? {
            true => Some(Normalize {
                mean: config.channels("image_mean", family.normalize.mean)?,
                std: config.channels("image_std", family.normalize.std)?,
            }),
            false => None,
        };
        if normalize.is_some_and(|normalize| normalize.std.contains(&0.0)) {
            return Err(config.refuse("image_std", "numbers that are not 0"));
        }
        Ok(Self {
            background: [255; 3],
            resize,
            filter: config.filter(family)?,
            passes: Passes::RowsFirst,
            crop,
            rescale,
            normalize,
            layout: Layout::ChannelsFirst,
        })
    }
}

/// The file's fields.
struct Config(Map<String, Value>);

impl Config {
    fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    /// Makes the error about a field: the expected value and the found one.
    fn refuse(&self, field: &str, expected: &str) -> Error {
        let found = match self.get(field) {
            None => "nothing".to_owned(),
            // As much of a stranger's text as fits a line.
            Some(value) => value.to_string().chars().take(60).collect(),
        };
        Error::new(
            "model.config",
            format!(
                "expected `{field}` in preprocessor_config.json to be {expected}, found {found}"
            ),
        )
    }

    fn family(&self) -> Result<&'static Family, Error> {
        let field = ["image_processor_type", "feature_extractor_type"]
            .into_iter()
            .find(|field| self.get(field).is_some())
            .unwrap_or("image_processor_type");
        let name = self.get(field).and_then(Value::as_str).unwrap_or_default();
        let stem = ["Fast", "Pil"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix))
            .unwrap_or(name);
        let stem = stem
            .strip_suffix("ImageProcessor")
            .or_else(|| stem.strip_suffix("FeatureExtractor"));
        FAMILIES
            .iter()
            .find(|family| Some(family.name) == stem)
            .ok_or_else(|| {
                self.refuse(
                    field,
                    "the image processor of CLIP, Bit, ViT, DeiT, Siglip or Blip, such as \
                     `CLIPImageProcessor`",
                )
            })
    }

    /// Refuses a field that nothing here reads, unless it changes nothing or says no.
    fn refuse_others(&self) -> Result<(), Error> {
        for (field, value) in &self.0 {
            let is_off = value.is_null() || value == &Value::Bool(false);
            if !is_off && !HARMLESS.contains(&&**field) && !HONOURED.contains(&&**field) {
                let field: String = field.chars().take(60).collect();
                return Err(Error::new(
                    "model.config",
                    format!(
                        "preprocessor_config.json has the field `{field}`, which is not honoured here and \
                         may change what the model sees; do that step by hand, or remove the field if it \
                         changes nothing"
                    ),
                ));
            }
        }
        if self
            .get("data_format")
            .is_some_and(|value| value != "channels_first")
        {
            return Err(self.refuse("data_format", "`channels_first`"));
        }
        Ok(())
    }

    fn flag(&self, field: &str, default: bool) -> Result<bool, Error> {
        match self.get(field) {
            None => Ok(default),
            Some(value) => value
                .as_bool()
                .ok_or_else(|| self.refuse(field, "true or false")),
        }
    }

    fn filter(&self, family: &Family) -> Result<Filter, Error> {
        let Some(value) = self.get("resample") else {
            return Ok(family.filter);
        };
        // `PIL.Image.Resampling`
        Ok(match value.as_u64() {
            Some(0) => Filter::Nearest,
            Some(1) => Filter::Lanczos,
            Some(2) => Filter::Bilinear,
            Some(3) => Filter::Bicubic,
            Some(4) => Filter::Box,
            Some(5) => Filter::Hamming,
            _ => return Err(self.refuse("resample", "a number of Pillow's filters, 0 to 5")),
        })
    }

    fn rescale(&self) -> Result<f64, Error> {
        if self
            .get("rescale_offset")
            .is_some_and(|value| value != false)
        {
            return Err(self.refuse("rescale_offset", "false"));
        }
        match self.get("rescale_factor") {
            None => Ok(1.0 / 255.0),
            Some(value) => value
                .as_f64()
                .filter(|factor| (*factor as f32).is_finite())
                .ok_or_else(|| self.refuse("rescale_factor", "a number")),
        }
    }

    /// Reads a number for each of red, green and blue, or one for all.
    fn channels(&self, field: &str, default: [f32; 3]) -> Result<[f32; 3], Error> {
        let number = |value: &Value| {
            let number = value.as_f64()? as f32;
            number.is_finite().then_some(number)
        };
        let found = match self.get(field) {
            None => return Ok(default),
            Some(Value::Array(values)) => match &values[..] {
                [r, g, b] => number(r)
                    .zip(number(g))
                    .zip(number(b))
                    .map(|((r, g), b)| [r, g, b]),
                _ => None,
            },
            Some(value) => number(value).map(|number| [number; 3]),
        };
        found.ok_or_else(|| self.refuse(field, "a number for each of red, green and blue"))
    }

    fn resize(&self, family: &Family) -> Result<Resize, Error> {
        let Some(value) = self.get("size") else {
            return Ok(family.size);
        };
        let found = if let Some(fields) = value.as_object() {
            let mut keys: Vec<_> = fields.iter().filter(|(_, side)| !side.is_null()).collect();
            keys.sort_by_key(|(name, _)| *name);
            match &keys[..] {
                [(name, edge)] if *name == "shortest_edge" => side(edge).map(Resize::ShortestEdge),
                [(a, height), (b, width)] if *a == "height" && *b == "width" => side(width)
                    .zip(side(height))
                    .map(|(width, height)| Resize::Exact { width, height }),
                [(a, height), (b, width)] if *a == "max_height" && *b == "max_width" => side(width)
                    .zip(side(height))
                    .map(|(width, height)| Resize::Within { width, height }),
                _ => None,
            }
        } else if family.is_square {
            side(value).map(square)
        } else {
            side(value).map(Resize::ShortestEdge)
        };
        found.ok_or_else(|| {
            self.refuse(
                "size",
                &format!(
                    "`height` and `width`, or `max_height` and `max_width`, or `shortest_edge`, of 1 to \
                     {MAX_SIDE} pixels"
                ),
            )
        })
    }

    /// Reads the size of the part in the middle, `[width, height]`.
    fn crop(&self, family: &Family) -> Result<[u32; 2], Error> {
        let found = match self.get("crop_size") {
            None => family.crop,
            Some(Value::Object(fields)) if fields.len() == 2 => fields
                .get("width")
                .and_then(side)
                .zip(fields.get("height").and_then(side))
                .map(|(width, height)| [width, height]),
            Some(value) => side(value).map(|side| [side; 2]),
        };
        found.ok_or_else(|| {
            self.refuse(
                "crop_size",
                &format!("`height` and `width` of 1 to {MAX_SIDE} pixels"),
            )
        })
    }
}

fn side(value: &Value) -> Option<u32> {
    let side = u32::try_from(value.as_u64()?).ok()?;
    (1..=MAX_SIDE).contains(&side).then_some(side)
}
