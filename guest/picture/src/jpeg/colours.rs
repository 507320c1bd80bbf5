//! Colour spaces of a file's components, and their way to red, green and blue.
//!
//! The arithmetic is that of libjpeg's tables in fixed point (`jdcolor.c`). Inks become colours as Pillow's
//! `convert("RGB")` makes them.

/// Colour spaces of the components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    Grey,
    Rgb,
    YCbCr,
    Cmyk,
    Ycck,
}

/// Converts a row. Each row of samples has at least as many as there are pixels.
pub(super) fn convert(colours: Colours, rows: [&[u8]; 4], pixels: &mut [u8]) {
    let pixels = pixels.as_chunks_mut::<3>().0;
    let [a, b, c, d] = rows;
    match colours {
        Colours::Grey => {
            for (pixel, &v) in pixels.iter_mut().zip(a) {
                *pixel = [v; 3];
            }
        }
        Colours::Rgb => {
            for (((pixel, &r), &g), &b) in pixels.iter_mut().zip(a).zip(b).zip(c) {
                *pixel = [r, g, b];
            }
        }
        Colours::YCbCr => {
            for (((pixel, &y), &cb), &cr) in pixels.iter_mut().zip(a).zip(b).zip(c) {
                *pixel = to_rgb(y, cb, cr);
            }
        }
        Colours::Cmyk => {
            let inks = a.iter().zip(b).zip(c).zip(d);
            for (pixel, (((&c, &m), &y), &k)) in pixels.iter_mut().zip(inks) {
                *pixel = print([c, m, y], k);
            }
        }
        Colours::Ycck => {
            let inks = a.iter().zip(b).zip(c).zip(d);
            for (pixel, (((&y, &cb), &cr), &k)) in pixels.iter_mut().zip(inks) {
                *pixel = print(to_rgb(y, cb, cr).map(|v| 255 - v), k);
            }
        }
    }
}

/// Applies the matrix of JFIF, with 16 bits of fraction.
#[inline(always)]
fn to_rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let [y, cb, cr] = [i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128];
    [
        y + ((91_881 * cr + HALF) >> 16),
        y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16),
        y + ((116_130 * cb + HALF) >> 16),
    ]
    .map(|v| v.clamp(0, 255) as u8)
}

/// Prints inks on white paper. They count as stored inverted, with Adobe's segment or without, as in every program
/// that shows such files: 255 is no ink.
#[inline(always)]
fn print(inks: [u8; 3], black: u8) -> [u8; 3] {
    let paper = i32::from(black);
    inks.map(|ink| {
        let covered = (255 - i32::from(ink)) * paper + 128;
        (paper - (((covered >> 8) + covered) >> 8)).clamp(0, 255) as u8
    })
}
