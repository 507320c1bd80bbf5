//! The image encoder: from pixels to visual features, by convolutions first and attention after (in
//! the manner of FastVLM: Vasu et al., "FastVLM: Efficient Vision Encoding for Vision Language
//! Models", 2024), so that the expensive part works on few tokens.

use ampoule_guest::Error;
use ampoule_kernels::{
    Activation, ConvScratch, Epilogue, PackedMatrix, PlaneShape, add, conv2d, relu,
};
use ampoule_nn::{LayerNorm, Weights};

use crate::config::Config;
use crate::transformer::{Layer, LayerWorkspace, Sight};

const RELU: Epilogue = Epilogue::Store(Activation::Relu);

/// A convolution of 3×3 pixels. Its batch normalisation is folded into the weights.
struct Convolution {
    /// `[outputs, 3, 3, inputs]`, as a matrix `[outputs, 9 · inputs]`.
    weights: PackedMatrix,
    bias: Vec<f32>,
    stride: usize,
}

impl Convolution {
    fn load(
        source: &Weights<'_>,
        name: &str,
        [inputs, outputs]: [usize; 2],
        stride: usize,
    ) -> Result<Self, Error> {
        Ok(Convolution {
            weights: source.packed(&[format!("{name}.weight")], &[outputs, 3, 3, inputs])?,
            bias: source.tensor(&format!("{name}.bias"), &[outputs])?,
            stride,
        })
    }

    fn apply(&self, x: &Plane, epilogue: Epilogue, y: &mut Plane, scratch: &mut ConvScratch) {
        y.shape = conv2d(
            &x.values,
            x.shape,
            ampoule_kernels::Convolution {
                weights: &self.weights,
                bias: &self.bias,
                stride: self.stride,
            },
            epilogue,
            &mut y.values,
            scratch,
        );
    }
}

/// Numbers in rows of pixels, the channels of a pixel one after another.
struct Plane {
    shape: PlaneShape,
    values: Vec<f32>,
}

impl Plane {
    /// Room for what a convolution will write.
    fn empty() -> Self {
        Plane {
            shape: PlaneShape {
                height: 0,
                width: 0,
                channels: 0,
            },
            values: Vec::new(),
        }
    }
}

/// A residual block (He et al., "Deep Residual Learning for Image Recognition", 2015).
struct Block {
    first: Convolution,
    second: Convolution,
}

/// Residual blocks of one width, and the convolution that halves what they leave.
struct Stage {
    blocks: Vec<Block>,
    down: Convolution,
}

/// The image encoder.
pub(crate) struct VisionEncoder {
    image_size: usize,
    visual_tokens: usize,
    stem: Vec<Convolution>,
    stages: Vec<Stage>,
    /// `[visual tokens, hidden]`.
    positions: Vec<f32>,
    layers: Vec<Layer>,
    norm: LayerNorm,
}

impl VisionEncoder {
    /// Reads the weights.
    ///
    /// # Errors
    ///
    /// `model.weights` when a tensor is missing or has another shape than `config` says; `asset.*`.
    pub(crate) fn load(source: &Weights<'_>, config: &Config) -> Result<Self, Error> {
        let mut stem = Vec::new();
        let mut inputs = 3;
        for (index, &outputs) in config.stem_channels.iter().enumerate() {
            let name = format!("stem.{index}");
            stem.push(Convolution::load(source, &name, [inputs, outputs], 2)?);
            inputs = outputs;
        }
        let mut stages = Vec::new();
        for (index, &blocks) in config.stage_blocks.iter().enumerate() {
            let channels = config.stage_channels[index];
            let next = config.stage_channels.get(index + 1);
            let outputs = next.copied().unwrap_or(config.hidden_size);
            let name = |rest: &str| format!("stages.{index}.{rest}");
            let same = |name: &str| Convolution::load(source, name, [channels, channels], 1);
            stages.push(Stage {
                blocks: (0..blocks)
                    .map(|block| {
                        Ok(Block {
                            first: same(&name(&format!("blocks.{block}.conv1")))?,
                            second: same(&name(&format!("blocks.{block}.conv2")))?,
                        })
                    })
                    .collect::<Result<_, Error>>()?,
                down: Convolution::load(source, &name("down"), [channels, outputs], 2)?,
            });
        }
        Ok(VisionEncoder {
            image_size: config.image_size,
            visual_tokens: config.visual_tokens(),
            stem,
            stages,
            positions: source.tensor(
                "encoder.positions",
                &[config.visual_tokens(), config.hidden_size],
            )?,
            layers: (0..config.encoder_layers)
                .map(|index| Layer::load(source, &format!("encoder.layers.{index}"), config))
                .collect::<Result<_, _>>()?,
            norm: LayerNorm::load(
                source,
                "encoder.norm",
                config.hidden_size,
                config.layer_norm_eps,
            )?,
        })
    }

    /// Returns the side of its input pictures, in pixels.
    pub(crate) fn image_size(&self) -> usize {
        self.image_size
    }

    /// Returns how many rows a picture becomes.
    pub(crate) fn visual_tokens(&self) -> usize {
        self.visual_tokens
    }

    /// Returns the visual features `[visual tokens, hidden]` of a picture `[side, side, 3]` of bytes.
    pub(crate) fn encode(&self, pixels: &[u8], workspace: &mut LayerWorkspace) -> Vec<f32> {
        let mut x = self.convolve(pixels).values;
        add(&mut x, &self.positions);
        for layer in &self.layers {
            layer.apply(&mut x, Sight::All, workspace);
        }
        self.norm.apply(&mut x);
        x
    }

    /// Applies the convolutions. Each pixel of their answer is a visual token.
    fn convolve(&self, pixels: &[u8]) -> Plane {
        let mut scratch = ConvScratch::default();
        let mut y = Plane::empty();
        let mut x = Plane {
            shape: PlaneShape {
                height: self.image_size,
                width: self.image_size,
                channels: 3,
            },
            // Bytes to numbers around 0, with a spread of about 1.
            values: pixels
                .iter()
                .map(|&byte| (f32::from(byte) / 255.0 - 0.5) / 0.25)
                .collect(),
        };
        for stem in &self.stem {
            stem.apply(&x, RELU, &mut y, &mut scratch);
            std::mem::swap(&mut x, &mut y);
        }
        for (index, stage) in self.stages.iter().enumerate() {
            for block in &stage.blocks {
                block.first.apply(&x, RELU, &mut y, &mut scratch);
                block.second.apply(&y, Epilogue::Add, &mut x, &mut scratch);
                relu(&mut x.values);
            }
            // What comes after the last stage goes into the transformer as it is.
            let is_last = index + 1 == self.stages.len();
            let epilogue = if is_last { Epilogue::STORE } else { RELU };
            stage.down.apply(&x, epilogue, &mut y, &mut scratch);
            std::mem::swap(&mut x, &mut y);
        }
        x
    }
}
