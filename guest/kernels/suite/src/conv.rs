//! The convolution against a naive loop in f64, over many odd shapes.

use ampoule_guest_testing::numbers;
use ampoule_kernels::{
    Activation, ConvScratch, Convolution, DepthwiseConvolution, Epilogue, PackedMatrix, PlaneShape,
    Precision, conv2d, depthwise_conv2d, relu,
};

fn packed(outputs: usize, inputs: usize, w: &[f32]) -> PackedMatrix {
    let mut packer = PackedMatrix::packer(Precision::F32, outputs, inputs);
    packer.push(w);
    packer.finish()
}

/// Each output pixel by pixel, as the sum is written down, with zeros for what lies outside.
fn naive(
    x: &[f32],
    [height, width, channels]: [usize; 3],
    w: &[f32],
    bias: &[f32],
    stride: usize,
) -> Vec<f64> {
    let at = |row: isize, column: isize, channel: usize| {
        let inside = (0..height as isize).contains(&row) && (0..width as isize).contains(&column);
        if inside {
            f64::from(x[(row as usize * width + column as usize) * channels + channel])
        } else {
            0.0
        }
    };
    let mut y = Vec::new();
    for row in (0..height).step_by(stride) {
        for column in (0..width).step_by(stride) {
            for (output, &bias) in bias.iter().enumerate() {
                let mut sum = f64::from(bias);
                for u in 0..3 {
                    for v in 0..3 {
                        for channel in 0..channels {
                            let weight = w[((output * 3 + u) * 3 + v) * channels + channel];
                            let (i, j) = ((row + u) as isize - 1, (column + v) as isize - 1);
                            sum += f64::from(weight) * at(i, j, channel);
                        }
                    }
                }
                y.push(sum);
            }
        }
    }
    y
}

/// As its name says.
pub fn every_small_shape_agrees_with_the_naive_sum() {
    let mut scratch = ConvScratch::default();
    // It was something larger before: nothing of that may shine through.
    let mut y = vec![9.0; 100_000];
    for height in [1, 2, 3, 5, 16, 17] {
        for width in [1, 2, 3, 4, 9, 24] {
            for channels in [1, 3, 5, 8] {
                for outputs in [1, 3, 8, 9] {
                    for stride in [1, 2, 3] {
                        let x = numbers(height * width * channels, 1);
                        let w = numbers(outputs * 9 * channels, 2);
                        let bias = numbers(outputs, 3);
                        let weights = packed(outputs, 9 * channels, &w);
                        let shape = PlaneShape {
                            height,
                            width,
                            channels,
                        };
                        let found = conv2d(
                            &x,
                            shape,
                            Convolution {
                                weights: &weights,
                                bias: &bias,
                                stride,
                            },
                            Epilogue::STORE,
                            &mut y,
                            &mut scratch,
                        );
                        let exact = naive(&x, [height, width, channels], &w, &bias, stride);
                        assert_eq!(found.channels, outputs);
                        assert_eq!(found.len(), exact.len());
                        assert_eq!(y.len(), exact.len());
                        for (&found, &exact) in y.iter().zip(&exact) {
                            assert!(
                                (f64::from(found) - exact).abs() < 2e-5,
                                "{height}×{width}×{channels}, {outputs} outputs, stride {stride}: \
                                 {found} for {exact}"
                            );
                        }
                    }
                }
            }
        }
    }
}

/// As its name says.
pub fn an_epilogue_does_what_its_function_does_to_the_pixels() {
    let shape = PlaneShape {
        height: 5,
        width: 13,
        channels: 3,
    };
    let (x, w, bias) = (numbers(shape.len(), 4), numbers(9 * 27, 5), numbers(9, 6));
    let convolve = |epilogue, mut y: Vec<f32>| {
        conv2d(
            &x,
            shape,
            Convolution {
                weights: &packed(9, 27, &w),
                bias: &bias,
                stride: 1,
            },
            epilogue,
            &mut y,
            &mut ConvScratch::default(),
        );
        y
    };
    let plain = convolve(Epilogue::STORE, Vec::new());
    let mut expected = plain.clone();
    relu(&mut expected);
    assert_eq!(
        convolve(Epilogue::Store(Activation::Relu), Vec::new()),
        expected
    );
    let before = numbers(plain.len(), 7);
    let added = convolve(Epilogue::Add, before.clone());
    for ((added, before), plain) in added.iter().zip(before).zip(plain) {
        assert!((added - (before + plain)).abs() < 1e-5);
    }
}

/// As its name says.
pub fn a_depthwise_convolution_is_a_convolution_of_each_channel() {
    for (height, width, channels) in [(1, 1, 1), (2, 3, 5), (7, 4, 8), (5, 9, 17)] {
        for stride in [1, 2, 3] {
            let shape = PlaneShape {
                height,
                width,
                channels,
            };
            let x = numbers(shape.len(), 8);
            let (w, bias) = (numbers(9 * channels, 9), numbers(channels, 10));
            // As a convolution, the weights from other channels are zeros.
            let mut wide = vec![0.0; channels * 9 * channels];
            for channel in 0..channels {
                for place in 0..9 {
                    wide[(channel * 9 + place) * channels + channel] =
                        w[place * channels + channel];
                }
            }
            let exact = naive(&x, [height, width, channels], &wide, &bias, stride);
            let weights = DepthwiseConvolution {
                weights: &w,
                bias: &bias,
                stride,
            };
            let mut y = Vec::new();
            let found = depthwise_conv2d(&x, shape, weights, Epilogue::STORE, &mut y);
            assert_eq!((found.len(), found.channels), (exact.len(), channels));
            for (&found, &exact) in y.iter().zip(&exact) {
                assert!(
                    (f64::from(found) - exact).abs() < 1e-5,
                    "{found} for {exact}"
                );
            }
            let plain = y.clone();
            depthwise_conv2d(&x, shape, weights, Epilogue::Add, &mut y);
            for (twice, once) in y.iter().zip(&plain) {
                assert!((twice - 2.0 * once).abs() < 1e-5);
            }
            let activated = Epilogue::Store(Activation::Relu);
            depthwise_conv2d(&x, shape, weights, activated, &mut y);
            let mut expected = plain;
            relu(&mut expected);
            assert_eq!(y, expected);
        }
    }
}
